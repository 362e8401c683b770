"""Two-phase learning dynamics: the chaos effect and the cone effect, as a library.

`load` gives any table of the results and `runs` says which there are; everything else is imported from its module.
"""

__all__ = ["load", "runs"]


def __getattr__(name: str):
    # Every job of the workflow is a process of its own, and most do without pandas, which these need.
    if name in __all__:
        from twophase.files import results

        return getattr(results, name)
    raise AttributeError(f"module 'twophase' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
