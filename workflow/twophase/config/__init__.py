"""A config: its schema, its defaults, its grids, the jobs it comes to, and its targets. No torch."""

__all__ = ["checks", "estimators", "figures", "grids", "papers", "plan", "resolve", "schema", "targets"]
