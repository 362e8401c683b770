"""Loss barrier B between two networks (2505.13900; Frankle et al., 2020)."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch

from twophase.files import storage
from twophase.networks import evaluation
from twophase.networks.state import OPTIMIZER

BN_MODES = ("lerp", "recalibrate", "batch")
METRICS = ("loss", "error")

Tensors = Mapping[str, torch.Tensor]


class Barrier:
    """B_ij = max_alpha L(alpha theta_i + (1 - alpha) theta_j) - (L(theta_i) + L(theta_j)) / 2 on a test set.

    Args:
        model: the network; its values are overwritten.
        inputs, labels: normalised test inputs [n, C, H, W] and labels [n].
        alphas: number of evenly spaced alpha, 0 and 1 among them.
        bn: what a batch norm of an interpolated network uses: `lerp`, its interpolated running statistics;
            `recalibrate`, statistics of the inputs `calibration` under the interpolated parameters; `batch`, those of
            the test batch at hand.
        metric: `loss`, cross-entropy in nats, or `error`, a share.
        calibration: normalised training inputs [m, C, H, W] for `recalibrate`.
    """

    def __init__(self, model, inputs, labels, alphas: int, bn: str = "lerp", metric: str = "loss", calibration=None):
        self.model, self.inputs, self.labels = model, inputs, labels
        self.alphas = np.linspace(0.0, 1.0, alphas)
        self.bn, self.metric, self.calibration = bn, metric, calibration
        self.values = dict(model.state_dict(keep_vars=True))
        self.norms = [module for module in model.modules() if isinstance(module, evaluation.BATCH_NORMS)]
        self.folded = None if bn == "batch" else evaluation.Folded(model.eval())

    def level(self, state: Tensors) -> float:
        """L(theta): the metric of one network, its batch norms treated as on a path."""
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(state[name])
        self.model.eval()
        if self.bn == "recalibrate":
            evaluation.recalibrate(self.model, self.calibration)
        elif self.bn == "batch":
            for norm in self.norms:
                norm.train()
                norm.momentum = 0.0  # the running statistics are not to follow
        if self.folded:
            self.folded.refresh()
            outputs = evaluation.logits(self.folded, self.inputs)
        else:
            outputs = evaluation.logits(self.model, self.inputs, evaluation.BATCH)
        loss, error = evaluation.score(outputs, self.labels)
        return loss if self.metric == "loss" else error

    def pair(self, state_i: Tensors, state_j: Tensors, level_i: float, level_j: float) -> dict:
        """The barrier of one pair, whose levels at the ends are known; 0 where both are the same network.

        Returns:
            value (B_ij), loss_i, loss_j, loss_max (the level at the top of the path), alpha_max (where it is), and
            path, the levels at evenly spaced alpha from 0 (theta_j) to 1 (theta_i).
        """
        inner = (
            []
            if state_i is state_j
            else [self.level(lerp(state_i, state_j, float(alpha))) for alpha in self.alphas[1:-1]]
        )
        levels = np.array([level_j, *inner, level_i])
        alphas = self.alphas if inner else self.alphas[[0, -1]]
        top = int(levels.argmax())
        return {
            "value": float(levels[top]) - (level_i + level_j) / 2,
            "loss_i": level_i,
            "loss_j": level_j,
            "loss_max": float(levels[top]),
            "alpha_max": float(alphas[top]),
            "path": levels.tolist(),
        }


def lerp(state_i: Tensors, state_j: Tensors, alpha: float) -> dict[str, torch.Tensor]:
    """alpha state_i + (1 - alpha) state_j, name by name; counters are taken from state_i."""
    return {
        name: torch.lerp(state_j[name], value, alpha) if value.is_floating_point() else value
        for name, value in state_i.items()
    }


def on_test_set(model, data, alphas, bn, metric, test_size, calibration_size) -> Barrier:
    """The barrier as the config's `barrier` describes it, on the test set or a sample of it."""
    data.require("barrier.test_size", "test", test_size)
    inputs, labels = data.sample("test", test_size)
    calibration = data.sample("train", calibration_size)[0] if bn == "recalibrate" else None
    return Barrier(model, inputs, labels, alphas, bn, metric, calibration)


def of_files(barrier: Barrier, pairs: Iterable[tuple[Path, Path]], keep: int, progress: Callable) -> list[dict]:
    """Barriers of pairs of checkpoint files, in order.

    Args:
        pairs: files of theta_i and theta_j.
        keep: number of states to hold in memory; each level is evaluated once all the same.
        progress: called with the number of pairs done.
    """

    @lru_cache(maxsize=keep)
    def state(path: Path) -> Tensors:
        arrays = storage.read_tensors(path)
        tensors = {name: torch.from_numpy(a) for name, a in arrays.items() if not name.startswith(OPTIMIZER)}
        return {name: tensor.to(barrier.labels.device) for name, tensor in tensors.items()}

    @cache
    def level(path: Path) -> float:
        return barrier.level(state(path))

    rows = []
    for i, j in pairs:
        rows.append(barrier.pair(state(i), state(j), level(i), level(j)))
        progress(len(rows))
    return rows
