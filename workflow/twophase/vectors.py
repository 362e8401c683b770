"""Parameters and kernels of many checkpoint files as parts of vectors, as `metrics` takes them."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from twophase import storage

PART = 1 << 19  # coordinates in a part: with 64 vectors, 256 MiB in float64


def parameters(paths: Sequence[Path]) -> Callable[[], Iterator[np.ndarray]]:
    """Trainable parameters of m checkpoints, in parts [m, p] read from memory-mapped files.

    Args:
        paths: checkpoints of one network.
    """
    names = storage.read_metadata(paths[0])["trainable"]

    def parts() -> Iterator[np.ndarray]:
        with ExitStack() as stack:
            files = [stack.enter_context(storage.open_tensors(path)) for path in paths]
            for name in names:
                shape = files[0].get_slice(name).get_shape()
                length, row_size = (shape[0], math.prod(shape[1:])) if shape else (1, 1)
                # By rows, so that no more than about a part of a large tensor is in memory.
                step = max(1, PART // row_size)
                for row in range(0, length, step):
                    rows = slice(row, min(row + step, length))
                    tensors = [file.get_slice(name)[rows] if shape else file.get_tensor(name) for file in files]
                    stacked = np.stack([tensor.ravel() for tensor in tensors])
                    yield from (stacked[:, k : k + PART] for k in range(0, stacked.shape[1], PART))

    return parts


def kernels(paths: Sequence[Path]) -> Callable[[], Iterator[np.ndarray]]:
    """Kernels of m files, flattened, as one part [m, d]."""
    stacked = np.stack([storage.read_tensors(path)["kernel"].ravel() for path in paths])
    return lambda: iter([stacked])
