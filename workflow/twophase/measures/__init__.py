"""Measures on one network or between two: C, S, D, barriers, kernels."""

__all__ = ["barrier", "comparison", "distances", "ntk"]
