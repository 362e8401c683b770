"""The trainers that engines.py compares: networks that train alone, in stacks, eagerly, or as replays of CUDA graphs.

On a CPU the captured engine runs the very same body without a graph, which shows that its logic is that of
`training.loop.train`.
"""

from unittest import mock

import torch

from twophase.data.dataset import Data
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.training import capture, lockstep, loop
from twophase.training.setup import Experiment

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda", 0) if CUDA else torch.device("cpu")
SEED = 0
LIMIT = 20_000  # iterations that an engine has room for in its log

SIZES = {  # the papers'; `TINY` takes their place in a rehearsal
    "models": {"resnet20": {"name": "resnet20"}, "vgg16": {"name": "vgg16"}},
    "batch": 128,
    "images": 50_000,
    "few": 10 * 128 + 80,  # 11 iterations an epoch, the last of 80 images as in CIFAR-10
    "test": 10_000,
    "steps": 30,
    "seconds": 1.2,
    "streams": (2, 4, 8),
    "stacks": (4, 8, 16),
    "kernel": 64,
}
TINY = {
    "models": {"resnet20": {"name": "resnet8", "width": 2}, "vgg16": {"name": "vgg11", "width": 0.125}},
    "batch": 16,
    "images": 400,
    "few": 5 * 16 + 5,
    "test": 60,
    "steps": 14,
    "seconds": 0.05,
    "streams": (2,),
    "stacks": (2,),
    "kernel": 4,
}


def repeatable():
    """Makes arithmetic as `training.setup.set_up` does, which wants the file of a data set."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False


def settings(milestone=None):
    """The papers' settings for CIFAR-10, with a learning rate at which random labels do no harm."""
    milestones = [] if milestone is None else [milestone]
    return {
        "iterations": 10**6,
        "batch_size": SIZES["batch"],
        "optimizer": "sgd",
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": False,
        "betas": [0.9, 0.999],
        "weight_decay": 1e-4,
        "schedule": {"kind": "step", "milestones": milestones, "gamma": 0.1, "warmup": 0},
        "augment": {"crop": 4, "flip": True},
        "device": DEVICE.type,
        "dtype": "float32",
        "threads": 1,
    }


def images(count, test=16):
    """Random colour images of ten classes: their values do not matter to the time."""
    generator = torch.Generator().manual_seed(0)

    def split(size):
        pixels = torch.randint(0, 256, (size, 3, 32, 32), dtype=torch.uint8, generator=generator)
        return pixels.to(DEVICE), (torch.arange(size) % 10).to(DEVICE)

    mean, std = (torch.full((1, 3, 1, 1), value, device=DEVICE) for value in (0.5, 0.25))
    return Data(*split(count), *split(test), mean, std, 10)


def network(name):
    torch.manual_seed(0)
    model = models.build(**SIZES["models"][name], num_classes=10, in_channels=3, image_size=32).to(DEVICE)
    return model.train()


def wait():
    if CUDA:
        torch.cuda.synchronize()


class Runner:
    """Trains a network, or a stack, from iteration 0.

    Args:
        members: the module that holds the parameters: the model itself, or `members` of a stack of `size`.
    """

    def __init__(self, model, members, config, data, size=()):
        self.experiment, self.members = Experiment(model.train(), data, config, SEED), members
        self.optimizer = loop.make_optimizer(members, config)
        self.log = loop.empty_log(LIMIT, data, *size)
        self.t = 0

    def state(self):
        wait()
        state = network_state.state_of(self.members, self.optimizer)
        return state | {"log": self.log[: self.t].cpu().numpy()}


class Eager(Runner):
    """`training.loop.train`, told not to capture."""

    def advance(self, count):
        stop = self.t + count
        with mock.patch.object(capture, "obstacle", return_value="the other engine is asked for"):
            for _ in loop.train(self.experiment, self.optimizer, self.t, {stop}, self.log):
                pass
        self.t = stop


class Captured(Runner):
    """`training.capture.Captured`, which `loop.train` takes on a GPU."""

    def __init__(self, model, members, config, data, size=()):
        super().__init__(model, members, config, data, size)
        learn = loop.learner(self.experiment, self.optimizer, size)
        self.engine = capture.Captured(self.experiment, self.optimizer, self.log, learn)

    @property
    def capture_seconds(self):
        return self.engine.capture_seconds

    def advance(self, count):
        for _ in range(count):
            self.step()

    def step(self):
        self.engine(self.t)
        self.t += 1


class Together:
    """Captured members side by side, each on its stream."""

    def __init__(self, engines):
        self.engines = engines

    def advance(self, count):
        for _ in range(count):
            for engine in self.engines:
                engine.step()


def stacked(name, size, engine, config, data):
    stack = lockstep.Stack(network(name), size)
    return engine(stack, stack.members, config, data, (size,))


def alone(name, engine, config, data):
    model = network(name)
    return engine(model, model, config, data)
