"""A config: its schema, its defaults, its grids, and the jobs that it comes to. No torch."""

__all__ = ["estimators", "figures", "grids", "plan", "resolve", "schema"]
