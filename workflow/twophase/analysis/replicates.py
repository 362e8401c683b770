"""Intervals over replicates: what a few independent runs say of another one.

A percentile bootstrap over so few covers much less than it says: 51 % of 95 % with two runs, 73 % with three. Student's
t holds for any number if values are about Gaussian, so that a scale on which they are is half of the matter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np
from scipy import special


class Interval(NamedTuple):
    """A value and the ends of its interval; NaN for ends that cannot be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scale:
    """A scale on which values of replicates are about Gaussian.

    Args:
        forward: from values to the scale, and
        back: from there to values.
        lowest, highest: between these lie the values that the scale can show.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    lowest: float = -np.inf
    highest: float = np.inf

    def shows(self, values: np.ndarray) -> bool:
        """Whether all of the values lie within."""
        return bool(((values > self.lowest) & (values < self.highest)).all())


SCALES = {
    "plain": Scale(np.asarray, np.asarray),
    "log": Scale(np.log, np.exp, lowest=0.0),  # of ratios, times, and what is positive and spans decades
    "logit": Scale(special.logit, special.expit, lowest=0.0, highest=1.0),  # of shares
}


def interval(values: Sequence[float], level: float, scale: str = "plain", rounding: float = 0.0) -> Interval:
    """The mean of independent replicates on a scale, and Student's t interval about it, both brought back from there.

    On the scale `log` the value is the geometric mean. What a scale cannot show (a ratio of 0, say) is taken as it is.

    Args:
        values: [replicates], one for each run: draws within a run are averaged before.
        level: e.g. 0.95.
        scale: a key of `SCALES`.
        rounding: the standard deviation, on that scale, of what rounding alone adds to each value: two that are rounded
            to the same are not so close for certain. Theirs counts as no less.

    Returns:
        ends of NaN from a single replicate; all NaN where one of the values is.
    """
    values = np.asarray(values, dtype=float)
    if np.isnan(values).any():
        return Interval(nan, nan, nan)
    on = SCALES[scale] if SCALES[scale].shows(values) else SCALES["plain"]
    shown = on.forward(values)
    if len(shown) < 2:
        return Interval(float(values[0]), nan, nan)
    error = max(shown.std(ddof=1) if np.ptp(shown) else 0.0, rounding) / np.sqrt(len(shown))
    if error == 0:
        return Interval(*[float(values[0])] * 3)
    centre, reach = shown.mean(), special.stdtrit(len(shown) - 1, (1 + level) / 2) * error
    return Interval(*(float(on.back(end)) for end in (centre, centre - reach, centre + reach)))


def halves(count: int) -> list[tuple[list[int], list[int]]]:
    """Which replicates choose and which are tested: one half by what the other has chosen, and the other way round.

    A place that makes a contrast largest makes it too large, in the replicates that chose it. So each is tested at a
    place that it had no part in. A single replicate chooses for itself.

    Args:
        count: of replicates, of which every other one belongs to the first half.

    Returns:
        pairs of indices, (those that choose, those that are tested); every replicate is tested once.
    """
    first, second = list(range(0, count, 2)), list(range(1, count, 2))
    return [(second, first), (first, second)] if second else [(first, first)]
