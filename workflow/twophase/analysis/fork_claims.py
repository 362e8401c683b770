"""Claims about forks: the inflection point, and what perturbations before and after it do.

T is the last t1, at which forks are compared, and t* the inflection point of the very tables that a statistic is given.
"""

from collections.abc import Mapping
from math import inf, log, nan

import numpy as np

from twophase.analysis import changes, coincidence, growth, inflection, lags
from twophase.analysis.claim import HIGH, SAME, WHY_HIGH, WHY_SAME, claim, papers_network
from twophase.analysis.statistics import Means

# Numbers for words of the papers.
STAYS = 1e-4  # C at most, if a fork stays with its base run
FAR = 3.0  # decades at least by which the distance to the base run exceeds the perturbation
STOPS = 0.5  # growth at most, as a share of that before


def _papers_perturbation(settings: Mapping) -> bool:
    return settings["size"] == 1e-7


@claim(
    name="same noise",
    text="A fork differs from its base run in nothing but the perturbation.",
    definition="largest C or D of the unperturbed forks (the control)",
    paper="assumed",
    holds=(0.0, 0.0),
    bound="",
    figure="fig3",
    needs=("control",),
    of_forks=True,
    exact=True,
)
def same_noise(m: Means) -> float:
    return max(run.largest_of_control for run in m.runs)


@claim(
    name="inflection point",
    text="There is an inflection point: a perturbation before it changes where the parameters end up, one after it "
    "hardly does.",
    definition="mean log10 C(t0, t1) over t0 < t* minus that over t0 > t*, at equal t1 - t0; a step over t0 "
    "must also predict other runs better than smooth curves do",
    paper="Figures 1 and 3",
    holds=(inflection.DECADE, inf),
    bound="'hardly' is a tenth",
    unit="decades",
    figure="fig1",
    needs=("chaos",),
    takes_significance=True,
)
def fall_of_c(m: Means) -> float:
    if len(np.unique(m.t0)) > 1 and np.ptp(m.level[m.end]) == 0:
        return 0.0
    return inflection.fall(m.t0, m.t1, m.C, m.inflection) if np.isfinite(m.inflection) else nan


@claim(
    name="C high before",
    text="Before the inflection point, C is high for every t0.",
    definition="smallest C(t0, T) over t0 < t*",
    paper="Figure 3a",
    holds=(HIGH, inf),
    bound=WHY_HIGH,
    figure="fig3",
    needs=("chaos",),
    refers_to=("inflection",),
    scale="log",
)
def smallest_c_before(m: Means) -> float:
    return 10 ** m.C[m.early].min()


@claim(
    name="perturbation grows",
    text="A perturbation of 1e-7 before the inflection point sends the network far away.",
    definition="smallest log10 |theta'(T) - theta(T)| / |epsilon| over t0 < t*",
    paper="Figure 1",
    holds=(FAR, inf),
    bound="'far away' is a thousand times as far",
    unit="decades",
    figure="lyapunov",
    needs=("chaos",),
    refers_to=("inflection",),
    of_forks=True,
    decidable=_papers_perturbation,
)
def smallest_growth_before(m: Means) -> float:
    return (m.exponent * (m.t1 - m.t0))[m.early].min() / log(10)


@claim(
    name="chaotic growth",
    text="Training is chaotic: the distance between fork and base run grows exponentially until it saturates.",
    definition="log10 of the error of a power law over that of an exponential, both fitted to the rise of "
    "|theta'(t1) - theta(t1)| in other runs, up to half of its last level",
    paper="'chaos effect'; Lyapunov exponents in the text",
    holds=(growth.BETTER, inf),
    bound="any advantage, if the interval over runs leaves out 0",
    unit="decades",
    figure="lyapunov",
    needs=("distances",),
    of_forks=True,
)
def advantage_of_exponential(m: Means) -> float:
    others = m.chosen_by or m
    return growth.exponential_over_power(others.surface("distances", "l2"), m.surface("distances", "l2"))


@claim(
    name="no growth after",
    text="After the inflection point, perturbations stop growing; it is not just that later forks have less time.",
    definition="mean of log(|theta'(t1) - theta(t1)| / |epsilon|) / (t1 - t0) over t0 > t*, divided by that over "
    "t0 < t*, at equal t1 - t0",
    paper="assumed",
    holds=(-inf, STOPS),
    bound="growth stops if it is less than half as fast",
    figure="lyapunov",
    needs=("chaos",),
    refers_to=("inflection",),
    of_forks=True,
)
def growth_after(m: Means) -> float:
    return inflection.growth_after(m.t0, m.t1, m.exponent, m.inflection)


@claim(
    name="stays after",
    text="After the inflection point, the perturbed network stays with its base run.",
    definition="largest C(t0, T) over t0 > t*",
    paper="Figures 1 and 3a",
    holds=(0.0, STAYS),
    bound="a tenth of the C that counts as high",
    figure="fig3",
    needs=("chaos",),
    refers_to=("inflection",),
    scale="log",
)
def largest_c_after(m: Means) -> float:
    return 10 ** m.C[m.late].max()


@claim(
    name="barrier before",
    text="The barrier is large where t0 <= t* < t1.",
    definition="mean B where t0 <= t* < t1",
    paper="Figure 3b",
    holds=(inflection.LARGE["B"], inf),
    bound=inflection.WHY_LARGE["B"],
    unit="nats",
    figure="fig3",
    needs=("chaos",),
    refers_to=("inflection",),
)
def barrier_inside(m: Means) -> float:
    return m.B[m.inside].mean()


@claim(
    name="barrier only there",
    text="The barrier is large nowhere else.",
    definition="mean B elsewhere, divided by mean B where t0 <= t* < t1",
    paper="Figure 3b",
    holds=(-inf, coincidence.ONLY),
    bound=coincidence.WHY_ONLY,
    figure="fig3",
    needs=("chaos",),
    refers_to=("inflection",),
)
def barrier_elsewhere(m: Means) -> float:
    return coincidence.elsewhere(m.B, m.inside)


@claim(
    name="disagreement before",
    text="The disagreement is large where t0 <= t* < t1.",
    definition="mean D where t0 <= t* < t1",
    paper="Figure 3c",
    holds=(inflection.LARGE["D"], inf),
    bound=inflection.WHY_LARGE["D"],
    unit="of the test set",
    figure="fig3",
    needs=("chaos",),
    refers_to=("inflection",),
    scale="logit",
)
def disagreement_inside(m: Means) -> float:
    return m.D[m.inside].mean()


@claim(
    name="disagreement only there",
    text="The disagreement is large nowhere else.",
    definition="mean D elsewhere, divided by mean D where t0 <= t* < t1",
    paper="Figure 3c",
    holds=(-inf, coincidence.ONLY),
    bound=coincidence.WHY_ONLY,
    figure="fig3",
    needs=("chaos",),
    refers_to=("inflection",),
)
def disagreement_elsewhere(m: Means) -> float:
    return coincidence.elsewhere(m.D, m.inside)


@claim(
    name="one point for all",
    text="C, barrier, disagreement and kernel change at the same point.",
    definition="latest over earliest of t* of C, of B and of D, each where it changes level over t0 after equal times, "
    "and of the elbow of S(t, t + dt)",
    paper="'the inflection point', of all four",
    holds=(0.0, coincidence.TOGETHER),
    bound=WHY_SAME,
    figure="fig3",
    needs=("chaos", "S"),
    refers_to=("inflection",),
    places=("inflection", "kernel_elbow"),
    scale="log",
)
def spread_of_points(m: Means) -> float:
    of_others = [changes.change_point(*lags.curve(m.t0, m.t1, values)[:2]) for values in (m.B, m.D)]
    return coincidence.coincidence([m.inflection, *of_others, m.kernel_elbow])


@claim(
    name="place, ResNet-20",
    text="For ResNet-20, the inflection point lies between iterations 100 and 500.",
    definition="t*, where C(t0, t1) after equal times changes level",
    paper="100 to 500",
    holds=(100.0, 500.0),
    bound="",
    unit="iterations",
    figure="fig1",
    needs=("chaos",),
    refers_to=("inflection",),
    decidable=papers_network("resnet20", width=16, iterations=1000),
    places=("inflection",),
    scale="log",
)
def place_for_resnet20(m: Means) -> float:
    return m.inflection


@claim(
    name="place, VGG-16",
    text="For VGG-16, the inflection point lies near iteration 2500.",
    definition="t*, where C(t0, t1) after equal times changes level",
    paper="2500",
    holds=(2500 / SAME, 2500 * SAME),
    bound=WHY_SAME,
    unit="iterations",
    figure="fig1",
    needs=("chaos",),
    refers_to=("inflection",),
    decidable=papers_network("vgg16", width=1, iterations=5000),
    places=("inflection",),
    scale="log",
)
def place_for_vgg16(m: Means) -> float:
    return m.inflection
