"""Whether a curve has a sharp change: models with one against models without, by how well they predict another run.

Every run is predicted from the mean curve of the others. Runs differ in level, of which none of the models knows
anything, so curves are compared by their shape: less their mean. A sharp change counts as found if the model with it
predicts better than every model without one by `MARGIN` standard errors of the difference, over runs. Of a change of
level it takes as well that it is no wider and no smaller than `WIDEST` and `SMALLEST`.

Numbers come from simulations (`results/reference/statistics`, tools/statistics.py): with two standard errors and half a
decade, a step of half a decade is found in two fifths of experiments of five seeds that differ by 0.15 decades, and one
of three quarters in 97 %. With those below, one of half a decade is found in 95 %, and smooth declines in less than
5 %: what rules these out is the width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from twophase.analysis import changes, replicates
from twophase.analysis.changes import Model
from twophase.analysis.replicates import Interval

MARGIN = 1.0  # standard errors
WIDEST = 3.0  # factor between the times at which 10 % and 90 % of the change are done
SMALLEST = 1 / 3  # decades, of a curve in decades: what is seen of half of one
SMOOTH = {"constant": changes.constant, "log-linear": changes.line, "hinge": changes.elbow}  # over log time
SHARP = {"step": changes.change_point, "logistic": changes.logistic}
STRAIGHT = {"constant": changes.constant, "line": changes.line, "decline": changes.decline}  # over time
BENT = {"bend": changes.elbow}


@dataclass(frozen=True)
class Change:
    """A change of a curve over time, and what speaks for it.

    Args:
        value: its place (iterations), of the mean curve; NaN where that has none.
        low, high: of its interval over runs, Student's t of their own places in logarithms of time, widened to the
            points of the grid around; NaN from one run, or where a run has no such place.
        found: whether it counts as one.
        reason: why not, in words; empty where it was found.
        gain: by how many standard errors the model with it predicts better than the best of those without; NaN from
            one run.
        width: factor in time from 10 % to 90 % of the change; of a step, between the points around it. NaN of a bend.
        fall: by how much the curve falls in all, by the model with the change. NaN of a bend.
        models: a row for each model: columns model, error (root of the mean squared error of prediction), behind (mean
            squared error beyond that of the best model with a change) and its standard_error.
    """

    value: float
    low: float
    high: float
    found: bool
    reason: str
    gain: float
    width: float
    fall: float
    models: pd.DataFrame


def log_time(t: np.ndarray) -> np.ndarray:
    """log10(t + t'), where t' is the first time after 0, so that 0 has a place on the axis [points]."""
    t = np.asarray(t, dtype=float)
    return np.log10(t + t[t > 0].min(initial=np.inf)) if (t > 0).any() else np.zeros(len(t))


def errors(models: Mapping[str, Model], x: np.ndarray, curves: np.ndarray) -> dict[str, np.ndarray]:
    """Mean squared errors of every model's prediction of each run from the mean of the others, but for their level.

    Args:
        models: by name.
        x: [points].
        curves: [..., runs, points], at least two runs.

    Returns:
        by name [..., runs].
    """
    curves = curves - curves.mean(axis=-1, keepdims=True)
    others = (curves.sum(axis=-2, keepdims=True) - curves) / (curves.shape[-2] - 1)
    return {name: ((curves - model.fit(x, others)[0]) ** 2).mean(axis=-1) for name, model in models.items()}


def gain(found: Mapping[str, np.ndarray], sharp: str, smooth: Mapping) -> np.ndarray:
    """By how many standard errors a model predicts better than the best of others [...].

    Args:
        found: of `errors`.
        sharp: the model's name.
        smooth: the others, by name.
    """
    behind = np.stack([found[name] - found[sharp] for name in smooth])
    error = behind.std(axis=-1, ddof=1) / np.sqrt(behind.shape[-1])
    mean = behind.mean(axis=-1)
    error = np.maximum(error, 1e-9 * np.abs(mean))  # runs that are all alike have errors without spread
    return np.divide(mean, error, out=np.zeros_like(mean), where=error > 0).min(axis=0)


def sharpness(t: np.ndarray, curves: np.ndarray) -> dict[str, np.ndarray]:
    """What decides about a change of level, for many experiments at once.

    Args:
        t: [points].
        curves: [..., runs, points], at least two runs.

    Returns:
        gain, width, fall [...], as in `Change`, of step or logistic curve, whichever predicts better.
    """
    x, mean = log_time(t), curves.mean(axis=-2)
    found = errors(SMOOTH | SHARP, x, curves)
    stepped = found["step"].mean(axis=-1) <= found["logistic"].mean(axis=-1)
    fits = {name: model.fit(x, mean) for name, model in SHARP.items()}
    falls = {name: fitted[..., 0] - fitted[..., -1] for name, (fitted, _) in fits.items()}
    gains = {name: gain(found, name, SMOOTH) for name in SHARP}
    widths = {"step": _gap(t, x, fits["step"][1]), "logistic": _rise(t, x, fits["logistic"][1])}
    parts = {"gain": gains, "width": widths, "fall": falls}
    return {key: np.where(stepped, part["step"], part["logistic"]) for key, part in parts.items()}


def _gap(t: np.ndarray, x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The factor between the times on both sides of steps [...]; infinite after 0, NaN of none."""
    place = np.nan_to_num(places[..., 0], nan=x[0])
    after = np.clip(np.searchsorted(x, place), 1, len(x) - 1)
    t = np.asarray(t, dtype=float)
    factor = np.divide(t[after], t[after - 1], out=np.full(after.shape, np.inf), where=t[after - 1] > 0)
    return np.where(np.isnan(places[..., 0]), np.nan, factor)


def _rise(t: np.ndarray, x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The factor in time from 10 % to 90 % of logistic curves [...]; infinite where they begin before 0."""
    offset = 10 ** x[0] - t[0]
    low, high = (10 ** (places[..., 0] + side * np.log(9) * places[..., 1]) - offset for side in (-1, 1))
    return np.where(np.isnan(low), np.nan, np.where(low > 0, high / np.where(low > 0, low, 1), np.inf))


def step(t: np.ndarray, curves: np.ndarray, level: float, smallest: float = SMALLEST) -> Change:
    """Whether and where a curve changes level: step or logistic curve against level, decline and bend over log time.

    Args:
        t: [points], iterations, sorted.
        curves: [runs, points], e.g. mean log10 C at equal lags of forks from t0 = t.
        level: of the interval, e.g. 0.95.
        smallest: fall of an inflection in units of the curves; its sign is asked for as well.
    """
    place = place_of(changes.change_point, t, curves, level)
    if len(curves) < 2 or np.isnan(place.value):
        return _none(place, curves)
    x, measured = log_time(t), {key: float(value) for key, value in sharpness(t, curves).items()}
    reasons = {
        f"no step predicts other runs better than a smooth curve by {MARGIN:g} SE": measured["gain"] >= MARGIN,
        f"the change is wider than a factor of {WIDEST:g} in time": measured["width"] <= WIDEST,
        f"the change is smaller than {smallest:.2g}": measured["fall"] >= smallest,
    }
    why = next((reason for reason, holds in reasons.items() if not holds), "")
    table = _table(errors(SMOOTH | SHARP, x, curves), SHARP)
    return Change(*place, found=not why, reason=why, models=table, **measured)


def bend(t: np.ndarray, curves: np.ndarray, level: float) -> Change:
    """Whether and where a curve bends: two straight pieces over time against one, a level and smooth declines.

    Args:
        t: [points], iterations, sorted.
        curves: [runs, points], e.g. S(t, t + dt).
        level: of the interval, e.g. 0.95.
    """
    place = place_of(changes.elbow, t, curves, level)
    if len(curves) < 2 or np.isnan(place.value):
        return _none(place, curves)
    found = errors(STRAIGHT | BENT, np.asarray(t, dtype=float), curves)
    ahead = float(gain(found, "bend", STRAIGHT))
    why = "" if ahead >= MARGIN else f"no bend predicts other runs better than a smooth curve by {MARGIN:g} SE"
    return Change(*place, found=not why, reason=why, gain=ahead, width=nan, fall=nan, models=_table(found, BENT))


def place_of(
    model: Callable[[np.ndarray, np.ndarray], float], t: np.ndarray, curves: np.ndarray, level: float
) -> Interval:
    """The place of a model's change in the mean curve, and its interval over runs, up to points of the grid.

    Args:
        model: `changes.change_point`, `changes.elbow`, or another place in a curve [points] over t [points].
        t: [points], iterations, sorted.
        curves: [runs, points].
        level: of the interval, e.g. 0.95.

    Returns:
        the place and its interval (iterations), as in `Change`.
    """
    t = np.asarray(t, dtype=float)
    value = model(t, curves.mean(axis=0))
    if np.isnan(value):
        return Interval(nan, nan, nan)
    offset = t[t > 0].min() if t.any() else 1.0
    own = np.array([model(t, curve) for curve in curves]) + offset
    off = rounding(t, value)
    _, low, high = np.array(replicates.interval(own, level, "log", off)) - offset
    if np.isnan(low):
        return Interval(value, nan, nan)
    low, high = min(low, value), max(high, value)
    return Interval(value, float(t[t < low].max(initial=t[0])), float(t[t > high].min(initial=t[-1])))


def rounding(t: np.ndarray, place: float) -> float:
    """The standard deviation of log(place + t'), t' as in `log_time`, of places that lie anywhere between two points.

    Args:
        t: [points], iterations, sorted.
        place: in iterations; between two points, or one of them, which then stands for all up to halfway to the next.
    """
    x = np.log(10) * log_time(t)
    below, above = np.searchsorted(t, place, "left") - 1, np.searchsorted(t, place, "right")
    gap = x[min(above, len(x) - 1)] - x[max(below, 0)]
    return float(gap / (1 + (above - below > 1)) / np.sqrt(12))


def _none(place: Interval, curves: np.ndarray) -> Change:
    why = "one run tells of no other" if len(curves) < 2 else "the curve has no such change"
    table = pd.DataFrame(columns=["model", "error", "behind", "standard_error"])
    return Change(*place, found=False, reason=why, gain=nan, width=nan, fall=nan, models=table)


def _table(found: Mapping[str, np.ndarray], sharp: Mapping) -> pd.DataFrame:
    best = min(sharp, key=lambda name: found[name].mean())
    rows = []
    for name, error in found.items():
        behind = error - found[best]
        spread = behind.std(ddof=1) / np.sqrt(len(behind))
        rows.append((name, np.sqrt(error.mean()), behind.mean(), spread))
    return pd.DataFrame(rows, columns=["model", "error", "behind", "standard_error"])
