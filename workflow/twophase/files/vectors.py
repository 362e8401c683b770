"""Parameters and kernels of many checkpoint files as parts of vectors, as `metrics` takes them."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np

from twophase.files import storage

PART = 1 << 16  # coordinates in a part: with 2 x 256 vectors, 256 MiB in float64


def parameters(paths: Sequence[Path]) -> Callable[[], Iterator[np.ndarray]]:
    """Trainable parameters of m checkpoints, in parts [m, p] read from memory-mapped files.

    Args:
        paths: checkpoints of one network.
    """
    names = storage.read_metadata(paths[0])["trainable"]

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
