"""The panels of both papers. No torch."""

FROM_TAU = "S(t, τ), how far the kernel at t is from that at a fixed time"
OVER_DT = "S(t, t + Δt), how far the kernel moves in a time step"
CONE = "a picture of the cone"
CAPTIONS = {  # every panel of both papers, as claims cite it, and what its caption says that it shows, in our words
    "Figure 1": "the two phases: perturbed runs, and the kernel's cone",
    "Figure 2": "how a run is perturbed",
    "Figure 3a": "C, parameter dissimilarity over t0 and t1",
    "Figure 3b": "B, loss barrier over t0 and t1",
    "Figure 3c": "D, disagreement over t0 and t1",
    "Figure 4": "S of all pairs, kernel distance",
    "Figure 5a": FROM_TAU,
    "Figure 5b": OVER_DT,
    "Figure 5c": CONE,
    "Figure 6": "test accuracy after a switch to linearized training at t",
    "workshop paper, Figure 1a": FROM_TAU,
    "workshop paper, Figure 1b": OVER_DT,
    "workshop paper, Figure 1c": CONE,
    "workshop paper, Figure 2, left": "test accuracy after a switch to linearized training at t",
    "workshop paper, Figure 2, right": "test loss after a switch to linearized training at t",
    "workshop paper, Figure 3a": f"{FROM_TAU}, without two phases",
    "workshop paper, Figure 3b": f"{OVER_DT}, without two phases",
    "workshop paper, Figure 3c": f"{CONE}, without two phases",
}
