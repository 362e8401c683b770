"""What surrounds a job: arguments and logs, locks, GPUs, digests of code, whose results, and what a run prints."""

__all__ = ["digests", "gpus", "guard", "job", "locks", "summary", "terminal"]
