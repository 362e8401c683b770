"""Claims of the work that the papers relate to: on curvature (the edge of stability), and on barrier and kernel.

They are no claims of either paper. All bounds are ours.
"""

from math import inf

import numpy as np

from twophase.analysis import gains, stability
from twophase.analysis.claim import claim
from twophase.analysis.statistics import Means

RISES, NEAR = 2.0, 1.5  # factors
WHY_NEAR = "within a factor of 1.5; at a momentum of 0.9 the two edges are a factor of 19 apart"
STAGE = "the time at the highest learning rate"


@claim(
    name="sharpness rises",
    text="The sharpness rises early in training (progressive sharpening).",
    definition=f"largest sharpness (top eigenvalue of the Hessian) over the first half of {STAGE}, over that at t = 0",
    paper="Cohen et al., 2021",
    holds=(RISES, inf),
    bound="it at least doubles",
    figure="pointwise",
    needs=("pointwise",),
    related=True,
    scale="log",
)
def rise_of_sharpness(m: Means) -> float:
    return stability.rise(m.pointwise("sharpness"), m.pointwise("lr"))


@claim(
    name="sharpness at its edge",
    text="Then the sharpness stays near 2 (1 + momentum) / lr, the edge of stability of full batches.",
    definition=f"sharpness divided by 2 (1 + momentum) / lr, median over the later half of {STAGE}",
    paper="Cohen et al., 2021, for full batches",
    holds=(1 / NEAR, NEAR),
    bound=WHY_NEAR,
    figure="pointwise",
    needs=("pointwise",),
    related=True,
    scale="log",
)
def sharpness_over_edge(m: Means) -> float:
    return stability.over_edge(m.pointwise("sharpness"), m.pointwise("edge"), m.pointwise("lr"))


@claim(
    name="batch sharpness at its edge",
    text="Batch sharpness stays near 2 (1 - momentum) / lr, the edge of stability of small batches.",
    definition="mean over batches of g.Hg / |g|^2, divided by 2 (1 - momentum) / lr, median over the later half of "
    f"{STAGE}",
    paper="Andreyev and Beneventano, 2024; with momentum Andreyev et al., 2026",
    holds=(1 / NEAR, NEAR),
    bound=WHY_NEAR,
    figure="pointwise",
    needs=("pointwise",),
    related=True,
    scale="log",
)
def batch_sharpness_over_edge(m: Means) -> float:
    return stability.over_edge(m.pointwise("batch_sharpness"), m.pointwise("small_batch_edge"), m.pointwise("lr"))


@claim(
    name="barrier falls with velocity",
    text="The kernel's velocity and the barrier between forks and base run fall together.",
    definition="Kendall's tau over t of S(t, t + dt), at the shortest dt, and B of forks from t at their last t1",
    paper="Fort et al., 2020",
    holds=(gains.GENERALLY, inf),
    bound="of four pairs of times, three are in order",
    figure="pointwise",
    needs=("chaos", "S"),
    of_forks=True,
    related=True,
)
def barrier_with_velocity(m: Means) -> float:
    t, steps = m.steps(m.shortest)
    _, own, of_forks = np.intersect1d(t, m.t0[m.end], return_indices=True)
    return gains.kendall(steps[own], m.B[m.end][of_forks])
