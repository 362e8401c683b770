"""What the tables of a run say: where curves change, and whether the claims of the papers hold. No torch."""

__all__ = ["changes", "claims", "inflection", "scorecard", "statistics"]
