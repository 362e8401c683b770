"""Figures and pages for people, from tables. No torch."""

__all__ = [
    "captions",
    "cone_panels",
    "explorer",
    "figures",
    "fork_panels",
    "markup",
    "overlaid_panels",
    "pages",
    "panels",
    "scales",
    "sentences",
    "theme",
    "verdict_matrix",
]
