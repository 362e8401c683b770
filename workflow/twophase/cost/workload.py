"""The work of every job of a config, in units that `calibration` measures: counts, memory held, files left. No torch.

The units are the start of a job (`start`, `start_table`, `start_figure`), a training `step`, a `tangent_step` of
linearized training, an `image` of the test set or a `tangent_image` in a forward pass, a `kernel`, a `swap` of a
network's state for an interpolated one, a checkpoint's `save` and `load`, a `coordinate` of a vector in a matrix of
dissimilarities and of two networks in a `distance`, an inflection point with its interval (`bend`) and all cone widths
of an experiment (`widths`), and a `panel` of a figure. What is not in it: downloading and decoding a data set. Forks
that train in lock-step count as if they trained one after another.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from twophase.config import figures, plan
from twophase.config.estimators import ESTIMATORS
from twophase.config.figures import FIGURES
from twophase.cost import sizes
from twophase.files import layout, vectors

CLAIMS = 53  # about an experiment at most; each takes about as long as an inflection point
PASSES = 20  # of training over the examples of point-wise measures, as long as some 15 products with the Hessian take
LAYERS = 100  # of a network, norms among them, on the large side
FIGURE = 300_000  # bytes of a PDF and a PNG, on the large side
ROW = 40  # bytes of a row of a table, on the large side
TABLE = 8_000  # bytes of an empty table with its metadata
EXPLORER = 6_000_000  # bytes of the page: most of it is the plotting library


@dataclass(frozen=True)
class Work:
    """What one job does.

    Attributes:
        counts: how often, by unit.
        peak: what `calibration` measured the peak memory of, or of a start.
        held: bytes in memory beside that.
        disk: bytes of the files that it leaves.
    """

    counts: Mapping[str, float]
    peak: str
    held: float
    disk: float

    def seconds(self, units: Mapping[str, float]) -> float:
        """Time on a calibrated machine."""
        return sum(count * units[unit] for unit, count in self.counts.items())


def work(rule: str, wildcards: Mapping, experiments: Mapping[str, Mapping], known: Mapping[str, Mapping]) -> Work:
    """What the job of `rule` with these wildcards does.

    Args:
        experiments: of the resolved config, by name.
        known: `sizes.of_network` of each experiment, by name.
    """
    if rule in FIGURES:
        rows = len(figures.shown(experiments, rule))
        panels = rows * (FIGURES[rule].cost or len(FIGURES[rule].panels))
        return Work({"start_figure": 1, "panel": panels}, "start_figure", 0, FIGURE * rows)
    if rule == "explorer":
        return Work({"start_figure": 1}, "start_figure", 0, EXPLORER)
    if rule == "claims":
        return Work({"start_table": 1, "bend": CLAIMS * len(experiments)}, "start_table", 0, TABLE)
    if rule in ("phases", "experiment_pages", "claims_page", "figures_page"):
        return Work({"start_table": 1}, "start_table", 0, TABLE)
    if rule == "dataset":
        users = [known[name] for name, e in experiments.items() if e["dataset"] == wildcards["dataset"]]
        size = _data(users[0] if users else sizes.UNKNOWN)
        return Work({"start": 1}, "start", 2 * size, size)
    return _WORK[rule](experiments[wildcards["experiment"]], known[wildcards["experiment"]], wildcards)


def _data(s: Mapping) -> int:
    return (s["train"] + s["test"]) * (math.prod(s["image"]) + 8)


def _log(iterations: int, columns: int = 5) -> int:
    return TABLE + 8 * columns * iterations


def _trajectory(e, s, w) -> Work:
    iterations, dense = e["training"]["iterations"], len(plan.dense_steps(e))
    saves = len(e["checkpoints"]) + dense
    disk = saves * (s["state"] + s["optimizer"] + TABLE) + _log(iterations)
    return Work({"start": 1, "step": iterations, "save": saves}, "step", s["state"] + s["optimizer"], disk)


def fork_states(experiment: Mapping, block: int) -> list[tuple[int, int]]:
    """(t0, t1) of every checkpoint of the forks of a block."""
    chaos, t0s = experiment["chaos"], plan.fork_blocks(experiment)[block]
    members = layout.forks(t0s, chaos["draws"], chaos["control"])
    return [(t0, t1) for t0, _ in members for t1 in plan.fork_stops(experiment, t0).t1s]


def fork_steps(experiment: Mapping, block: int) -> int:
    """Training iterations of a block of forks, those of the replay checks included."""
    chaos, t0s, last = experiment["chaos"], plan.fork_blocks(experiment)[block], experiment["training"]["iterations"]
    members = layout.forks(t0s, chaos["draws"], chaos["control"])
    replayed = sum(min(chaos["replay"], last - t0) for t0 in t0s)
    return replayed + sum(max(plan.fork_stops(experiment, t0).t1s) - t0 for t0, _ in members)


def _forks(e, s, w) -> Work:
    states, block = fork_states(e, int(w["block"])), plan.fork_blocks(e)[int(w["block"])]
    steps = fork_steps(e, int(w["block"]))
    members = layout.forks(block, e["chaos"]["draws"], e["chaos"]["control"])
    looks = sum(len(plan.fork_stops(e, t0).all) for t0, _ in members)
    counts = {"start": 1, "step": steps, "save": len(states), "load": len(block) + len(members) + looks}
    counts["distance"] = looks * s["parameters"]
    disk = len(states) * (s["state"] + TABLE) + len(members) * TABLE + _log(steps)
    return Work(counts, "step", 4 * s["state"] + s["optimizer"], disk)  # base, perturbed and loaded state, resume file


def _states(e, w) -> tuple[int, int]:
    """Checkpoints of a run, and those at which its kernel is needed."""
    if w["run"] == "trajectory":
        return len(e["checkpoints"]), len(plan.kernel_steps(e, "trajectory"))
    states = len(fork_states(e, int(w["run"].removeprefix("forks/"))))
    return states, states


def _predictions(e, s, w) -> Work:
    states, _ = _states(e, w)
    kinds = sizes.statistics(e)
    images = kinds * s["test"] + (kinds - 1) * min(e["evaluation"]["calibration_size"], s["train"])
    counts = {"start": 1, "load": states, "image": states * images}
    return Work(counts, "image", s["state"], states * 2 * kinds * s["test"] + TABLE)


def _kernel_numbers(e, s) -> int:
    n, factor = e["kernel"]["n"], {"full": s["classes"] ** 2, "per_class": s["classes"]}
    return min(n, s["train"]) ** 2 * factor.get(e["kernel"]["reduce"], 1)


def _kernels(e, s, w) -> Work:
    _, states = _states(e, w)
    counts = {"start": 1, "load": states, "kernel": states}
    if e["kernel"]["bn"] == "recalibrate":
        counts["image"] = states * min(e["kernel"]["calibration_size"], s["train"])
    return Work(counts, "kernel", s["state"], states * (s["item"] * _kernel_numbers(e, s) + TABLE))


def _pointwise_measures(e, s, w) -> Work:
    states, examples = len(e["pointwise"]["grid"]), min(e["pointwise"]["examples"], s["train"])
    counts = {"start": 1, "load": states, "step": states * PASSES * examples / e["training"]["batch_size"]}
    if e["evaluation"]["bn"] == "recalibrate":
        counts["image"] = states * min(e["evaluation"]["calibration_size"], s["train"])
    held = 3 * s["state"] + 12 * 8 * s["parameters"]  # Lanczos' basis in float64, with the vectors of a product
    return Work(counts, "step", held, TABLE + 3 * ROW * states)


def _layer_kernels(e, s, w) -> Work:
    states = len(e["layers"]["grid"])
    counts = {"start": 1, "load": states, "kernel": states}
    if e["kernel"]["bn"] == "recalibrate":
        counts["image"] = states * min(e["kernel"]["calibration_size"], s["train"])
    size = LAYERS * s["item"] * _kernel_numbers(e, s)
    return Work(counts, "kernel", s["state"] + 3 * size, states * (size + TABLE))


def _layer_distances(e, s, w) -> Work:
    states = len(e["layers"]["grid"])
    numbers, part = LAYERS * _kernel_numbers(e, s), max(_kernel_numbers(e, s), min(s["parameters"], vectors.PART))
    rows = LAYERS * states * (states + 1) // 2
    counts = {"start_table": 1, "coordinate": states * (s["parameters"] + numbers)}
    return Work(counts, "start_table", 32 * states * part + 4 * ROW * rows, 2 * TABLE + ROW * rows)


def _layer_chaos(e, s, w) -> Work:
    states = [state for b in range(len(plan.fork_blocks(e))) for state in fork_states(e, b)]
    forks = len(e["chaos"]["t0"]) * e["chaos"]["draws"] + len(e["chaos"]["control"])
    compared = len(states) + forks
    counts = {"start": 1, "load": 2 * compared, "distance": compared * s["parameters"]}
    return Work(counts, "start", 6 * s["state"] + 4 * ROW * LAYERS * compared, TABLE + ROW * LAYERS * compared)


def _path(e, s, pairs: int, ends: int) -> dict:
    """Counts of the barriers of pairs of checkpoints that have so many ends in all."""
    barrier, kinds = e["barrier"], sizes.statistics(e)
    points = (barrier["alphas"] - 2) * pairs + ends
    images = kinds * min(barrier["test_size"] or s["test"], s["test"])
    images += (kinds - 1) * min(e["evaluation"]["calibration_size"], s["train"])
    return {"start": 1, "load": ends, "swap": kinds * points, "image": points * images}


def _fork_barriers(e, s, w) -> Work:
    states = fork_states(e, int(w["block"]))
    # The base run's level at a t1 is computed once; its state is read anew for every fork.
    counts = _path(e, s, len(states), len(states) + len({t1 for _, t1 in states})) | {"load": 2 * len(states)}
    return Work(counts, "image", 4 * s["state"], TABLE + ROW * len(states))


def _block_pairs(e, metric: str, w) -> tuple[int, int, int]:
    """Rows, columns and pairs i <= j of a block."""
    blocks, bi, bj = plan.metric_blocks(e, metric), int(w["bi"]), int(w["bj"])
    m, k = len(blocks[bi]), len(blocks[bj])
    return m, k, m * (m + 1) // 2 if bi == bj else m * k


def _block_B(e, s, w) -> Work:
    m, k, pairs = _block_pairs(e, "B", w)
    same = w["bi"] == w["bj"]
    counts = _path(e, s, pairs - m if same else pairs, m if same else m + k)
    return Work(counts, "image", (m + 4) * s["state"], TABLE + 2 * ROW * pairs)


def _block_D(e, s, w) -> Work:
    _, _, pairs = _block_pairs(e, "D", w)
    return Work({"start_table": 1}, "start_table", len(e["checkpoints"]) * 2 * s["test"], TABLE + ROW * pairs)


def _vectors(e, metric: str, w, numbers: int, part: int) -> Work:
    m, k, pairs = _block_pairs(e, metric, w)
    # Of a part: as read, stacked, in float64, as unit vectors and about their centre.
    return Work(
        {"start_table": 1, "coordinate": (m + k) * numbers}, "start_table", 32 * (m + k) * part, TABLE + ROW * pairs
    )


def _block_C(e, s, w) -> Work:
    return _vectors(e, "C", w, len(vectors.VECTORS) * s["parameters"], min(s["parameters"], vectors.PART))


def _block_S(e, s, w) -> Work:
    return _vectors(e, "S", w, _kernel_numbers(e, s), _kernel_numbers(e, s))


def _independent(e, s, w) -> Work:
    times = len(e["pairs"]["independent"])
    counts = _path(e, s, times, 2 * times) | {"distance": times * s["parameters"]}
    return Work(counts, "image", 6 * s["state"], TABLE + 4 * ROW * times)


def _grid(e, s, w) -> Work:
    m = len(e[plan.METRICS[w["metric"]]]["grid"])
    return Work({"start_table": 1}, "start_table", 100 * m * m, TABLE + ROW * m * (m + 1) // 2)


def _all_forks(e) -> int:
    return sum(len(fork_states(e, b)) for b in range(len(plan.fork_blocks(e))))


def _chaos(e, s, w) -> Work:
    states = _all_forks(e)
    counts = {"start_table": 1, "coordinate": 2 * states * _kernel_numbers(e, s) * e["kernel"]["forks"]}
    held = 32 * _kernel_numbers(e, s) + 8 * states * s["test"]
    return Work(counts, "start_table", held, 4 * TABLE + 8 * ROW * states)


def _plane(e, s, w) -> Work:
    states = _all_forks(e) + len(e["checkpoints"])
    counts = {"start_table": 1, "coordinate": states * s["parameters"]}
    return Work(counts, "start_table", 24 * states * min(s["parameters"], vectors.PART), TABLE + ROW * states)


def _cone(e, s, w) -> Work:
    states = len(e["kernel"]["grid"])
    return Work({"start_table": 1, "coordinate": states**2}, "start_table", 32 * states**2, TABLE + ROW * states)


def linear_runs(experiment: Mapping, block: int) -> tuple[int, int]:
    """Iterations of a block of linearized runs, and the evaluations on the test set."""
    linearized, switches = experiment["linearized"], plan.switch_blocks(experiment)[block]
    steps = sum(linearized["until"] - switch for switch in switches)
    return steps, sum(1 + sum(t > switch for t in linearized["evaluate"]) for switch in switches)


def _linearized(e, s, w) -> Work:
    block = plan.switch_blocks(e)[int(w["block"])]
    steps, evaluations = linear_runs(e, int(w["block"]))
    counts = {"start": 1, "load": len(block), "tangent_step": steps, "tangent_image": evaluations * s["test"]}
    return Work(counts, "tangent_step", 3 * s["state"] + s["optimizer"], _log(steps, 7) + len(block) * TABLE)


def _switches(e, s, w) -> Work:
    rows = sum(linear_runs(e, b)[1] for b in range(len(plan.switch_blocks(e))))
    return Work({"start_table": 1}, "start_table", 0, TABLE + ROW * rows)


def _inflection(e, s, w) -> Work:
    return Work({"start_table": 1, **ESTIMATORS[w["estimator"]].cost}, "start_table", 0, TABLE)


_WORK = {
    "trajectory": _trajectory,
    "predictions": _predictions,
    "forks": _forks,
    "fork_barriers": _fork_barriers,
    "chaos": _chaos,
    "kernels": _kernels,
    "pointwise_measures": _pointwise_measures,
    "layer_kernels": _layer_kernels,
    "layer_distances": _layer_distances,
    "layer_chaos": _layer_chaos,
    "linearized": _linearized,
    "switches": _switches,
    "cone": _cone,
    "plane": _plane,
    "block_C": _block_C,
    "block_S": _block_S,
    "block_D": _block_D,
    "block_B": _block_B,
    "grid": _grid,
    "independent": _independent,
    "inflection": _inflection,
}
