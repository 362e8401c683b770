"""Finding I of 2505.13900, as it is written: C(t0, t1) is largest at one t1 for every t0.

That point is not the one at which C changes level over t0, which the other claims about forks refer to.
"""

from math import inf, nan

from twophase.analysis import peaks, turning
from twophase.analysis.claim import claim
from twophase.analysis.statistics import Means


@claim(
    name="one peak of C",
    text="C(t0, t1) reaches its maximum at one t1 for every t0: the trajectory changes its direction at a fixed point.",
    definition="largest over m of the smallest over t0 < m of log10 C(t0, m) less the largest log10 C(t0, t1) at "
    "t1 >= 1.5 m or t1 <= m / 1.5",
    paper="Finding I, Figure 3a",
    holds=(peaks.PEAK, inf),
    unit="decades",
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    after_inflection=False,
)
def height_of_peak(m: Means) -> float:
    return peaks.common_peak(m.surface("distances", "C")).height


@claim(
    name="every fork has a peak",
    text="For every t0 there is a t1 at which C is largest; it does not only grow.",
    definition="share of t0 whose C(t0, t1) is largest at an inner t1, by a tenth",
    paper="Finding I, Figure 3a",
    holds=(peaks.MOST, 1.0),
    unit="of all t0",
    figure="fig3",
    needs=("distances",),
    of_forks=True,
    after_inflection=False,
)
def share_of_peaks(m: Means) -> float:
    return peaks.share_with_peak(m.surface("distances", "C"))


@claim(
    name="one turn",
    text="The trajectory changes its direction at a fixed point.",
    definition="psi = 1 - cos of the angle between theta_t - theta_(t-dt) and theta_(t+dt) - theta_t: its largest "
    "value less the largest at other times, at the shortest dt",
    paper="Finding I",
    holds=(turning.TURN, inf),
    figure="fig3",
    needs=("C",),
    after_inflection=False,
)
def prominence_of_turn(m: Means) -> float:
    table = m.runs[0].C
    if "l2" not in table or not m.settings["dt"]:
        return nan
    return turning.sharpest(turning.turning(table, m.shortest)).prominence
