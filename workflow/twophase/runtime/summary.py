"""What a run leaves for people, in a few lines for the terminal. No torch."""

from pathlib import Path

KINDS = {"figures": "figures/*.pdf", "tables": "**/*.parquet", "pages": "*.html"}
INNER = {"blocks", "fork_barriers", "forks", "linearized", "phases", "trajectory"}  # folders of steps on the way


def lines(results: str | Path, started: float, now: float) -> list[str]:
    """What was built since `started`, where, how long it took, and what to open; nothing of a run that built nothing.

    Args:
        results: the folder of the results.
        started, now: seconds since the epoch.
    """
    results = Path(results)
    new = {}
    for kind, pattern in KINDS.items():
        paths = [path for path in results.glob(pattern) if not INNER & set(path.relative_to(results).parts[:-1])]
        new[kind] = [path for path in paths if path.stat().st_mtime >= started]
    built = [f"{len(paths)} {kind if len(paths) > 1 else kind[:-1]}" for kind, paths in new.items() if paths]
    if not built:
        return []
    minutes, seconds = divmod(round(now - started), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    found = [f"Built {', '.join(built)} in {took}, under {results}/."]
    if (results / "explorer.html").exists():
        found.append(f"Open {results}/explorer.html in a browser, or see {results}/figures.")
    elif new["figures"]:
        found.append(f"See {results}/figures.")
    return found
