"""Two-phase learning dynamics: the chaos effect and the cone effect, as a library.

`load` gives any table of the results; everything else is imported from its module.
"""

__all__ = ["load"]


def __getattr__(name: str):
    # Every job of the workflow is a process of its own, and most do without pandas, which `load` needs.
    if name == "load":
        from twophase.files.tables import load

        return load
    raise AttributeError(f"module 'twophase' has no attribute '{name}'")
