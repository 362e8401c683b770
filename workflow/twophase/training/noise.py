"""Training noise as pure functions of (seed, stream, epoch or iteration).

It is what makes a fork's distance its perturbation's doing (docs/method.md). Nothing here has a state. Whoever asks for
the batch of iteration t gets the same one: the base run, a run resumed at t, a perturbed fork, a linearized run; on any
device, since the draws are made by numpy on the CPU.
"""

from functools import lru_cache

import numpy as np

from twophase.data.sources import iterations_per_epoch

STREAMS = {"init": 0, "order": 1, "crop": 2, "flip": 3, "dropout": 4, "perturbation": 5}


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


def batch(seed: int, iteration: int, size: int, batch_size: int, crop: int = 0):
    """What iteration `iteration` trains on.

    Returns:
        indices [b] into the training set, crop offsets [b, 2] in pixels, flips [b] (bool); b = batch_size, less in
        the last batch of an epoch.
    """
    epoch, position = divmod(iteration, iterations_per_epoch(size, batch_size))
    part = slice(position * batch_size, (position + 1) * batch_size)
    order, offsets, flips = epoch_tables(seed, epoch, size, crop)
    return order[part], offsets[part], flips[part]


def inputs(data, settings, indices, offsets, flips):
    """A batch from what was drawn for it, on the device of the data: inputs [b, C, H, W] and labels [b].

    Args:
        data: a `Data`.
        settings: the config's `training`.
        indices, offsets, flips: as of `batch`, tensors.
    """
    crop, flip = settings["augment"]["crop"], settings["augment"]["flip"]
    images = augment(data.train_images[indices], offsets, flips, crop, flip)
    return data.normalise(images), data.train_labels[indices]


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
