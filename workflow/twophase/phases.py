"""Where one phase ends: estimators of the inflection point, the cone's width, and their bootstrap intervals."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

TINY = 1e-16  # a C of exactly 0 counts as this where logarithms are taken
SCALES = {"log": lambda c: np.log10(np.maximum(c, TINY)), "linear": np.asarray}  # of C over t0, see `from_chaos`
# What an inflection point takes beside a significant change, which any smooth decline is, too: a fall of log10 C in
# equal times (at the end later forks have had less), and a level before it of B (nats) and D (share of the test set).
DECADE = 1.0
LARGE = {"B": 0.1, "D": 0.02}

Curves = Sequence[np.ndarray]  # one array [draws, points] for each seed


def _levels(x: np.ndarray):
    """One level, and the steps that turn it into two: places, simple model [points, 1], its additions [places, points].

    Equal x are not split.
    """
    k = np.flatnonzero(np.diff(x) > 0)
    places = (x[k] + x[k + 1]) / 2
    return places, np.ones((len(x), 1)), (x > places[:, None]).astype(float)


def _bends(x: np.ndarray):
    """One straight line, and the bends that turn it into two: knots, line [points, 2], additions [knots, points]."""
    knots = np.unique(x)[1:-1]
    return knots, np.stack([np.ones_like(x), x], axis=1), np.maximum(x - knots[:, None], 0.0)


@lru_cache(maxsize=16)  # bootstrap samples of seeds and draws keep their x
def _design(pieces: Callable, x: bytes):
    """Places, an orthonormal basis of the simple model, and the additions, as unit vectors orthogonal to it."""
    places, simple, additions = pieces(np.frombuffer(x))
    basis = np.linalg.qr(simple)[0]
    additions = additions - additions @ basis @ basis.T
    return places, basis, additions / np.linalg.norm(additions, axis=1, keepdims=True)


def _best(pieces: Callable, x: np.ndarray, y: np.ndarray):
    """The addition to the simple model that lowers the squared error of `y` [..., points] most.

    Returns:
        its place [...] and the share [...] of the simple model's squared error that it removes; NaN where there is no
        place to choose or no error to remove.
    """
    y = np.asarray(y, dtype=float)
    places, basis, additions = _design(pieces, np.asarray(x, dtype=float).tobytes())
    if not len(places):
        return np.full(y.shape[:-1], np.nan), np.full(y.shape[:-1], np.nan)
    residual = y - y @ basis @ basis.T
    removed = (residual @ additions.T) ** 2
    error = (residual**2).sum(axis=-1)
    error = np.where(error > 1e-24 * (y**2).sum(axis=-1), error, np.nan)  # less is rounding
    return np.where(np.isnan(error), np.nan, places[removed.argmax(axis=-1)]), removed.max(axis=-1) / error


def change_point(x: np.ndarray, y: np.ndarray) -> float:
    """The place where `y` changes level: the split into two constant pieces of least squared error.

    Args:
        x: [points], sorted; ties allowed.
        y: [points].

    Returns:
        halfway between the two points around the best split; NaN where all x are one, or all y.
    """
    return float(_best(_levels, x, y)[0])


def elbow(x: np.ndarray, y: np.ndarray) -> float:
    """The place where a curve bends: the knot, among its inner points, of the best continuous line of two pieces.

    NaN where there is no inner point or the curve is one straight line.
    """
    return float(_best(_bends, x, y)[0])


def p_value(statistic: Callable, x: np.ndarray, y: np.ndarray, count: int = 9999) -> float:
    """How often noise alone would show so clear a change of level, or bend, somewhere (a simulated sup-F test).

    The best place of any curve removes some of the simple model's error. The p-value is the share of curves of
    independent Gaussian noise of which it removes at least as large a share as of `y`; 1 where `y` has no place.
    It speaks against one level (or one line) only: a smooth decline passes as well as a jump does, the more surely the
    more points it has.

    Args:
        statistic: `change_point` or `elbow`.
        x, y: [points].
    """
    pieces = {change_point: _levels, elbow: _bends}[statistic]
    share = _best(pieces, x, y)[1]
    if np.isnan(share):
        return 1.0
    noise = np.random.default_rng(0).standard_normal((count, len(x)))
    return float((1 + (_best(pieces, x, noise)[1] >= share).sum()) / (1 + count))


def sign_change(x: np.ndarray, y: np.ndarray) -> float:
    """The first place where `y` falls from above 0 to 0 or below, between two points on a straight line; NaN if none.

    Equal x count as one, with their mean.
    """
    x, index = np.unique(x, return_inverse=True)
    y = np.bincount(index, y) / np.bincount(index)
    falls = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
    if not len(falls):
        return np.nan
    k = falls[0]
    return float(x[k] + (x[k + 1] - x[k]) * y[k] / (y[k] - y[k + 1]))


def exponents(chaos: pd.DataFrame) -> pd.Series:
    """Finite-time Lyapunov exponents log(|theta'(t1) - theta(t1)| / |epsilon|) / (t1 - t0) of forks, per iteration.

    NaN where rounding left nothing of epsilon.

    Args:
        chaos: columns t0, t1, l2, epsilon.
    """
    growth = np.log(np.maximum(chaos["l2"], TINY) / chaos["epsilon"].where(chaos["epsilon"] > 0))
    return (growth / (chaos["t1"] - chaos["t0"])).rename("exponent")


def _alike(t0: np.ndarray, t1: np.ndarray, inflection: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Comparisons of forks from before an inflection point and from after it [cells], for each t1 - t0 of both."""
    length, late = t1 - t0, t0 > inflection
    return [(~late & (length == t), late & (length == t)) for t in np.intersect1d(length[late], length[~late])]


def fall(t0: np.ndarray, t1: np.ndarray, level: np.ndarray, inflection: float) -> float:
    """By how much forks from after an inflection point have a lower level than those from before it.

    Compared over equally long times, since later forks would end closer for lack of time alone; where no two are
    equally long, at the last t1.

    Args:
        t0, t1, level: of the forks' comparisons [cells].
    """
    alike = _alike(t0, t1, inflection) or [((t1 == t1.max()) & part for part in (t0 < inflection, t0 > inflection))]
    return float(np.mean([level[early].mean() - level[late].mean() for early, late in alike]))


def growth_after(t0: np.ndarray, t1: np.ndarray, exponent: np.ndarray, inflection: float) -> float:
    """Mean Lyapunov exponent of forks from after an inflection point over that of forks from before it.

    Compared over equally long times: growth saturates, so that it is the slower the longer one looks.

    Args:
        t0, t1, exponent: of the forks' comparisons [cells], `exponent` per iteration.

    Returns:
        NaN where no two are equally long, or early perturbations do not grow.
    """
    pairs = [(exponent[early].mean(), exponent[late].mean()) for early, late in _alike(t0, t1, inflection)]
    before, after = np.reshape(pairs, (-1, 2)).sum(axis=0)
    return float(after / before) if before > 0 else np.nan


def width(x: np.ndarray, y: np.ndarray) -> float:
    """Opening of the cone in degrees: the largest arccos(1 - S(t, tau)) of the kernel distances `y`."""
    return float(np.degrees(np.arccos(np.clip(1 - y.max(), -1, 1))))


def interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    x: Sequence[float],
    curves: Curves,
    count: int,
    level: float,
    over_points: bool = True,
) -> tuple[float, float, float]:
    """A statistic of the mean curve with its percentile bootstrap interval over seeds, draws and points.

    Args:
        statistic: f(x [points], y [points]).
        x: [points].
        curves: for each seed, [draws, points].
        count: number of bootstrap samples.
        level: of the interval, e.g. 0.95.
        over_points: whether points are drawn too; not for an extreme, which a sample of the points can only miss.

    Returns:
        value, low, high; an interval of NaN where there is but one sample to draw, or no value that it could be about.
    """
    x = np.asarray(x, dtype=float)
    value = statistic(x, mean_curve(curves))
    if np.isnan(value) or (not over_points and all(len(part) == 1 for part in (curves, *curves))):
        return value, np.nan, np.nan
    rng = np.random.default_rng(0)  # the same samples in every run
    samples = []
    for _ in range(count):
        seeds = [curves[k] for k in rng.integers(len(curves), size=len(curves))]
        seeds = [seed[rng.integers(len(seed), size=len(seed))] for seed in seeds]
        points = np.sort(rng.integers(len(x), size=len(x))) if over_points else np.arange(len(x))
        samples.append(statistic(x[points], mean_curve(seeds)[points]))
    tail = (1 - level) / 2
    samples = np.array(samples)
    if np.isnan(samples).all():
        return value, np.nan, np.nan
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return value, float(low), float(high)


def mean_curve(curves: Curves) -> np.ndarray:
    """The mean [points] over seeds of the means over draws: seeds count alike, however many draws they have."""
    return np.mean([seed.mean(axis=0) for seed in curves], axis=0)


def from_chaos(grids: Sequence[pd.DataFrame], scale: str, count: int, level: float) -> list[dict]:
    """Inflection points from the distances of all seeds: where that at the last t1 changes level over t0.

    One row each for C, B and D, and one for C on the other scale. That of C is found only where its geometric mean
    falls by a decade or more in equal times: where forks from every t0 run away, later ones have less time to do so,
    and C at the end declines, too. Those of B and D are found only where they are large before. Of forks, a last row
    says from when on perturbations shrink instead of growing.

    Args:
        scale: `log` or `linear`, of C: its order of magnitude, or what a linear colour scale shows.
    """
    last = [grid[grid["t1"] == grid["t1"].max()] for grid in grids]
    t1 = last[0]["t1"].iloc[0]
    curves = {m: [g.pivot(index="draw", columns="t0", values=m) for g in last] for m in ("C", "B", "D")}
    x = curves["C"][0].columns.to_numpy()
    curves = {metric: [curve.to_numpy() for curve in part] for metric, part in curves.items()}
    tables = [grid.pivot(index="draw", columns=["t0", "t1"], values="C") for grid in grids]
    cells = np.array(tables[0].columns.to_list()).T
    magnitude = mean_curve([SCALES["log"](table.to_numpy()) for table in tables])

    def of_c(name: str, on: str) -> dict:
        definition = f"change of level over t0 of {'log10 ' if on == 'log' else ''}C(t0, {t1})"
        row = _inflection(name, change_point, x, [SCALES[on](part) for part in curves["C"]], count, level, definition)
        return row | {"found": bool(row["found"] and fall(*cells, magnitude, row["value"]) >= DECADE)}

    rows = [of_c("chaos C", scale)]
    for metric, floor in LARGE.items():
        definition = f"change of level over t0 of {metric}(t0, {t1})"
        row = _inflection(f"chaos {metric}", change_point, x, curves[metric], count, level, definition)
        large = row["found"] and mean_curve(curves[metric])[x < row["value"]].mean() >= floor
        rows.append(row | {"found": bool(large)})
    rows += [of_c(f"chaos C, {other}", other) for other in SCALES if other != scale]
    if last[0]["epsilon"].isna().all():
        return rows
    curves = [g.assign(value=exponents(g)).pivot(index="draw", columns="t0", values="value") for g in last]
    values = [curve.to_numpy() for curve in curves]
    found = interval(sign_change, x, values, count, level)
    definition = f"first t0 with log(|theta'(t1) - theta(t1)| / |epsilon|) <= 0, t1 = {t1}"
    row = _row("sign change", "Lyapunov exponent", found, "iterations", values, definition)
    return [*rows, row | {"found": bool(np.isfinite(found[0]))}]


def end_of_chaos(estimates: pd.DataFrame, experiment: str) -> pd.Series | None:
    """The estimate that says when the chaotic phase of an experiment ends; None where no forks were trained."""
    rows = estimates[(estimates["experiment"] == experiment) & (estimates["estimator"] == "chaos C")]
    return None if rows.empty else rows.iloc[0]


def from_steps(grids: Sequence[pd.DataFrame], metric: str, dt: int, count: int, level: float) -> list[dict]:
    """The inflection point as the elbow of S(t, t + dt) or C(t, t + dt) over t, from the pair grids of all seeds."""
    steps = [grid[grid["j"] - grid["i"] == dt].sort_values("i") for grid in grids]
    x, values = steps[0]["i"].to_numpy(), [step["value"].to_numpy()[None] for step in steps]
    name = {"S": "kernel", "C": "parameters"}[metric]
    return [_inflection(name, elbow, x, values, count, level, f"elbow of {metric}(t, t + {dt})")]


def cone_width(grids: Sequence[pd.DataFrame], count: int, level: float) -> list[dict]:
    """Width of the cone after each tau, max over t >= tau of arccos(1 - S(t, tau)), from the S grids of all seeds."""
    rows = []
    for tau in sorted(grids[0]["i"].unique())[:-1]:
        after = [grid[grid["i"] == tau].sort_values("j") for grid in grids]
        values = [part["value"].to_numpy()[None] for part in after]
        found = interval(width, after[0]["j"].to_numpy(), values, count, level, over_points=False)
        definition = f"max over t >= {tau} of arccos(1 - S(t, {tau}))"
        rows.append(_row("cone width", f"after {tau}", found, "degrees", values, definition))
    return rows


def _inflection(estimator: str, statistic, x, curves: Curves, count: int, level: float, definition: str) -> dict:
    p = p_value(statistic, x, mean_curve(curves))
    found = value, low, high = interval(statistic, x, curves, count, level)
    if statistic is change_point and np.isfinite(low):  # halfway between two points; the change may be anywhere there
        found = value, x[x <= low].max(), x[x >= high].min()
    return _row("inflection", estimator, found, "iterations", curves, definition) | {"p": p, "found": p <= 1 - level}


def _row(quantity: str, estimator: str, found, unit: str, curves: Curves, definition: str) -> dict:
    value, low, high = found
    return {
        "quantity": quantity,
        "estimator": estimator,
        "value": value,
        "low": low,
        "high": high,
        "p": np.nan,
        "found": True,  # whether the change is significant; a width always is there
        "unit": unit,
        "seeds": len(curves),
        "draws": len(curves[0]),
        "points": curves[0].shape[1],
        "definition": definition,
    }
