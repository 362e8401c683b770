"""The closing words of a run on the terminal: what it built, what it found, and what to open. No torch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from twophase.errors import printable
from twophase.files import storage

INFLECTION = "chaos C"  # the estimator whose inflection point counts, see `analysis.inflection`
PAGES = {"explorer.html": "Explorer", "figures": "Figures", "claims.html": "Claims"}  # of the results: what to open


def lines(results: str | Path, experiments: Mapping[str, Sequence[str]], started: float, now: float) -> list[str]:
    """What was built since `started`, how long it took, what was found, what to open; nothing if nothing was built.

    Args:
        results: the folder of the results, where other configs may have folders of theirs.
        experiments: by name, the tables of every seed that their claims are about.
        started, now: seconds since the epoch.
    """
    results = Path(results)
    built = []
    for kind, paths in _for_people(results, experiments).items():
        count = sum(path.stat().st_mtime >= started for path in paths)
        if count:
            built.append(f"{count} {kind if count > 1 else kind[:-1]}")
    if not built:
        return []
    minutes, seconds = divmod(round(now - started), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return [f"Built {', '.join(built)} in {took}, under {results}/.", *closing(results, experiments)]


def closing(results: str | Path, experiments: Mapping[str, Sequence[str]]) -> list[str]:
    """What the results say, a line for each experiment, and what to open."""
    return [printable(line) for line in (*found(results, experiments), *to_open(results))]


def found(results: str | Path, experiments: Mapping[str, Sequence[str]]) -> list[str]:
    """Of each experiment whether there is an inflection point and what became of the claims.

    An experiment is left out whose claims are not judged yet, or are older than a table that they are about.
    """
    results = Path(results)
    claims, phases = results / "claims.parquet", results / "phases.parquet"
    if not (claims.exists() and phases.exists()):
        return []
    judged, points = storage.read_table(claims), storage.read_table(phases)
    told = []
    for name, tables in experiments.items():
        verdicts = Counter(judged.loc[judged["experiment"] == name, "verdict"])
        ages = [path.stat().st_mtime for table in tables for path in results.glob(f"{name}/seed*/{table}.parquet")]
        if not verdicts or max([*ages, phases.stat().st_mtime]) > claims.stat().st_mtime:
            continue
        point = points[(points["experiment"] == name) & (points["estimator"] == INFLECTION)]
        said = [_inflection(row) for row in point.itertuples()]
        counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
        told.append(f"{name}: {'; '.join([*said, f'claims: {counts}'])}.")
    return told


def to_open(results: str | Path) -> list[str]:
    """Pages and figures that are there, a line each."""
    results = Path(results)
    return [f"{title + ':':9} {results / name}" for name, title in PAGES.items() if (results / name).exists()]


def _inflection(row) -> str:
    if row.found:
        return f"inflection point found at iteration {row.value:.0f} ({row.low:.0f} to {row.high:.0f})"
    return "no inflection point found"


def _for_people(results: Path, experiments: Mapping) -> dict[str, list[Path]]:
    """The files that are no steps on the way. The report is not among them: it is made afterwards."""
    tables, pages = [*results.glob("*.parquet")], [*results.glob("explorer.html"), *results.glob("claims.html")]
    for name in experiments:
        tables += results.glob(f"{name}/seed*/*.parquet")
        pages += results.glob(f"{name}/overview.html")
    return {"figures": [*results.glob("figures/*.pdf")], "tables": tables, "pages": pages}
