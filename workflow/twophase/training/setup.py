"""Setting up an experiment: its network at initialisation and its data, on its device, with repeatable arithmetic."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from twophase.data.dataset import Data, too_much_padding
from twophase.errors import UserError
from twophase.networks import models
from twophase.training import noise


@dataclass(frozen=True)
class Experiment:
    """A network, the data that it trains on, the config's `training`, and the seed of all noise.

    Frozen are the references: training changes the network's parameters in place.

    Attributes:
        new_noise: of a fork that does not share the base run's noise; of a stack of such, a tuple for its members.
    """

    network: nn.Module
    data: Data
    settings: Mapping
    seed: int
    new_noise: noise.NewNoise | noise.Members | None = None


def set_up(path_to_dataset: str | Path, model: Mapping, settings: Mapping, seed: int) -> Experiment:
    """An experiment whose network is at its initialisation.

    Makes arithmetic repeatable on this machine. The number of threads is a setting of the experiment: it changes the
    order of the sums and with it, through the chaos effect, everything that follows.

    Args:
        model, settings: the config's `model` and `training`; the device `auto` is CUDA where there is a GPU.

    Raises:
        UserError: there is no such device, or the data are too few or too small for the settings or the network.
    """
    device = settings["device"]
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("training.device is cuda, but torch sees no CUDA device here. Set it to cpu or auto.")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    torch.set_num_threads(settings["threads"])
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a debugging aid that costs a pass over every result
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False

    data = Data.load(path_to_dataset, device, settings["dtype"])
    count, channels, *size = data.train_images.shape
    data.require("training.batch_size", "train", settings["batch_size"])
    problem = too_much_padding(settings["augment"]["crop"], size)
    if problem:
        raise UserError(f"training.augment.crop: {problem}")
    torch.manual_seed(noise.torch_seed(seed, "init"))
    network = models.build(**model, num_classes=data.num_classes, in_channels=channels, image_size=tuple(size))
    smallest = count % settings["batch_size"] or settings["batch_size"]
    models.check(network, data.num_classes, (smallest, channels, *size))
    return Experiment(network.to(device, getattr(torch, settings["dtype"])), data, settings, seed)
