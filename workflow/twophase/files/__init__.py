"""Names, storage and reading of the files that a run leaves. No torch."""

__all__ = ["layout", "predictions", "results", "storage", "tables", "units", "vectors"]
