"""Networks: which there are, how they are built, kept and evaluated."""

__all__ = ["evaluation", "initialisation", "models", "names", "norms", "state", "transformer"]
