"""What surrounds a job: arguments and logs, locks, GPUs, digests of code, and the closing words of a run."""

__all__ = ["digests", "gpus", "job", "locks", "summary"]
