"""The canonical file of a data set as tensors, and fixed samples of it. Torch is imported by what needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twophase.errors import UserError
from twophase.files.storage import read_metadata, read_tensors

if TYPE_CHECKING:
    from torch import Tensor


def stratified(labels: np.ndarray, size: int, seed: int | Sequence[int]) -> np.ndarray:
    """Indices [size], ascending, of a draw without replacement that keeps the shares of the classes.

    Every class gets size*n_class/n, rounded down or up by the method of the largest remainder.
    """
    counts = np.bincount(labels)
    quotas, remainders = np.divmod(counts * size, len(labels))
    missing = size - quotas.sum()
    quotas[np.argsort(-remainders, kind="stable")[:missing]] += 1
    # RandomState rather than Generator: NumPy promises that its streams never change.
    rng = np.random.RandomState(seed)
    picks = [rng.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in enumerate(quotas)]
    return np.sort(np.concatenate(picks))


def content_digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of named arrays: names, types, shapes and values."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        sha.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        sha.update(np.ascontiguousarray(arrays[name]))
    return sha.hexdigest()


def too_few(asked: int, there: int, split: str) -> str:
    """What is wrong with a key that asks for more examples than there are."""
    return f"asks for {asked} examples, but there are {there} {split} examples; take at most that many."


def too_much_padding(crop: int, size: Sequence[int]) -> str | None:
    """What is wrong with crops from images of `size` (height, width) padded by `crop` pixels; None if nothing is."""
    if crop < min(size):
        return None
    return f"{crop} pixels of padding would cut whole images of {size[0]}x{size[1]} pixels away; take fewer."


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in memory: images uint8 [N, C, H, W], labels int64 [N], mean and std [1, C, 1, 1] in pixel/255.

    Contexts of L characters of a text are images [c, 1, L] of one-hot vectors, see `text`.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: Tensor
    std: Tensor
    num_classes: int

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", dtype: str = "float32") -> Data:
        """Reads a file of `datasets.prepare`; mean, std and normalised images take `dtype`.

        Raises:
            UserError: the file is missing, damaged or not a data set.
        """
        import torch

        arrays, facts = read_tensors(path), read_metadata(path)
        if facts.get("sha256") != content_digest(arrays):
            raise UserError(f"{path} is damaged or no data set of this workflow; delete it and run the command again")
        # A channel that is constant has no scale: divided by 1 it stays at 0.
        arrays["std"] = np.where(arrays["std"] == 0, 1, arrays["std"])
        tensors = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        for name in ("mean", "std"):
            tensors[name] = tensors[name].to(getattr(torch, dtype)).view(1, -1, 1, 1)
        return cls(**tensors, num_classes=len(facts["classes"]))

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> (x/255 - mean)/std in the dtype of `mean`."""
        return (images.to(self.mean.dtype) / 255 - self.mean) / self.std

    def require(self, key: str, split: str, size: int | None) -> None:
        """Raises a UserError where `key` of the config asks for more examples than the split has."""
        there = len(getattr(self, f"{split}_labels"))
        if size is not None and size > there:
            raise UserError(f"{key}: {too_few(size, there, split)}")

    def sample(self, split: str, size: int | None) -> tuple[Tensor, Tensor]:
        """A fixed stratified sample of the `train` or `test` images, normalised and not augmented, and its labels.

        Args:
            size: number of images; None, or one that exceeds the split, takes all.
        """
        images, labels = getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")
        if size is not None and size < len(labels):
            index = stratified(labels.cpu().numpy(), size, 0)
            images, labels = images[index], labels[index]
        return self.normalise(images), labels
