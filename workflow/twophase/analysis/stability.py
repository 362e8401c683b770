"""Curvature over the training: whether it rises, and where it stays (Cohen et al., 2021)."""

from math import nan

import numpy as np
import pandas as pd

FEWEST = 4  # checkpoints of the first stage at least: two halves of two


def first_stage(lr: pd.Series) -> pd.Series:
    """The part of a training at the highest learning rate, at least half of the largest.

    After a drop the edge is farther away than curvature can have come.

    Args:
        lr: by t, iterations, sorted.
    """
    return lr[lr >= lr.max() / 2]


def rise(curvature: pd.Series, lr: pd.Series) -> float:
    """By which factor curvature rises early: the largest over the first half of the first stage over that at t = 0.

    Args:
        curvature, lr: by t, as in `pointwise.parquet`.

    Returns:
        NaN where the first stage has fewer than `FEWEST` checkpoints, none of them t = 0, or curvature there is not
        above 0.
    """
    early, _ = _halves(curvature, lr)
    if 0 not in early.index or not early[0] > 0:
        return nan
    return float(early.max() / early[0])


def over_edge(curvature: pd.Series, edge: pd.Series, lr: pd.Series) -> float:
    """Curvature as a share of the edge of stability: the median over the later half of the first stage.

    Args:
        curvature, edge, lr: by t, as in `pointwise.parquet`.

    Returns:
        NaN where the first stage has fewer than `FEWEST` checkpoints, or training has no such edge.
    """
    _, late = _halves(curvature / edge, lr)
    return float(np.median(late)) if len(late) else nan


def _halves(values: pd.Series, lr: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Those of each half, in time, of the first stage; none where that has too few checkpoints."""
    values = values[first_stage(lr).index]
    if len(values) < FEWEST:
        return values[:0], values[:0]
    late = values.index >= (values.index[0] + values.index[-1]) / 2
    return values[~late], values[late]
