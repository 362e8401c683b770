"""Figures and pages for people, from tables. No torch."""

__all__ = ["explorer", "figures", "pages", "panels", "sentences", "theme", "verdict_matrix"]
