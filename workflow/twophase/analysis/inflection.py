"""Inflection points, Lyapunov exponents and widths of the cone, from the tables of all seeds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from twophase.analysis import changes
from twophase.analysis.bootstrap import Bootstrap, Interval
from twophase.analysis.changes import Change
from twophase.analysis.curves import Curves, mean_curve, steps

TINY = 1e-16  # a C of exactly 0 counts as this where logarithms are taken
SCALES = {"log": lambda c: np.log10(np.maximum(c, TINY)), "linear": np.asarray}  # of C over t0, see `from_chaos`
# Beyond a significant change, which any smooth decline is too, an inflection point takes a fall of log10 C in equal
# times (at the end of training later forks have had less), and a level of B (nats) and D (share of the test set)
# before it.
DECADE = 1.0
LARGE = {"B": 0.1, "D": 0.02}


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
    """By how much the level of forks from after an inflection point is below that of forks from before it.

    Compared at equal t1 - t0, since later forks end closer simply for having had less time; where no two have had the
    same time, at the last t1.

    Args:
        t0, t1, level: of the forks' comparisons [cells].
        inflection: iterations.
    """
    alike = _alike(t0, t1, inflection) or [((t1 == t1.max()) & part for part in (t0 < inflection, t0 > inflection))]
    return float(np.mean([level[early].mean() - level[late].mean() for early, late in alike]))


def growth_after(t0: np.ndarray, t1: np.ndarray, exponent: np.ndarray, inflection: float) -> float:
    """Mean Lyapunov exponent of forks from after an inflection point, divided by that of forks from before it.

    Compared at equal t1 - t0: growth saturates, so that the mean rate falls with time.

    Args:
        t0, t1, exponent: of the forks' comparisons [cells], `exponent` per iteration.
        inflection: iterations.

    Returns:
        NaN where no two forks have had the same time, or early perturbations do not grow.
    """
    pairs = [(exponent[early].mean(), exponent[late].mean()) for early, late in _alike(t0, t1, inflection)]
    before, after = np.reshape(pairs, (-1, 2)).sum(axis=0)
    return float(after / before) if before > 0 else np.nan


def width(x: np.ndarray, y: np.ndarray) -> float:
    """Opening of the cone in degrees: the largest arccos(1 - S(t, tau)) of the kernel distances `y` [points].

    `x`, their times, is not used: a bootstrap gives every statistic both.
    """
    return float(np.degrees(np.arccos(np.clip(1 - y.max(), -1, 1))))


def from_chaos(grids: Sequence[pd.DataFrame], scale: str, bootstrap: Bootstrap) -> list[dict]:
    """Inflection points from the distances of all seeds: where the distance at the last t1 changes level over t0.

    One row each for C, B and D, and one for C on the other scale. That of C counts as found only if its geometric mean
    falls by a decade or more in equal times: where forks from every t0 run away, later ones have less time to do so,
    and C at the end declines as well. Those of B and D count only if these are large before them. For forks, a last
    row gives the t0 from which perturbations shrink instead of growing.

    Args:
        grids: for each seed, columns t0, t1, draw, C, B, D, l2, epsilon (NaN where nothing was perturbed).
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
        on_scale = [SCALES[on](part) for part in curves["C"]]
        row = _inflection(name, changes.change_point, x, on_scale, bootstrap, definition)
        return row | {"found": bool(row["found"] and fall(*cells, magnitude, row["value"]) >= DECADE)}

    rows = [of_c("chaos C", scale)]
    for metric, floor in LARGE.items():
        definition = f"change of level over t0 of {metric}(t0, {t1})"
        row = _inflection(f"chaos {metric}", changes.change_point, x, curves[metric], bootstrap, definition)
        large = row["found"] and mean_curve(curves[metric])[x < row["value"]].mean() >= floor
        rows.append(row | {"found": bool(large)})
    rows += [of_c(f"chaos C, {other}", other) for other in SCALES if other != scale]
    if last[0]["epsilon"].isna().all():
        return rows
    curves = [g.assign(value=exponents(g)).pivot(index="draw", columns="t0", values="value") for g in last]
    values = [curve.to_numpy() for curve in curves]
    interval = bootstrap.interval(changes.sign_change, x, values)
    definition = f"first t0 with log(|theta'(t1) - theta(t1)| / |epsilon|) <= 0, t1 = {t1}"
    row = _row("sign change", "Lyapunov exponent", interval, "iterations", values, definition)
    return [*rows, row | {"found": bool(np.isfinite(interval.value))}]


def end_of_chaos(phases: pd.DataFrame, experiment: str) -> pd.Series | None:
    """The inflection point that ends the chaotic phase of an experiment, found or not; None if it has no forks.

    Args:
        phases: rows of `from_chaos` and `from_steps`, with a column experiment.
    """
    rows = phases[(phases["experiment"] == experiment) & (phases["estimator"] == "chaos C")]
    return None if rows.empty else rows.iloc[0]


def from_steps(grids: Sequence[pd.DataFrame], metric: str, dt: int, bootstrap: Bootstrap) -> list[dict]:
    """The inflection point as the elbow of S(t, t + dt) or C(t, t + dt) over t, from the pair grids of all seeds.

    Args:
        grids: for each seed, columns i, j, value.
        metric: `S` or `C`.
        dt: iterations.
    """
    curves = [steps(grid, [dt]) for grid in grids]
    x, values = curves[0]["t"].to_numpy(), [curve["value"].to_numpy()[None] for curve in curves]
    name = {"S": "kernel", "C": "parameters"}[metric]
    return [_inflection(name, changes.elbow, x, values, bootstrap, f"elbow of {metric}(t, t + {dt})")]


def cone_width(grids: Sequence[pd.DataFrame], bootstrap: Bootstrap) -> list[dict]:
    """Width of the cone after each tau, max over t >= tau of arccos(1 - S(t, tau)), from the S grids of all seeds.

    Args:
        grids: for each seed, columns i, j, value.
    """
    rows = []
    for tau in sorted(grids[0]["i"].unique())[:-1]:
        after = [grid[grid["i"] == tau].sort_values("j") for grid in grids]
        values = [part["value"].to_numpy()[None] for part in after]
        interval = bootstrap.interval(width, after[0]["j"].to_numpy(), values, over_points=False)
        definition = f"max over t >= {tau} of arccos(1 - S(t, {tau}))"
        rows.append(_row("cone width", f"after {tau}", interval, "degrees", values, definition))
    return rows


def _inflection(
    estimator: str, change: Change, x: np.ndarray, curves: Curves, bootstrap: Bootstrap, definition: str
) -> dict:
    p = changes.p_value(change, x, mean_curve(curves))
    interval = bootstrap.interval(change, x, curves)
    if change.between and np.isfinite(interval.low):
        # It may be anywhere between the two points around it.
        interval = Interval(interval.value, x[x <= interval.low].max(), x[x >= interval.high].min())
    row = _row("inflection", estimator, interval, "iterations", curves, definition)
    return row | {"p": p, "found": p <= 1 - bootstrap.level}


def _row(quantity: str, estimator: str, interval: Interval, unit: str, curves: Curves, definition: str) -> dict:
    return {
        "quantity": quantity,
        "estimator": estimator,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "p": np.nan,
        "found": True,  # whether there is such a change; a width there always is
        "unit": unit,
        "seeds": len(curves),
        "draws": len(curves[0]),
        "points": curves[0].shape[1],
        "definition": definition,
    }
