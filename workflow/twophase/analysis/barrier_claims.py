"""Claims about barriers and disagreement that need no inflection point: of the earliest fork, beside known levels.

Barriers are the hump B+ over the line between the ends' losses, since B is half the difference of two losses at least.
"""

from math import inf, nan

from twophase.analysis import coincidence, inflection
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
    unit="nats",
    figure="equal_lags",
    needs=("chaos",),
    of_forks=True,
    after_inflection=False,
)
def hump_from_start(m: Means) -> float:
    return _of_earliest(m, "hump_running")


@claim(
    name="barrier from the start, recalibrated",
    text="That barrier is one between the networks, and not the lag of batch norms' running statistics.",
    definition="B+ of the earliest fork at its last t1, statistics of batch norms computed anew",
    paper="Figure 3b, about 2 nats",
    holds=(inflection.LARGE["B"], inf),
    unit="nats",
    figure="equal_lags",
    needs=("chaos",),
    of_forks=True,
    after_inflection=False,
)
def hump_from_start_recalibrated(m: Means) -> float:
    return _of_earliest(m, "hump_recalibrate")


@claim(
    name="barrier as between seeds",
    text="Forks from the start end in another basin: as far away as networks of another seed.",
    definition="B+ of the earliest fork, divided by that between two seeds at the same t1, statistics computed anew",
    paper="Figures 1 and 3b",
    holds=(coincidence.ALIKE[0], inf),
    figure="equal_lags",
    needs=("chaos", "independent"),
    of_forks=True,
    after_inflection=False,
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
    figure="equal_lags",
    needs=("chaos",),
    of_forks=True,
    after_inflection=False,
    scale="log",
)
def disagreement_over_error(m: Means) -> float:
    errors = [_of_earliest(m, f"{whose}_recalibrate") for whose in ("error", "base_error")]
    return coincidence.disagreement_over_error(_of_earliest(m, "D_recalibrate"), errors)
