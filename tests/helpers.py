"""What several test modules build: settings, data and networks on which a run takes milliseconds."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from twophase.data.dataset import Data
from twophase.files import layout, storage
from twophase.files.layout import Fork, step_file
from twophase.networks import state as network_state
from twophase.training import loop
from twophase.training.output import Output
from twophase.training.setup import Experiment

# The library's lenet300, as a file of the user's.
LENET300 = """
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_channels, image_size, hidden=300):
        super().__init__()
        self.fc1 = nn.Linear(in_channels * image_size[0] * image_size[1], hidden)
        self.fc2 = nn.Linear(hidden, 100)
        self.fc3 = nn.Linear(100, num_classes)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))

def build(num_classes, in_channels, image_size, hidden=300):
    return Net(num_classes, in_channels, image_size, hidden)
"""


def settings(**changes) -> dict:
    """The config's `training` as rules pass it on; `schedule` and `augment` are merged key by key."""
    plain = {
        "iterations": 14,
        "batch_size": 5,
        "optimizer": "sgd",
        "lr": 0.05,
        "momentum": 0.9,
        "nesterov": False,
        "betas": [0.9, 0.999],
        "weight_decay": 1e-3,
        "schedule": {"kind": "step", "milestones": [], "gamma": 0.1, "warmup": 0},
        "augment": {"crop": 0, "flip": False},
        "device": "cpu",
        "dtype": "float32",
        "threads": 1,
    }
    for key, value in changes.items():
        assert key in plain, key
        plain[key] = plain[key] | value if isinstance(value, dict) else value
    return plain


def data(dtype: torch.dtype = torch.float32, train: int = 17, test: int = 23, side: int = 6, seed: int = 0) -> Data:
    """Random grey images of three classes; with 17 of them, an epoch of batches of 5 ends in one of 2."""
    rng = np.random.default_rng(seed)

    def split(size):
        labels = np.arange(size) % 3
        pixels = rng.integers(0, 200, (size, 1, side, side)) + 25 * labels[:, None, None, None]
        return torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels)

    (train_images, train_labels), (test_images, test_labels) = split(train), split(test)
    mean, std = (torch.full((1, 1, 1, 1), value, dtype=dtype) for value in (0.45, 0.25))
    return Data(train_images, train_labels, test_images, test_labels, mean, std, 3)


class Net(nn.Module):
    """Two convolutions with batch norms, dropout and a linear layer, [n, 1, H, W] -> [n, 3]."""

    def __init__(self, activation: nn.Module | None = None, dropout: float = 0.3, side: int = 6):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.conv2, self.bn2 = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        self.activation, self.dropout = activation or nn.ReLU(), nn.Dropout(dropout)
        self.fc = nn.Linear(4 * (-(-side // 2)) ** 2, 3)

    def forward(self, x):
        x = self.activation(self.bn1(self.conv1(x)))
        x = self.activation(self.bn2(self.conv2(x)))
        return self.fc(self.dropout(x.flatten(1)))


def net(seed: int = 0, dtype: torch.dtype = torch.float32, **options) -> Net:
    """`Net` with random values everywhere, running statistics and affine parameters of the batch norms included."""
    torch.manual_seed(seed)
    model = Net(**options).to(dtype)
    with torch.no_grad():
        for name, value in itertools.chain(model.named_parameters(), model.named_buffers()):
            if name.startswith("bn") and value.is_floating_point():
                value.copy_(torch.rand(value.shape, dtype=dtype) + 0.5)
    return model


def run(
    folder: Path,
    model: nn.Module,
    content: Data,
    config: dict,
    checkpoints,
    seed: int = 3,
    at_checkpoint: Callable | None = None,
    columns: Sequence[str] = (),
    **options,
) -> None:
    """A base run whose checkpoints hold the optimizer's buffers, as the rule `trajectory` makes it.

    Args:
        at_checkpoint: f(t, model, optimizer, row) in place of writing a checkpoint; `row` is a dict for `columns`.
    """
    experiment = Experiment(model, content, config, seed)
    output, optimizer = Output(folder, {"definition": "a run"}, columns), loop.make_optimizer(model, config)
    for t in loop.run(experiment, optimizer, checkpoints, output, **options):
        row = {}
        if at_checkpoint is None:
            network_state.write_checkpoint(folder / step_file(t), model, optimizer, {"iteration": t})
        else:
            at_checkpoint(t, model, optimizer, row)
        output.record(t, **row)


def same_bits(left: dict, right: dict) -> bool:
    """Whether two mappings of arrays have the same names, types, shapes and bytes."""
    return left.keys() == right.keys() and all(
        (a := np.asarray(left[name])).dtype == (b := np.asarray(right[name])).dtype
        and a.shape == b.shape
        and a.tobytes() == b.tobytes()
        for name in left
    )


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def apart(own: dict, other: dict, trained: Sequence[str]) -> dict[str, float]:
    """What `distances.between` returns, from unit vectors in extended precision."""
    floats = [name for name in own if np.issubdtype(own[name].dtype, np.floating)]
    found = {}
    for vector, names in (("parameters", trained), ("statistics", floats), ("state_dict", [*own])):
        a, b = (np.concatenate([state[n].ravel().astype(np.longdouble) for n in names]) for state in (own, other))
        units = a / np.sqrt((a**2).sum()) - b / np.sqrt((b**2).sum())
        found[f"C_{vector}"] = float((units**2).sum() / 2)
        if vector == "parameters":
            found["l2"] = float(np.sqrt(((a - b) ** 2).sum()))
    return found


def checkpoint(folder: Path, t: int) -> dict[str, np.ndarray]:
    return storage.read_tensors(folder / step_file(t))


def assert_stack_is_solo(stack: Path, solo: Path, member: Fork, t1: int) -> None:
    """A member of a stack in double precision is, but for rounding, what trained alone; the control is the twin."""
    ours, theirs = (checkpoint(folder / member.folder, t1) for folder in (stack, solo))
    assert ours.keys() == theirs.keys()
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-9, atol=1e-11)
        if member.is_control:
            assert np.array_equal(ours[key], checkpoint(stack / layout.TWIN, t1)[key])
