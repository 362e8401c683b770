"""The trainers that engines.py compares: networks that train alone, in stacks, eagerly, or as replays of CUDA graphs.

On a CPU the captured engine runs the very same body without a graph, which shows that its logic is that of
`training.loop.train`.
"""

import contextlib
import gc
import time
from collections import Counter

import torch

from twophase.data import sources
from twophase.data.dataset import Data
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.training import lockstep, loop, noise
from twophase.training.output import LOGGED
from twophase.training.schedule import learning_rate
from twophase.training.setup import Experiment

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda", 0) if CUDA else torch.device("cpu")
SEED = 0
WARM_UP = 3  # iterations of each batch size before it is captured: kernels are chosen and loaded, momentum exists
RING = 256  # rows of the log that the device keeps before the host fetches them
LIMIT = 20_000  # iterations that an eager engine has room for in its log

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


class Eager:
    """`training.loop.train` as it is.

    Args:
        members: the module that holds the parameters: the model itself, or `members` of a stack of `size`.
    """

    def __init__(self, model, members, config, data, size=()):
        self.experiment, self.members = Experiment(model, data, config, SEED), members
        self.optimizer = loop.make_optimizer(members, config)
        self.log = loop.empty_log(LIMIT, data, *size)
        self.t = 0

    def advance(self, count):
        stop = self.t + count
        for _ in loop.train(self.experiment, self.optimizer, self.t, {stop}, self.log):
            pass
        self.t = stop

    def state(self):
        wait()
        state = network_state.state_of(self.members, self.optimizer)
        return state | {"log": self.log[: self.t].cpu().numpy()}


class Captured:
    """The same iterations, each one replay of a CUDA graph.

    The tables of an epoch are on the device. A counter there, which the graph advances, says which part is the batch,
    and a ring of rows receives the log: between two looks of the host a step costs it one launch. There is a graph
    for each batch size (the last of an epoch is smaller), captured anew when the learning rate changes, a constant
    of its kernels. A member has a stream of its own, on which it also warms up: cuBLAS's workspace belongs to
    (handle, stream), and graphs that were captured on one stream and run on two would share it.
    """

    def __init__(self, model, members, config, data, size=()):
        self.model, self.members, self.config, self.data, self.size = model, members, config, data, size
        self.optimizer = loop.make_optimizer(members, config)
        self.count, self.batch = len(data.train_labels), config["batch_size"]
        self.per_epoch = sources.iterations_per_epoch(self.count, self.batch)
        self.lanes = torch.arange(self.batch, device=DEVICE)
        self.order = torch.zeros(self.count, dtype=torch.int64, device=DEVICE)
        self.offsets = torch.zeros(self.count, 2, dtype=torch.int64, device=DEVICE)
        self.flips = torch.zeros(self.count, dtype=torch.bool, device=DEVICE)
        self.position = torch.zeros((), dtype=torch.int64, device=DEVICE)  # batches done in this epoch
        self.slot = torch.zeros((), dtype=torch.int64, device=DEVICE)  # row of the ring
        self.rows = torch.arange(RING, device=DEVICE).view(RING, 1, *[1] * len(size))
        self.ring = torch.full((RING, len(LOGGED), *size), torch.nan, device=DEVICE)
        self.drained, self.graphs, self.seen = [], {}, Counter()
        self.t, self.epoch, self.rate = 0, None, None
        self.capture_seconds = 0.0
        self.stream = torch.cuda.Stream() if CUDA else None
        wait()

    def on_stream(self):
        return torch.cuda.stream(self.stream) if CUDA else contextlib.nullcontext()

    def body(self, size):
        """One iteration of `loop.train`, with everything that depends on it read from the device."""
        at = self.position * self.batch + self.lanes[:size]
        indices, offsets, flips = self.order[at], self.offsets[at], self.flips[at]
        augment = self.config["augment"]
        pixels = noise.augment(self.data.train_images[indices], offsets, flips, augment["crop"], augment["flip"])
        inputs, labels = self.data.normalise(pixels), self.data.train_labels[indices]
        logits = self.model(inputs)
        loss = loop.mean_loss(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        self.optimizer.step()
        accuracy = (logits.detach().argmax(-1) == labels).to(self.ring.dtype).mean(-1)
        gradient = next(p.grad for p in self.model.parameters() if p.grad is not None)
        row = torch.stack([loss.detach(), accuracy, loop.checksum(gradient, self.size).to(self.ring.dtype)])
        self.ring.copy_(torch.where(self.rows == self.slot, row, self.ring))
        self.slot.add_(1).remainder_(RING)
        self.position.add_(1)

    def capture(self, size):
        began = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)  # gradients are to be of the graph's own memory
        wait()
        gc.collect()
        graph = torch.cuda.CUDAGraph()
        gc.disable()  # nothing of an earlier graph is to be freed while this one is captured
        try:
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                self.body(size)
        finally:
            gc.enable()
        self.graphs[size] = graph
        wait()
        self.capture_seconds += time.perf_counter() - began

    def step(self):
        """One iteration; call it on the member's stream."""
        epoch, position = divmod(self.t, self.per_epoch)
        if epoch != self.epoch:
            tables = noise._epoch(SEED, epoch, self.count, self.config["augment"]["crop"])
            for table, values in zip((self.order, self.offsets, self.flips), tables, strict=True):
                table.copy_(torch.from_numpy(values))
            self.position.fill_(position)
            self.epoch = epoch
        rate = learning_rate(self.t, self.config)
        if rate != self.rate:
            wait()  # a graph that still runs is not to be freed
            self.graphs.clear()
            self.seen.clear()
            self.rate = rate
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        size = min(self.batch, self.count - position * self.batch)
        if size in self.graphs:
            self.graphs[size].replay()
        else:
            self.body(size)
            self.seen[size] += 1
            if CUDA and self.seen[size] >= (WARM_UP if size == self.batch else 1):
                self.capture(size)
        self.t += 1
        if self.t % RING == 0:
            self.drained.append(self.ring.to("cpu", copy=True))

    def advance(self, count):
        with self.on_stream():
            for _ in range(count):
                self.step()

    def state(self):
        wait()
        rest = self.ring[: self.t % RING].cpu()
        state = network_state.state_of(self.members, self.optimizer)
        return state | {"log": torch.cat([*self.drained, rest]).numpy()}


class Together:
    """Captured members side by side, each on its stream."""

    def __init__(self, engines):
        self.engines = engines

    def advance(self, count):
        for _ in range(count):
            for engine in self.engines:
                with engine.on_stream():
                    engine.step()


def stacked(name, size, engine, config, data):
    stack = lockstep.Stack(network(name), size)
    return engine(stack, stack.members, config, data, (size,))


def alone(name, engine, config, data):
    model = network(name)
    return engine(model, model, config, data)
