"""Holds finished results against a published run: which verdicts and intervals differ. `make compare RUN=demo`.

Exits with 1 if a claim is reproduced in one and not in the other: such a pair of verdicts should not be.
"""

import sys
from pathlib import Path

import pandas as pd

from twophase.analysis import agreement
from twophase.errors import UserError
from twophase.files.results import load

REFERENCE = Path(__file__).parents[1] / "results" / "reference"


def main(run: str, results: str, reference: Path = REFERENCE) -> int:
    """Prints the comparison of `results`, a folder, with the published `run`, and returns the exit status."""
    kept = sorted(path.parent.name for path in reference.glob("*/claims.parquet"))
    if run not in kept:
        raise UserError(f"Name a published run that has claims: make compare RUN=demo. There are {', '.join(kept)}.")
    if not (Path(results) / "claims.parquet").exists():
        raise UserError(f"{results}/claims.parquet is not there. Finish the run first: make figures RUN={run}")
    rows = agreement.compare(load("claims", results=reference / run), load("claims", results=results))
    print(summary(rows, run))
    return int((rows["agreement"] == agreement.CONTRADICTION).any())


def summary(rows: pd.DataFrame, run: str) -> str:
    """What `agreement.compare` found: the claims that differ, a line each, then how many do."""
    lines = []
    for (experiment, kind), part in rows[rows["agreement"] != agreement.SAME].groupby(
        ["experiment", "agreement"], sort=False
    ):
        lines.append(f"{experiment}, {kind}:")
        lines += [
            f"  {row.claim}: published {_side(row, 'published')}; here {_side(row, 'here')}"
            for row in part.itertuples()
        ]
    both = rows[rows["agreement"] != agreement.MISSING]
    same, judged = agreement.equal_verdicts(rows)
    intervals = both[both["low_published"].notna() & both["low_here"].notna()]
    apart = int(agreement.apart(intervals).sum())
    contradictions = int((both["agreement"] == agreement.CONTRADICTION).sum())
    lines.append(
        f"{same} of {judged} verdicts are those of results/reference/{run}, {contradictions} contradict one; "
        f"{len(intervals) - apart} of {len(intervals)} intervals overlap."
    )
    return "\n".join(lines)


def _side(row, suffix: str) -> str:
    """Verdict, value and interval of one of the two."""
    verdict, value, low, high = (getattr(row, f"{name}_{suffix}") for name in agreement.COMPARED)
    if pd.isna(verdict):
        return "not judged"
    if pd.isna(value):
        return verdict
    return f"{verdict} ({value:.3g})" if pd.isna(low) else f"{verdict} ({value:.3g}, {low:.3g} to {high:.3g})"


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except UserError as error:
        sys.exit(str(error))
