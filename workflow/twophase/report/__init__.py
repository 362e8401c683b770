"""Figures and pages for people, from tables. No torch."""

__all__ = ["explorer", "figures", "fork_panels", "pages", "panels", "sentences", "theme", "verdict_matrix"]
