"""Whether several points are one, whether B and D emerge past it, and how large distances are beside known ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

# Bounds of ours, for words of the papers that come without numbers.
ALIKE = (0.8, 1.25)  # levels are alike if their ratio lies between these
WHY_ALIKE = "of levels of 0.25 and 0.3 nobody would say that they differ"
TOGETHER = 2.0  # points are one if the largest is at most so many times the smallest: grids of t0 are about as coarse
ONLY = 0.1  # the largest share of a level that is left elsewhere, if it is reached only in one place
WHY_ONLY = "a tenth of it may be left elsewhere"


def coincidence(places: Sequence[float]) -> float:
    """The latest of some points over the earliest, e.g. of C, B+, D and the kernel; 1 where they are one.

    Args:
        places: in iterations.

    Returns:
        NaN where one of them was not found, or the earliest is 0.
    """
    places = np.asarray(places, dtype=float)
    return float(places.max() / places.min()) if len(places) > 1 and places.min() > 0 else np.nan


def before_over_after(surface: pd.DataFrame, place: float) -> float:
    """Of forks from up to a point, their level up to it, as a share of that past it: 'emerges only when t1 > t*'.

    Args:
        surface: B, B+ or D [t0, t1].
        place: the point, in iterations.

    Returns:
        mean over t0 <= place and t1 <= place, divided by that over t0 <= place < t1; NaN where no comparison is so
        early, or nothing emerges.
    """
    early = surface[surface.index <= place]
    before, after = (early.loc[:, part].stack().mean() for part in (early.columns <= place, early.columns > place))
    return float(before / after) if after > 0 else np.nan


def elsewhere(values: np.ndarray, inside: np.ndarray) -> float:
    """The mean of values elsewhere, as a share of their mean inside.

    Args:
        values: B or D [cells].
        inside: which cells are inside [cells], e.g. those with t0 <= t* < t1.

    Returns:
        NaN where there is nothing inside, or elsewhere.
    """
    level = values[inside].mean() if inside.any() else 0.0
    return float(values[~inside].mean() / level) if level > 0 and not inside.all() else np.nan


def disagreement_over_error(disagreement: float, errors: Sequence[float]) -> float:
    """D(0, T) over the mean error of the two networks (Jiang et al. 2022): 1 for two independent runs.

    Args:
        disagreement: share of the test set.
        errors: of fork and base run, likewise, under the same statistics of batch norms.
    """
    error = np.mean(errors)
    return float(disagreement / error) if error > 0 else np.nan


def share_of_independent(surface: pd.DataFrame, independent: pd.Series) -> pd.Series:
    """How far forks end up from their base run, as a share of how far from it another seed's run is (positive control).

    Args:
        surface: C, B+ or D [t0, t1], not its logarithm.
        independent: the same between two independent seeds, by t.

    Returns:
        by t0, at the fork's last t1 at which the seeds are compared as well; NaN where there is none.
    """
    known = independent[independent > 0]
    shares = surface.loc[:, surface.columns.isin(known.index)].div(known, axis="columns")
    shares = shares.reindex(columns=sorted(shares.columns))
    return shares.apply(lambda fork: fork.dropna().iloc[-1] if fork.notna().any() else np.nan, axis=1)
