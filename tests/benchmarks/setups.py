"""What several cases are built from: the papers' networks, data sets of their shapes, checkpoints, settings."""

import os
from functools import cache
from pathlib import Path

import torch
from torch import nn

from helpers import settings as plain_settings
from twophase.data import prepare
from twophase.data.dataset import Data
from twophase.files import layout, storage
from twophase.files.layout import step_file
from twophase.networks import models
from twophase.networks import state as network_state

MODELS = {
    "lenet5": ({"name": "lenet5"}, (1, 28)),
    "resnet8": ({"name": "resnet8", "width": 8}, (1, 8)),
    "resnet20": ({"name": "resnet20"}, (3, 32)),
    "vgg16": ({"name": "vgg16"}, (3, 32)),
}
REPOSITORY = Path(__file__).parents[2]


def network(name: str) -> nn.Module:
    """A network of `MODELS` for 10 classes, at seed 0."""
    options, (channels, side) = MODELS[name]
    torch.manual_seed(0)
    return models.build(**options, num_classes=10, in_channels=channels, image_size=side)


def images(name: str, count: int) -> torch.Tensor:
    """Random inputs [count, C, H, W] of a network's shape."""
    _, (channels, side) = MODELS[name]
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(1))


def data(name: str, folder: Path) -> Data:
    """The data that a network is trained on: scikit-learn's digits; MNIST; random images of CIFAR-10's shape."""
    if name == "resnet8":
        return _prepared(folder, "digits")
    if name == "lenet5" and (root := mnist_root()):
        return _prepared(folder, "mnist", root)
    _, (channels, side) = MODELS[name]
    generator = torch.Generator().manual_seed(2)
    parts = []
    for size in (6000, 1000):
        parts.append(torch.randint(256, (size, channels, side, side), generator=generator, dtype=torch.uint8))
        parts.append(torch.randint(10, (size,), generator=generator))
    mean, std = (torch.full((1, channels, 1, 1), value) for value in (0.5, 0.25))
    return Data(*parts, mean, std, 10)


@cache
def mnist_root() -> Path | None:
    """Where MNIST's four files are, below $TWOPHASE_SHARED_DATA, ../shared/data or data; nothing is downloaded."""
    roots = [os.environ.get("TWOPHASE_SHARED_DATA"), REPOSITORY.parent / "shared" / "data", REPOSITORY / "data"]
    return next((Path(root) for root in roots if root and (Path(root) / "MNIST" / "raw").exists()), None)


MNIST = "MNIST" if mnist_root() else "random images of MNIST's shape"


def _prepared(folder: Path, source: str, root: Path | None = None) -> Data:
    path = folder / f"{source}.safetensors"
    if not path.exists():
        prepare.prepare(path, source, root)
    return Data.load(path)


def settings(name: str) -> dict:
    """Training settings: those of config/mnist.yaml, config/demo.yaml and the papers' ResNet-20."""
    if name == "lenet5":
        return plain_settings(optimizer="adam", lr=1.2e-3, weight_decay=0.0, batch_size=60)
    if name == "resnet8":
        return plain_settings(lr=0.1, weight_decay=1e-4, batch_size=64)
    return plain_settings(lr=0.1, weight_decay=1e-4, batch_size=128, augment={"crop": 4, "flip": True})


def checkpoints(name: str, count: int, folder: Path) -> list[Path]:
    """Files of `count` states of a network, each a random step from the one before, momentum buffers included."""
    folder = folder / f"{name}-{count}"
    paths = [folder / step_file(t) for t in range(count)]
    if not paths[-1].exists():
        model = network(name)
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        for path in paths:
            for p in model.parameters():
                p.grad = torch.randn_like(p) * p.std().nan_to_num(0.1)
            optimizer.step()
            network_state.write_checkpoint(path, model, optimizer, {"iteration": int(path.stem.partition("-")[2])})
    return paths


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The model's part of a checkpoint file."""
    arrays = storage.read_tensors(path)
    return {name: torch.from_numpy(a) for name, a in arrays.items() if not name.startswith(layout.OPTIMIZER)}
