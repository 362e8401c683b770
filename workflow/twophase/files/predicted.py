"""Files of predictions: what a run's networks make of the test set, under either statistics of their batch norms."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from twophase.files import storage

Value = TypeVar("Value")

# What batch norms of a network under evaluation use: their running statistics, which lag behind the weights, or those
# of training images under the weights as they are.
STATISTICS = ("running", "recalibrate")


def tensor(name: str, bn: str, chosen: str) -> str:
    """Name of a tensor in the file: those under the config's choice go by their plain name."""
    return name if bn == chosen else f"{name}_{bn}"


def either(found: Mapping[str, Value]) -> dict[str, Value]:
    """What was found under each of the `STATISTICS`; of a network without batch norms the one thing is both."""
    only = next(iter(found.values()))
    return {bn: found.get(bn, only) for bn in STATISTICS}


def classes(path: str | Path) -> dict[str, dict[str, np.ndarray]]:
    """Predicted classes [n] of the test set, by the statistics and then by the path of the state, in the file's order.

    The config's choice comes first. Of a network without batch norms it is the only one.
    """
    facts, tensors = storage.read_metadata(path), storage.read_tensors(path)
    chosen = facts.get("bn", STATISTICS[0])
    names = {bn: tensor("predictions", bn, chosen) for bn in (chosen, *(bn for bn in STATISTICS if bn != chosen))}
    return {bn: dict(zip(facts["states"], tensors[name], strict=True)) for bn, name in names.items() if name in tensors}
