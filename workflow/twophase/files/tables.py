"""Tables of several blocks, runs or experiments as one, and a grid of pairs as a square matrix. No torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.files import integrity, layout, storage
from twophase.files.predicted import STATISTICS, tensor


def matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """A pair grid (i, j, value with i <= j) as a symmetric matrix, rows and columns labelled by iterations."""
    upper = frame.pivot(index="i", columns="j", values="value")
    full = upper.combine_first(upper.T)
    full.attrs = frame.attrs
    return full


def of_blocks(paths: Sequence[str | Path], times: Sequence[int], origin: str) -> pd.DataFrame:
    """The blocks of one metric as one table of all pairs i <= j, with the first block's metadata.

    Args:
        times: the iterations of the grid.
        origin: what every block's metadata has to give as its origin.

    Raises:
        UserError: a block is of another run or config, or of other pairs.
    """
    frames = [storage.read_table(path) for path in paths]
    wanted = {(i, j) for i in times for j in times if i <= j}
    for path, frame in zip(paths, frames, strict=True):
        if frame.attrs.get("origin") != origin:
            raise integrity.damaged(path, "was computed with another config")
        pairs = set(frame[["i", "j"]].itertuples(index=False, name=None))
        if not pairs <= wanted or len(pairs) != len(frame):
            raise integrity.damaged(path, "holds pairs that are not its own")
        wanted -= pairs
    if wanted:
        i, j = min(wanted)
        folder = Path(paths[0]).parent
        raise UserError(
            f"No block in {folder} has the pair ({i}, {j}). Delete {folder} and run the same command again."
        )
    table = joined(frames).sort_values(["i", "j"])
    table.attrs = frames[0].attrs
    return table


def of_runs(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Tables of several runs as one, with columns `experiment` and `seed` from their metadata."""
    frames = [storage.read_table(path) for path in paths]
    return joined([f.assign(experiment=f.attrs["experiment"], seed=int(f.attrs["seed"])) for f in frames])


def of_first_seeds(paths: Sequence[str | Path]) -> dict[str, pd.DataFrame]:
    """The table of each experiment's first seed, by the experiment's name, with its metadata."""
    frames = sorted(map(storage.read_table, paths), key=lambda frame: -int(frame.attrs["seed"]))
    return {frame.attrs["experiment"]: frame for frame in frames}


def by_run(paths: Sequence[str | Path]) -> dict[tuple[str, int], dict[str, pd.DataFrame]]:
    """Tables by the (experiment, seed) in their metadata, and by the name of their file without its suffix."""
    runs = {}
    for path in paths:
        table = storage.read_table(path)
        runs.setdefault((table.attrs["experiment"], int(table.attrs["seed"])), {})[Path(path).stem] = table
    return runs


def of_checkpoints(grids: Mapping[str, pd.DataFrame], t0s: Sequence[int], t1s: Sequence[int]) -> pd.DataFrame:
    """Distances between the base run's checkpoints t0 < t1, in the form of those between forks and base run (`chaos`).

    Args:
        grids: the pair grids `C`, `B` and `D` of one run, which have all these pairs.

    Returns:
        columns t0, t1, draw (one), C, B, D; l2 and epsilon, of which there is none, are NaN.
    """
    cells = pd.MultiIndex.from_tuples([(t0, t1) for t0 in t0s for t1 in t1s if t0 < t1], names=["t0", "t1"])
    values = {name: grids[name].set_index(["i", "j"])["value"].loc[cells].to_numpy() for name in ("C", "B", "D")}
    table = pd.DataFrame({**values, "draw": 0, "l2": np.nan, "epsilon": np.nan}, index=cells)
    return table.reset_index().sort_values(["t0", "t1"], ignore_index=True)


def distances(run: Mapping[str, pd.DataFrame], t0s: Sequence[int], t1s: Sequence[int]) -> pd.DataFrame | None:
    """What the inflection point of a run is read from: its `chaos`, else `of_checkpoints`; None where it has neither.

    Args:
        run: its tables by name, those that the config's `phases.distance` names.
    """
    if "chaos" in run or "B" not in run:
        return run.get("chaos")
    return of_checkpoints(run, t0s, t1s)


def of_experiments(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Tables of several experiments as one, with a column `experiment` from their metadata; of none, no rows."""
    if not paths:
        return pd.DataFrame(columns=["experiment", "quantity", "estimator"])
    return joined([frame.assign(experiment=frame.attrs["experiment"]) for frame in map(storage.read_table, paths)])


def standard_scores(paths: Sequence[str]) -> pd.DataFrame:
    """Test loss and accuracy of base runs at their checkpoints, and test images, from files of predictions.

    Both are those under the config's choice of batch norms' statistics, and under either in columns of its name.
    """
    frames = []
    for path in paths:
        facts, scores = storage.read_metadata(path), storage.read_tensors(path)
        table = {
            "iteration": [layout.iteration(state) for state in facts["states"]],
            "test_loss": scores["loss"],
            "test_accuracy": 1 - scores["error"],
            **_scores_under(facts, scores),
            "images": scores["predictions"].shape[1],
            "experiment": facts["experiment"],
            "seed": int(facts["seed"]),
        }
        frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def _scores_under(facts: Mapping, scores: Mapping) -> dict[str, np.ndarray]:
    """Loss and accuracy under either statistics; without batch norms they are the same."""
    columns, chosen = {}, facts.get("bn", STATISTICS[0])
    for bn in STATISTICS:
        loss, error = (scores.get(tensor(name, bn, chosen), scores[name]) for name in ("loss", "error"))
        columns |= {f"test_loss_{bn}": loss, f"test_accuracy_{bn}": 1 - error}
    return columns


def standard_by_run(paths: Sequence[str]) -> dict[tuple[str, int], pd.DataFrame]:
    """`standard_scores` of each (experiment, seed)."""
    return dict(iter(standard_scores(paths).groupby(["experiment", "seed"]))) if paths else {}


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other, without their metadata, which pandas would compare."""
    frames = [frame.copy(deep=False) for frame in frames]
    for frame in frames:
        frame.attrs = {}
    return pd.concat(frames, ignore_index=True)
