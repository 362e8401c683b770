"""Figures and pages for people, from tables. No torch."""

__all__ = ["explorer", "figures", "lag_panels", "markup", "pages", "panels", "sentences", "theme", "verdict_matrix"]
