"""Training noise as pure functions of (seed, stream, epoch or iteration).

It is what makes a fork's distance its perturbation's doing (docs/method.md). Nothing here has a state. Whoever asks for
the batch of iteration t gets the same one: the base run, a run resumed at t, a perturbed fork, a linearized run; on any
device, since the draws are made by numpy on the CPU. A fork may have noise of its own, a function of its t0 and draw as
well (`NewNoise`).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from twophase.data.sources import iterations_per_epoch
from twophase.files.layout import Fork

STREAMS = {"init": 0, "order": 1, "crop": 2, "flip": 3, "dropout": 4, "perturbation": 5}
STREAMS |= {"new order": 6, "new crop": 7, "new flip": 8}


@dataclass(frozen=True)
class NewNoise:
    """SGD noise of a fork's own, which from its t0 on takes the place of the base run's (Frankle et al., 2020).

    `kind`, of the config's `chaos.noise`, is what is drawn anew, once for each seed, t0 and draw:

    - `order`: the order of the examples. An example keeps its crop and flip, so that an epoch has the same augmented
      images. In the epoch of t0 those that the base run has not seen by then are shuffled, and all still come once.
    - `augmentation`: crops and flips, of examples in the base run's order.
    - `both`.

    Masks of dropout are the base run's.
    """

    kind: str
    fork: Fork

    @property
    def order(self) -> bool:
        return self.kind in ("order", "both")

    @property
    def augmentation(self) -> bool:
        return self.kind in ("augmentation", "both")


Members = tuple[NewNoise | None, ...]  # of a stack: the noise of each, None for the base run's


def of_fork(kind: str, fork: Fork) -> NewNoise | None:
    """The noise of a fork, by the config's `chaos.noise`; None for the base run's, which a control always has."""
    return None if kind == "shared" or fork.is_control else NewNoise(kind, fork)


def generator(seed: int, stream: str, *indices: int) -> np.random.Generator:
    """A fresh generator for one purpose at one time."""
    return np.random.default_rng([seed, STREAMS[stream], *indices])


def torch_seed(seed: int, stream: str, *indices: int) -> int:
    """An integer seed for torch's generators, in [0, 2^63)."""
    return int(generator(seed, stream, *indices).integers(2**63))


@lru_cache(maxsize=2)
def epoch_tables(seed: int, epoch: int, size: int, crop: int):
    """Order [size], crop offsets [size, 2] in [0, 2 crop] and flips [size] of one epoch, by position in the epoch."""
    order = generator(seed, "order", epoch).permutation(size)
    offsets = generator(seed, "crop", epoch).integers(0, 2 * crop + 1, size=(size, 2))
    flips = generator(seed, "flip", epoch).random(size) < 0.5
    return order, offsets, flips


def tables(seed: int, epoch: int, size: int, batch_size: int, crop: int, new: NewNoise | Members | None):
    """`epoch_tables` of a run with noise of its own from its t0 on; of a stack, [size, K], [size, K, 2] and [size, K].

    Args:
        new: None for the base run's noise; a tuple for a stack of K, whose members train on batches of their own.
    """
    if new is None:
        return epoch_tables(seed, epoch, size, crop)
    return _new_tables(seed, epoch, size, batch_size, crop, new)


@lru_cache(maxsize=2)
def _new_tables(seed: int, epoch: int, size: int, batch_size: int, crop: int, new: NewNoise | Members):
    if isinstance(new, tuple):
        each = [tables(seed, epoch, size, batch_size, crop, member) for member in new]
        return tuple(np.stack(parts, axis=1) for parts in zip(*each, strict=True))
    t0 = new.fork.t0
    # Of the epoch of t0, what comes before it is the base run's.
    first = min(size, batch_size * max(0, t0 - epoch * iterations_per_epoch(size, batch_size)))
    left = size - first

    def drawn(stream):
        return generator(seed, f"new {stream}", epoch, *new.fork)

    place = np.arange(size)
    if new.order:
        place[first:] = first + drawn("order").permutation(left)
    order, offsets, flips = (table[place] for table in epoch_tables(seed, epoch, size, crop))
    if new.augmentation:
        offsets[first:] = drawn("crop").integers(0, 2 * crop + 1, size=(left, 2))
        flips[first:] = drawn("flip").random(left) < 0.5
    return order, offsets, flips


def batch(seed: int, iteration: int, size: int, batch_size: int, crop: int = 0, new: NewNoise | Members | None = None):
    """What iteration `iteration` trains on.

    Args:
        new: as of `tables`.

    Returns:
        indices [b] into the training set, crop offsets [b, 2] in pixels, flips [b] (bool); b = batch_size, less in
        the last batch of an epoch. Of a stack whose members have batches of their own, [b, K], [b, K, 2] and [b, K].
    """
    epoch, position = divmod(iteration, iterations_per_epoch(size, batch_size))
    part = slice(position * batch_size, (position + 1) * batch_size)
    order, offsets, flips = tables(seed, epoch, size, batch_size, crop, new)
    return order[part], offsets[part], flips[part]


def inputs(data, settings, indices, offsets, flips):
    """A batch from what was drawn for it, on the device of the data: inputs [b, C, H, W] and labels [b].

    Of a stack whose members have batches of their own, inputs [K, b, C, H, W] and labels [K, b].

    Args:
        data: a `Data`.
        settings: the config's `training`.
        indices, offsets, flips: as of `batch`, tensors.
    """
    crop, flip = settings["augment"]["crop"], settings["augment"]["flip"]
    images = data.train_images[indices.flatten()]
    images = data.normalise(augment(images, offsets.flatten(0, -2), flips.flatten(), crop, flip))
    labels = data.train_labels[indices]
    return (images, labels) if labels.dim() == 1 else (images.unflatten(0, labels.shape).transpose(0, 1), labels.T)


def augment(images, offsets, flips, crop: int, flip: bool):
    """Random crop (after zero padding by `crop` pixels) and horizontal flip, per sample, as one gather.

    Args:
        images: uint8 tensor [b, C, H, W].
        offsets: int64 tensor [b, 2], top-left corner of each crop in the padded image, in [0, 2 crop].
        flips: bool tensor [b].
        crop: padding in pixels, 0 for none.
        flip: whether to flip at all.
    """
    if crop == 0 and not flip:
        return images
    import torch
    from torch.nn.functional import pad

    b, _, height, width = images.shape
    rows = torch.arange(height, device=images.device).expand(b, height)
    columns = torch.arange(width, device=images.device).expand(b, width)
    if flip:
        columns = torch.where(flips[:, None], columns.flip(1), columns)
    if crop:
        images = pad(images, (crop, crop, crop, crop))
        rows = rows + offsets[:, :1]
        columns = columns + offsets[:, 1:]
    sample = torch.arange(b, device=images.device)
    # Advanced indices around a slice put the channel axis last.
    return images[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
