"""Reading results: any table of any run as a DataFrame, a grid as a square matrix. No torch."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from twophase import layout, storage
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
    return joined([f.assign(experiment=f.attrs["experiment"], seed=int(f.attrs["seed"])) for f in frames])


def of_experiments(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Tables of several experiments as one, with a column `experiment` from their metadata; of none, no rows."""
    if not paths:
        return pd.DataFrame(columns=["experiment", "quantity", "estimator"])
    return joined([frame.assign(experiment=frame.attrs["experiment"]) for frame in map(storage.read_table, paths)])


def standard_scores(paths: Sequence[str]) -> pd.DataFrame:
    """Test loss and accuracy of base runs at their checkpoints, from files of predictions."""
    frames = []
    for path in paths:
        facts, scores = storage.read_metadata(path), storage.read_tensors(path)
        table = {
            "iteration": [layout.iteration(state) for state in facts["states"]],
            "test_loss": scores["loss"],
            "test_accuracy": 1 - scores["error"],
            "experiment": facts["experiment"],
            "seed": int(facts["seed"]),
        }
        frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other, without their metadata, which pandas would compare."""
    frames = [frame.copy(deep=False) for frame in frames]
    for frame in frames:
        frame.attrs = {}
    return pd.concat(frames, ignore_index=True)
