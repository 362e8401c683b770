"""Parameters and kernels of many checkpoint files as parts of vectors, as `metrics` takes them."""

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
                stacked = np.stack([file.get_tensor(name).ravel() for file in files])
                yield from (stacked[:, k : k + PART] for k in range(0, stacked.shape[1], PART))

    return parts


def kernels(paths: Sequence[Path]) -> Callable[[], Iterator[np.ndarray]]:
    """Kernels of m files, flattened, as one part [m, d]."""
    stacked = np.stack([storage.read_tensors(path)["kernel"].ravel() for path in paths])
    return lambda: iter([stacked])
