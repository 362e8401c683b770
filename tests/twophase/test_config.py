"""The config: its page and its schema agree, what it resolves to, and what is said about a wrong one."""

import copy
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twophase import grids
from twophase.config import load_schema, resolve
from twophase.errors import UserError

REPOSITORY = Path(__file__).parents[2]
SCHEMA = load_schema()
DEFS = SCHEMA["$defs"]
README = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
FIGURE = re.compile(r"w?fig\d|lyapunov")

PLAIN = {
    "datasets": {"pictures": {"source": "digits"}},
    "experiments": {
        "one": {
            "dataset": "pictures",
            "model": {"name": "resnet8"},
            "training": {"iterations": 100, "batch_size": 64},
            "checkpoints": {"every": 10},
        }
    },
}


# The schema, as paths ------------------------------------------------------------------------------------------------


def whole(node: dict) -> dict:
    """A node of the schema with what it refers to."""
    reference = node.get("$ref")
    return whole(DEFS[reference.removeprefix("#/$defs/")]) | node if reference else node


def properties(node: dict, path: tuple = ()):
    """Every key that a config can have: its path, its node, and whether it is required."""
    for name, part in node.get("properties", {}).items():
        child, here = whole(part), (*path, name)
        yield here, child, name in node.get("required", ())
        yield from properties(child, here)
        if isinstance(child.get("additionalProperties"), dict):
            yield from properties(whole(child["additionalProperties"]), (*here, "<name>"))


def written(path: tuple) -> str:
    """A path as config/README.md writes it."""
    parts = ["<figure>" if FIGURE.fullmatch(part) else part for part in path]
    return ".".join(parts).removeprefix("experiments.<name>.")


KEYS = list(properties(SCHEMA))
GRID_KEYS = [(("<grid>", name), node, False) for name, node in DEFS["grid"]["oneOf"][1]["properties"].items()]
DOCUMENTED = {written(path): (node, required) for path, node, required in [*KEYS, *GRID_KEYS]}


def rows() -> list[list[str]]:
    """Cells of all rows of the tables of keys in config/README.md."""
    found, inside = [], False
    for line in README.splitlines():
        if line == "| key | type | default | meaning |":
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


ROWS = {cells[0].strip("`"): cells for cells in rows()}


def literal(text: str):
    value = yaml.safe_load(text)
    try:
        return float(value) if isinstance(value, str) else value  # YAML takes 1e-7 for text
    except ValueError:
        return value


def test_page_has_every_key_once_and_no_other():
    assert len(rows()) == len(ROWS)
    assert ROWS.keys() == DOCUMENTED.keys()


@pytest.mark.parametrize("key", DOCUMENTED)
def test_page_gives_default_and_choices(key):
    node, required = DOCUMENTED[key]
    _, kind, default, _ = ROWS[key]
    if "default" in node:
        assert literal(default.strip("`")) == node["default"]
    else:
        assert default == ("required" if required else "–")
    if "enum" in node:
        assert re.findall("`(.*?)`", kind) == node["enum"]


def test_page_lists_what_every_figure_needs():
    figures = [name for name in DEFS["figures"]["properties"] if FIGURE.fullmatch(name)]
    assert re.findall(r"^\| `(w?fig\d|lyapunov)` \|", README, re.MULTILINE) == figures


def test_page_explains_grids_as_they_are():
    spec = {"every": 250, "until": 10000, "at": [10, 50, 62560]}
    assert sorted({10, 50, 62560, *range(0, 10001, 250)}) == grids.resolve(spec, 62560)
    assert "{every: 250, until: 10000, at: [10, 50, 62560]}" in README


@pytest.mark.parametrize(("path", "node", "required"), KEYS + GRID_KEYS, ids=lambda part: str(part)[:60])
def test_schema_describes_every_key_and_gives_its_default(path, node, required):
    assert len(node.get("description", "")) > 5
    optional = path[0] == "<grid>" or any(FIGURE.fullmatch(part) for part in path)
    assert required or optional or "default" in node
    assert node.get("additionalProperties", False) is not True


# What a config resolves to -------------------------------------------------------------------------------------------


def place(config: dict, path: tuple, value) -> dict:
    """A copy of a config with a value at a path, mappings on the way made where they are missing."""
    config = part = copy.deepcopy(config)
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
    return config


def real(path: tuple) -> tuple:
    """A path of the schema in `PLAIN`."""
    return tuple({"datasets": "pictures", "experiments": "one"}[path[0]] if k == "<name>" else k for k in path)


def with_experiment(**sections) -> dict:
    """`PLAIN` with values in its experiment; a mapping is laid over what is there."""
    config = copy.deepcopy(PLAIN)
    one = config["experiments"]["one"]
    for key, value in sections.items():
        one[key] = one[key] | value if isinstance(value, dict) and key in ("training", "model") else value
    return config


def one(**sections) -> dict:
    return resolve(with_experiment(**sections))["experiments"]["one"]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_resolve(path, monkeypatch):
    monkeypatch.setattr(
        "twophase.datasets.source_missing", lambda source, root: None
    )  # images do not come with the repository
    resolved = resolve(yaml.safe_load(path.read_text()))
    for experiment in resolved["experiments"].values():
        steps = experiment["checkpoints"]
        assert steps == sorted({0, experiment["training"]["iterations"], *steps})


def test_resolving_leaves_the_config_alone():
    before = copy.deepcopy(PLAIN)
    resolve(PLAIN)
    assert before == PLAIN


def test_every_key_has_a_value():
    resolved = resolve(PLAIN)
    gone = {"epochs", "unit"}  # counted in iterations by now
    for path, _, _ in KEYS:
        if not gone & {*path} and not any(FIGURE.fullmatch(name) for name in path):
            part = resolved
            for name in real(path):
                part = part[name]


def test_defaults_lie_under_every_experiment_key_by_key():
    config = {
        **PLAIN,
        "defaults": {"training": {"lr": 0.5, "batch_size": 32}, "chaos": {"t0": [0, 10]}, "seeds": [3, 4]},
    }
    config["experiments"] = {"one": PLAIN["experiments"]["one"], "two": with_experiment()["experiments"]["one"]}
    config["experiments"]["two"] |= {"seeds": [5], "chaos": {"t0": [20]}}
    resolved = resolve(config)["experiments"]
    assert [resolved[name]["training"]["lr"] for name in ("one", "two")] == [0.5, 0.5]
    assert resolved["one"]["training"]["batch_size"] == 64  # its own
    assert (resolved["one"]["seeds"], resolved["two"]["seeds"]) == ([3, 4], [5])
    assert (resolved["one"]["chaos"]["t0"], resolved["two"]["chaos"]["t0"]) == ([0, 10], [20])


SETTINGS = {
    ("seeds",): [[1], [2, 3]],
    ("training", "lr"): [0.01, 2],
    ("training", "schedule"): [{"kind": "cosine"}, {"milestones": [20]}],
    ("barrier", "alphas"): [3, 11],
    ("kernel", "grid"): [[0, 50], {"every": 20}, None],
    ("chaos", "t0"): [[0, 10], []],
}


@given(st.fixed_dictionaries({}, optional={path: st.sampled_from(values) for path, values in SETTINGS.items()}))
def test_a_key_means_the_same_in_defaults_and_in_an_experiment(settings):
    shared, own = PLAIN, PLAIN
    for path, value in settings.items():
        shared = place(shared, ("defaults", *path), value)
        own = place(own, ("experiments", "one", *path), value)
    assert resolve(shared)["experiments"] == resolve(own)["experiments"]


@given(st.integers(1, 5), st.integers(1, 40))
def test_epochs_become_iterations(epochs, batch_size):
    training = one(training={"iterations": None, "epochs": epochs, "batch_size": batch_size})["training"]
    assert training["iterations"] == epochs * -(-1437 // batch_size)  # the last, partial batch is kept
    assert "epochs" not in training


def test_schedules_in_epochs_become_iterations():
    schedule = {"milestones": [120, 80], "warmup": 0.5, "unit": "epochs"}
    config = with_experiment(training={"iterations": None, "epochs": 160, "batch_size": 128, "schedule": schedule})
    config["datasets"]["pictures"] = {"source": "cifar10"}
    training = resolve(config)["experiments"]["one"]["training"]
    assert training["iterations"] == 62560
    assert training["schedule"]["milestones"] == [31280, 46920]
    assert training["schedule"]["warmup"] == round(0.5 * 391)
    assert "unit" not in training["schedule"]


def test_an_epoch_is_one_of_the_images_kept():
    config = place(
        with_experiment(training={"iterations": None, "epochs": 1}), ("datasets", "pictures", "train_size"), 65
    )
    assert resolve(config)["experiments"]["one"]["training"]["iterations"] == 2


GRIDS = st.one_of(
    st.lists(st.integers(0, 100), min_size=1, unique=True),
    st.fixed_dictionaries(
        {"every": st.integers(1, 200)},
        optional={
            "log": st.integers(2, 20),
            "until": st.integers(1, 200),
            "at": st.lists(st.integers(0, 100), unique=True),
        },
    ),
)


@given(GRIDS)
def test_checkpoints_hold_start_and_end_and_the_grid(grid):
    steps = one(checkpoints=grid)["checkpoints"]
    assert steps == sorted({0, 100, *grids.resolve(grid, 100)})


@given(GRIDS, GRIDS)
def test_other_grids_lie_on_the_checkpoints(steps, grid):
    config = with_experiment(checkpoints=steps, pairs={"grid": grid}, kernel={"grid": grid}, chaos={"t0": grid})
    asked, there = {*grids.resolve(grid, 100)}, {0, 100, *grids.resolve(steps, 100)}
    if isinstance(grid, list) and 100 in grid:
        there -= {100}  # no fork starts at the end
    if asked <= there:
        resolved = resolve(config)["experiments"]["one"]
        assert resolved["pairs"]["grid"] == resolved["kernel"]["grid"] == resolved["barrier"]["grid"] == sorted(asked)
        assert {*resolved["chaos"]["t0"]} == asked - {100}
    else:
        with pytest.raises(UserError, match=r"^experiments\.one\.chaos\.t0: \d+ is not "):
            resolve(config)


def test_missing_grids_are_those_above_them():
    resolved = one(pairs={"grid": [0, 50]}, chaos={"t0": [20, 10]}, linearized={"switch": [0], "until": 60})
    assert resolved["kernel"]["grid"] == resolved["checkpoints"]
    assert resolved["barrier"]["grid"] == [0, 50]
    assert resolved["chaos"]["t0"] == [20, 10]  # a list keeps its order
    assert resolved["chaos"]["t1"] == [10, 20, 100]
    assert resolved["chaos"]["control"] == [20]
    assert resolved["linearized"]["evaluate"] == [0, 10, 20, 30, 40, 50, 60]
    assert resolved["title"] == "one"


def test_numbers_are_numbers_however_they_are_written():
    text = (
        yaml.safe_dump(PLAIN) + "figures: {dpi: 1e2}\ndefaults: {chaos: {size: 1e-7}, training: {weight_decay: 5E-4}}"
    )
    resolved = resolve(yaml.safe_load(text))
    assert resolved["experiments"]["one"]["chaos"]["size"] == 1e-7
    assert resolved["experiments"]["one"]["training"]["weight_decay"] == 5e-4
    assert isinstance(one(training={"iterations": 1e2})["training"]["iterations"], int)


def test_text_of_the_command_line_is_what_it_looks_like():
    """Snakemake hands on everything within the braces of `--config` as text."""
    resolved = one(
        title="2024",
        seeds=["1", "2"],
        training={"iterations": "null", "epochs": "2.5", "augment": {"flip": "true"}},
        barrier={"alphas": "+11"},
    )
    assert resolved["title"] == "2024"
    assert resolved["seeds"] == [1, 2]
    assert resolved["training"]["iterations"] == round(2.5 * 23)
    assert resolved["training"]["augment"]["flip"] is True
    assert resolved["barrier"]["alphas"] == 11


# What is said about a wrong one --------------------------------------------------------------------------------------


def message(config: dict) -> str:
    with pytest.raises(UserError) as error:
        resolve(config)
    assert "\n" not in str(error.value)
    return str(error.value)


MAPPINGS = [(), ("datasets", "pictures"), ("experiments", "one"), ("experiments", "one", "chaos", "t0")]
MAPPINGS += [real(path) for path, node, _ in KEYS if node.get("additionalProperties") is False]
ALLOWED = {real(path) for path, _, _ in KEYS} | {("experiments", "one", "chaos", "t0", k) for (_, k), *_ in GRID_KEYS}


@given(st.sampled_from(MAPPINGS), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), st.data())
def test_unknown_keys_are_named_wherever_they_are(path, key, data):
    if (*path, key) not in ALLOWED:
        value = data.draw(st.sampled_from([None, 1, "a", [], {}]))
        said = message(place(PLAIN, (*path, key), value))
        assert said.startswith(f"{'.'.join(path) or 'the config'}: unknown key '{key}'")


WRONG = [None, True, -1, 0.5, "many", [], ["a"], {}, {"a": 1}]


@given(st.sampled_from(KEYS), st.sampled_from(WRONG))
def test_wrong_types_are_named_wherever_they_are(entry, value):
    path, node, _ = entry
    if not jsonschema.Draft202012Validator({**node, "$defs": DEFS}).is_valid(value):
        said = message(place(PLAIN, real(path), value))
        assert said.startswith(".".join(real(path)))


def datasets(**entries):
    return {**PLAIN, "datasets": {**PLAIN["datasets"], **entries}}


def in_epochs(tmp_path):
    config = with_experiment(training={"schedule": {"milestones": [2], "unit": "epochs"}})
    config["datasets"]["pictures"] = {"source": "imagefolder", "root": str(tmp_path)}
    return config


BAD = {
    "unknown key": (with_experiment(barier={}), "experiments.one: unknown key 'barier'; did you mean barrier?"),
    "unknown key of a grid": (
        with_experiment(chaos={"t0": {"evry": 5}}),
        "chaos.t0: unknown key 'evry'; did you mean every?",
    ),
    "unknown key far from any": (with_experiment(cone={"zzz": 1}), "cone: unknown key 'zzz'; known keys: tau, dt."),
    "key that YAML reads as true": ({**PLAIN, True: 1}, "the config: unknown key 'True'; known keys: results, "),
    "wrong type": (
        with_experiment(chaos={"draws": "two"}),
        "chaos.draws: 'two' is not of type 'integer'. Independent ",
    ),
    "wrong choice": (
        with_experiment(kernel={"reduce": "sum"}),
        "kernel.reduce: 'sum' is not one of ['trace', 'full', ",
    ),
    "no grid": (
        with_experiment(checkpoints="all"),
        "checkpoints: expected a list of iterations or, for a grid, a mapping of",
    ),
    "point of a grid": (with_experiment(chaos={"t0": [0, 1.5]}), "chaos.t0.1: 1.5 is not of type 'integer'"),
    "empty grid": (
        with_experiment(pairs={"grid": {"at": []}}),
        "pairs.grid: the grid is empty; name iterations, or leave ",
    ),
    "missing key": ({"datasets": PLAIN["datasets"]}, "the config: the key 'experiments' is missing."),
    "t0 at the end": (
        with_experiment(chaos={"t0": [0, 100]}),
        "chaos.t0: 100 is not before the end of training, T = 100.",
    ),
    "t0 after the end": (
        with_experiment(chaos={"t0": [200]}),
        "chaos.t0: 200 is not before the end of training, T = 100.",
    ),
    "t0 off grid": (
        with_experiment(chaos={"t0": [33]}),
        "chaos.t0: 33 is not on experiments.one.checkpoints; the nearest is 30",
    ),
    "t1 off grid": (
        with_experiment(chaos={"t1": [57]}),
        "chaos.t1: 57 is not on experiments.one.checkpoints; the nearest is 60",
    ),
    "no t1 after t0": (
        with_experiment(chaos={"t0": [50], "t1": [40]}),
        "chaos.t1: no t1 lies after t0 = 50; add one, or drop",
    ),
    "control off t0": (
        with_experiment(chaos={"t0": [50], "control": [0]}),
        "chaos.control: 0 is not on experiments.one.chaos.t0",
    ),
    "tau off grid": (
        with_experiment(kernel={"grid": [0, 50]}, cone={"tau": [30]}),
        "cone.tau: 30 is not on experiments.one.kernel.grid; the nearest is 50.",
    ),
    "dt off grid": (
        with_experiment(cone={"dt": [14]}),
        "cone.dt: 14 is not on the differences of experiments.one.kernel.grid; the nearest is 10.",
    ),
    "switch off grid": (
        with_experiment(linearized={"switch": [1]}),
        "linearized.switch: 1 is not on experiments.one.checkpoints; the nearest is 0.",
    ),
    "switch at the end": (
        with_experiment(linearized={"switch": [100]}),
        "linearized.switch: 100 is not before the end",
    ),
    "checkpoint after the end": (
        with_experiment(checkpoints=[101]),
        "checkpoints: 101 lies beyond the end of training, T = 100",
    ),
    "until after the end": (
        with_experiment(linearized={"until": 101}),
        "linearized.until: 101 lies beyond the end of training",
    ),
    "unknown model": (
        with_experiment(model={"name": "lenet"}),
        "model: 'lenet' is unknown (did you mean lenet5?); known are",
    ),
    "unknown depth": (with_experiment(model={"name": "resnet18"}), "model: resnet18 does not exist for CIFAR"),
    "unknown classifier": (
        with_experiment(model={"name": "torchvision:resnet19"}),
        "model: torchvision has no classifier 'resnet19' (did you mean torchvision:resnet18",
    ),
    "option without effect": (
        with_experiment(model={"head": "mlp4096"}),
        "model: head 'mlp4096' has no effect on resnet8; leave",
    ),
    "setting of another optimizer": (
        with_experiment(training={"betas": [0.5, 0.9]}),
        "training.betas: has no effect where optimizer is sgd; set that to adam, or drop it.",
    ),
    "momentum of adam": (
        with_experiment(training={"optimizer": "adam", "momentum": 0.5}),
        "training.momentum: has no effect where optimizer is adam; set that to sgd, or drop it.",
    ),
    "milestones of another schedule": (
        with_experiment(training={"schedule": {"kind": "cosine", "milestones": [50]}}),
        "training.schedule.milestones: has no effect where schedule.kind is cosine; set that to step, or drop it.",
    ),
    "not a number": (
        with_experiment(training={"lr": float("nan")}),
        "experiments.one.training.lr: nan is not a finite number",
    ),
    "infinite in a list": (
        with_experiment(training={"betas": [0.9, float("inf")]}),
        "experiments.one.training.betas.1: inf is not a finite number",
    ),
    "unknown colour map": (
        {**PLAIN, "figures": {"fig4": {"colormap": "virdis"}}},
        "figures.fig4.colormap: unknown colour map 'virdis'; did you mean viridis?",
    ),
    "control without forks": (
        with_experiment(chaos={"t0": [], "control": [50]}),
        "chaos.control: 50 is not on experiments.one.chaos.t0, which is empty.",
    ),
    "unknown source": (
        datasets(pictures={"source": "mnst"}),
        "datasets.pictures.source: unknown data set 'mnst'; known: digits, mnist, fashionmnist, kmnist, cifar10, ",
    ),
    "unknown data set": (with_experiment(dataset="mnist"), "dataset: unknown data set 'mnist'; known: pictures."),
    "no path": (datasets(more={"source": "imagefolder"}), "datasets.more.root: an image folder needs the path of its "),
    "missing path": (
        datasets(more={"source": "imagefolder", "root": "no/such/folder"}),
        "datasets.more.root: no/such/folder does not exist; give a folder or .zip that holds train/<class>/ and test/",
    ),
    "too many images": (
        datasets(pictures={"source": "digits", "train_size": 1438}),
        "datasets.pictures.train_size: digits has 1437 images, not 1438.",
    ),
    "too many test images": (
        datasets(pictures={"source": "digits", "test_size": 361}),
        "datasets.pictures.test_size: digits has 360 images, not 361.",
    ),
    "two lengths": (
        with_experiment(training={"epochs": 2}),
        "training: give either iterations or epochs, the length of",
    ),
    "no length": (
        with_experiment(training={"iterations": None}),
        "training: give either iterations or epochs, the length of",
    ),
    "milestones in unknown epochs": (
        in_epochs,
        "schedule.unit: the size of this data set is not known before it is read",
    ),
    "unknown engine": (
        with_experiment(training={"engine": "graph"}),
        "experiments.one.training.engine: 'graph' is not one of ['solo', 'lockstep']. Whether the forks of a job train",
    ),
    "long warmup": (
        with_experiment(training={"schedule": {"warmup": 100}}),
        "training.schedule.warmup: it must end before training does, T = 100.",
    ),
    "name that is no folder": (
        {**PLAIN, "experiments": {"../x": PLAIN["experiments"]["one"]}},
        "experiments: '../x' does not match",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_one_message_names_the_key_and_the_remedy(case, tmp_path):
    config, expected = BAD[case]
    said = message(config(tmp_path) if callable(config) else config)
    at_front = re.match(r"(the config|(datasets|experiments|figures)(\.\w+)*): ", said)
    assert at_front, said
    assert expected in said
