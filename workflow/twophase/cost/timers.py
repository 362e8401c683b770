"""Times of what jobs of one network do over and over, for `calibration` and `scaling`."""

import dataclasses
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from twophase.files import storage

SECONDS = 1.0  # that a unit is repeated for
KERNEL_SECONDS = 6.0  # a kernel that would take longer is measured with fewer inputs


def rate(repeat: Callable[[int], object], seconds: float = SECONDS, wait: Callable = lambda: None) -> float:
    """Seconds that one repetition takes, as the mean of many.

    Args:
        repeat: `repeat(k)` does it k times.
        seconds: to spend on it; what takes longer is done once after a first time, and only once if ten times as long.
        wait: called before the clock is read, for a device that works on its own.
    """

    def timed(count):
        wait()
        began = time.perf_counter()
        repeat(count)
        wait()
        return time.perf_counter() - began

    first = timed(1)  # also warms up: what is loaded at first use can take longer than many repetitions
    if first >= 10 * seconds:
        return first
    once = timed(1)
    count = max(1, math.ceil(seconds / max(once, 1e-6)))
    return timed(count) / count


def times(function: Callable) -> Callable[[int], None]:
    """`function` as `rate` wants it."""

    def repeat(count):
        for _ in range(count):
            function()

    return repeat


def bend(points: int, seeds: int) -> None:
    """As much work as an inflection point with its interval: fits of hundreds of curves to each seed and the others.

    In place of `analysis` itself, so that a change there doesn't ask for a new calibration.
    """
    rng, x = np.random.default_rng(0), np.arange(points, dtype=float)
    curves = rng.random((2 * seeds + 1, points))
    for _ in range(6):
        basis = np.linalg.qr(np.stack([np.ones_like(x), x], axis=1))[0]
        shapes = rng.random((40 * points, points))
        shapes = shapes - shapes @ basis @ basis.T
        shapes /= np.linalg.norm(shapes, axis=1, keepdims=True) + 1.0
        residual = curves - curves @ basis @ basis.T
        ((residual @ shapes.T) ** 2).max(axis=-1)


def widths(points: int, seeds: int) -> None:
    """As much work as the widths of the cone after every point, with their intervals."""
    rng = np.random.default_rng(0)
    for after in range(1, points):
        for _ in range(seeds):
            np.degrees(np.arccos(1 - rng.random(points - after).max()))


def heat_maps(points: int, panels: int, folder: Path) -> None:
    """As much work as a figure of so many heat maps, in both kinds of files."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, panels, figsize=(2.6 * panels, 2.6), layout="constrained")
    for ax in axes:
        image = ax.pcolormesh(np.random.default_rng(0).random((points, points)))
        figure.colorbar(image, ax=ax)
    for kind in ("pdf", "png"):
        figure.savefig(folder / f"figure.{kind}", dpi=200)
    plt.close(figure)


class Peak:
    """Peak resident memory of this process, in MiB, since the last `restart` where the system can forget the peak."""

    def restart(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return  # the peak then is that of all so far: on the safe side

    def read(self) -> float:
        try:
            status = Path("/proc/self/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0]) / 1024
        except (OSError, IndexError):
            unit = 2**20 if sys.platform == "darwin" else 2**10
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def fixed(settings: Mapping) -> dict:
    """Training settings under which weights hardly move, so that random labels cannot make them diverge."""
    schedule = {"kind": "constant", "milestones": [], "gamma": 1.0, "warmup": 0}
    return {**settings, "iterations": 1, "lr": 1e-9, "schedule": schedule}


class Timers:
    """Times, in seconds, of what jobs of one network do over and over.

    Args:
        experiment: with settings of `fixed`.
        work: folder for files.
    """

    def __init__(self, experiment, work: Path):
        import torch

        self.experiment, self.work = experiment, work
        self.network, self.data = experiment.network, experiment.data
        self.checkpoint = work / "step-0.safetensors"
        self.wait = torch.cuda.synchronize if self.data.mean.is_cuda else lambda: None
        self.kernel_memory = 0.0  # MiB by which a kernel of all inputs exceeds the one that was measured

    def _rate(self, function: Callable) -> float:
        return rate(times(function), wait=self.wait)

    def _train(self, model) -> float:
        from twophase.training import loop

        experiment = dataclasses.replace(self.experiment, network=model)
        self.optimizer = loop.make_optimizer(model, experiment.settings)

        def repeat(count):
            log = loop.empty_log(count, self.data)
            for _ in loop.train(experiment, self.optimizer, 0, {count}, log):
                pass

        return rate(repeat, wait=self.wait)

    def step(self) -> float:
        """A training iteration."""
        return self._train(self.network)

    def tangent_step(self) -> float:
        """An iteration of linearized training."""
        from twophase.training.linearized import Linearized

        return self._train(Linearized(self.network))

    def save(self) -> float:
        """A checkpoint with the optimizer's state (after `step`)."""
        from twophase.networks import state as network_state

        facts = storage.provenance("calibration")
        return self._rate(lambda: network_state.write_checkpoint(self.checkpoint, self.network, self.optimizer, facts))

    def load(self) -> float:
        """Reading a checkpoint into the network (after `save`)."""
        from twophase.networks import state as network_state

        return self._rate(lambda: network_state.load_state(self.network, storage.read_tensors(self.checkpoint)))

    def _images(self, model) -> float:
        from twophase.networks import evaluation

        inputs, labels = self.data.sample("test", None)
        inputs, labels = inputs[: evaluation.BATCH], labels[: evaluation.BATCH]
        model.eval()
        return self._rate(lambda: evaluation.score(evaluation.logits(model, inputs), labels)) / len(inputs)

    def image(self) -> float:
        """One test image in a forward pass."""
        return self._images(self.network)

    def tangent_image(self) -> float:
        """One test image in a forward pass of the linearized network."""
        from twophase.training.linearized import Linearized

        return self._images(Linearized(self.network))

    def swap(self) -> float:
        """A point between two networks, less the forward pass: interpolating, copying, and a single image."""
        from twophase.measures import barrier

        measure = barrier.Barrier(self.network, *self.data.sample("test", 1), 3)
        state = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        seconds = self._rate(lambda: measure.level(barrier.lerp(state, state, 0.5)))
        self.network.load_state_dict(state)
        return seconds

    def kernel(self, n: int, reduce: str, chunk: int) -> float:
        """A kernel of n inputs; a slow one from fewer inputs, in proportion to its operations."""
        from twophase.measures import ntk

        inputs, _ = self.data.sample("train", n)
        n = len(inputs)

        def once(m):
            self.network.eval()
            return self._rate(lambda: ntk.empirical_ntk(self.network, inputs[:m], reduce, chunk))

        def cost(m):
            return ntk.cost(self.network, inputs[:m], reduce, chunk)

        m = min(n, 4)
        seconds = once(m)
        while m < n and seconds * cost(min(n, 2 * m))["flops"] / cost(m)["flops"] < KERNEL_SECONDS:
            m = min(n, 2 * m)
            seconds = once(m) if m == n else seconds * cost(m)["flops"] / cost(m // 2)["flops"]
        if m < n:
            seconds = once(m)
        whole, part = cost(n), cost(m)
        self.kernel_memory = (whole["peak_bytes"] - part["peak_bytes"]) / 2**20
        return seconds * whole["flops"] / part["flops"]

    def sizes(self) -> dict:
        """As in `sizes.of_network`, of the network as it was built."""
        from twophase.networks import state as network_state

        item = self.data.mean.element_size()
        state = sum(array.nbytes for array in network_state.state_of(self.network).values())
        both = sum(array.nbytes for array in storage.read_tensors(self.checkpoint).values())
        parameters = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        images = {"train": len(self.data.train_labels), "test": len(self.data.test_labels)}
        image = list(self.data.train_images.shape[1:])
        shape = {"image": image, "classes": self.data.num_classes, **images}
        return {**shape, "parameters": parameters, "item": item, "state": state, "optimizer": both - state}
