"""Training of base runs, forks and linearized runs, whose noise is a function of seed and iteration."""

__all__ = [
    "capture",
    "forks",
    "linearized",
    "lockstep",
    "loop",
    "machine",
    "noise",
    "output",
    "perturbation",
    "schedule",
    "setup",
    "trial",
]
