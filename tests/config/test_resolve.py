"""The config: its page and its schema agree, what it resolves to, and what is said about a wrong one."""

import copy
import datetime
import hashlib
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from twophase.config import grids, schema
from twophase.config.figures import FIGURES
from twophase.config.resolve import check_images, resolve, settings_of
from twophase.errors import UserError
from twophase.networks import own
from twophase.runtime import guard

REPOSITORY = Path(__file__).parents[2]
SCHEMA = schema.load()
DEFS = SCHEMA["$defs"]
GUIDE = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
PAGE = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
STYLE = "#/$defs/style"

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


def is_of_figure(path: tuple) -> bool:
    """Whether a path is that of a figure's settings; parts of an experiment may have a figure's name, too."""
    return path[0] == "figures" and not FIGURES.keys().isdisjoint(path[1:2])


def written(path: tuple) -> str:
    """A path as docs/configuration.md writes it."""
    path = ("figures", "<figure>", *path[2:]) if is_of_figure(path) else path
    return ".".join(path).removeprefix("experiments.<name>.")


KEYS = list(properties(SCHEMA))
GRID_KEYS = [(("<grid>", name), node, False) for name, node in DEFS["grid"]["oneOf"][1]["properties"].items()]
DOCUMENTED = {written(path): (node, required) for path, node, required in [*KEYS, *GRID_KEYS]}


def rows() -> list[list[str]]:
    """Cells of all rows of the tables of keys in docs/configuration.md."""
    found, inside = [], False
    for line in PAGE.splitlines():
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


def test_guide_lists_what_every_figure_needs():
    table = GUIDE[GUIDE.index("<!-- figures -->") : GUIDE.index("<!-- end of figures -->")]
    figures = [name for name, node in DEFS["figures"]["properties"].items() if node.get("$ref") == STYLE]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == figures == list(FIGURES)


def test_keys_of_the_guide_exist_and_have_the_defaults_that_it_names():
    table = GUIDE.partition("## The keys")[2].partition("##")[0]
    found = re.findall(r"^\| `([a-z0-9_.<>]+)` \| (.*?) \|", table, re.MULTILINE)
    assert len(found) >= 15
    for key, default in found:
        node, required = DOCUMENTED[key]
        assert default == "required" if required else literal(default.strip("`")) == node["default"]


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A network's file in the folder of a config."""
    monkeypatch.setenv(own.FOLDER, str(tmp_path))
    path = tmp_path / "nets.py"
    path.write_text("def build(num_classes, in_channels, image_size, depth=1): ...\n")
    return path


def of_own(**model) -> dict:
    return with_experiment(model={"name": "nets.py:build"} | model)


def test_a_network_of_ones_own_has_the_digest_of_its_file(nets):
    model = resolve(of_own(options={"depth": "2"}))["experiments"]["one"]["model"]
    assert model["options"] == {"depth": 2}
    assert model["sha256"] == hashlib.sha256(nets.read_bytes()).hexdigest()
    assert resolve(of_own(sha256=model["sha256"])) == resolve(of_own())


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"name": "net.py:build"}, r"one\.model: there is no file .*net\.py; give its path"),
        ({"name": "nets.py:make"}, r"one\.model: nets\.py has no function 'make'"),
        ({"options": {"width": 2}}, r"one\.model: nets\.py, line 1: build does not take width"),
        ({"options": {"depth": datetime.date(2020, 1, 1)}}, r"one\.model: options\.depth .* is no plain value"),
        ({"width": 2}, r"one\.model: width 2 has no effect on nets\.py:build; leave it out"),
        ({"sha256": "0" * 64}, r"one\.model\.sha256: .*nets\.py has [0-9a-f]{64}; give that, or the file"),
        ({"sha256": "abc"}, r"one\.model\.sha256: 'abc' cannot be used; SHA-256 of the file"),
        ({"name": "a`b.py:build"}, r"one\.model\.name: 'a`b\.py:build' cannot be used"),
        ({"name": "resnet8", "sha256": "0" * 64}, r"one\.model: sha256 '0+' has no effect on resnet8; leave it out"),
    ],
)
def test_what_is_wrong_with_a_network_of_ones_own_is_one_line(nets, model, expected):
    with pytest.raises(UserError, match=rf"^experiments\.{expected}") as info:
        resolve(of_own(**model))
    assert "\n" not in str(info.value)


def test_its_bytes_and_options_are_settings_of_its_training(nets, tmp_path):
    """The folder of its results is refused to another file, or to more, other or fewer options."""
    record = tmp_path / "results"
    table = record / "one/seed0/C.parquet"
    table.parent.mkdir(parents=True)
    table.touch()

    def settings(**model):
        return {"one": settings_of(resolve(of_own(**model)), "one")}

    guard.enter(record, "config.yaml", settings(options={"depth": 1}), {})
    guard.check(record, "config.yaml", settings(options={"depth": 1}))
    for options in ({"depth": 2}, {}):
        with pytest.raises(UserError, match=r"made with model\.options \{"):
            guard.check(record, "config.yaml", settings(options=options))
    nets.write_text(nets.read_text() + "# the same, and another file\n")
    with pytest.raises(UserError, match=r"made with model\.sha256 [0-9a-f]{64}; .*move .* away"):
        guard.check(record, "config.yaml", settings(options={"depth": 1}))


def test_settings_of_other_networks_know_nothing_of_it():
    resolved = resolve(PLAIN)
    assert not {"options", "sha256"} & resolved["experiments"]["one"]["model"].keys()
    assert not {"options", "sha256"} & settings_of(resolved, "one")["model"].keys()


def test_editors_take_the_shipped_configs_as_they_are_written():
    editors = json.loads((REPOSITORY / "config" / "schema.json").read_text(encoding="utf-8"))
    checker = jsonschema.validators.validator_for(editors)
    checker.check_schema(editors)
    for path in sorted((REPOSITORY / "config").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=schema.json\n"), path
        checker(editors).validate(schema.typed(yaml.safe_load(text)))


def test_page_explains_grids_as_they_are():
    spec = {"every": 250, "until": 10000, "at": [10, 50, 62560]}
    assert sorted({10, 50, 62560, *range(0, 10001, 250)}) == grids.resolve(spec, 62560)
    assert "{every: 250, until: 10000, at: [10, 50, 62560]}" in PAGE


@pytest.mark.parametrize(("path", "node", "required"), KEYS + GRID_KEYS, ids=lambda part: str(part)[:60])
def test_schema_describes_every_key_and_gives_its_default(path, node, required):
    assert len(node.get("description", "")) > 5
    optional = path[0] == "<grid>" or is_of_figure(path)
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
def test_shipped_configs_resolve(path):
    resolved = resolve(yaml.safe_load(path.read_text()))
    for experiment in resolved["experiments"].values():
        steps = experiment["checkpoints"]
        assert steps == sorted({0, experiment["training"]["iterations"], *steps})


def leaves(part, path: tuple = ()) -> dict:
    """Every value of a config that is no mapping, by its path."""
    if not isinstance(part, dict):
        return {path: part}
    return {place: value for key, item in part.items() for place, value in leaves(item, (*path, key)).items()}


VARIED = {  # file: the keys in one of which its readings differ from the first, and those in all of which one does
    "readings": (
        {
            *("chaos.norm", "chaos.size", "training.dtype", "phases.distance", "phases.scale", "evaluation.bn"),
            *("kernel.reduce", "kernel.n", "kernel.bn", "linearized.momentum", "linearized.lr"),
        },
        {"phases.distance", "phases.scale"},
    ),
    "readings-networks": ({"model.shortcut", "model.init", "model.bn_gamma"},) * 2,
}


@pytest.mark.parametrize("name", VARIED)
def test_readings_differ_from_the_first_in_one_key_each_and_one_in_those_that_matter_together(name):
    config = resolve(yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text()))
    first, *others = config["experiments"].values()
    default, varied, pairs = leaves(first), set(), []
    for experiment in others:
        other = leaves(experiment)
        left_out = [
            *(("linearized",) if not experiment["linearized"]["switch"] else ()),
            *(("cone",) if not experiment["cone"]["dt"] else ()),
        ]
        differs = [path for path in default if other[path] != default[path] and path[0] not in {"title", *left_out}]
        keys = {".".join(path) for path in differs}
        if len(keys) == 1:
            varied |= keys
        else:
            pairs.append(keys)
    assert (varied, *pairs) == VARIED[name]


def test_readings_of_both_files_have_the_same_first():
    files = [yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text()) for name in VARIED]
    assert files[0]["defaults"] == files[1]["defaults"]


def test_resolving_leaves_the_config_alone():
    before = copy.deepcopy(PLAIN)
    resolve(PLAIN)
    assert before == PLAIN


def test_every_key_has_a_value():
    resolved = resolve(PLAIN)
    gone = {"epochs", "unit", "defaults"}  # counted in iterations, and merged, by now
    gone |= {"options", "sha256"}  # of networks of the user's own alone
    for path, _, _ in KEYS:
        if not gone & {*path} and not is_of_figure(path):
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


def test_the_example_of_the_guide_is_a_whole_config():
    example = GUIDE.partition("```yaml\n")[2].partition("```")[0]
    experiments = resolve(yaml.safe_load(example))["experiments"]
    assert all(e["chaos"]["t0"] and e["cone"]["dt"] and e["linearized"]["switch"] for e in experiments.values())


@given(GRIDS, GRIDS)
def test_other_grids_lie_on_the_checkpoints(steps, grid):
    config = with_experiment(checkpoints=steps, pairs={"grid": grid}, kernel={"grid": grid}, chaos={"t0": grid})
    asked, there = {*grids.resolve(grid, 100)}, {0, 100, *grids.resolve(steps, 100)}
    if isinstance(grid, list) and 100 in grid:
        there -= {100}  # no fork starts at the end
    if asked <= there:
        resolved = resolve(config)["experiments"]["one"]
        assert resolved["pairs"]["grid"] == resolved["barrier"]["grid"] == sorted(asked)
        assert resolved["kernel"]["grid"] == sorted(asked | {0})  # the cone is seen from there
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
        check_images(resolve(config))
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


def circular():
    """What YAML makes of `defaults: &all {training: *all}`."""
    config = copy.deepcopy(PLAIN)
    config["defaults"] = {"training": config}
    return config


def in_epochs(tmp_path):
    config = with_experiment(training={"schedule": {"milestones": [2], "unit": "epochs"}})
    config["datasets"]["pictures"] = folder(tmp_path)
    return config


def on_text(source=None, **changes):
    """A transformer that trains on the embedded text; `changes` as of `with_experiment`."""
    config = with_experiment(**({"model": {"name": "transformer"}} | changes))
    config["datasets"]["pictures"] = {"source": "text", **(source or {})}
    return config


def folder(tmp_path, **keys):
    """A data set of image files whose number is not known before they are read."""
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
    return {"source": "imagefolder", "root": str(tmp_path)} | keys


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
        "pairs.grid: names no iteration; give at, every or log",
    ),
    "missing key": ({"datasets": PLAIN["datasets"]}, "the config: the key 'experiments' is missing."),
    "no perturbation and the base run's noise": (
        with_experiment(chaos={"size": 0}),
        "chaos.size: with 0 and the base run's noise, forks are the base run; give a size, or new noise.",
    ),
    "size below 0": (
        with_experiment(chaos={"size": -1e-7, "noise": "order"}),
        "chaos.size: -1e-07 is less than the minimum of 0.",
    ),
    "unknown noise": (
        with_experiment(chaos={"noise": "dropout"}),
        "chaos.noise: 'dropout' is not one of ['shared', 'order', 'augmentation', 'both'].",
    ),
    "new augmentation of none": (
        with_experiment(chaos={"noise": "augmentation"}),
        "chaos.noise: augmentation needs training.augment, and that has neither crop nor flip; set one, or take order.",
    ),
    "both, and one of them is none": (
        with_experiment(chaos={"noise": "both"}),
        "chaos.noise: both needs training.augment, and that has neither crop nor flip; set one, or take order.",
    ),
    "gradient without a length": (
        with_experiment(chaos={"direction": "gradient"}),
        "chaos.direction: gradient needs a norm that is a length, and per_coordinate is none; set norm to l2, ",
    ),
    "several draws along the gradient": (
        with_experiment(chaos={"direction": "gradient", "norm": "l2", "draws": 2}),
        "chaos.draws: all draws along the gradient are the same; set draws to 1, or take new noise.",
    ),
    "a name that is none": (with_experiment(chaos={"where": [""]}), "chaos.where.0: '' should be non-empty."),
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
    "distance off the grid of pairs": (
        with_experiment(chaos={"t0": [20]}, pairs={"grid": [0, 50, 100]}, phases={"distance": "checkpoints"}),
        "chaos.t0: 20 is not on experiments.one.pairs.grid, which phases.distance: checkpoints reads; ",
    ),
    "distance off the grid of barriers": (
        with_experiment(
            chaos={"t0": [0], "t1": [30, 100]}, barrier={"grid": [0, 100]}, phases={"distance": "checkpoints"}
        ),
        "chaos.t1: 30 is not on experiments.one.barrier.grid, which phases.distance: checkpoints reads",
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
    "init that changes nothing": (
        with_experiment(model={"name": "lenet300", "init": "torch"}),
        "model: init 'torch' has no effect on lenet300, whose default it is",
    ),
    "unknown init": (with_experiment(model={"init": "he"}), "model.init: 'he' is not one of"),
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
    "more in a batch than there are": (
        with_experiment(training={"batch_size": 1438}),
        "one.training.batch_size: asks for 1438 examples, but there are 1437 train examples; take at most that many.",
    ),
    "more in a batch than are kept": (
        place(with_experiment(kernel={"n": 12}), ("datasets", "pictures", "train_size"), 63),
        "one.training.batch_size: asks for 64 examples, but there are 63 train examples",
    ),
    "more inputs of the kernel than there are": (
        with_experiment(kernel={"n": 1438}),
        "one.kernel.n: asks for 1438 examples, but there are 1437 train examples",
    ),
    "more test images than there are": (
        with_experiment(barrier={"test_size": 361}),
        "one.barrier.test_size: asks for 361 examples, but there are 360 test examples",
    ),
    "fewer images than classes": (
        datasets(pictures={"source": "digits", "train_size": 9}),
        "datasets.pictures.train_size: 9 images cannot show the 10 classes of digits; keep more.",
    ),
    "means of other channels": (
        datasets(pictures={"source": "cifar10", "mean": [0.5]}),
        "datasets.pictures.mean: has 1 numbers; the images of cifar10 need 3, one for each channel.",
    ),
    "images too small for the model": (
        with_experiment(model={"name": "vgg16"}),
        "one.model: vgg16 needs images of at least 32x32 pixels, these have 8x8; set `resize: 32` for the data set",
    ),
    "images made too small": (
        place(with_experiment(model={"name": "lenet5"}), ("datasets", "pictures", "resize"), 11),
        "one.model: lenet5 needs images of at least 12x12 pixels, these have 11x11; set `resize: 12`",
    ),
    "crops beside the image": (
        with_experiment(training={"augment": {"crop": 8}}),
        "one.training.augment.crop: 8 pixels of padding would cut whole images of 8x8 pixels away; take fewer.",
    ),
    "a file that is no zip": (
        lambda tmp_path: datasets(more={"source": "imagefolder", "root": str(Path(__file__))}),
        "datasets.more.root: ",
    ),
    "a folder without a test part": (
        lambda tmp_path: (
            (tmp_path / "train").mkdir(),
            datasets(more={"source": "imagefolder", "root": str(tmp_path)}),
        )[1],
        "has no folders test/<class>/; give a folder or .zip that holds train/<class>/ and test/<class>/",
    ),
    "a path with braces": (
        datasets(more={"source": "imagefolder", "root": "pictures/{set}"}),
        "datasets.more.root: 'pictures/{set}' has braces, which Snakemake takes for wildcards; rename it.",
    ),
    "a path of nobody": (
        datasets(more={"source": "imagefolder", "root": "~nosuchuser/x"}),
        "datasets.more.root: ~nosuchuser/x does not exist; give a folder or .zip",
    ),
    "a path too long": (
        datasets(more={"source": "imagefolder", "root": "a" * 5000}),
        "does not exist; give a folder or .zip",
    ),
    "training without end": (
        with_experiment(training={"iterations": 1e300}),
        "one.training.iterations: 1000000",
    ),
    "epochs without end": (
        with_experiment(training={"iterations": None, "epochs": 1e7}),
        "one.training.epochs: 10000000 are more than 100000000 iterations; train for fewer.",
    ),
    "a grid too fine": (
        with_experiment(training={"iterations": 10**6}, checkpoints={"every": 100}),
        "one.checkpoints.every: a point every 100 iterations up to 1000000 makes a grid of more than 10000 points;",
    ),
    "a grid too fine before its end": (
        with_experiment(training={"iterations": 10**6}, checkpoints={"every": 1, "until": 20_000}),
        "one.checkpoints.every: a point every 1 iterations up to 20000 makes a grid of more than 10000 points;",
    ),
    "a grid without points": (
        with_experiment(chaos={"t1": {"until": 16}}),
        "one.chaos.t1: names no iteration; give at, every or log.",
    ),
    "a name that the results have": (
        {**PLAIN, "experiments": {"figures": PLAIN["experiments"]["one"]}},
        "experiments.figures: the results have a file or folder of this name; choose another.",
    ),
    "a logarithmic grid too fine": (
        with_experiment(kernel={"grid": {"log": 10**9}}),
        "one.kernel.grid.log: 1000000000 is greater than the maximum of 10000",
    ),
    "images too large": (
        datasets(pictures={"source": "digits", "resize": 100_000}),
        "datasets.pictures.resize: 100000 is greater than the maximum of 2048",
    ),
    "images made of a text": (
        on_text({"resize": 8}),
        "datasets.pictures.resize: has no effect on a text, it is for images; leave it out.",
    ),
    "means of a text": (on_text({"mean": [0.5]}), "datasets.pictures.mean: has no effect on a text"),
    "deviations of a text": (on_text({"std": [0.5]}), "datasets.pictures.std: has no effect on a text"),
    "contexts of images": (
        datasets(pictures={"source": "digits", "context": 8}),
        "datasets.pictures.context: has no effect on images, it is for a text; leave it out.",
    ),
    "a context without characters": (on_text({"context": 0}), "pictures.context: 0 is less than the minimum of 1."),
    "a text that is not there": (
        on_text({"root": "no/such.txt"}),
        "datasets.pictures.root: no/such.txt does not exist; give a file of text in UTF-8, or a folder of such files,",
    ),
    "a folder without texts": (
        lambda tmp_path: on_text({"root": str(tmp_path)}),
        "is neither a file nor a folder with files *.txt; give a file of text in UTF-8, or a folder of such files",
    ),
    "a text with braces in its path": (
        on_text({"root": "{a}.txt"}),
        "datasets.pictures.root: '{a}.txt' has braces, which Snakemake takes for wildcards; rename it.",
    ),
    "a text mirrored": (
        on_text(training={"augment": {"flip": True}}),
        "one.training.augment.flip: True is for images, and the data set is a text; drop it.",
    ),
    "a text cropped": (
        on_text(training={"augment": {"crop": 1}}),
        "one.training.augment.crop: 1 is for images, and the data set is a text; drop it.",
    ),
    "convolutions on a text": (
        on_text(model={"name": "resnet8"}),
        "one.model: resnet8 takes images, and the data set is a text; take transformer or lenet300.",
    ),
    "another network of images on a text": (
        on_text(model={"name": "torchvision:vit_b_16"}),
        "one.model: torchvision:vit_b_16 takes images, and the data set is a text; take transformer or lenet300.",
    ),
    "a key by its former name": (
        with_experiment(model={"name": "vgg11", "batch_norm": False}),
        "one.model: unknown key 'batch_norm'; it is norm now, batch for true and none for false.",
    ),
    "a norm that the family has not": (
        on_text(model={"name": "transformer", "norm": "batch"}),
        "one.model: norm 'batch' of transformer must be one of layer, none.",
    ),
    "gains of no norm": (
        with_experiment(model={"norm": "none", "bn_gamma": "uniform"}),
        "one.model: bn_gamma 'uniform' has no effect on resnet8 with norm none; leave one of the two out.",
    ),
    "patches that do not divide the images": (
        with_experiment(model={"name": "vit", "patch": 3}),
        "one.model: patch 3 does not divide images of 8x8 pixels; take a patch that does, or set `resize` for",
    ),
    "patches of a text": (
        on_text(model={"name": "vit"}),
        "one.model: vit takes images, and the data set is a text; take transformer or lenet300.",
    ),
    "a transformer on images": (
        with_experiment(model={"name": "transformer"}),
        "one.model: transformer takes contexts of a text, and the data set holds images; take a data set of `source: ",
    ),
    "heads that do not share a width": (
        on_text(model={"name": "transformer", "width": 10, "heads": 4}),
        "one.model: width 10 must be a multiple of heads, 4, which share it.",
    ),
    "epochs of a text of unknown length": (
        on_text(training={"iterations": None, "epochs": 2}),
        "one.training.epochs: the size of this data set is not known before it is read; count in iterations, or give ",
    ),
    "no thread": (with_experiment(training={"threads": 0}), "training.threads: 0 is less than the minimum of 1."),
    "unknown device": (
        with_experiment(training={"device": "gpu"}),
        "training.device: 'gpu' is not one of ['cpu', 'cuda', 'auto'].",
    ),
    "no point": (with_experiment(checkpoints=[]), "one.checkpoints: [] should be non-empty."),
    "a point twice": (with_experiment(chaos={"t0": [10, 10.0]}), "chaos.t0: [10, 10] has non-unique elements."),
    "a negative point": (with_experiment(chaos={"t0": [-10]}), "chaos.t0.0: -10 is less than the minimum of 0."),
    "drops at one iteration": (
        with_experiment(training={"schedule": {"milestones": [0.1, 0.101], "unit": "epochs"}}),
        "training.schedule.milestones: two of them are the same iteration; drop one.",
    ),
    "one title for two": (
        {**PLAIN, "experiments": {name: with_experiment(title="x")["experiments"]["one"] for name in ("a", "b")}},
        "experiments.b.title: 'x' is also what experiments.a is called, and figures could not tell them apart",
    ),
    "a title that is no formula": (
        with_experiment(title=r"width $\wdith$"),
        r"one.title: 'width $\\wdith$' has a formula between its dollar signs that matplotlib cannot read; mend it,",
    ),
    "a title of two lines": (
        with_experiment(title="a\n\n.. raw:: html"),
        "one.title: 'a\\n\\n.. raw:: html' cannot be",
    ),
    "a title that is a date": (
        with_experiment(title=datetime.date(2024, 1, 31)),
        "one.title: datetime.date(2024, 1, 31) is not of type 'string', 'null'. Put it in quotes: YAML takes it for",
    ),
    "a name that is a number": (
        {**PLAIN, "experiments": {2024: PLAIN["experiments"]["one"]}},
        "experiments: 2024 is not of type 'string'. Put it in quotes",
    ),
    "a name that ends in a line break": (
        {**PLAIN, "experiments": {"one\n": PLAIN["experiments"]["one"]}},
        r"experiments: 'one\n' cannot be used; names have letters",
    ),
    "a name too long for a folder": (
        {**PLAIN, "experiments": {"o" * 101: PLAIN["experiments"]["one"]}},
        "experiments: 'oooooooooooooooooooo'... has more than 100 characters; shorten it.",
    ),
    "a name that a shell would run": (
        {**PLAIN, "experiments": {"one; touch x": PLAIN["experiments"]["one"]}},
        "experiments: 'one; touch x' cannot be used; names have letters",
    ),
    "results with braces": ({**PLAIN, "results": "{here}"}, "results: '{here}' cannot be used; Folder that receives"),
    "results with a line break": ({**PLAIN, "results": "a\n"}, r"results: 'a\n' cannot be used; Folder that receives"),
    "no mapping": (None, "the config: must be a mapping of keys, not None; docs/configuration.md has them all."),
    "a list": ([PLAIN], "the config: must be a mapping of keys, not ["),
    "a part that holds itself": (circular(), "the config: a part of it holds itself; write it without that YAML "),
    "a number of 5000 digits": (
        with_experiment(training={"iterations": "9" * 5000}),
        "one.training.iterations: '9999",
    ),
    "name that is no folder": (
        {**PLAIN, "experiments": {"../x": PLAIN["experiments"]["one"]}},
        "experiments: '../x' cannot be used; names have letters, digits,",
    ),
}


def test_networks_that_take_a_text_are_configured_with_it():
    assert resolve(on_text())["datasets"]["pictures"]["context"] is None
    assert resolve(on_text(model={"name": "lenet300"}))
    kept = {"name": "transformer", "width": 12, "depth": 3, "heads": 2, "norm": "none"}
    config = resolve(on_text({"context": 8, "train_size": 100}, model=kept))
    assert settings_of(config, "one")["model"] == kept
    assert settings_of(config, "one")["dataset"]["context"] == 8
    assert "depth" not in settings_of(resolve(PLAIN), "one")["model"]


def test_images_are_missed_until_every_run_with_them_has_ended(tmp_path):
    config = resolve(datasets(pictures={"source": "imagefolder", "root": "nowhere"}) | {"results": str(tmp_path)})
    config["experiments"]["one"]["seeds"] = [0, 1]
    for seed in (0, 1):
        with pytest.raises(UserError, match=r"datasets\.pictures\.root: nowhere does not exist"):
            check_images(config)
        (tmp_path / "one" / f"seed{seed}").mkdir(parents=True)
        (tmp_path / "one" / f"seed{seed}" / "S.parquet").touch()
    check_images(config)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("experiments:\n  one: {seeds: [0]}\n  one: {seeds: [1]}\n", "experiments.one is given twice"),
        ("experiments: {one: {seeds: [0], seeds: [1]}}\n", "experiments.one.seeds is given twice"),
        ("datasets: [{a: 1}, {b: 1, b: 2}]\n", "datasets.1.b is given twice"),
        ("results: a\nresults: a\n", "results is given twice"),
    ],
)
def test_a_key_that_a_file_has_twice_is_named(tmp_path, text, expected):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(f"{path}: {expected}")):
        schema.check_keys(path)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_have_each_key_once(path):
    schema.check_keys(path)


def test_merged_and_circular_parts_of_a_file_are_no_keys_given_twice(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("defaults: &all {a: 1, b: &b {c: *all}}\nexperiments: {one: {<<: *all, a: 2}, two: {<<: [*b]}}\n")
    schema.check_keys(path)
    path.write_text("")
    schema.check_keys(path)


@pytest.mark.parametrize("case", BAD)
def test_one_message_names_the_key_and_the_remedy(case, tmp_path):
    config, expected = BAD[case]
    said = message(config(tmp_path) if callable(config) else config)
    at_front = re.match(r"(the config|results|(datasets|experiments|figures)(\.\w+)*): ", said)
    assert at_front, said
    assert expected in said


# Any config ----------------------------------------------------------------------------------------------------------


def values(node: dict):
    """A strategy for what a node of the schema allows, within sizes that a grid or a run may have."""
    node = whole(node)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if "oneOf" in node or "anyOf" in node:
        return st.one_of(*map(values, node.get("oneOf") or node["anyOf"]))
    kinds = [node["type"]] if isinstance(node["type"], str) else node["type"]
    low, high = node.get("minimum", node.get("exclusiveMinimum", -1e3)), node.get("maximum", 1e3)
    if "exclusiveMaximum" in node:
        high = node["exclusiveMaximum"]
    open_ends = {"exclude_min": "exclusiveMinimum" in node, "exclude_max": "exclusiveMaximum" in node}
    own = {
        "null": lambda: st.none(),
        "boolean": lambda: st.booleans(),
        "string": lambda: st.text(max_size=9),
        "integer": lambda: st.integers(int(low), int(min(high, low + 99))),
        "number": lambda: st.floats(low, high, **open_ends),
        "array": lambda: st.lists(
            values(node.get("items", {"type": "null"})),
            min_size=node.get("minItems", 0),
            max_size=node.get("maxItems", 4),
            unique=node.get("uniqueItems", False),
        ),
        "object": lambda: mappings(node),
    }
    return st.one_of(*(own[kind]() for kind in kinds))


def mappings(node: dict):
    parts = {name: values(part) for name, part in node.get("properties", {}).items()}
    required = {name: parts.pop(name) for name in node.get("required", ())}
    return st.fixed_dictionaries(required, optional=parts)


# Keys whose values depend on others; what they may be is tested above.
DEPENDENT = {
    *("dataset", "model", "checkpoints", "cone.tau", "cone.dt", "chaos.t0", "chaos.t1", "chaos.control", "title"),
    *(
        "chaos.lags",
        "pairs.independent",
        "pointwise.grid",
        "pointwise.examples",
        "layers.grid",
        "pairs.grid",
        "barrier.grid",
        "kernel.grid",
        "linearized.switch",
        "linearized.until",
        "linearized.evaluate",
    ),
    *("training.iterations", "training.epochs", "training.nesterov"),
    *("training.betas", "training.momentum", "kernel.n", "barrier.test_size", "phases.distance"),
    *("chaos.size", "chaos.noise", "chaos.direction", "chaos.where"),
}
LEAVES = {
    written(path): node
    for path, node, _ in KEYS
    if path[:2] == ("experiments", "<name>")
    and "properties" not in node
    and not {"schedule", "augment", "dense"} & {*path}
}
FREE = {key: values(node) for key, node in LEAVES.items() if key not in DEPENDENT and key[:6] != "model."}
POINTS = st.lists(st.integers(0, 9).map(lambda k: 10 * k), unique=True, max_size=4)
RELATED = {
    "checkpoints": st.sampled_from([{"every": 10}, {"every": 5, "at": [3]}, [*range(0, 100, 10)]]),
    "chaos.t0": POINTS,
    "chaos.t1": st.one_of(st.none(), st.just([90, 100]), st.just({"every": 50})),
    "chaos.lags": st.sampled_from([[], [10], [4, 2]]),
    "chaos.size": st.floats(1e-9, 1.0),
    "chaos.noise": st.sampled_from(["shared", "order"]),
    "chaos.where": st.lists(st.sampled_from(["fc.*", "conv1.weight"]), unique=True),
    "chaos.dense": st.sampled_from([{}, {"t1": {"every": 7}}, {"t1": [33], "lags": [3, 10]}]),
    "pairs.grid": st.one_of(st.none(), POINTS.filter(bool), st.just({"every": 20})),
    "kernel.grid": st.one_of(st.none(), POINTS.filter(bool), st.just({"every": 20})),
    "linearized.switch": POINTS,
    "linearized.evaluate": st.one_of(st.none(), st.just({"log": 5})),
    "training.schedule.milestones": st.lists(st.integers(0, 99), unique=True, max_size=3),
    "training.schedule.kind": st.sampled_from(["step", "cosine", "constant"]),
    "training.nesterov": st.booleans(),
    "training.augment": st.just({"crop": 2, "flip": True}),
    "title": st.text(st.characters(exclude_characters="$<", exclude_categories=["C", "Z"]), max_size=9),
}


@st.composite
def valid(draw, shared=True):
    """A config that resolves, of any keys; where `shared`, a part of them may stand in the defaults."""
    chosen = draw(st.fixed_dictionaries({}, optional=FREE | RELATED))
    config = copy.deepcopy(PLAIN)
    for key, value in chosen.items():
        config = place(config, ("experiments", "one", *key.split(".")), value)
    training = config["experiments"]["one"]["training"]
    if training.get("optimizer") == "adam" and training.get("nesterov"):
        training["nesterov"] = False
    if training.get("schedule", {}).get("kind", "step") != "step":
        training["schedule"].pop("milestones", None)
    if shared and draw(st.booleans()):
        one = config["experiments"]["one"]
        config["defaults"] = {key: one.pop(key) for key in ("model", "chaos", "kernel") if key in one}
    return config


def reversed_keys(value):
    return {key: reversed_keys(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


@given(valid())
def test_any_config_within_the_schema_resolves_to_the_same_again_in_any_order(config):
    before = copy.deepcopy(config)
    resolved = resolve(config)
    assert config == before
    assert resolve(resolved) == resolved
    assert resolve(reversed_keys(config)) == resolved
    jsonschema.Draft202012Validator(SCHEMA).validate(resolved)


def test_what_defaults_count_in_epochs_is_counted_once():
    config = with_experiment()
    del config["experiments"]["one"]["training"]
    config["defaults"] = {"training": {"epochs": 2, "schedule": {"milestones": [1], "unit": "epochs"}}}
    resolved = resolve(config)
    assert resolve(resolved) == resolved


ANYTHING = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates()),
        st.sampled_from(["1e999", "9" * 400, -1, 0, 2**70, 1e300, "null", "yes", "../x", "a; touch x", "{x}", "\0"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=4,
)


@given(valid(shared=False), st.sampled_from(KEYS), ANYTHING)
@settings(max_examples=150)
def test_one_wrong_value_is_named_with_its_place_and_nothing_else_is_raised(config, entry, value):
    path, node = real(entry[0]), {**entry[1], "$defs": DEFS}
    written_out = value if path[-1] in schema.TEXT and isinstance(value, str) else schema.typed(value)
    within = jsonschema.Draft202012Validator(node).is_valid(written_out)
    try:
        resolve(place(config, path, value))
    except UserError as error:
        said = str(error)
        assert "\n" not in said
        assert re.match(r"(results|gpus(\.share)?|(datasets|defaults|experiments|figures)(\.[^:]+)?): ", said), said
        assert within or said.startswith(".".join(path)), said
    else:
        assert within


@pytest.mark.parametrize(
    ("changes", "present", "absent"),
    [
        ({}, ["momentum", "schedule.milestones"], ["betas"]),
        ({"optimizer": "adam"}, ["betas"], ["momentum", "nesterov"]),
        ({"schedule": {"kind": "constant"}}, ["schedule.kind"], ["schedule.milestones", "schedule.gamma"]),
    ],
)
def test_settings_without_effect_are_left_out(changes, present, absent):
    config = resolve(with_experiment(training=PLAIN["experiments"]["one"]["training"] | changes))

    def has(path):
        part = settings_of(config, "one")["training"]
        for name in path.split("."):
            part = part.get(name, {}) if isinstance(part, dict) else {}
        return part != {}

    assert all(map(has, present))
    assert not any(map(has, absent))


def test_settings_hold_the_data_set_and_the_options_of_the_model():
    found = settings_of(resolve(PLAIN), "one")
    assert found["dataset"]["source"] == "digits"
    expected = {"name": "resnet8", "width": None, "shortcut": "A", "init": "default", "bn_gamma": "ones"}
    assert found["model"] == expected | {"norm": "batch"}


@pytest.mark.parametrize(
    ("name", "norm"), [("resnet8", "batch"), ("vgg11", "batch"), ("transformer", "layer"), ("vit", "layer")]
)
def test_the_default_norm_is_that_of_the_family_and_the_same_setting_written_out(name, norm):
    config = on_text() if name == "transformer" else datasets(pictures={"source": "digits", "resize": 32})
    found = []
    for written in ({}, {"norm": "default"}, {"norm": norm}):
        one = config["experiments"]["one"] | {"model": {"name": name, **written}}
        found.append(settings_of(resolve(config | {"experiments": {"one": one}}), "one"))
    assert found[0]["model"]["norm"] == norm
    assert found[0] == found[1] == found[2]


def test_point_wise_measures_are_taken_where_there_is_a_grid_for_them():
    config = with_experiment(pointwise={"grid": [20, 10], "examples": 30})
    assert resolve(config)["experiments"]["one"]["pointwise"] == {"grid": [0, 10, 20], "examples": 30}
    assert "pointwise" in settings_of(resolve(config), "one")
    assert resolve(PLAIN)["experiments"]["one"]["pointwise"]["grid"] == []
    assert "pointwise" not in settings_of(resolve(PLAIN), "one")


@pytest.mark.parametrize(
    ("pointwise", "said"),
    [
        ({"grid": [7]}, r"experiments\.one\.pointwise\.grid: 7 is not on experiments\.one\.checkpoints"),
        (
            {"grid": [10], "examples": 10**6},
            r"experiments\.one\.pointwise\.examples: asks for 1000000 examples",
        ),
    ],
)
def test_point_wise_measures_take_checkpoints_and_images_that_are_there(pointwise, said):
    with pytest.raises(UserError, match=said):
        resolve(with_experiment(pointwise=pointwise))


def test_layers_are_compared_where_there_is_a_grid_for_them():
    config = with_experiment(layers={"grid": [20, 10]})
    assert resolve(config)["experiments"]["one"]["layers"] == {"grid": [0, 10, 20]}
    assert "layers" in settings_of(resolve(config), "one")
    assert resolve(PLAIN)["experiments"]["one"]["layers"]["grid"] == []
    assert "layers" not in settings_of(resolve(PLAIN), "one")
    with pytest.raises(UserError, match=r"experiments\.one\.layers\.grid: 7 is not on experiments\.one\.checkpoints"):
        resolve(with_experiment(layers={"grid": [7]}))


def test_aliases_that_stand_for_years_of_work_are_refused_at_once():
    part = ["x"] * 9
    for _ in range(40):
        part = [part] * 9
    with pytest.raises(
        UserError, match=r"the config: its YAML aliases .* more than 1,000,000 values; write it without"
    ):
        resolve(PLAIN | {"datasets": {"digits": {"source": "digits", "mean": part}}})


def test_the_results_may_lie_in_the_home(monkeypatch):
    monkeypatch.setenv("HOME", "/of/mine")
    assert resolve(PLAIN | {"results": "~/runs"})["results"] == "/of/mine/runs"
    assert resolve(PLAIN | {"results": "runs~"})["results"] == "runs~"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (("experiments", "one", "title"), "</script><script>alert(1)</script>"),
        (("experiments", "one", "title"), "<!-- a comment"),
        (("experiments", "one", "title"), "two\u2028lines"),
        (("experiments", "one", "title"), "\x1b[31mred\x7f"),
        (("results",), "</Script>"),
        (("datasets", "pictures", "root"), "</script >"),
        (("datasets", "pictures", "root"), "a\nb"),
    ],
)
def test_text_that_would_end_the_script_of_a_report_is_refused(key, text):
    with pytest.raises(UserError, match=f"^{re.escape('.'.join(key))}: .* cannot be used; "):
        resolve(place(PLAIN | {"datasets": PLAIN["datasets"] | {"pictures": {"source": "imagefolder"}}}, key, text))


@pytest.mark.parametrize(
    "chaos",
    [
        {"size": 0, "noise": "order"},
        {"size": 1e-7, "noise": "both", "draws": 3},
        {"direction": "gradient", "norm": "relative", "where": ["fc.*", "conv1.weight"]},
        {"direction": "gradient", "norm": "initial", "noise": "augmentation", "draws": 2},
    ],
)
def test_other_kinds_of_forks(chaos):
    augmented = {"crop": 1} if chaos.get("noise") in ("augmentation", "both") else {}
    assert one(chaos=chaos, training={"augment": augmented})["chaos"].items() >= chaos.items()
