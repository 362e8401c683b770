"""Forks against their base run: the table behind the chaos effect (2505.13900, Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.files import storage, vectors
from twophase.files.layout import Block
from twophase.measures import distances


@dataclass(frozen=True)
class Measured:
    """A base run or a block of forks, and what was measured on it.

    Attributes:
        checkpoints, kernels: folders.
        predictions: a file.
        barriers: of a block, the file of its barriers to the base run, or to its twin.
    """

    checkpoints: str | Path
    predictions: str | Path
    kernels: str | Path
    barriers: str | Path | None = None


def of_forks(run: Measured, blocks: Sequence[Measured]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every fork against the base run, or the twin in its block, at every t1.

    Returns:
        the comparisons, sorted: t0 and t1 (iterations), draw (CONTROL for epsilon = 0), C, B (nats, or a share), D
        (share of the test set), S, l2 (distance of the parameters), epsilon (l2 norm of the fork's perturbation as
        rounding left it); and the perturbations of all forks, sorted, with the first one's metadata.
    """
    of_run = _predictions(run)
    rows, perturbations = [], []
    for measured in blocks:
        predictions = _predictions(measured)
        barriers = storage.read_table(measured.barriers).set_index("state")["value"]
        files = [name for name in storage.files(measured.checkpoints) if name.endswith("perturbation.parquet")]
        made = [storage.read_table(Path(measured.checkpoints) / name) for name in files]
        epsilons = {(e.t0, e.draw): e.realised for table in made for e in table.itertuples()}
        perturbations += made
        block = Block(predictions)
        for state in block.states:
            base = block.base(state)
            checkpoints = [
                Path(base.within(measured.checkpoints, run.checkpoints)) / base.path,
                Path(measured.checkpoints) / state.path,
            ]
            kernels = [
                Path(base.within(measured.kernels, run.kernels)) / base.path,
                Path(measured.kernels) / state.path,
            ]
            dissimilarity, distance = distances.distance(vectors.parameters(checkpoints))
            classes = base.within(predictions, of_run)[base.path]
            rows.append(
                {
                    "t0": state.fork.t0,
                    "t1": state.t1,
                    "draw": state.fork.draw,
                    "C": dissimilarity,
                    "B": barriers[state.path],
                    "D": float(np.mean(classes != predictions[state.path])),
                    "S": distances.dissimilarity(*(vectors.kernels([path]) for path in kernels)).item(),
                    "l2": distance,
                    "epsilon": epsilons[state.fork],
                }
            )
    together = pd.concat(perturbations).sort_values(["t0", "draw"])
    together.attrs = perturbations[0].attrs
    return pd.DataFrame(rows).sort_values(["t0", "t1", "draw"]), together


def _predictions(measured: Measured) -> dict[str, np.ndarray]:
    """Predicted classes [n] of the test set by the path of the state, in the order of the file."""
    states = storage.read_metadata(measured.predictions)["states"]
    return dict(zip(states, storage.read_tensors(measured.predictions)["predictions"], strict=True))
