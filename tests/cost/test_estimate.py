"""Counts of the cost model against counting by hand, what more work costs, and a run's schedule."""

import copy
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripts.estimate import calibrate as measuring
from twophase.config import figures, plan
from twophase.config.resolve import resolve
from twophase.cost import calibration, estimate, sizes, timers, workload
from twophase.errors import UserError
from twophase.files import storage
from twophase.networks import models
from twophase.networks import names as model_names
from workflow_runner import TINY, UNITS, measured

REPOSITORY = Path(__file__).parents[2]


def resolved(name: str) -> dict:
    return resolve(yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text()))


def seconds(config: dict, rule: str, **units) -> float:
    """Of all jobs of a rule, with all units free but those given."""
    free = dict.fromkeys(UNITS, 0.0) | units
    return sum(cost.seconds for cost in estimate.costs(config, measured(config, **free)) if cost.rule == rule)


DEMO, MNIST, PAPER = (resolved(name) for name in ("demo", "mnist", "paper"))
TINIEST = resolve(TINY)
CONFIGS = {"demo": DEMO, "mnist": MNIST, "paper": PAPER, "tiny": TINIEST}


# --- counts


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_fork_steps_are_those_of_a_loop_over_the_grid(config):
    expected = 0
    for e in config["experiments"].values():
        chaos = e["chaos"]
        for t0 in chaos["t0"]:
            run = set(range(t0, max(chaos["t1"])))
            replay = set(range(t0, min(t0 + chaos["replay"], e["training"]["iterations"])))
            draws = chaos["draws"] + (t0 in chaos["control"])
            expected += len(e["seeds"]) * (draws * len(run) + len(replay))
    assert seconds(config, "forks", step=1.0) == expected


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_points_of_barriers_are_those_of_a_loop_over_pairs(config):
    """Within a block each end is evaluated once, and between two ends all points but those two.

    Networks with batch norms are evaluated under either of their statistics.
    """
    expected = 0
    for e in config["experiments"].values():
        if e["counterexample"]:
            continue
        barrier = e["barrier"]
        for a, b in itertools.combinations_with_replacement(range(0, len(barrier["grid"]), barrier["block"]), 2):
            rows, columns = (barrier["grid"][k : k + barrier["block"]] for k in (a, b))
            pairs = [(i, j) for i in rows for j in columns if i < j]
            points = len(pairs) * (barrier["alphas"] - 2) + len({*rows, *columns})
            expected += len(e["seeds"]) * points * (1 if e["model"]["name"] == "lenet5" else 2)
    assert seconds(config, "block_B", swap=1.0) == expected


def test_images_kernels_and_tangent_steps_of_the_demo():
    """Two seeds; forks from eight t0 in steps of 50 compared at t1 = 100, ..., 400, and one control from 300."""
    states = sum(t1 > t0 for t0 in [*range(0, 400, 50), 300] for t1 in (100, 200, 300, 400))
    checkpoints = {*range(0, 401, 25), 5, 10, 15}
    # Under either statistics of batch norms, of which one takes all 1,437 training images to compute.
    assert seconds(DEMO, "predictions", image=1.0) == 2 * (2 * 360 + 1437) * (states + len(checkpoints))
    lazy = len(range(0, 401, 25))
    assert seconds(DEMO, "kernels", kernel=1.0) == 2 * (states + len(checkpoints)) + lazy
    assert seconds(DEMO, "kernels", image=1.0) == 0
    assert seconds(DEMO, "linearized", tangent_step=1.0) == 2 * ((250 - 0) + (250 - 50) + (250 - 100) + (250 - 200))
    evaluations = [250, *range(0, 250, 50)]
    tests = sum(1 + sum(t > switch for t in evaluations) for switch in (0, 50, 100, 200))
    assert seconds(DEMO, "linearized", tangent_image=1.0) == 2 * 360 * tests


def test_recalibration_passes_its_images_through_the_network_once_for_each_kernel():
    config = copy.deepcopy(DEMO)
    for experiment in config["experiments"].values():
        experiment["kernel"] |= {"bn": "recalibrate", "calibration_size": 100}
    counts = [seconds(config, "kernels", **{unit: 1.0}) for unit in ("image", "kernel")]
    assert counts == [100 * counts[1], seconds(DEMO, "kernels", kernel=1.0)]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_jobs_have_names_of_their_own_and_come_after_those_they_need(config):
    seen = set()
    for job in plan.jobs(config):
        assert job.name not in seen
        assert seen.issuperset(job.needs)
        seen.add(job.name)


def test_experiments_are_shown_side_by_side_where_there_are_two_with_claims_of_their_own():
    assert figures.shown(DEMO["experiments"], "readings") == []
    assert figures.shown(PAPER["experiments"], "readings") == list(PAPER["experiments"])
    two = {"a": DEMO["experiments"]["resnet8"], "b": DEMO["experiments"]["lazy"], "c": MNIST["experiments"]["lenet5"]}
    assert figures.shown(two, "readings") == ["a", "c"]


MODELS = [
    ({"name": "lenet5"}, (1, 28, 28)),
    ({"name": "lenet5"}, (3, 32, 40)),
    ({"name": "lenet300"}, (2, 9, 7)),
    *(({"name": f"resnet{d}", "shortcut": s}, (3, 32, 32)) for d in (8, 20) for s in "AB"),
    ({"name": "resnet8", "width": 5, "shortcut": "B"}, (1, 8, 8)),
    *(({"name": "resnet14", "shortcut": s, "norm": n}, (3, 8, 8)) for s in "AB" for n in ("layer", "group", "none")),
    *(({"name": "vgg11", "width": 0.1, "norm": n}, (3, 32, 32)) for n in ("batch", "layer", "group", "none")),
    ({"name": "vgg16"}, (3, 32, 32)),
    ({"name": "vgg11", "head": "mlp4096", "width": 0.25}, (1, 32, 32)),
    ({"name": "vgg11", "head": "mlp128", "width": 0.25}, (1, 32, 32)),
    ({"name": "transformer"}, (72, 1, 32)),
    ({"name": "transformer", "norm": "none", "width": 12, "depth": 3, "heads": 3}, (5, 1, 9)),
    ({"name": "vit"}, (3, 32, 40)),
    ({"name": "vit", "norm": "none", "patch": 2, "width": 12, "depth": 3, "heads": 3}, (1, 8, 6)),
]


@pytest.mark.parametrize(("model", "image"), MODELS, ids=str)
@pytest.mark.parametrize("classes", [10, 7])
def test_number_of_parameters_is_that_of_the_model_built(model, image, classes):
    built = models.build(**model, num_classes=classes, in_channels=image[0], image_size=image[1:])
    assert model_names.parameters(num_classes=classes, image=image, **model) == sum(
        p.numel() for p in built.parameters()
    )


def test_other_models_have_a_bound():
    assert model_names.parameters("torchvision:mobilenet_v2", 10, (3, 32, 32)) is None
    experiment = DEMO["experiments"]["resnet8"] | {"model": {"name": "torchvision:mobilenet_v2"}}
    assert sizes.of_network(experiment, None)["parameters"] > 138e6


# --- the shape of data that the config does not tell

FOLDER = {"source": "imagefolder"}
SHAPE = {"image": [3, 4, 5], "classes": 6, "train": 18, "test": 12}


@pytest.fixture
def images(tmp_path):
    """A canonical file of images, as the data set `cats` of a config has it."""
    path = tmp_path / "data" / "cats.safetensors"
    calibration.write_data(path, SHAPE)
    return path


def test_planning_reads_the_header_of_a_data_file_alone(images):
    """Wrong images it does not see; from a header with a wrong bit it takes no wrong shape."""
    whole = images.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    assert sizes.shape(FOLDER, images) == SHAPE
    images.write_bytes(whole[:end] + bytes(255 - byte for byte in whole[end:]))
    assert sizes.shape(FOLDER, images) == SHAPE
    for k in range(end):
        changed = bytearray(whole)
        changed[k] ^= 1 << k % 8
        images.write_bytes(changed)
        assert sizes.shape(FOLDER, images) in (SHAPE, None)


def test_planning_does_without_a_data_file_that_is_missing_damaged_or_another(images):
    whole = images.read_bytes()
    for left in (0, 7, 100, -1):
        images.write_bytes(whole[:left])
        assert sizes.shape(FOLDER, images) is None
    storage.write_tensors(images, {"kernel": np.eye(3)}, {})
    assert sizes.shape(FOLDER, images) is None
    for path in (images.parent, images.parent / "none", None):
        assert sizes.shape(FOLDER, path) is None


def test_jobs_over_a_damaged_data_file_ask_for_as_much_as_before_it_was_made(images):
    experiment = DEMO["experiments"]["resnet8"] | {"dataset": "cats"}
    config = {"results": str(images.parents[1]), "datasets": {"cats": FOLDER}, "experiments": {"resnet8": experiment}}

    def asked():
        return estimate.Requests(config, images.with_name("none.json")).of("dataset", {"dataset": "cats"})

    known = asked()
    images.write_bytes(images.read_bytes()[:100])
    damaged = asked()
    images.unlink()
    assert asked() == damaged != known


def test_calibration_names_a_damaged_data_file(images):
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(UserError, match=re.escape(f"{images} is damaged or no data set. Delete {images} and run")):
        measuring.main([str(images)], "", {}, {"cats": FOLDER}, {}, 1, {})


# --- time, memory, disk


@pytest.mark.parametrize("unit", ["step", "image", "kernel", "tangent_step", "swap", "start", "panel", "coordinate"])
def test_a_dearer_unit_never_makes_a_job_cheaper(unit):
    plain, dear = (estimate.costs(DEMO, measured(DEMO, **units)) for units in ({}, {unit: 2.0}))
    assert all(b.seconds >= a.seconds for a, b in zip(plain, dear, strict=True))
    assert sum(c.seconds for c in dear) > sum(c.seconds for c in plain)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (("chaos", "draws"), 3, "forks"),
        (("chaos", "draws"), 3, "fork_barriers"),
        (("barrier", "alphas"), 30, "block_B"),
        (("pairs", "block"), 4, "block_C"),
        (("seeds",), [0, 1, 2], "trajectory"),
    ],
)
def test_more_of_a_key_costs_more(path, value, rule):
    config = yaml.safe_load((REPOSITORY / "config" / "demo.yaml").read_text())
    part = config["experiments"]["resnet8"]
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
    more = resolve(config)
    total, before = (sum(c.seconds for c in estimate.costs(x, measured(x)) if c.rule == rule) for x in (more, DEMO))
    assert total > before


def test_checkpoints_take_the_bytes_of_their_tensors():
    e = DEMO["experiments"]["resnet8"]
    shape = sizes.shape(DEMO["datasets"]["digits"], None)
    parameters = sum(p.numel() for p in models.build("resnet8", 10, 1, 8, width=8).parameters())
    work = workload.work(
        "trajectory", {"experiment": "resnet8", "seed": 0}, {"resnet8": e}, {"resnet8": sizes.of_network(e, shape)}
    )
    tensors = len(e["checkpoints"]) * 2 * 4 * parameters  # float32, and as much momentum
    assert tensors < work.disk < 1.2 * tensors + 20 * len(e["checkpoints"]) * 1024


def test_requests_follow_a_calibration_only_where_it_fits(tmp_path):
    path, job = tmp_path / "calibration.json", ("forks", {"experiment": "resnet8", "seed": "0", "block": "0"})
    bound = estimate.Requests(DEMO, path).of(*job)
    assert bound["runtime"] == estimate.BOUNDS["forks"][1]
    found = measured(DEMO)
    path.write_text(json.dumps({"experiments": found}))
    fitting = estimate.Requests(DEMO, path).of(*job)
    (cost,) = [c for c in estimate.costs(DEMO, found) if c.name == "resnet8/seed0/forks/0"]
    assert fitting["runtime"] == math.ceil(estimate.MARGIN["runtime"] * cost.seconds / 60)
    assert cost.memory + estimate.SNAKEMAKE < fitting["mem_mb"] < 2 * cost.memory + estimate.SNAKEMAKE + 100
    found["resnet8"]["about"]["training"]["batch_size"] += 1
    path.write_text(json.dumps({"experiments": found}))
    assert estimate.Requests(DEMO, path).of(*job) == bound


def test_another_attempt_asks_for_more_memory_and_time_and_forgets_it_afterwards(tmp_path):
    requests = estimate.Requests(DEMO, tmp_path / "none.json")
    job = "forks", {"experiment": "resnet8", "seed": "0", "block": "0"}
    first = requests.of(*job)
    third = requests.of(*job, attempt=3)
    assert third == first | {"mem_mb": 3 * first["mem_mb"], "runtime": 3 * first["runtime"]}
    assert requests.of(*job) == first


def test_jobs_that_no_figure_needs_can_be_asked_for_as_well(tmp_path):
    requests = estimate.Requests(DEMO, tmp_path / "none.json")
    assert requests.of("block_C", {"experiment": "lazy", "seed": "0", "bi": "0", "bj": "0"})["mem_mb"] > 0


def test_an_experiment_that_was_not_measured_is_named():
    found = measured(DEMO)
    del found["lazy"]
    with pytest.raises(UserError, match=r"Nothing was measured for lazy: run snakemake estimate"):
        estimate.costs(DEMO, found)


# --- schedule


def job(name, seconds, *needs, cores=1, gpus=0):
    return estimate.Cost(name, "forks", needs, seconds, cores, gpus, 1.0, 1.0)


def test_makespan_of_small_schedules():
    chain = [job("a", 2.0), job("b", 3.0, "a"), job("c", 4.0, "b")]
    assert estimate.makespan(chain, 1) == estimate.makespan(chain, 8) == 9.0
    apart = [job(name, 2.0) for name in "abcd"]
    assert [estimate.makespan(apart, n) for n in (1, 2, 3, 4)] == [8.0, 4.0, 4.0, 2.0]
    wide = [job(name, 2.0, cores=2) for name in "abcd"]
    assert [estimate.makespan(wide, n) for n in (1, 2, 4)] == [8.0, 8.0, 4.0]
    on_gpu = [job(name, 2.0, gpus=1) for name in "ab"]
    assert [estimate.makespan(on_gpu, 4, n) for n in (1, 2)] == [4.0, 2.0]
    assert estimate.makespan([], 2) == 0.0


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=20), st.integers(1, 6))
def test_makespan_lies_between_its_bounds(lengths, cores):
    """Graham, 1966: at least the work over the cores and the longest chain, at most their sum."""
    jobs = [job(str(k), s, *([str(k // 2)] if k else [])) for k, s in enumerate(lengths)]
    chains = []
    for k, s in enumerate(lengths):
        chains.append(s + (chains[k // 2] if k else 0))
    work = sum(lengths) / cores
    found = estimate.makespan(jobs, cores)
    assert max(work, max(chains)) <= found * (1 + 1e-9)
    assert found <= (work + max(chains)) * (1 + 1e-9)


# --- beside a run


def test_compare_divides_what_finished_jobs_took_by_their_estimate(tmp_path):
    jobs = [job("e/forks/0", 10.0), job("e/forks/1", 30.0)]
    head = "s\th:m:s\tmax_rss\tmax_vms\n"
    (tmp_path / "e" / "forks").mkdir(parents=True)
    (tmp_path / "e" / "forks" / "0.tsv").write_text(head + "15.0\t0:00:15\t3.00\t9.0\n")
    found = estimate.benchmarks(tmp_path)
    assert found == {"e/forks/0": (15.0, 3.0)}
    row = estimate.compare(jobs, found)["forks"]
    assert (row["jobs"], row["estimated"], row["measured"], row["ratio"], row["memory_ratio"]) == (
        1,
        10.0,
        15.0,
        1.5,
        3.0,
    )
    (tmp_path / "e" / "forks" / "1.tsv").write_text(head + "0.2\t0:00:00\tNA\tNA\n")
    assert estimate.compare(jobs, estimate.benchmarks(tmp_path))["total"]["ratio"] == 15.2 / 40
    assert estimate.compare(jobs, {}) == {}


def test_report_names_every_kind_and_adds_up():
    costs = estimate.costs(DEMO, measured(DEMO))
    text = estimate.report(costs, 2, {})
    assert {c.rule for c in costs} - set(figures.FIGURES) <= set(text.split())
    total = estimate.by_rule(costs)["total"]
    assert total["jobs"] == len(costs)
    assert total["core_hours"] == pytest.approx(sum(c.seconds for c in costs) / 3600)
    assert "on 2 cores." in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (45, "45 s"), (150, "2.5 min"), (3600, "60 min"), (7200, "2 h"), (864_000, "10 d")],
)
def test_durations_read_well(seconds, text):
    assert estimate.duration(seconds) == text


# --- measuring


def test_rate_is_the_time_of_one_repetition(monkeypatch):
    """Against a clock that advances by a quarter of a second a repetition, and ten at first use."""
    clock = {"now": 0.0, "first": True}

    def repeat(count):
        clock["now"] += 0.25 * count + (5.0 if clock["first"] else 0.0)
        clock["first"] = False

    monkeypatch.setattr(calibration.time, "perf_counter", lambda: clock["now"])
    assert timers.rate(repeat) == 0.25


def test_what_units_depend_on_leaves_out_the_length_and_number_of_runs():
    e = DEMO["experiments"]["resnet8"]
    longer = e | {"training": e["training"] | {"iterations": 10**6}, "checkpoints": [0, 10**6]}
    assert sizes.about(longer) == sizes.about(e)
    for key, value in (("batch_size", 65), ("threads", 3), ("dtype", "float64"), ("optimizer", "adam")):
        assert sizes.about(e | {"training": e["training"] | {key: value}}) != sizes.about(e)
    assert sizes.about(e | {"model": {"name": "lenet5"}}) != sizes.about(e)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"experiments": {"one": {"units": {}}}}'])
def test_a_damaged_calibration_is_named(tmp_path, text):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{path} is damaged, or an older version's; delete it"):
        estimate.read_calibration(path)
    path.unlink()
    assert estimate.read_calibration(path) == {}
