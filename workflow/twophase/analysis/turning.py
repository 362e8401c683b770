"""How sharply a trajectory turns: 'the trajectory changes its direction at a fixed point', asked of one run alone."""

from typing import NamedTuple

import numpy as np
import pandas as pd

# Bounds of ours.
FACTOR = 1.5  # within this factor of a turn, others are not compared with it, as for peaks of C
TURN = 0.1  # by how much psi stands above all else
WHY_TURN = "6 degrees beyond the right angle by which a random walk turns"


class Turn(NamedTuple):
    """The sharpest turn: its psi, its time (iterations), and psi above all that is further away than `FACTOR`."""

    psi: float
    place: float
    prominence: float


def turning(distances: pd.DataFrame, dt: int) -> pd.Series:
    """psi(t) = 1 - cos(theta_{t+dt} - theta_t, theta_t - theta_{t-dt}), from the distances between checkpoints alone.

    The three distances are the sides a, b, c of a triangle, c from t - dt to t + dt, and by polarisation
    psi = ((a + b)^2 - c^2) / 2ab. It is 0 straight on, 1 at a right angle, 2 back to where the trajectory came from.

    Args:
        distances: columns i, j (iterations, i <= j), l2 (Euclidean distance of the parameters).
        dt: iterations.

    Returns:
        psi by t, where all three are known, sorted; NaN where the parameters have not moved.
    """
    l2 = distances.set_index(["i", "j"])["l2"].sort_index()
    t = np.unique(distances["i"])

    def sides(first, last):
        return l2.reindex(pd.MultiIndex.from_arrays([first, last])).to_numpy()

    before, after, over = sides(t - dt, t), sides(t, t + dt), sides(t - dt, t + dt)
    with np.errstate(invalid="ignore", divide="ignore"):
        psi = (before + after - over) * (before + after + over) / (2 * before * after)
    psi[~((before > 0) & (after > 0))] = np.nan
    return pd.Series(psi, pd.Index(t, name="t"))[~np.isnan(before + after + over)]


def sharpest(psi: pd.Series) -> Turn:
    """The sharpest turn of a trajectory, at an inner t.

    Args:
        psi: by t, as of `turning`.

    Returns:
        NaN where psi is largest at its first or last t; prominence NaN where nothing is further away on both sides.
    """
    psi = psi.dropna()
    t, values = psi.index.to_numpy(dtype=float), psi.to_numpy()
    k = int(values.argmax()) if len(values) else 0
    if not 0 < k < len(values) - 1:
        return Turn(np.nan, np.nan, np.nan)
    earlier, later = values[t * FACTOR <= t[k]], values[t >= FACTOR * t[k]]
    if not len(earlier) or not len(later):
        return Turn(float(values[k]), float(t[k]), np.nan)
    return Turn(float(values[k]), float(t[k]), float(values[k] - max(earlier.max(), later.max())))
