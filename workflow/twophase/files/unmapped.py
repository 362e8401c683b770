"""Files as memory maps or, where their file system has none, as some of networks, read as a whole. No torch."""

import contextlib
import errno
import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

UNSUPPORTED = {errno.ENODEV, errno.ENOSYS, errno.EOPNOTSUPP}


@contextlib.contextmanager
def content(file) -> Iterator[mmap.mmap | bytes]:
    """The bytes of an open file."""
    try:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        yield file.read()
    else:
        with mapped:
            yield mapped


def handle(path: str | Path):
    """A safetensors file as safetensors' own handle, or what does the same."""
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(str(path), framework="numpy")
    except (SafetensorError, OSError) as error:
        if not any(f"os error {code}" in str(error) or getattr(error, "errno", 0) == code for code in UNSUPPORTED):
            raise
        return Unmapped(path)


class Unmapped:
    """What safetensors' own handle does, as far as the readers of files ask for it."""

    def __init__(self, path: str | Path):
        from safetensors.numpy import load

        raw = Path(path).read_bytes()
        self._arrays = load(raw)
        length = int.from_bytes(raw[:8], "little")
        self._metadata = json.loads(raw[8 : 8 + length]).get("__metadata__")

    def __enter__(self) -> "Unmapped":
        return self

    def __exit__(self, *error) -> None:
        pass

    def keys(self) -> list[str]:
        return sorted(self._arrays)

    def metadata(self) -> dict[str, str] | None:
        return self._metadata

    def get_tensor(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def get_slice(self, name: str) -> "Slice":
        return Slice(self._arrays[name])


@dataclass(frozen=True, eq=False)
class Slice:
    """What safetensors' own slice does: the rows that are asked for, and what the array is."""

    array: np.ndarray

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.array[rows]

    def get_shape(self) -> list[int]:
        return [*self.array.shape]

    def get_dtype(self) -> str:
        return f"{self.array.dtype.kind.upper()}{8 * self.array.dtype.itemsize}"
