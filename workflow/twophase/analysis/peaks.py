"""Finding I of the paper: C(t0, t1) is largest at one t1 for every t0, 'the trajectory changes its direction' there.

Three questions to a surface y = log10 C [t0, t1], see `surfaces`. Is there a common peak? Where is each fork's own, the
papers' inflection point, and by what factor does it spread over t0? Does it, or the barrier's onset, lie at a fixed
time or at a fixed lag t1 - t0? None of this is the change of level over t0 that `inflection` looks for.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

# Bounds of ours, for words of the papers that come without numbers.
FACTOR = 1.5  # within this factor of a peak, heights are not compared with it: so coarse are t1 every T/16 at T/8
PEAK = np.log10(1.1)  # decades at least by which a peak stands above all else
WHY_PEAK = "a tenth more can be seen in a heat map"
FIXED = 0.25  # largest slope over t0 of a fixed time
WHY_FIXED = "three times nearer to a fixed time (0) than to a fixed lag (1)"
ONE = 2.0  # the largest spread of one point, as a factor
WHY_ONE = "the papers' own '100 to 500' is wider"
ONSET = 0.1  # nats of the hump with which a barrier has set in: 4 % of the loss of guessing one of ten classes
FEWEST = 3  # forks at least: a slope through two is never wrong
MOST = 0.5  # share of the forks at least that have a peak, where the papers say 'for every t0'
WHY_MOST = "'every' is at least half of them"


class CommonPeak(NamedTuple):
    """Height of a peak over all else (decades; below 0, there is none) and its t1 (iterations); NaN for no answer."""

    height: float
    place: float


def common_peak(y: pd.DataFrame) -> CommonPeak:
    """The t1 at which forks from every earlier t0 come nearest to having a peak in common.

    P = max over m <= T/f of min over t0 < m of [y(t0, m) - max{y(t0, t1): t1 >= f m or t0 < t1 <= m/f}], f = `FACTOR`.
    Where a fork has no comparison at m, y(t0, m) is interpolated in the logarithm of the lag, which can only make a
    peak lower. The earliest fork must have a comparison up to m/f: a C that only falls is no peak at the first m.

    Args:
        y: log10 C [t0, t1].

    Returns:
        P and m; NaN where at no m all forks from before it, `FEWEST` or more, are compared around it and past f m.
    """
    forks = {t0: fork.dropna() for t0, fork in y.iterrows()}
    forks = {t0: (fork.index.to_numpy(dtype=float), fork.to_numpy()) for t0, fork in forks.items() if len(fork)}
    first = min((t1[0] for t1, _ in forks.values()), default=np.nan)
    peaks = []
    for m in y.columns[(y.columns <= y.columns.max() / FACTOR) & (y.columns >= first * FACTOR)]:
        heights = [_height(t0, *fork, m) for t0, fork in forks.items() if t0 < m]
        if len(heights) >= FEWEST and not np.isnan(heights).any():
            peaks.append(CommonPeak(float(min(heights)), float(m)))
    return max(peaks, default=CommonPeak(np.nan, np.nan))


def _height(t0: float, t1: np.ndarray, y: np.ndarray, m: float) -> float:
    """y at m above all of it that is further away than `FACTOR`; NaN where that cannot be told."""
    away = (t1 >= FACTOR * m) | (t1 * FACTOR <= m)
    if t1[0] > m or t1[-1] < FACTOR * m:
        return np.nan
    return np.interp(np.log(m - t0), np.log(t1 - t0), y) - y[away].max()


def places(y: pd.DataFrame, least: float = PEAK) -> pd.Series:
    """The t1 at which C(t0, t1) is largest, for each t0: the papers' inflection point.

    NaN where there is none: where C only grows, so that it is largest at the last t1, or only falls from the first on.

    Args:
        y: log10 C [t0, t1].
        least: decades by which the largest stands above the first and the last, at least; without it (0) any ripple of
            a C that has come to its final level is a peak.
    """
    return y.apply(lambda fork: _place(fork.dropna(), least), axis=1)


def _place(fork: pd.Series, least: float) -> float:
    y = fork.to_numpy()
    k = int(y.argmax()) if len(y) else 0
    return float(fork.index[k]) if 0 < k < len(y) - 1 and y[k] - max(y[0], y[-1]) >= least else np.nan


def inflection(y: pd.DataFrame, least: float = PEAK) -> float:
    """The papers' inflection point of a run: the geometric mean of `places` over t0, in iterations.

    NaN for none: where fewer than `FEWEST` of the forks from before it, or than `MOST` of them, have a peak.

    Args:
        y: log10 C [t0, t1].
        least: as of `places`.
    """
    place = float(np.exp(np.log(_of_early_forks(y, least)).mean()))
    return round(place, 6)  # logarithms would put a peak that all forks have at 400 an ulp before a fork from 400


def spread(y: pd.DataFrame, least: float = PEAK) -> float:
    """The latest of `places` over the earliest, of the forks from before the point; 1 for one point, NaN for none.

    Args:
        y: log10 C [t0, t1].
        least: as of `places`.
    """
    found = _of_early_forks(y, least)
    return float(found.max() / found.min())


def share_with_peak(y: pd.DataFrame, least: float = PEAK) -> float:
    """The share of forks with a peak, of those that are compared at three or more t1; NaN where none is.

    Args:
        y: log10 C [t0, t1].
        least: as of `places`.
    """
    compared = y.notna().sum(axis=1) >= 3
    return float(places(y[compared], least).notna().mean()) if compared.any() else np.nan


def _of_early_forks(y: pd.DataFrame, least: float) -> pd.Series:
    """`places` of the forks from before the median of them; empty where too few of these have one."""
    found = places(y, least)
    before = found[found.index < found.dropna().median()]
    there = before.dropna()
    return there if len(there) >= FEWEST and len(there) >= MOST * len(before) else there.iloc[:0]


def level_at(y: pd.DataFrame, t1: float) -> pd.Series:
    """log10 C of every fork at one t1, interpolated in the logarithm of the lag; NaN outside of its own t1.

    Args:
        y: log10 C [t0, t1].
        t1: in iterations; only forks from before it are returned.
    """
    forks = {t0: fork.dropna() for t0, fork in y[y.index < t1].iterrows()}
    levels = {
        t0: np.interp(np.log(t1 - t0), np.log(fork.index.to_numpy(dtype=float) - t0), fork, left=np.nan, right=np.nan)
        for t0, fork in forks.items()
        if len(fork)
    }
    return pd.Series(levels, dtype=float)


def onset(hump: pd.DataFrame, level: float = ONSET) -> pd.Series:
    """min{t1: B+(t0, t1) >= level}, for each t0.

    NaN where that is never reached, or by the first t1 already, so that nobody knows since when.

    Args:
        hump: B+ [t0, t1], in nats.
        level: in nats.
    """
    return hump.apply(lambda fork: _first(fork.dropna(), level), axis=1)


def _first(fork: pd.Series, level: float) -> float:
    reached = np.flatnonzero(fork.to_numpy() >= level)
    return float(fork.index[reached[0]]) if len(reached) and reached[0] > 0 else np.nan


def slope(found: pd.Series) -> float:
    """How `places` or `onset` move with t0, by least squares: 0 at a fixed time, 1 at a fixed lag.

    Args:
        found: t1 by t0; NaN is left out.

    Returns:
        NaN with fewer than `FEWEST` values.
    """
    found = found.dropna()
    if len(found) < FEWEST:
        return np.nan
    return float(np.polyfit(found.index.to_numpy(dtype=float), found.to_numpy(), 1)[0])
