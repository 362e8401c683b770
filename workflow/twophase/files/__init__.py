"""Names, storage and reading of the files that a run leaves. No torch."""

__all__ = ["layout", "storage", "tables", "units", "vectors"]
