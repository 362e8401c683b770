"""Names, storage and reading of the files that a run leaves. No torch."""

__all__ = [
    "folders",
    "integrity",
    "layout",
    "predicted",
    "results",
    "storage",
    "tables",
    "units",
    "unmapped",
    "vectors",
]
