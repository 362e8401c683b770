"""Claims about the kernel: its speed, the cone, and experiments without two phases.

T is the time of the last kernel, and t* the inflection point of the very tables that a statistic is given.
"""

from math import inf, nan

import numpy as np

from twophase.analysis import inflection
from twophase.analysis.claim import SAME, claim, trained_for
from twophase.analysis.statistics import Means

# Numbers for words of the papers.
SLOWER = 2.0  # a fast kernel moves at least so many times as far as a slow one in the same time
MOVING, LOW = 1e-6, 0.1  # S at least, if a kernel moves (kernels are kept in float32), and at most, if it is low
FLAT = 0.2  # the largest share of its last value by which a constant curve grows over the second half of its time
NARROW = 0.5  # width at most, as a share of that before


@claim(
    name="kernel slows down",
    text="The kernel moves fast before the inflection point and slowly after it.",
    definition="mean S(t, t + dt) over t < t*, divided by that over t > t*, at the shortest dt",
    paper="Figures 4 and 5a",
    holds=(SLOWER, inf),
    figure="fig5",
    needs=("chaos", "S"),
    scale="log",
)
def slowing(m: Means) -> float:
    t, steps = m.steps(m.shortest)
    before, after = steps[t < m.inflection], steps[t > m.inflection]
    return before.mean() / after.mean() if len(before) and len(after) else nan


@claim(
    name="kernel's transition coincides",
    text="The kernel's transition coincides with the inflection point.",
    definition="elbow of S(t, t + dt) at the shortest dt, divided by t*",
    paper="at about the same iteration",
    holds=(1 / SAME, SAME),
    figure="fig4",
    needs=("chaos", "S"),
    places=("inflection", "kernel_elbow"),
    scale="log",
)
def elbow_over_inflection(m: Means) -> float:
    return m.kernel_elbow / m.inflection


@claim(
    name="kernel keeps moving",
    text="After the inflection point, S(t, t + dt) is low but not zero.",
    definition="mean S(t, t + dt) over the later half of t > t*, at the shortest dt",
    paper="Figure 5a",
    holds=(MOVING, LOW),
    figure="fig5",
    needs=("chaos", "S"),
    scale="log",
)
def late_step(m: Means) -> float:
    later = m.later_steps(m.shortest)
    return later.mean() if len(later) else nan


@claim(
    name="one bound for all dt",
    text="The late upper bound of S(t, t + dt) is the same for every dt.",
    definition="largest S(t, t + dt) over the later half of t > t* at the longest dt, divided by that at the shortest",
    paper="Figure 5a",
    holds=(1 / SAME, SAME),
    figure="fig5",
    needs=("chaos", "S"),
    scale="log",
)
def bound_over_bound(m: Means) -> float:
    short, long = m.later_steps(m.shortest), m.later_steps(m.longest)
    return long.max() / short.max() if len(short) and len(long) else nan


@claim(
    name="constant after tau",
    text="For tau after the inflection point, S(t, tau) rises and then stays nearly constant.",
    definition="largest 1 - S((tau + T) / 2, tau) / S(T, tau) over t* < tau <= 3/4 T, where T is the time of the last "
    "kernel",
    paper="Figure 5b, tau = 2000, 4000, 6000, 8000",
    holds=(-inf, FLAT),
    figure="fig5",
    needs=("chaos", "S"),
)
def largest_late_growth(m: Means) -> float:
    return max((_second_half(*m.since(tau)) for tau in m.taus), default=nan)


def _second_half(t: np.ndarray, curve: np.ndarray) -> float:
    """The growth of a curve in the second half of its time, as a share of its last value."""
    return 1 - np.interp((t[0] + t[-1]) / 2, t, curve) / curve[-1]


@claim(
    name="cone",
    text="After the inflection point, the kernel stays in a narrow cone.",
    definition="width of the cone from the first tau > t* to T, divided by its width from 0 on over the same length "
    "of time",
    paper="Figure 5c",
    holds=(0.0, NARROW),
    figure="fig5",
    needs=("chaos", "S"),
    scale="log",
)
def narrowing(m: Means) -> float:
    if not len(m.taus):
        return nan
    (t, after), (times, before) = m.since(m.taus[0]), m.since(0)
    same = times <= t[-1] - t[0]
    return inflection.width(after) / inflection.width(before[same])


@claim(
    name="phase I until 2000",
    text="In the workshop paper, the first phase is t < 2000.",
    definition="elbow of S(t, t + dt) at the shortest dt",
    paper="2000",
    holds=(2000 / SAME, 2000 * SAME),
    unit="iterations",
    figure="wfig1",
    needs=("S",),
    after_inflection=False,
    decidable=trained_for(4000),
    places=("kernel_elbow",),
    scale="log",
)
def elbow(m: Means) -> float:
    return m.kernel_elbow


@claim(
    name="counterexample: one speed",
    text="Some settings show no two phases: the kernel does not slow down.",
    definition="mean S(t, t + dt) over the first half of t, divided by that over the second, at the shortest dt",
    paper="workshop paper, Figure 3",
    holds=(0.0, SLOWER),
    figure="wfig3",
    needs=("S",),
    after_inflection=False,
    counterexample=True,
    scale="log",
)
def slowing_over_halves(m: Means) -> float:
    _, steps = m.steps(m.shortest)
    half = len(steps) // 2
    return steps[:half].mean() / steps[-half:].mean() if half else nan


@claim(
    name="counterexample: no cone",
    text="In such settings, S(t, tau) keeps growing.",
    definition="1 - S(T / 2, 0) / S(T, 0), where T is the time of the last kernel",
    paper="workshop paper, Figure 3",
    holds=(FLAT, inf),
    figure="wfig3",
    needs=("S",),
    after_inflection=False,
    counterexample=True,
)
def growth_from_start(m: Means) -> float:
    return _second_half(*m.since(0))
