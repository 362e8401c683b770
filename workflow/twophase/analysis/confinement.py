"""Whether the kernel is confined: how S(t, t + dt) scales with dt, and S(tau, tau + u) with u.

Exponents tell a cone from a random walk, whatever the level: S of a diffusing kernel grows like its time (exponent 1),
that of a confined one no longer (exponent 0). Kernels are surfaces S [i, j] with i <= j, see `surfaces`; U is the time
from tau to the last kernel.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

# Bounds of ours, for words of the papers that come without numbers.
SAME_BOUND = 0.25  # largest exponent of one bound for all dt: over a factor of 16 in dt it grows by 2, diffusion by 16
CONSTANT = 0.3  # largest exponent of a nearly constant curve
WHY_CONSTANT = "a nearly constant curve gains a fifth of its last value, at most, in the second half of its time"
NARROW = 30.0  # degrees at most: S of 0.13, between what was read off for late tau (up to 0.1) and for tau = 0 (0.15)
QUICKLY = 0.25  # share of all t at most until it has dropped by half: the papers' own is 2000 of 10^4
RISES = 0.5  # the first value, as a share of the late ones, at most, of a curve that 'first increases'
FEWEST = 3  # pairs for each dt, and dt for an exponent, at least


def step_exponent(
    S: pd.DataFrame, after: float, dts: Sequence[int] | None = None, level: Callable[[np.ndarray], float] = np.max
) -> float:
    """Slope of log level of S(t, t + dt) over t > after on log dt: 0 for one bound, 1 for diffusion, 2 for a drift.

    Args:
        S: kernel distances [i, j].
        after: the kernel's own bend, in iterations.
        dts: iterations; None for all that occur.
        level: of the values [pairs]; the largest, since the papers speak of a bound, or their mean, which a single pair
            moves less.

    Returns:
        NaN with fewer than `FEWEST` dt that occur in as many pairs, or where the kernel does not move.
    """
    pairs = S.stack().dropna().rename("S").rename_axis(["i", "j"]).reset_index()
    pairs = pairs[(pairs["i"] > after) & (pairs["j"] > pairs["i"])]
    dt = pairs["j"] - pairs["i"]
    levels = {k: level(part.to_numpy()) for k, part in pairs["S"].groupby(dt) if len(part) >= FEWEST}
    levels = pd.Series({k: value for k, value in levels.items() if dts is None or k in dts}, dtype=float)
    if len(levels) < FEWEST or not (levels > 0).all():
        return np.nan
    return float(np.polyfit(np.log(levels.index.to_numpy(dtype=float)), np.log(levels.to_numpy()), 1)[0])


def drop(S: pd.DataFrame, dt: int) -> float:
    """How soon S(t, t + dt) drops: the share of all t after which it is half of the way down, on a logarithmic scale.

    The way is from its first value to its mean over the last quarter of t. A decline like (1 + t/b)^-a is there after
    about sqrt(b/T), whatever a; a straight line not before half of the time.

    Args:
        S: kernel distances [i, j].
        dt: iterations.

    Returns:
        0 to 1; NaN with fewer than `FEWEST` pairs, or where it does not drop.
    """
    there = [t for t in S.index if t + dt in S.columns]
    t, values = np.array(there, dtype=float), np.array([S.loc[i, i + dt] for i in there], dtype=float)
    t, values = t[~np.isnan(values)], values[~np.isnan(values)]
    late = values[t >= t[0] + 0.75 * (t[-1] - t[0])].mean() if len(t) >= FEWEST else 0.0
    if not 0 < late < values[0]:
        return np.nan
    k = int(np.argmax(values <= np.sqrt(values[0] * late)))
    if values[k] <= 0:
        return float((t[k] - t[0]) / (t[-1] - t[0]))
    half = np.log(values[0] * late) / 2
    over, under = np.log(values[k - 1 : k + 1])
    place = t[k - 1] + (t[k] - t[k - 1]) * (over - half) / (over - under)
    return float((place - t[0]) / (t[-1] - t[0]))


def growth_exponent(S: pd.DataFrame, tau: float) -> float:
    """Exponent of the growth of S(tau, tau + u) with u, from the second quarter of U to the last: 0 if constant.

    The difference of the means of log S in these quarters, over that of log u, so that no single kernel decides.

    Args:
        S: kernel distances [i, j].
        tau: iterations; one of i.

    Returns:
        NaN where a quarter has no kernel, or the kernel does not move.
    """
    u, values = _since(S, tau)
    if not len(u) or not (values > 0).all():
        return np.nan
    second, last = (u > u[-1] / 4) & (u <= u[-1] / 2), u > 0.75 * u[-1]
    if not second.any():
        return np.nan
    rise, time = (np.log(part)[last].mean() - np.log(part)[second].mean() for part in (values, u))
    return float(rise / time)


def first_over_late(S: pd.DataFrame, tau: float) -> float:
    """S(tau, tau + u) at the first u, as a share of its mean over the last quarter of U: small if it 'first increases'.

    Args:
        S: kernel distances [i, j].
        tau: iterations; one of i.

    Returns:
        NaN with fewer than `FEWEST` kernels after tau, or where the kernel does not move.
    """
    u, values = _since(S, tau)
    late = values[u > 0.75 * u[-1]].mean() if len(u) >= FEWEST else 0.0
    return float(values[0] / late) if late > 0 else np.nan


def angle(S: pd.DataFrame, tau: float) -> float:
    """Angle of the cone after tau, in degrees: arccos(1 - mean of S(tau, tau + u) over the last quarter of U).

    Args:
        S: kernel distances [i, j].
        tau: iterations; one of i.

    Returns:
        NaN where tau is the last kernel.
    """
    u, values = _since(S, tau)
    if not len(u):
        return np.nan
    return float(np.degrees(np.arccos(np.clip(1 - values[u > 0.75 * u[-1]].mean(), -1, 1))))


def _since(S: pd.DataFrame, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """u > 0 [points] and S(tau, tau + u) [points]."""
    row = S.loc[tau].dropna()
    row = row[row.index > tau]
    return row.index.to_numpy(dtype=float) - tau, row.to_numpy()
