"""Tables of runs that nobody trained, of the shape that a config gives them: two phases that part at `BEND`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twophase.files import layout

BEND = 0.04  # share of the training


def _pairs(times, value) -> pd.DataFrame:
    """A grid of pairs i <= j; `value(i, j)` of arrays."""
    i, j = np.asarray(times)[np.array(np.triu_indices(len(times)))]
    return pd.DataFrame({"i": i, "j": j, "value": value(i, j)})


def _path(ends, barrier, count: int) -> list[np.ndarray]:
    """Losses along alpha with a hump in the middle, for each pair of losses and each barrier."""
    alpha = np.linspace(0.0, 1.0, count)
    start, end = np.asarray(ends, dtype=float)[..., None]
    return list(start + (end - start) * alpha + 4 * np.asarray(barrier)[:, None] * alpha * (1 - alpha))


def log(first: int, last: int, end: int) -> pd.DataFrame:
    """Iterations `first` to `last` of a training that ends at `end`."""
    t = np.arange(first, last + 1)
    loss = 0.01 + 2.3 * np.exp(-8 * t / end) * (1 + 0.2 * np.sin(t))
    return pd.DataFrame({"iteration": t, "loss": loss, "accuracy": np.exp(-loss)})


def run(experiment: Mapping, seed: int) -> dict:
    """Tables of one run of a resolved experiment, as `explorer.gather` wants them."""
    end, chaos, barrier = (experiment["training"]["iterations"], experiment["chaos"], experiment["barrier"])
    bend = BEND * end * (1 + 0.1 * seed)

    def moved(i, j):  # ever more slowly
        return 1 - np.exp(-np.abs(np.log1p(j / bend) - np.log1p(i / bend)))

    points = {name: experiment[name]["grid"] for name in ("pairs", "barrier", "kernel")}
    tables = {
        "log": log(0, end, end),
        "C": _pairs(points["pairs"], moved),
        "S": _pairs(points["kernel"], lambda i, j: 0.3 * moved(i, j)),
        "B": _pairs(points["barrier"], lambda i, j: 2 * moved(i, j)),
        "D": _pairs(points["pairs"], lambda i, j: 0.8 * moved(i, j)),
    }
    grid = tables["B"]
    grid["path"] = _path([grid["i"] * 0 + 0.5, grid["i"] * 0 + 0.4], grid["value"], barrier["alphas"])
    times = np.array(experiment["checkpoints"])
    tables["scores"] = pd.DataFrame({"iteration": times, "test_accuracy": times / (times + bend)})
    kernels = np.array(points["kernel"])
    spiral = {"x": np.log1p(kernels / bend), "y": np.sin(kernels / bend) / 4, "z": np.cos(kernels / bend) / 4}
    tables["cone"] = pd.DataFrame({"iteration": kernels, **spiral})
    tables["cone"].attrs["explained"] = [0.7, 0.2, 0.05]
    if chaos["t0"]:
        tables |= forks(chaos, barrier["alphas"], bend, end)
    return tables


def forks(chaos: Mapping, alphas: int, bend: float, end: int) -> dict:
    """Tables of the forks of one run, far from it in the end if they start before `bend`, and their logs."""
    started = [(t0, draw) for t0 in chaos["t0"] for draw in range(chaos["draws"])]
    cells = pd.DataFrame(
        [(t0, t1, draw) for t0, draw in started for t1 in chaos["t1"] if t1 > t0], columns=["t0", "t1", "draw"]
    )
    C = np.where(cells["t0"] < bend, 1e-2, 1e-10) * (cells["t1"] - cells["t0"]) / end
    distances = {"C": C, "B": 10 * C, "D": 3 * C, "S": C / 2, "l2": 100 * np.sqrt(C), "epsilon": 1e-5}
    states = [f"{layout.Fork(r.t0, r.draw).folder}/{layout.step_file(r.t1)}" for r in cells.itertuples()]
    paths = _path([0.3 + 0 * C, 0.3 + C], distances["B"], alphas)
    return {
        "chaos": cells.assign(**distances),
        "perturbations": pd.DataFrame(started, columns=["t0", "draw"]).assign(realised=1e-5),
        "barriers": pd.DataFrame({"state": states, "path": paths}),
        "forks": {(t0, draw): log(t0, end, end) for t0, draw in started},
    }


def estimates(experiments: Mapping) -> pd.DataFrame:
    """Rows of phases: an inflection point of each kind, and cone widths."""
    rows = []
    for name, experiment in experiments.items():
        bend, inflection = BEND * experiment["training"]["iterations"], ("inflection", "iterations", 3.0)
        found = [
            (*inflection, "chaos C", bend),
            (*inflection, "kernel", bend / 2),
            (*inflection, "parameters", bend / 3),
        ]
        found += [("cone width", "degrees", np.nan, f"after {tau}", 20.0) for tau in experiment["kernel"]["grid"][:-1]]
        rows += [(name, *row, 0.8 * row[-1], 1.2 * row[-1], True, "", "made up") for row in found]
    columns = ["experiment", "quantity", "unit", "gain", "estimator"]
    columns += ["value", "low", "high", "found", "reason", "definition"]
    return pd.DataFrame(rows, columns=columns)


def runs(experiments: Mapping) -> dict:
    """Tables of every run of resolved experiments."""
    return {(name, seed): run(e, seed) for name, e in experiments.items() for seed in e["seeds"]}


def bend(x, knot: float, slope: float = -1.0, later: float = -0.05):
    """A curve of two straight pieces, 0 at the knot between them."""
    return slope * np.minimum(x - knot, 0) + later * np.maximum(x - knot, 0)
