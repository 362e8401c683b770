"""Analysis of a run's tables: where curves change, and whether the papers' claims hold. No torch."""

__all__ = ["bootstrap", "changes", "claims", "curves", "inflection", "scorecard", "statistics"]
