"""Measures on one network or between two: C, S, D, barriers, kernels, curvature."""

__all__ = ["barrier", "comparison", "distances", "layers", "ntk", "pointwise"]
