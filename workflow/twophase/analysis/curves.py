"""Curves cut out of the tables of a run, and their mean over seeds and draws."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

Curves = Sequence[np.ndarray]  # one array [draws, points] for each seed


def mean_curve(curves: Curves) -> np.ndarray:
    """The mean [points] over seeds of the means over draws: every seed counts alike, however many draws it has."""
    return np.mean([seed.mean(axis=0) for seed in curves], axis=0)


def steps(grid: pd.DataFrame, dts: Sequence[int] | None = None) -> pd.DataFrame:
    """The curves S(t, t + dt) over t of a grid of pairs, or C(t, t + dt) of a grid of C.

    Args:
        grid: columns i, j (iterations, i <= j), value; any others are kept.
        dts: iterations between the two; None for all that occur.

    Returns:
        the pairs that are so far apart, sorted by t: columns t (in place of i) and dt beside those of the grid.
    """
    pairs = grid.assign(dt=grid["j"] - grid["i"])
    pairs = pairs if dts is None else pairs[pairs["dt"].isin(dts)]
    return pairs.rename(columns={"i": "t"}).sort_values("t", kind="stable")
