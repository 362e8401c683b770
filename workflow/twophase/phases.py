"""Where one phase ends: estimators of the inflection point, the cone's width, and their bootstrap intervals."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

TINY = 1e-16  # a C of exactly 0 counts as this where logarithms are taken

Curves = Sequence[np.ndarray]  # one array [draws, points] for each seed


def change_point(x: np.ndarray, y: np.ndarray) -> float:
    """The place where `y` changes level: the split into two constant pieces of least squared error.

    Args:
        x: [points], sorted; ties allowed.
        y: [points].

    Returns:
        halfway between the two points around the best split; NaN where all x are one.
    """
    best, place = np.inf, np.nan
    for k in range(1, len(x)):
        if x[k] > x[k - 1]:
            error = y[:k].var() * k + y[k:].var() * (len(y) - k)
            if error < best:
                best, place = error, (x[k - 1] + x[k]) / 2
    return float(place)


def elbow(x: np.ndarray, y: np.ndarray) -> float:
    """The place where a curve bends: the knot, among its inner points, of the best continuous line of two pieces."""
    best, place = np.inf, np.nan
    for knot in np.unique(x)[1:-1]:
        design = np.stack([np.ones_like(x), x, np.maximum(x - knot, 0)], axis=1).astype(float)
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        if residual @ residual < best:
            best, place = residual @ residual, knot
    return float(place)


def width(x: np.ndarray, y: np.ndarray) -> float:
    """Opening of the cone in degrees: the largest arccos(1 - S(t, tau)) of the kernel distances `y`."""
    return float(np.degrees(np.arccos(np.clip(1 - y.max(), -1, 1))))


def interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    x: Sequence[float],
    curves: Curves,
    count: int,
    level: float,
) -> tuple[float, float, float]:
    """A statistic of the mean curve with its percentile bootstrap interval over seeds, draws and points.

    Args:
        statistic: f(x [points], y [points]).
        x: [points].
        curves: for each seed, [draws, points].
        count: number of bootstrap samples.
        level: of the interval, e.g. 0.95.

    Returns:
        value, low, high.
    """
    x = np.asarray(x, dtype=float)
    rng = np.random.default_rng(0)  # the same samples in every run

    def mean(chosen: Curves) -> np.ndarray:
        return np.mean([seed.mean(axis=0) for seed in chosen], axis=0)

    samples = []
    for _ in range(count):
        seeds = [curves[k] for k in rng.integers(len(curves), size=len(curves))]
        seeds = [seed[rng.integers(len(seed), size=len(seed))] for seed in seeds]
        points = np.sort(rng.integers(len(x), size=len(x)))
        samples.append(statistic(x[points], mean(seeds)[points]))
    tail = (1 - level) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return statistic(x, mean(curves)), float(low), float(high)


def from_chaos(grids: Sequence[pd.DataFrame], count: int, level: float) -> list[dict]:
    """Inflection points from the chaos grids of all seeds: where the last distance to the base run changes level.

    One row each for C (in its logarithm), B and D.
    """
    rows = []
    for metric in ("C", "B", "D"):
        last = [grid[grid["t1"] == grid["t1"].max()] for grid in grids]
        curves = [g.pivot(index="draw", columns="t0", values=metric) for g in last]
        values = [curve.to_numpy() for curve in curves]
        if metric == "C":
            values = [np.log10(np.maximum(v, TINY)) for v in values]
        x = curves[0].columns.to_numpy()
        definition = f"change of level over t0 of {'log10 C' if metric == 'C' else metric}(t0, {last[0]['t1'].iloc[0]})"
        found = interval(change_point, x, values, count, level)
        rows.append(_row("inflection", f"chaos {metric}", found, "iterations", values, definition))
    return rows


def from_steps(grids: Sequence[pd.DataFrame], metric: str, dt: int, count: int, level: float) -> list[dict]:
    """The inflection point as the elbow of S(t, t + dt) or C(t, t + dt) over t, from the pair grids of all seeds."""
    steps = [grid[grid["j"] - grid["i"] == dt].sort_values("i") for grid in grids]
    x, values = steps[0]["i"].to_numpy(), [step["value"].to_numpy()[None] for step in steps]
    found = interval(elbow, x, values, count, level)
    name = {"S": "kernel", "C": "parameters"}[metric]
    return [_row("inflection", name, found, "iterations", values, f"elbow of {metric}(t, t + {dt})")]


def cone_width(grids: Sequence[pd.DataFrame], count: int, level: float) -> list[dict]:
    """Width of the cone after each tau, max over t >= tau of arccos(1 - S(t, tau)), from the S grids of all seeds."""
    rows = []
    for tau in sorted(grids[0]["i"].unique())[:-1]:
        after = [grid[grid["i"] == tau].sort_values("j") for grid in grids]
        values = [part["value"].to_numpy()[None] for part in after]
        found = interval(width, after[0]["j"].to_numpy(), values, count, level)
        definition = f"max over t >= {tau} of arccos(1 - S(t, {tau}))"
        rows.append(_row("cone width", f"after {tau}", found, "degrees", values, definition))
    return rows


def _row(quantity: str, estimator: str, found, unit: str, curves: Curves, definition: str) -> dict:
    value, low, high = found
    return {
        "quantity": quantity,
        "estimator": estimator,
        "value": value,
        "low": low,
        "high": high,
        "unit": unit,
        "seeds": len(curves),
        "draws": len(curves[0]),
        "points": curves[0].shape[1],
        "definition": definition,
    }
