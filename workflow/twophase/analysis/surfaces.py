"""Tables of pairs as surfaces over t0 and t1, and the mean of those of several runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from twophase.analysis.inflection import SCALES


def surface(
    table: pd.DataFrame, column: str = "C", scale: str = "log", over: tuple[str, str] = ("t0", "t1")
) -> pd.DataFrame:
    """A column of a run's table as a surface, averaged over draws on its scale.

    Args:
        table: columns t0, t1, draw and `column`, as `C_parameters`, `hump` or `l2`; or i, j and `column`.
        scale: `log` for log10, in which 0 counts as 1e-16, or `linear`.
        over: the names of the columns that become rows and columns.

    Returns:
        [t0, t1], both sorted; NaN where a t0 has not been compared, or none of its draws has a value.
    """
    on_scale = table.assign(**{column: SCALES[scale](table[column])})
    return on_scale.groupby(list(over))[column].mean().unstack()


def mean(runs: Sequence) -> pd.DataFrame | pd.Series | np.ndarray | float:
    """The mean of arrays, series or surfaces of runs on the same grid; NaN where one of them has none."""
    return sum(runs[1:], start=runs[0]) / len(runs)
