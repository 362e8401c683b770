"""Analysis of a run's tables: where curves change, and whether the papers' claims hold. No torch."""

__all__ = [
    "changes",
    "claim",
    "claims",
    "contest",
    "curves",
    "fork_claims",
    "inflection",
    "kernel_claims",
    "lags",
    "linearized_claims",
    "replicates",
    "scorecard",
    "statistics",
]
