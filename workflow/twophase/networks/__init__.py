"""Networks: which there are, how they are built, kept and evaluated."""

__all__ = ["evaluation", "foreign", "initialisation", "models", "names", "norms", "own", "state", "transformer"]
