"""Where a curve changes: change points, elbows, changes of sign; how clear they are, and their bootstrap intervals."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

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
