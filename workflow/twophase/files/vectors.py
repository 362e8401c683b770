"""Networks and kernels in many files as parts of vectors, as `measures.distances` takes them."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np

from twophase.files import storage
from twophase.files.layout import OPTIMIZER

# What the state of a network consists of, and of which of it the vector v(theta) of C may be made.
KINDS = ("parameters", "statistics", "counters")
VECTORS = {"parameters": KINDS[:1], "statistics": KINDS[:2], "state_dict": KINDS}
PART = 1 << 16  # coordinates in a part: with 2 x 256 vectors, 256 MiB in float64


def kind(name: str, is_float: bool, trainable: Collection[str]) -> str:
    """Which of `KINDS` a tensor is: trained, a batch norm's running statistic, or its count of batches."""
    return "parameters" if name in trainable else "statistics" if is_float else "counters"


def networks(paths: Sequence[Path], vector: str = "parameters") -> Callable[[], Iterator[np.ndarray]]:
    """The vectors v(theta) of m checkpoints, in parts [m, p] read from memory-mapped files.

    Args:
        paths: checkpoints of one network.
        vector: one of `VECTORS`: trainable parameters; running statistics of batch norms, too; or all of the
            state_dict.
    """
    trainable = storage.read_metadata(paths[0])["trainable"]
    names = list(trainable)
    if vector != "parameters":
        with storage.open_tensors(paths[0]) as file:
            others = [name for name in file.keys() if name not in trainable and not name.startswith(OPTIMIZER)]  # noqa: SIM118
            kinds = {name: kind(name, file.get_slice(name).get_dtype().startswith("F"), trainable) for name in others}
        names += [name for name in others if kinds[name] in VECTORS[vector]]
    return tensors(paths, names)


def tensors(paths: Sequence[Path], names: Sequence[str]) -> Callable[[], Iterator[np.ndarray]]:
    """The tensors of these names in m files, one behind the other, in parts [m, p] read from memory-mapped files."""

    def parts() -> Iterator[np.ndarray]:
        with ExitStack() as stack:
            files = [stack.enter_context(storage.open_tensors(path)) for path in paths]
            for pieces in _pieces(files[0], names):
                part = np.stack([np.concatenate([_piece(file, *piece) for piece in pieces]) for file in files])
                yield from (part[:, k : k + PART] for k in range(0, part.shape[1], PART))

    return parts


def _pieces(file, names: Sequence[str]) -> Iterator[list[tuple[str, slice | None]]]:
    """Tensors, by rows where one is large, in groups that fill a part: no more is in memory, and few are small."""
    group, room = [], PART
    for name in names:
        shape = file.get_slice(name).get_shape()
        length, row_size = (shape[0], math.prod(shape[1:])) if shape else (1, 1)
        step = max(1, PART // row_size)
        for row in range(0, length, step):
            stop = min(row + step, length)
            size = (stop - row) * row_size
            if group and size > room:
                yield group
                group, room = [], PART
            group.append((name, slice(row, stop) if shape else None))
            room -= size
    yield group


def _piece(file, name: str, rows: slice | None) -> np.ndarray:
    return (file.get_tensor(name) if rows is None else file.get_slice(name)[rows]).ravel()


def kernels(paths: Sequence[Path]) -> Callable[[], Iterator[np.ndarray]]:
    """Kernels of m files, flattened, as one part [m, d]; read once, when first asked for."""

    @cache
    def stacked() -> np.ndarray:
        return np.stack([storage.read_tensors(path)["kernel"].ravel() for path in paths])

    return lambda: iter([stacked()])
