"""Change points, elbows and sign changes of curves, with p-values for the first two."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


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
    """The addition to the simple model that reduces the squared error of `y` [..., points] most.

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


@dataclass(frozen=True)
class Change:
    """A kind of change: called with a curve, it returns the place of the clearest one, found by least squares.

    The curve is x [points], sorted, in which ties are allowed, and y [points]. The place is NaN where no x lies where
    it could be, or y has no such change at all.

    Args:
        pieces: of x: possible places, the simple model, and what each place adds to it.
        between: whether places lie halfway between two points, so that a place is known up to these.
    """

    pieces: Callable
    between: bool

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        return float(_best(self.pieces, x, y)[0])


change_point = Change(_levels, between=True)  # of level: the best split into two constant pieces
elbow = Change(_bends, between=False)  # of slope: the knot, an inner point, of the best continuous line of two pieces


def p_value(change: Change, x: np.ndarray, y: np.ndarray, count: int = 9999) -> float:
    """How often noise alone would show so clear a change somewhere (a simulated sup-F test).

    The best place of any curve removes some of the simple model's error. The p-value is the share of curves of
    independent Gaussian noise in which it removes at least as large a share as in `y`; 1 where `y` has no place.
    It is evidence against a single level (or a single line) and nothing more: a smooth decline is as significant as a
    jump, and the more so the more points it has.

    Args:
        change: `change_point` or `elbow`.
        x, y: [points].
        count: curves of noise.
    """
    share = _best(change.pieces, x, y)[1]
    if np.isnan(share):
        return 1.0
    noise = np.random.default_rng(0).standard_normal((count, len(x)))
    return float((1 + (_best(change.pieces, x, noise)[1] >= share).sum()) / (1 + count))


def sign_change(x: np.ndarray, y: np.ndarray) -> float:
    """The first place where `y` falls from above 0 to 0 or below, interpolated linearly; NaN if there is none.

    Args:
        x, y: [points]; equal x count as one, with their mean y.
    """
    x, index = np.unique(x, return_inverse=True)
    y = np.bincount(index, y) / np.bincount(index)
    falls = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
    if not len(falls):
        return np.nan
    k = falls[0]
    return float(x[k] + (x[k + 1] - x[k]) * y[k] / (y[k] - y[k + 1]))
