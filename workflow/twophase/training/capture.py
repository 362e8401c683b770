"""Iterations as replays of CUDA graphs: what a small network waits for on a GPU is the launch of its kernels.

An iteration is one launch, and nothing in it waits for the host. The tables of an epoch are on the device; a counter
there, which the graph advances, says which part of them is the batch, and another which row of the log it fills.
"""

import gc
import time
from collections import Counter
from collections.abc import Callable

import torch
from torch import nn

from twophase.data import sources
from twophase.training import noise
from twophase.training.schedule import learning_rate
from twophase.training.setup import Experiment

WARM_UP = 3  # iterations of a batch size before it is captured: kernels are chosen and loaded, momentum exists


def obstacle(experiment: Experiment, optimizer: torch.optim.Optimizer) -> str | None:
    """Why an experiment's iterations cannot be captured; None if they can."""
    if experiment.data.mean.device.type != "cuda":
        return "there is no GPU"
    if any(isinstance(module, nn.Dropout) and module.p > 0 for module in experiment.network.modules()):
        return "dropout draws its masks from a seed that the host sets"
    if experiment.settings["schedule"]["kind"] == "cosine":
        return "the learning rate, a constant of a graph, changes with every iteration"
    if not isinstance(optimizer, torch.optim.SGD):
        return "the optimizer counts its steps on the host"
    return None


class Captured:
    """The iterations of `loop.train`, each one replay of a graph; on a CPU the same body without one.

    There is a graph for each batch size (the last of an epoch is smaller), captured anew when the learning rate, a
    constant of its kernels, changes. All of it runs on one stream, on which it also warms up: cuBLAS's workspace
    belongs to handle and stream.

    Args:
        log: [T, 3] or [T, 3, K], as of `loop.train`.
        learn: takes inputs and labels, trains on them and returns the row of the log.
    """

    def __init__(self, experiment: Experiment, optimizer: torch.optim.Optimizer, log: torch.Tensor, learn: Callable):
        self.experiment, self.optimizer, self.log, self.learn = experiment, optimizer, log, learn
        data, settings = experiment.data, experiment.settings
        device = data.mean.device
        self.count, self.batch = len(data.train_labels), settings["batch_size"]
        self.per_epoch = sources.iterations_per_epoch(self.count, self.batch)
        self.lanes = torch.arange(self.batch, device=device)
        own = (len(experiment.new_noise),) if isinstance(experiment.new_noise, tuple) else ()  # batches for each member
        self.order = torch.zeros(self.count, *own, dtype=torch.int64, device=device)
        self.offsets = torch.zeros(self.count, *own, 2, dtype=torch.int64, device=device)
        self.flips = torch.zeros(self.count, *own, dtype=torch.bool, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)  # batches done in this epoch
        self.row = torch.zeros((), dtype=torch.int64, device=device)
        self.rows = torch.arange(len(log), device=device).view(-1, *[1] * (log.dim() - 1))
        self.graphs, self.seen, self.capture_seconds = {}, Counter(), 0.0
        self.epoch, self.rate = None, None
        self.on_gpu = device.type == "cuda"
        self.stream = torch.cuda.Stream() if self.on_gpu else None
        self.wait()  # for whoever made the network and the data

    def __call__(self, t: int) -> None:
        """Iteration `t`, the one after the last."""
        with torch.cuda.stream(self.stream):  # None is the stream of the moment
            self._prepare(t)
            size = min(self.batch, self.count - t % self.per_epoch * self.batch)
            if size in self.graphs:
                self.graphs[size].replay()
                return
            self._body(size)
            self.seen[size] += 1
            if self.seen[size] >= (WARM_UP if size == self.batch else 1):
                self._capture(size)

    def wait(self) -> None:
        """Until the device has done what it was told, so that others may look at the network, or change it."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def _prepare(self, t: int) -> None:
        """Tables, counters and learning rate, where they are not as the last iteration left them."""
        epoch, position = divmod(t, self.per_epoch)
        if epoch != self.epoch:
            crop = self.experiment.settings["augment"]["crop"]
            seed, new = self.experiment.seed, self.experiment.new_noise
            tables = noise.tables(seed, epoch, self.count, self.batch, crop, new)
            for table, values in zip((self.order, self.offsets, self.flips), tables, strict=True):
                table.copy_(torch.from_numpy(values))
            if self.epoch is None:
                self.row.fill_(t)
            self.position.fill_(position)
            self.epoch = epoch
        rate = learning_rate(t, self.experiment.settings)
        if rate != self.rate:
            self.wait()  # a graph that still runs is not to be freed
            self.graphs.clear()
            self.seen.clear()
            self.rate = rate
            for group in self.optimizer.param_groups:
                group["lr"] = rate

    def _body(self, size: int) -> None:
        """One iteration, with everything that depends on it read from the device."""
        at = self.position * self.batch + self.lanes[:size]
        drawn = (table[at] for table in (self.order, self.offsets, self.flips))
        row = self.learn(*noise.inputs(self.experiment.data, self.experiment.settings, *drawn))
        self.log.copy_(torch.where(self.rows == self.row, row, self.log))
        self.row.add_(1)
        self.position.add_(1)

    def _capture(self, size: int) -> None:
        if not self.on_gpu:
            return
        began = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)  # gradients are to be of the graph's own memory
        self.wait()
        gc.collect()
        graph = torch.cuda.CUDAGraph()
        gc.disable()  # nothing of an earlier graph is to be freed while this one is captured
        try:
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                self._body(size)
        finally:
            gc.enable()
        self.graphs[size] = graph
        self.wait()
        self.capture_seconds += time.perf_counter() - began
