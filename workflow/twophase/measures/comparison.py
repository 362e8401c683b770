"""Forks against their base run: the tables behind the chaos effect (2505.13900, Figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twophase.files import folders, predicted, storage, vectors
from twophase.files.layout import Block, Fork, step_file
from twophase.files.predicted import STATISTICS, either
from twophase.measures import distances

KEYS = ["t0", "t1", "draw"]


@dataclass(frozen=True)
class Measured:
    """A base run or a block of forks, and what was measured on it.

    Attributes:
        checkpoints: a folder, with the logs and the perturbations of forks.
        predictions: a file.
        kernels: a folder; None where forks have none.
        barriers: of a block, the file of its barriers to the base run, or to its twin.
    """

    checkpoints: str | Path
    predictions: str | Path
    kernels: str | Path | None = None
    barriers: str | Path | None = None


class Tables(NamedTuple):
    """What `of_forks` returns.

    Attributes:
        comparisons: everything at the t1 at which a fork's state is kept.
        dense: the distances of the parameters, also at the t1 in between.
        perturbations: of all forks, with the metadata of the first.
    """

    comparisons: pd.DataFrame
    dense: pd.DataFrame
    perturbations: pd.DataFrame


def of_runs(
    run: Measured, other: Measured, times: Sequence[int], barriers: Sequence[Mapping], vector: str
) -> pd.DataFrame:
    """A base run against that of another seed, at the same iterations.

    Args:
        times: iterations, at which both have checkpoints.
        barriers: rows of `barrier.of_files` for them, from the other run (i) to this one (j).
        vector: of `vectors.VECTORS`, that of the column C.

    Returns:
        a row for each time: t, and the columns of `of_forks` but t0, t1, draw, epsilon and S.
    """
    mine, others = predicted.classes(run.predictions), predicted.classes(other.predictions)
    named = _named(pd.DataFrame(barriers))
    rows = []
    for t, (_, of_barrier) in zip(times, named.iterrows(), strict=True):
        paths = [Path(part.checkpoints) / step_file(t) for part in (run, other)]
        trainable = storage.read_metadata(paths[0])["trainable"]
        apart = distances.between(*map(storage.read_tensors, paths), trainable)
        differ = {bn: float(np.mean(mine[bn][step_file(t)] != others[bn][step_file(t)])) for bn in mine}
        rows.append({"t": t, "C": apart[f"C_{vector}"], **apart, **of_barrier, **_disagreements(differ)})
    return pd.DataFrame(rows)


def of_forks(run: Measured, blocks: Sequence[Measured], vector: str) -> Tables:
    """Every fork against the base run, or the twin in its block, at every t1.

    Args:
        vector: of `vectors.VECTORS`, that of the column C.

    Returns:
        tables sorted by t0, t1 (iterations) and draw (CONTROL for epsilon = 0). The distances: C, C_<vector> of each,
        l2 (distance of the parameters), epsilon (l2 norm of the fork's perturbation as rounding left it). The
        comparisons also: B (nats, or a share), hump (B+, likewise), D (share of the test set), under the statistics of
        batch norms that the config chooses, and B_<bn>, hump_<bn>, D_<bn> under both; loss_<bn> (nats) and error_<bn>
        of the fork, and base_loss_<bn>, base_error_<bn> of what it left; S, NaN without kernels.
    """
    of_run = predicted.classes(run.predictions)
    rows, dense, perturbations = [], [], []
    for measured in blocks:
        files = folders.files(measured.checkpoints)
        made = [
            storage.read_table(Path(measured.checkpoints) / name)
            for name in files
            if name.endswith("perturbation.parquet")
        ]
        perturbations += made
        epsilons = {Fork(e.t0, e.draw): e.realised for table in made for e in table.itertuples()}
        of_block = {fork: _distances(measured.checkpoints, fork, vector) for fork in epsilons}
        for fork, table in of_block.items():
            dense.append(table.reset_index().assign(t0=fork.t0, draw=fork.draw, epsilon=epsilons[fork]))
        of_forks, barriers = predicted.classes(measured.predictions), _barriers(measured.barriers)
        block = Block(next(iter(of_forks.values())))
        for state in block.states:
            base = block.base(state)
            disagreements = {
                bn: float(np.mean(base.within(of_forks, of_run)[bn][base.path] != classes[state.path]))
                for bn, classes in of_forks.items()
            }
            rows.append(
                {
                    "t0": state.fork.t0,
                    "t1": state.t1,
                    "draw": state.fork.draw,
                    **of_block[state.fork].reindex([state.t1]).iloc[0],  # NaN where the parameters are not finite
                    **barriers.loc[state.path],
                    **_disagreements(disagreements),
                    "S": _kernel_distance(base, state, measured, run),
                    "epsilon": epsilons[state.fork],
                }
            )
    together = pd.concat(perturbations).sort_values(["t0", "draw"])
    together.attrs = perturbations[0].attrs
    dense = pd.concat(dense)
    dense = dense[[*KEYS, *dense.columns.drop(KEYS)]]
    return Tables(pd.DataFrame(rows).sort_values(KEYS), dense.sort_values(KEYS), together)


def _distances(checkpoints: str | Path, fork: Fork, vector: str) -> pd.DataFrame:
    """What a fork's log has of its distance to the base run, by t1: C, and what `distances.between` returns."""
    log = storage.read_table(Path(checkpoints) / fork.folder / "log.parquet").set_index("iteration").rename_axis("t1")
    found = log.loc[log["l2"].notna(), list(distances.OF_PAIR)]
    found.insert(0, "C", found[f"C_{vector}"])
    return found


def _disagreements(found: Mapping[str, float]) -> dict[str, float]:
    """D under the statistics of choice, the first, and under either."""
    return {"D": next(iter(found.values())), **{f"D_{bn}": share for bn, share in either(found).items()}}


def _barriers(path: str | Path) -> pd.DataFrame:
    """Barriers by the path of a fork's state, named as in the comparisons."""
    return _named(storage.read_table(path).set_index("state"))


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of `barrier.of_files` under the names of the comparisons, where i is what a network is compared with."""
    names = {"value": "B", "hump": "hump", "loss_j": "loss", "error_j": "error"}
    names |= {"loss_i": "base_loss", "error_i": "base_error"}
    columns = {f"{of}_{bn}": f"{name}_{bn}" for of, name in names.items() for bn in STATISTICS}
    return table.rename(columns={"value": "B"})[["B", "hump", *columns]].rename(columns=columns)


def _kernel_distance(base, state, measured: Measured, run: Measured) -> float:
    if measured.kernels is None:
        return float("nan")
    paths = [Path(base.within(measured.kernels, run.kernels)) / base.path, Path(measured.kernels) / state.path]
    return distances.dissimilarity(*(vectors.kernels([path]) for path in paths)).item()
