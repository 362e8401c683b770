"""Names, storage and reading of the files that a run leaves. No torch."""

__all__ = ["layout", "predicted", "results", "storage", "tables", "units", "unmapped", "vectors"]
