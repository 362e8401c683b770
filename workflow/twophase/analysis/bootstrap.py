"""The percentile bootstrap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np

from twophase.analysis.curves import Curves, mean_curve


class Interval(NamedTuple):
    """A value and the ends of its interval; NaN for ends that cannot be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """A percentile bootstrap, which draws the same samples whenever it is used.

    Args:
        samples: how many are drawn.
        level: of its intervals, e.g. 0.95.
        rng: seed of the generator that each use starts from.
    """

    samples: int
    level: float
    rng: int = 0

    def draw(self, statistic: Callable[[np.random.Generator], float | Sequence[float]]) -> np.ndarray:
        """One or more statistics of every sample [samples, ...]; `statistic` draws its sample from the generator."""
        rng = np.random.default_rng(self.rng)
        return np.array([statistic(rng) for _ in range(self.samples)])

    def ends(self, values: np.ndarray) -> tuple[float, float]:
        """The ends of the interval of `values` [samples] without those that are NaN; NaN where all are."""
        values = values[~np.isnan(values)]
        if not len(values):
            return nan, nan
        tail = (1 - self.level) / 2
        low, high = np.quantile(values, [tail, 1 - tail])
        return float(low), float(high)

    def interval(
        self,
        statistic: Callable[[np.ndarray, np.ndarray], float],
        x: Sequence[float],
        curves: Curves,
        over_points: bool = True,
    ) -> Interval:
        """A statistic of the mean curve with its interval over seeds, draws and points.

        Args:
            statistic: f(x [points], y [points]).
            x: [points].
            curves: for each seed, [draws, points].
            over_points: whether points are resampled too; not for an extreme, which a sample of the points can only
                miss.

        Returns:
            ends of NaN where the statistic has no value, or there is nothing to resample.
        """
        x = np.asarray(x, dtype=float)
        value = statistic(x, mean_curve(curves))
        if np.isnan(value) or (not over_points and all(len(part) == 1 for part in (curves, *curves))):
            return Interval(value, nan, nan)

        def of_sample(rng):
            seeds = [curves[k] for k in rng.integers(len(curves), size=len(curves))]
            seeds = [seed[rng.integers(len(seed), size=len(seed))] for seed in seeds]
            points = np.sort(rng.integers(len(x), size=len(x))) if over_points else np.arange(len(x))
            return statistic(x[points], mean_curve(seeds)[points])

        return Interval(value, *self.ends(self.draw(of_sample)))
