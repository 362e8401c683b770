"""Models of a curve with a change somewhere, fitted by least squares, and sign changes.

A model is a simple one, linear in its coefficients, and at most one addition to it out of many: a step at any place, a
bend at any knot. So the best fit is found by trying all of them, which is exact and, of many curves at once, quick.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SCALES = np.geomspace(0.02, 1.0, 10)  # of logistic curves, in decades; the narrowest is a step on any of our grids
RATES = np.geomspace(0.5, 200.0, 25)  # of exponential declines, in e-foldings over the whole curve
POWERS = np.arange(0.0, 4.1, 0.25)  # of declines by a power of time, 0 being that by its logarithm
OFFSETS = np.geomspace(1e-3, 1.0, 10)  # of time in these, as a share of the whole


def _level(x):
    return np.empty((0, 1)), np.ones((len(x), 1)), np.empty((0, len(x)))


def _line(x):
    return np.empty((0, 1)), np.stack([np.ones_like(x), x], axis=1), np.empty((0, len(x)))


def _steps(x):
    """One level and steps halfway between two x; equal x are not split."""
    k = np.flatnonzero(np.diff(x) > 0)
    places = (x[k] + x[k + 1]) / 2
    return places[:, None], np.ones((len(x), 1)), (x > places[:, None]).astype(float)


def _bends(x):
    """One straight line and bends at inner x."""
    knots = np.unique(x)[1:-1]
    return knots[:, None], _line(x)[1], np.maximum(x - knots[:, None], 0.0)


def _sigmoids(x):
    """One level and logistic curves, with centres at four places to each interval of x and `SCALES` of width."""
    centres = np.interp(np.arange(1, 4 * (len(x) - 1)) / 4, np.arange(len(x)), x)
    places = np.stack(np.meshgrid(centres, SCALES, indexing="ij"), axis=-1).reshape(-1, 2)
    argument = (x - places[:, :1]) / places[:, 1:]
    return places, np.ones((len(x), 1)), 1 / (1 + np.exp(-np.clip(argument, -50, 50)))


def _declines(x):
    """One level and smooth declines without a place: exponential ones and powers of time, with its logarithm."""
    t = (x - x[0]) / max(x[-1] - x[0], 1e-300)
    shapes = [np.exp(-rate * t) for rate in RATES]
    for offset in OFFSETS:
        shapes += [np.log(t + offset) if power == 0 else (t / offset + 1) ** -power for power in POWERS]
    return np.full((len(shapes), 1), np.nan), np.ones((len(x), 1)), np.array(shapes)


@lru_cache(maxsize=64)
def _design(pieces: Callable, x: bytes):
    """Places, an orthonormal basis of the simple model, and the additions, as unit vectors orthogonal to it."""
    places, simple, additions = pieces(np.frombuffer(x))
    basis = np.linalg.qr(simple)[0]
    scale = np.linalg.norm(additions, axis=1)
    additions = additions - additions @ basis @ basis.T
    norm = np.linalg.norm(additions, axis=1)
    new = norm > 1e-9 * scale  # the others are in the simple model, but for rounding
    return places[new], basis, additions[new] / norm[new, None]


@dataclass(frozen=True)
class Model:
    """A kind of curve: called with one, it returns the place of its change.

    Args:
        pieces: of x [points]: what each addition is called [k, 1 or 2], the simple model [points, coefficients] and the
            additions [k, points].
    """

    pieces: Callable

    def fit(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best fits to curves by least squares.

        Args:
            x: [points], sorted, in which ties are allowed.
            y: [..., points].

        Returns:
            the fitted curves [..., points], and what their additions are called [..., 1 or 2]: place, and scale of a
            logistic curve; NaN where the simple model is exact or has no addition, or the curve isn't a number.
        """
        y = np.asarray(y, dtype=float)
        places, basis, additions = _design(self.pieces, np.asarray(x, dtype=float).tobytes())
        simple = y @ basis @ basis.T
        if not len(places):
            return simple, np.full((*y.shape[:-1], places.shape[1]), np.nan)
        residual = y - simple
        size = residual @ additions.T
        best = np.abs(size).argmax(axis=-1)
        error = (residual**2).sum(axis=-1)[..., None] > 1e-24 * (y**2).sum(axis=-1)[..., None]  # less is rounding
        fitted = simple + np.take_along_axis(size, best[..., None], axis=-1) * additions[best]
        return fitted, np.where(error, places[best], np.nan)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        """The place of the change of one curve y [points]; NaN where no x lies where it could be, or it has none."""
        return float(self.fit(x, y)[1][0])


constant, line, logistic, decline = Model(_level), Model(_line), Model(_sigmoids), Model(_declines)
change_point = Model(_steps)  # of level: the best split into two constant pieces, halfway between two points
elbow = Model(_bends)  # of slope: the knot, an inner point, of the best continuous line of two pieces


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
