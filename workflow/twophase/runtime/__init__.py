"""The surroundings of a job: arguments, logs, locks, GPUs, digests of code, guard of results, words on the terminal."""

__all__ = ["digests", "gpus", "guard", "job", "locks", "records", "summary", "terminal"]
