"""A safetensors file where the file system has no memory maps: read as a whole. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


class Unmapped:
    """What safetensors' own handle does, as far as `storage` and its readers ask for it."""

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
