"""Claims about the kernel: its speed, the cone, and experiments without two phases.

T is the time of the last kernel, and t_K that of the kernel's own bend, the elbow of S(t, t + dt) over t: the workshop
paper knows no forks, and its claims need no inflection point of theirs.
"""

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pandas as pd

from twophase.analysis import confinement, gains
from twophase.analysis.claim import SAME, WHY_SAME, claim, trained_for
from twophase.analysis.statistics import Means

# Numbers for words of the papers.
SLOWER, WHY_SLOWER = 2.0, "a fast kernel moves at least twice as far as a slow one in the same time"
MOVING, LOW = 1e-6, 0.1  # S at least, if a kernel moves (kernels are kept in float32), and at most, if it is low
FLAT = 0.2  # the largest share of its last value by which a constant curve grows over the second half of its time


@claim(
    name="kernel slows down",
    text="The kernel moves fast at first and slowly later.",
    definition="mean S(t, t + dt) over t < t_K, divided by that over t > t_K, at the shortest dt",
    paper="Figures 4 and 5b; workshop paper, Figure 1b",
    holds=(SLOWER, inf),
    bound=WHY_SLOWER,
    figure="fig5",
    needs=("S",),
    scale="log",
)
def slowing(m: Means) -> float:
    t, steps = m.steps(m.shortest)
    return _ratio(steps[t < m.kernel_elbow], steps[t > m.kernel_elbow])


def _ratio(before: np.ndarray, after: np.ndarray) -> float:
    """That of the means; NaN where there is nothing to compare, or nothing that moves."""
    return before.mean() / after.mean() if len(before) and after.any() else nan


@claim(
    name="kernel drops quickly",
    text="S(t, t + dt) is significant early in training and drops quickly.",
    definition="share of all t after which S(t, t + dt) is half of the way down, on a logarithmic scale, at the "
    "shortest dt",
    paper="Figure 5b, 2000 of 10^4",
    holds=(-inf, confinement.QUICKLY),
    bound="the papers' own is 2000 of 10^4, and a fall over a quarter of all time is still quick",
    unit="of all t",
    figure="fig5",
    needs=("S",),
)
def how_soon(m: Means) -> float:
    return confinement.drop(m.kernel_surface, m.shortest)


@claim(
    name="kernel's transition coincides",
    text="The kernel's transition coincides with the inflection point.",
    definition="elbow of S(t, t + dt) at the shortest dt, divided by t*",
    paper="at about the same iteration",
    holds=(1 / SAME, SAME),
    bound=WHY_SAME,
    figure="fig4",
    needs=("chaos", "S"),
    refers_to=("inflection",),
    places=("inflection", "kernel_elbow"),
    scale="log",
)
def elbow_over_inflection(m: Means) -> float:
    return m.kernel_elbow / m.inflection


@claim(
    name="kernel keeps moving",
    text="After its transition, S(t, t + dt) is low but not zero.",
    definition="mean S(t, t + dt) over the later half of t > t_K, at the shortest dt",
    paper="Figure 5b",
    holds=(MOVING, LOW),
    bound="kernels are kept in float32, and S of a tenth is 26 degrees",
    figure="fig5",
    needs=("S",),
    scale="log",
)
def late_step(m: Means) -> float:
    later = m.later_steps(m.shortest)
    return later.mean() if len(later) else nan


@claim(
    name="one bound for all dt",
    text="The late upper bound of S(t, t + dt) is the same for every dt.",
    definition="slope of the logarithm of the largest S(t, t + dt) over t > t_K on that of dt (diffusion: 1)",
    paper="Figure 5b",
    holds=(-inf, confinement.SAME_BOUND),
    bound="over a factor of 16 in dt it grows by 2; diffusion, by 16",
    figure="fig5",
    needs=("S",),
)
def exponent_of_bound(m: Means) -> float:
    return confinement.step_exponent(m.kernel_surface, m.kernel_elbow)


@claim(
    name="S first increases",
    text="For tau after the transition, S(t, tau) first increases.",
    definition="S at the first kernel after tau, as a share of its mean over the last quarter of the time; mean over "
    "t_K < tau <= T / 2",
    paper="Figure 5a",
    holds=(-inf, confinement.RISES),
    bound="the first value is half of the late ones at most",
    figure="fig5",
    needs=("S",),
)
def first_step(m: Means) -> float:
    return _over_taus(m, confinement.first_over_late)


@claim(
    name="constant after tau",
    text="For tau after the transition, S(t, tau) then stays nearly constant.",
    definition="exponent u^a of the growth of S(tau, tau + u), from the second quarter of the time to the last; mean "
    "over t_K < tau <= T / 2",
    paper="Figure 5a, tau = 2000, 4000, 6000, 8000",
    holds=(-inf, confinement.CONSTANT),
    bound=confinement.WHY_CONSTANT,
    figure="fig5",
    needs=("S",),
)
def late_growth(m: Means) -> float:
    return _over_taus(m, confinement.growth_exponent)


@claim(
    name="no confinement early",
    text="For tau = 0 the kernel is not confined: S(t, 0) keeps growing.",
    definition="exponent u^a of the growth of S(0, u), from the second quarter of the time to the last",
    paper="Figure 5a",
    holds=(confinement.CONSTANT, inf),
    bound=confinement.WHY_CONSTANT,
    figure="fig5",
    needs=("S",),
)
def growth_from_zero(m: Means) -> float:
    return confinement.growth_exponent(m.kernel_surface, 0)


@claim(
    name="cone",
    text="After its transition, the kernel stays in a narrow cone.",
    definition="arccos(1 - mean S(tau, t) over the last quarter of t > tau); mean over t_K < tau <= T / 2",
    paper="Figure 5c",
    holds=(0.0, confinement.NARROW),
    bound="S of 0.13: between what Figure 5 shows for late tau (up to 0.1) and for tau = 0 (0.15)",
    unit="degrees",
    figure="fig5",
    needs=("S",),
    scale="log",
)
def angle_of_cone(m: Means) -> float:
    return _over_taus(m, confinement.angle)


def _over_taus(m: Means, statistic: Callable[[pd.DataFrame, float], float]) -> float:
    """The mean of a statistic over all tau from the kernel's transition to half of the time; NaN of none."""
    values = [statistic(m.kernel_surface, tau) for tau in m.taus]
    return float(np.nanmean(values)) if np.isfinite(values).any() else nan


@claim(
    name="phase I until 2000",
    text="In the workshop paper, the first phase is t < 2000.",
    definition="elbow of S(t, t + dt) at the shortest dt",
    paper="2000",
    holds=(2000 / SAME, 2000 * SAME),
    bound=WHY_SAME,
    unit="iterations",
    figure="wfig1",
    needs=("S",),
    decidable=trained_for(4000),
    places=("kernel_elbow",),
    scale="log",
)
def elbow(m: Means) -> float:
    return m.kernel_elbow


@claim(
    name="training improves in phase II",
    text="Performance improves significantly in Phase II.",
    definition="test accuracy of the base run over the last quarter of t > t_K less that at t_K",
    paper="workshop paper, Figure 2",
    holds=(gains.BETTER, inf),
    bound=gains.WHY_BETTER,
    unit="of the test set",
    figure="fig6",
    needs=("S", "standard"),
)
def late_improvement(m: Means) -> float:
    return m.gain_past(m.kernel_elbow)


@claim(
    name="counterexample: one speed",
    text="Some settings show no two phases: the kernel does not slow down.",
    definition="mean S(t, t + dt) over the first half of t, divided by that over the second, at the shortest dt",
    paper="workshop paper, Figure 3",
    holds=(0.0, SLOWER),
    bound=WHY_SLOWER,
    figure="wfig3",
    needs=("S",),
    counterexample=True,
    scale="log",
)
def slowing_over_halves(m: Means) -> float:
    _, steps = m.steps(m.shortest)
    half = len(steps) // 2
    return _ratio(steps[:half], steps[len(steps) - half :])


@claim(
    name="counterexample: no cone",
    text="In such settings, S(t, tau) keeps growing.",
    definition="1 - S(T / 2, 0) / S(T, 0), where T is the time of the last kernel",
    paper="workshop paper, Figure 3",
    holds=(FLAT, inf),
    bound="a constant curve grows by a fifth of its last value at most",
    figure="wfig3",
    needs=("S",),
    counterexample=True,
)
def growth_from_start(m: Means) -> float:
    t, curve = m.since(0)
    return 1 - np.interp((t[0] + t[-1]) / 2, t, curve) / curve[-1] if curve[-1] > 0 else nan
