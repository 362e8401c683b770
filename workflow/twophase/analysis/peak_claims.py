"""Finding I of 2505.13900, as it is written: C(t0, t1) is largest at one t1 for every t0, the papers' inflection point.

m* is that point, the geometric mean over t0 of the t1 at which C(t0, t1) is largest. It is not t*, at which C after
equal times changes level over t0 and which the claims of `fork_claims` refer to.
"""

from math import inf, nan

import numpy as np

from twophase.analysis import coincidence, peaks, turning
from twophase.analysis.claim import HIGH, SAME, WHY_HIGH, WHY_SAME, claim, papers_network
from twophase.analysis.statistics import Means


@claim(
    name="one peak of C",
    text="C(t0, t1) reaches its maximum at one t1 for every t0: the trajectory changes its direction at a fixed point.",
    definition="largest over m of the smallest over t0 < m of log10 C(t0, m) less the largest log10 C(t0, t1) at "
    "t1 >= 1.5 m or t1 <= m / 1.5",
    paper="Finding I, Figure 3a",
    holds=(peaks.PEAK, inf),
    bound=peaks.WHY_PEAK,
    unit="decades",
    figure="fig3",
    needs=("distances",),
    of_forks=True,
)
def height_of_peak(m: Means) -> float:
    return peaks.common_peak(m.log_c).height


@claim(
    name="every fork has a peak",
    text="For every t0 there is a t1 at which C is largest; it does not only grow.",
    definition="share of t0 whose C(t0, t1) is largest at an inner t1, by a tenth",
    paper="Finding I, Figure 3a",
    holds=(peaks.MOST, inf),
    bound=peaks.WHY_MOST,
    unit="of all t0",
    figure="fig3",
    needs=("distances",),
    of_forks=True,
)
def share_of_peaks(m: Means) -> float:
    return peaks.share_with_peak(m.log_c)


@claim(
    name="one turn",
    text="The trajectory changes its direction at a fixed point.",
    definition="psi = 1 - cos of the angle between theta_t - theta_(t-dt) and theta_(t+dt) - theta_t: its largest "
    "value less the largest at other times, at the shortest dt",
    paper="Finding I",
    holds=(turning.TURN, inf),
    bound=turning.WHY_TURN,
    figure="fig3",
    needs=("C",),
)
def prominence_of_turn(m: Means) -> float:
    table = m.runs[0].C
    if "l2" not in table or not m.settings["dt"]:
        return nan
    return turning.sharpest(turning.turning(table, m.shortest)).prominence


@claim(
    name="peak at one t1",
    text="The t1 at which C(t0, t1) is largest is the same for every t0.",
    definition="latest t1 at which C(t0, t1) is largest, over t0 < m*, divided by the earliest",
    paper="Finding I, Figure 3a",
    holds=(0.0, peaks.ONE),
    bound=peaks.WHY_ONE,
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    refers_to=("peak",),
    places=("peak",),
    scale="log",
)
def spread_of_peaks(m: Means) -> float:
    return peaks.spread(m.log_c)


@claim(
    name="peak at a fixed time",
    text="That t1 is a time of training, not a time since the perturbation.",
    definition="slope over t0 of the t1 at which C(t0, t1) is largest: 0 for a fixed time, 1 for a fixed lag",
    paper="Finding I, Figure 3a",
    holds=(-peaks.FIXED, peaks.FIXED),
    bound=peaks.WHY_FIXED,
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    refers_to=("peak",),
)
def slope_of_peaks(m: Means) -> float:
    return peaks.slope(peaks.places(m.log_c))


@claim(
    name="C high at the peak",
    text="At that t1, C is high for every t0 before it.",
    definition="smallest C(t0, m*) over t0 < m*",
    paper="Finding I, Figure 3a",
    holds=(HIGH, inf),
    bound=WHY_HIGH,
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    refers_to=("peak",),
    scale="log",
)
def smallest_c_at_peak(m: Means) -> float:
    return 10 ** peaks.level_at(m.log_c, m.peak).min()


@claim(
    name="peak, ResNet-20",
    text="For ResNet-20, C(t0, t1) is largest at a t1 between 100 and 500.",
    definition="m*, the geometric mean over t0 of the t1 at which C(t0, t1) is largest",
    paper="100 to 500",
    holds=(100.0, 500.0),
    bound="",
    unit="iterations",
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    refers_to=("peak",),
    decidable=papers_network("resnet20", width=16, iterations=1000),
    places=("peak",),
    scale="log",
)
def peak_for_resnet20(m: Means) -> float:
    return m.peak


@claim(
    name="peak, VGG-16",
    text="For VGG-16, C(t0, t1) is largest at a t1 near 2500.",
    definition="m*, the geometric mean over t0 of the t1 at which C(t0, t1) is largest",
    paper="2500",
    holds=(2500 / SAME, 2500 * SAME),
    bound=WHY_SAME,
    unit="iterations",
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    refers_to=("peak",),
    decidable=papers_network("vgg16", width=1, iterations=5000),
    places=("peak",),
    scale="log",
)
def peak_for_vgg16(m: Means) -> float:
    return m.peak


@claim(
    name="peak and change of level",
    text="C is largest at the t1 that is also the t0 from which perturbations are forgotten.",
    definition="t* divided by m*",
    paper="'the inflection point', of both",
    holds=(1 / SAME, SAME),
    bound=WHY_SAME,
    figure="fig3",
    needs=("chaos", "distances"),
    of_forks=True,
    refers_to=("inflection", "peak"),
    places=("inflection", "peak"),
    scale="log",
)
def level_over_peak(m: Means) -> float:
    return m.inflection / m.peak


@claim(
    name="barrier only past the peak",
    text="The barrier emerges only where t0 is before that t1 and t1 after it.",
    definition="mean B elsewhere, divided by mean B where t0 <= m* < t1",
    paper="Finding I, Figure 3b",
    holds=(-inf, coincidence.ONLY),
    bound=coincidence.WHY_ONLY,
    figure="fig3",
    needs=("chaos", "distances"),
    of_forks=True,
    refers_to=("peak",),
)
def barrier_elsewhere(m: Means) -> float:
    return coincidence.elsewhere(m.B, _around(m))


@claim(
    name="disagreement only past the peak",
    text="The disagreement emerges only where t0 is before that t1 and t1 after it.",
    definition="mean D elsewhere, divided by mean D where t0 <= m* < t1",
    paper="Finding I, Figure 3c",
    holds=(-inf, coincidence.ONLY),
    bound=coincidence.WHY_ONLY,
    figure="fig3",
    needs=("chaos", "distances"),
    of_forks=True,
    refers_to=("peak",),
)
def disagreement_elsewhere(m: Means) -> float:
    return coincidence.elsewhere(m.D, _around(m))


def _around(m: Means) -> np.ndarray:
    """Which comparisons have t0 <= m* < t1 [cells]."""
    return (m.t0 <= m.peak) & (m.peak < m.t1)
