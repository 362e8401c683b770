"""Reading results: any table of any run as a DataFrame, a grid as a square matrix. No torch."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from twophase import storage
from twophase.errors import UserError


def load(experiment: str, table: str, seed: int = 0, square: bool = False, results: str | Path = "results"):
    """One table of one run.

    Args:
        experiment: name in the config.
        table: `C`, `S`, `B`, `D` (pair grids), `chaos`, `control`, `perturbations`, `linearized`, `cone`, `plane`.
        seed: which repetition.
        square: a pair grid as a symmetric matrix, rows and columns labelled by iterations.
        results: the folder of the results.

    Returns:
        a DataFrame; definition, units and provenance are in its `.attrs`.

    Raises:
        UserError: there is no such table; the message lists those there are.
    """
    folder = Path(results) / experiment / f"seed{seed}"
    path = folder / f"{table}.parquet"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.parquet"))) or "no tables"
        raise UserError(f"There is no {path}; in {folder} there are: {there}.")
    frame = storage.read_table(path)
    return matrix(frame) if square else frame


def matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """A pair grid (i, j, value with i <= j) as a symmetric matrix, rows and columns labelled by iterations."""
    upper = frame.pivot(index="i", columns="j", values="value")
    full = upper.combine_first(upper.T)
    full.attrs = frame.attrs
    return full


def of_runs(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Tables of several runs as one, with columns `experiment` and `seed` from their metadata."""
    frames = [storage.read_table(path) for path in paths]
    return pd.concat([_labelled(frame, seed=int(frame.attrs["seed"])) for frame in frames], ignore_index=True)


def of_experiments(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Tables of several experiments as one, with a column `experiment` from their metadata; of none, no rows."""
    if not paths:
        return pd.DataFrame(columns=["experiment", "quantity", "estimator"])
    return pd.concat([_labelled(storage.read_table(path)) for path in paths], ignore_index=True)


def _labelled(frame: pd.DataFrame, **columns) -> pd.DataFrame:
    attrs, frame.attrs = frame.attrs, {}  # pandas compares attrs when it concatenates
    return frame.assign(experiment=attrs["experiment"], **columns)
