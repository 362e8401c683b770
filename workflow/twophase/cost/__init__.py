"""The cost of a run, from unit costs measured on the machine."""

__all__ = ["calibration", "estimate", "scaling", "sizes", "timers", "workload"]
