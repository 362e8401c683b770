"""Inflection points, Lyapunov exponents and widths of the cone, from the tables of all seeds."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from twophase.analysis import changes, contest, lags, replicates
from twophase.analysis.curves import steps
from twophase.analysis.replicates import Interval

TINY = 1e-16  # a C of exactly 0 counts as this where logarithms are taken
SCALES = {"log": lambda c: np.log10(np.maximum(c, TINY)), "linear": np.asarray}  # of C over t0, see `from_chaos`
LABELS = {"log": "log10 C", "linear": "C"}
DECADE = 1.0  # fall of log10 C after equal times with which a perturbation 'hardly' changes anything any more
LARGE = {"B": 0.1, "D": 0.02}  # levels of B (nats) and D (share of the test set) before an inflection point
STABLE = 0.02  # error barrier below which Frankle et al. (2020) call a network stable to SGD noise
WHY_LARGE = {
    "B": "4 % of the loss of guessing one of ten classes",
    "D": "below 2 % of error, Frankle et al. (2020) call training stable",
}


def exponents(chaos: pd.DataFrame) -> pd.Series:
    """Finite-time Lyapunov exponents log(|theta'(t1) - theta(t1)| / |epsilon|) / (t1 - t0) of forks, per iteration.

    NaN where rounding left nothing of epsilon.

    Args:
        chaos: columns t0, t1, l2, epsilon.
    """
    growth = np.log(np.maximum(chaos["l2"], TINY) / chaos["epsilon"].where(chaos["epsilon"] > 0))
    return (growth / (chaos["t1"] - chaos["t0"])).rename("exponent")


def fall(t0: np.ndarray, t1: np.ndarray, level: np.ndarray, inflection: float) -> float:
    """By how much the level of forks from after an inflection point is below that of forks from before it.

    Compared after equal times, at every lag that forks of both have, since later forks end closer simply for having had
    less time; where no two have had the same time, at the last t1.

    Args:
        t0, t1, level: of the forks' comparisons [cells].
        inflection: iterations.
    """
    _, pairs = lags.contrast(t0, t1, level, inflection)
    if not len(pairs):
        end = lags.last(t0, t1)
        pairs = np.array([[level[end & part].mean() for part in (t0 < inflection, t0 > inflection)]])
    return float(-np.diff(pairs, axis=1).mean())


def growth_after(t0: np.ndarray, t1: np.ndarray, exponent: np.ndarray, inflection: float) -> float:
    """Mean Lyapunov exponent of forks from after an inflection point, divided by that of forks from before it.

    Compared after equal times: growth saturates, so that the mean rate falls with time.

    Args:
        t0, t1, exponent: of the forks' comparisons [cells], `exponent` per iteration.
        inflection: iterations.

    Returns:
        NaN where no two forks have had the same time, or early perturbations do not grow.
    """
    # Exponential growth is a line over time, of which the exponent is the slope.
    times, growth = lags.contrast(t0, t1, exponent * (t1 - t0), inflection, over=np.asarray)
    before, after = (growth / times[:, None]).sum(axis=0)
    return float(after / before) if before > 0 else np.nan


def width(y: np.ndarray) -> float:
    """Opening of the cone in degrees: the largest arccos(1 - S(t, tau)) of the kernel distances `y` [points]."""
    return float(np.degrees(np.arccos(np.clip(1 - y.max(), -1, 1))))


def from_chaos(grids: Sequence[pd.DataFrame], scale: str, level: float) -> list[dict]:
    """Inflection points from the distances of all seeds: where the distance after equal times changes level over t0.

    One row each for C, B and D, and one for C on the other scale. What counts as found is in `contest`: a step that
    predicts other seeds better than any smooth curve. On either scale the geometric mean of C must fall by
    `contest.SMALLEST` decades as well; B and D must be large before theirs and fall by half. Where forks are
    perturbed, a last row gives the t0 from which perturbations shrink instead of growing.

    Args:
        grids: for each seed, columns t0, t1, draw, C, B, D, l2, epsilon (where nothing was perturbed, 0, or NaN of
            checkpoints).
        scale: `log` or `linear`, of C: its order of magnitude, or what a linear colour scale shows.
        level: of the intervals, e.g. 0.95.
    """
    values = {"log": _cells(grids, "C", SCALES["log"]), "linear": _cells(grids, "C", SCALES["linear"])}
    cells, size = _places(grids[0]), (len(grids), grids[0]["draw"].nunique())

    def of_c(name: str, on: str) -> dict:
        x, curve, at = lags.curve(*cells, values[on])
        change = contest.step(x, curve, level, contest.SMALLEST if on == "log" else 0.0)
        row = _inflection(name, change, f"change of level over t0 of {LABELS[on]}(t0, t1) at {at}", size, len(x))
        small = change.found and fall(*cells, values["log"].mean(axis=0), change.value) < contest.SMALLEST
        return _refused(row, small, f"log10 C falls by less than {contest.SMALLEST:.2g} after equal times")

    rows = [of_c("chaos C", scale)]
    for metric, floor in LARGE.items():
        x, curve, at = lags.curve(*cells, _cells(grids, metric, np.asarray))
        change = contest.step(x, curve, level, smallest=0.0)
        definition = f"change of level over t0 of {metric}(t0, t1) at {at}"
        row = _inflection(f"chaos {metric}", change, definition, size, len(x))
        before = curve.mean(axis=0)[x < change.value].mean() if change.found else 0.0
        row = _refused(row, row["found"] and before < floor, f"{metric} is below {floor:g} before it")
        rows.append(_refused(row, row["found"] and change.fall < before / 2, f"{metric} falls by less than half"))
    rows += [of_c(f"chaos C, {other}", other) for other in SCALES if other != scale]
    if not (grids[0]["epsilon"] > 0).any():
        return rows
    last = [grid[lags.last(grid["t0"], grid["t1"])] for grid in grids]
    curves = [g.assign(value=exponents(g)).groupby("t0")["value"].mean() for g in last]
    x, curves = curves[0].index.to_numpy(), np.array([curve.to_numpy() for curve in curves])
    own = [changes.sign_change(x, curve) for curve in curves]
    interval = replicates.interval(own, level)
    definition = "first t0 with log(|theta'(t1) - theta(t1)| / |epsilon|) <= 0 at the last t1"
    row = _row("sign change", "Lyapunov exponent", interval, "iterations", size, len(x), definition)
    return [*rows, row | {"found": bool(np.isfinite(interval.value))}]


def end_of_chaos(phases: pd.DataFrame, experiment: str) -> pd.Series | None:
    """The inflection point that ends the chaotic phase of an experiment, found or not; None if it has no forks.

    Args:
        phases: rows of `from_chaos` and `from_steps`, with a column experiment.
    """
    rows = phases[(phases["experiment"] == experiment) & (phases["estimator"] == "chaos C")]
    return None if rows.empty else rows.iloc[0]


def stable_from(t0: np.ndarray, barriers: np.ndarray) -> float:
    """The first t0 from which on error barriers are below 2 % (Frankle et al., 2020); NaN where the last one is not.

    Args:
        t0: [forks], iterations, sorted.
        barriers: error barriers [forks], shares.
    """
    above = np.flatnonzero(~(barriers < STABLE))
    first = above[-1] + 1 if len(above) else 0
    return float(t0[first]) if first < len(t0) else np.nan


def from_barriers(grids: Sequence[pd.DataFrame], metric: str, level: float) -> list[dict]:
    """From which t0 on training is stable to the new noise of forks, by their error barriers at their last t1.

    Args:
        grids: for each seed, columns t0, t1, draw, B.
        metric: of B; only of `error` can it be told.
        level: of the interval, e.g. 0.95.

    Returns:
        one row; `found` where all seeds are stable at the last t0. It has no interval otherwise, or from one seed.
    """
    last = [grid[lags.last(grid["t0"], grid["t1"])] for grid in grids]
    curves = [grid.groupby("t0")["B"].mean() for grid in last]
    t0, curves = curves[0].index.to_numpy(), np.array([curve.to_numpy() for curve in curves])
    place, unstable = Interval(np.nan, np.nan, np.nan), 0
    if metric == "error":
        place = contest.place_of(stable_from, t0, curves, level)
        unstable = sum(np.isnan(stable_from(t0, curve)) for curve in curves)
    size, definition = (len(grids), grids[0]["draw"].nunique()), "first t0 from which on B of the error is below 2 %"
    row = _row("stability", "stable from", place, "iterations", size, len(t0), f"{definition}, at the last t1")
    row = _refused(row, len(grids) < 2, "one run tells of no other")
    row = _refused(row, unstable > 0, f"at the last t0, {unstable} of {len(grids)} runs are not stable")
    return [_refused(row, metric != "error", "it takes barrier.metric: error")]


def from_steps(grids: Sequence[pd.DataFrame], metric: str, dt: int, level: float) -> list[dict]:
    """The inflection point as the elbow of S(t, t + dt) or C(t, t + dt) over t, from the pair grids of all seeds.

    Args:
        grids: for each seed, columns i, j, value.
        metric: `S` or `C`.
        dt: iterations.
        level: of the interval, e.g. 0.95.
    """
    curves = [steps(grid, [dt]) for grid in grids]
    t, values = curves[0]["t"].to_numpy(), np.array([curve["value"].to_numpy() for curve in curves])
    name = {"S": "kernel", "C": "parameters"}[metric]
    change = contest.bend(t, values, level)
    return [_inflection(name, change, f"elbow of {metric}(t, t + {dt})", (len(grids), 1), len(t))]


def cone_width(grids: Sequence[pd.DataFrame], level: float) -> list[dict]:
    """Width of the cone after each tau, max over t >= tau of arccos(1 - S(t, tau)), from the S grids of all seeds.

    Args:
        grids: for each seed, columns i, j, value.
        level: of the intervals, e.g. 0.95.

    Returns:
        rows whose values are geometric means over seeds.
    """
    rows = []
    for tau in sorted(grids[0]["i"].unique())[:-1]:
        after = [grid.loc[grid["i"] == tau, "value"].to_numpy() for grid in grids]
        interval = replicates.interval([width(values) for values in after], level, "log")
        definition = f"max over t >= {tau} of arccos(1 - S(t, {tau}))"
        rows.append(_row("cone width", f"after {tau}", interval, "degrees", (len(grids), 1), len(after[0]), definition))
    return rows


def _places(grid: pd.DataFrame) -> np.ndarray:
    """t0 and t1 of the comparisons of a grid [2, cells], sorted."""
    return np.array(sorted(set(zip(grid["t0"], grid["t1"], strict=True)))).T


def _cells(grids: Sequence[pd.DataFrame], metric: str, scale: Callable) -> np.ndarray:
    """A metric on a scale, averaged over the draws of each seed [seeds, cells], in the order of `_places`."""
    return np.array(
        [g.assign(on_scale=scale(g[metric])).groupby(["t0", "t1"])["on_scale"].mean().to_numpy() for g in grids]
    )


def _refused(row: dict, refused: bool, reason: str) -> dict:
    return row | {"found": False, "reason": reason} if refused else row


def _inflection(estimator: str, change: contest.Change, definition: str, size: tuple[int, int], points: int) -> dict:
    interval = Interval(change.value, change.low, change.high)
    row = _row("inflection", estimator, interval, "iterations", size, points, definition)
    return row | {key: getattr(change, key) for key in ("gain", "width", "fall", "found", "reason")}


def _row(
    quantity: str, estimator: str, interval: Interval, unit: str, size: tuple[int, int], points: int, definition: str
) -> dict:
    """A row of the table; `size` is the number of seeds and that of draws."""
    return {
        "quantity": quantity,
        "estimator": estimator,
        **interval._asdict(),
        "gain": np.nan,
        "width": np.nan,
        "fall": np.nan,
        "found": True,  # whether there is such a change; a width there always is
        "reason": "",
        "unit": unit,
        "seeds": size[0],
        "draws": size[1],
        "points": points,
        "definition": definition,
    }
