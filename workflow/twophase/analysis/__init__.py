"""Analysis of a run's tables: where curves change, and whether the papers' claims hold. No torch."""

__all__ = [
    "bootstrap",
    "changes",
    "claim",
    "claims",
    "coincidence",
    "confinement",
    "curves",
    "fork_claims",
    "gains",
    "growth",
    "inflection",
    "kernel_claims",
    "linearized_claims",
    "peaks",
    "scorecard",
    "statistics",
    "surfaces",
    "turning",
]
