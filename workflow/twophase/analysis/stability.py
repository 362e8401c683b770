"""Curvature over the training: whether it rises, and where it stays (Cohen et al., 2021)."""

from math import nan

import numpy as np
import pandas as pd

FEWEST = 4  # checkpoints of the first stage at least: two halves of two


def first_stage(lr: pd.Series) -> pd.Series:
    """The part of a training with the highest learning rate, at least half of the largest: after the first drop its
    edge is far from where curvature can have come.

    Args:
        lr: by t, iterations, sorted.
    """
    return lr[lr >= lr.max() / 2]


def rise(curvature: pd.Series, lr: pd.Series) -> float:
    """By which factor curvature has risen from t = 0 to the later half of the first stage, of which it is the median.

    Args:
        curvature, lr: by t, as in `pointwise.parquet`.

    Returns:
        NaN where the first stage has fewer than `FEWEST` checkpoints, none of them t = 0, or curvature there is not
        above 0.
    """
    late = _late(curvature, lr)
    if 0 not in curvature.index or not curvature[0] > 0:
        return nan
    return float(np.median(late) / curvature[0]) if len(late) else nan


def over_edge(curvature: pd.Series, edge: pd.Series, lr: pd.Series) -> float:
    """Curvature as a share of the edge of stability: the median over the later half of the first stage.

    Args:
        curvature, edge, lr: by t, as in `pointwise.parquet`.

    Returns:
        NaN where the first stage has fewer than `FEWEST` checkpoints, or training has no such edge.
    """
    shares = _late(curvature / edge, lr)
    return float(np.median(shares)) if len(shares) else nan


def _late(values: pd.Series, lr: pd.Series) -> np.ndarray:
    """Those of the later half, in time, of the first stage; none where that has too few checkpoints."""
    stage = first_stage(lr).index
    return values[stage][stage >= (stage[0] + stage[-1]) / 2].to_numpy() if len(stage) >= FEWEST else np.empty(0)
