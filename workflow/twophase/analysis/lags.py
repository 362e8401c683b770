"""Forks compared after equal times: their distances at common lags t1 - t0, interpolated in the logarithm of the lag.

At the end of training later forks have had less time, so that they are closer for that reason alone.
"""

from collections.abc import Callable

import numpy as np

FEWEST = 4  # points at least of a curve at equal lag, and half of all t0; less says little about where it changes


def last(t0: np.ndarray, t1: np.ndarray) -> np.ndarray:
    """Which comparisons [cells] are the last of their fork; `t0` and `t1` of all [cells]."""
    t0, t1 = np.asarray(t0), np.asarray(t1)
    latest = {fork: t1[t0 == fork].max() for fork in np.unique(t0)}
    return t1 == np.array([latest[fork] for fork in t0], dtype=t1.dtype)


def at_lags(
    t0: np.ndarray, t1: np.ndarray, values: np.ndarray, over: Callable = np.log
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of every fork at every lag that any has, interpolated between its own.

    Args:
        t0, t1: of the comparisons [cells], t1 > t0, no two alike.
        values: [..., cells], e.g. log10 C.
        over: of lags; what values are linear in.

    Returns:
        the t0 [forks], the lags [lags], both sorted, and the values [..., forks, lags]; NaN beyond a fork's own lags.
    """
    forks, lags = np.unique(t0), np.unique(t1 - t0)
    found = np.full((*values.shape[:-1], len(forks), len(lags)), np.nan)
    for k, fork in enumerate(forks):
        cells = np.flatnonzero(t0 == fork)
        cells = cells[np.argsort(t1[cells])]
        own = over(t1[cells] - fork)
        weights = np.array([np.interp(over(lags), own, unit, left=np.nan, right=np.nan) for unit in np.eye(len(own))])
        found[..., k, :] = values[..., cells] @ weights
    return forks, lags, found


def contrast(
    t0: np.ndarray, t1: np.ndarray, values: np.ndarray, place: float, over: Callable = np.log
) -> tuple[np.ndarray, np.ndarray]:
    """Mean values of forks from before a place and from after it, for each lag that forks of both have.

    Args:
        t0, t1: of the comparisons [cells].
        values: [cells].
        place: in iterations; a fork from there counts as one from before.
        over: as in `at_lags`.

    Returns:
        the lags, and the values before and after [lags, 2]; none where no two have had the same time.
    """
    forks, lags, table = at_lags(t0, t1, values, over)
    late = forks > place
    both = (~np.isnan(table[~late])).any(axis=0) & (~np.isnan(table[late])).any(axis=0)
    parts = [np.nanmean(part[:, both], axis=0) for part in (table[~late], table[late]) if both.any()]
    return lags[both], np.stack(parts, axis=1) if parts else np.empty((0, 2))


def curve(t0: np.ndarray, t1: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Values over t0 after equal times: those at the longest of the lags that the most forks have.

    Where few have a lag in common (fewer than `FEWEST` or than half of them), the values at the last t1.

    Args:
        t0, t1: of the comparisons [cells].
        values: [..., cells].

    Returns:
        t0 [points], the curve [..., points], and what it is compared at, in words.
    """
    forks, lags, table = at_lags(t0, t1, values)
    there = ~np.isnan(at_lags(t0, t1, np.zeros(len(t0)))[2])  # whatever the values, which can be NaN
    count = there.sum(axis=0)
    if count.max(initial=0) < max(FEWEST, len(forks) / 2):
        end = np.flatnonzero(t1 == t1.max(initial=0))
        end = end[np.argsort(t0[end])]
        return t0[end], values[..., end], f"t1 = {t1.max(initial=0)}"
    longest = np.flatnonzero(count == count.max())[-1]
    rows = there[:, longest]
    return forks[rows], table[..., rows, longest], f"t1 = t0 + {lags[longest]}"
