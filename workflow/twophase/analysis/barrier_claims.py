"""Claims about barriers and disagreement: how large those of the earliest fork are, and when they set in.

Barriers are the hump B+ over the line between the ends' losses, since B is half the difference of two losses at least;
B itself, as the papers write it, where forks are compared with themselves.
"""

from math import inf, nan

from twophase.analysis import coincidence, inflection, peaks
from twophase.analysis.claim import claim
from twophase.analysis.statistics import Means


def _of_earliest(m: Means, column: str) -> float:
    """A column of the forks' comparisons for the earliest t0, at its last t1."""
    surface = m.surface("chaos", column, "linear")
    return float(surface.iloc[0].dropna().iloc[-1]) if len(surface) and surface.iloc[0].notna().any() else nan


@claim(
    name="barrier from the start",
    text="A perturbation at the start of training ends behind a barrier.",
    definition="B+ of the earliest fork at its last t1, running statistics of batch norms",
    paper="Figure 3b, about 2 nats",
    holds=(inflection.LARGE["B"], inf),
    bound=inflection.WHY_LARGE["B"],
    unit="nats",
    figure="equal_lags",
    needs=("chaos",),
    of_forks=True,
)
def hump_from_start(m: Means) -> float:
    return _of_earliest(m, "hump_running")


@claim(
    name="barrier from the start, recalibrated",
    text="That barrier is one between the networks, and not the lag of batch norms' running statistics.",
    definition="B+ of the earliest fork at its last t1, statistics of batch norms computed anew",
    paper="Figure 3b, about 2 nats",
    holds=(inflection.LARGE["B"], inf),
    bound=inflection.WHY_LARGE["B"],
    unit="nats",
    figure="equal_lags",
    needs=("chaos",),
    of_forks=True,
)
def hump_from_start_recalibrated(m: Means) -> float:
    return _of_earliest(m, "hump_recalibrate")


@claim(
    name="barrier as between seeds",
    text="Forks from the start end in another basin: as far away as networks of another seed.",
    definition="B+ of the earliest fork, divided by that between two seeds at the same t1, statistics computed anew",
    paper="Figures 1 and 3b",
    holds=(coincidence.ALIKE[0], inf),
    bound=coincidence.WHY_ALIKE,
    figure="equal_lags",
    needs=("chaos", "independent"),
    of_forks=True,
)
def hump_over_independent(m: Means) -> float:
    known = m.independent("hump_recalibrate")
    shares = coincidence.share_of_independent(m.surface("chaos", "hump_recalibrate", "linear"), known)
    return float(shares.iloc[0]) if len(shares) else nan


@claim(
    name="disagreement near the error",
    text="Fork and base run disagree about as often as they err, as independent networks do (Jiang et al., 2022).",
    definition="D of the earliest fork at its last t1, divided by the mean error of both, statistics computed anew",
    paper="Figure 3c",
    holds=coincidence.ALIKE,
    bound=coincidence.WHY_ALIKE,
    figure="equal_lags",
    needs=("chaos",),
    of_forks=True,
    scale="log",
)
def disagreement_over_error(m: Means) -> float:
    errors = [_of_earliest(m, f"{whose}_recalibrate") for whose in ("error", "base_error")]
    return coincidence.disagreement_over_error(_of_earliest(m, "D_recalibrate"), errors)


@claim(
    name="barrier emerges past t*",
    text="Forks from before the inflection point have no barrier until then: it emerges only at t1 past it.",
    definition="mean B over t0, t1 <= t*, divided by mean B over t0 <= t* < t1",
    paper="Figure 3b",
    holds=(-inf, coincidence.ONLY),
    bound=coincidence.WHY_ONLY,
    figure="fig3",
    needs=("chaos",),
    of_forks=True,
    refers_to=("inflection",),
)
def barrier_before(m: Means) -> float:
    return coincidence.before_over_after(m.surface("chaos", "B", "linear"), m.inflection)


@claim(
    name="disagreement emerges past t*",
    text="Nor do they disagree until then.",
    definition="mean D over t0, t1 <= t*, divided by mean D over t0 <= t* < t1",
    paper="Figure 3c",
    holds=(-inf, coincidence.ONLY),
    bound=coincidence.WHY_ONLY,
    figure="fig3",
    needs=("chaos",),
    of_forks=True,
    refers_to=("inflection",),
)
def disagreement_before(m: Means) -> float:
    return coincidence.before_over_after(m.surface("chaos", "D", "linear"), m.inflection)


@claim(
    name="barrier at a fixed time",
    text="Barriers set in at a time of training, not at a time since the perturbation.",
    definition=f"slope over t0 of the first t1 with B+ >= {peaks.ONSET:g} nats: 0 for a fixed time, 1 for a fixed lag",
    paper="Figure 3b",
    holds=(-peaks.FIXED, peaks.FIXED),
    bound=peaks.WHY_FIXED,
    figure="fig3",
    needs=("chaos",),
    of_forks=True,
)
def slope_of_onset(m: Means) -> float:
    return peaks.slope(peaks.onset(m.surface("chaos", "hump_running", "linear")))
