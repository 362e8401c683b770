"""A config: its schema, its defaults, its grids, and the jobs that it comes to. No torch."""

__all__ = ["grids", "plan", "resolve", "schema"]
