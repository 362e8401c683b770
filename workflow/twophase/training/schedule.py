"""The schedule of the learning rate."""

from collections.abc import Mapping

import numpy as np


def learning_rate(t: int, settings: Mapping) -> float:
    """Learning rate of iteration `t`: linear warmup, then `step`, `cosine` or `constant`."""
    schedule, base = settings["schedule"], settings["lr"]
    warmup = schedule["warmup"]
    if t < warmup:
        return base * (t + 1) / warmup
    if schedule["kind"] == "step":
        return base * schedule["gamma"] ** sum(t >= milestone for milestone in schedule["milestones"])
    if schedule["kind"] == "cosine":
        return base * (1 + np.cos(np.pi * (t - warmup) / (settings["iterations"] - warmup))) / 2
    return base
