"""Loss barrier B between two networks (2505.13900; Frankle et al., 2020)."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from twophase.files import storage
from twophase.files.layout import OPTIMIZER
from twophase.files.predicted import either
from twophase.networks import evaluation

METRICS = ("loss", "error")
IN_TABLES = ("value", "hump", "loss_i", "error_i", "loss_j", "error_j")  # of a pair, under each of the statistics

Tensors = Mapping[str, torch.Tensor]


class Level(NamedTuple):
    """How well a network does: cross-entropy in nats, and share of wrong predictions."""

    loss: float
    error: float


class Barrier:
    """Barriers on a test set between networks theta_i and theta_j.

    B_ij = max_alpha L(alpha theta_i + (1 - alpha) theta_j) - (L(theta_i) + L(theta_j)) / 2, as the papers define it,
    is at least |L(theta_i) - L(theta_j)| / 2 whatever lies between. The hump over the line between the ends,
    B+_ij = max_alpha [L(alpha theta_i + (1 - alpha) theta_j) - alpha L(theta_i) - (1 - alpha) L(theta_j)], is 0 where
    the loss is convex on the path.

    Args:
        model: the network; its values are overwritten.
        inputs, labels: normalised test inputs [n, C, H, W] and labels [n].
        alphas: number of evenly spaced alpha, 0 and 1 among them.
        metric: L; `loss`, cross-entropy in nats, or `error`, a share.
        calibration: normalised training inputs [m, C, H, W], of which every network takes the statistics of its batch
            norms; None for running statistics, which are interpolated like the weights.
    """

    def __init__(self, model, inputs, labels, alphas: int, metric: str = "loss", calibration=None):
        self.model, self.inputs, self.labels = model, inputs, labels
        self.alphas = np.linspace(0.0, 1.0, alphas)
        self.metric, self.calibration = metric, calibration
        self.values = dict(model.state_dict(keep_vars=True))
        self.folded = evaluation.Folded(model.eval())

    def level(self, state: Tensors) -> Level:
        """How well one network does, its batch norms treated as on a path."""
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(state[name])
        self.model.eval()
        if self.calibration is not None:
            evaluation.recalibrate(self.model, self.calibration)
        self.folded.refresh()
        return Level(*evaluation.score(evaluation.logits(self.folded, self.inputs), self.labels))

    def pair(self, state_i: Tensors, state_j: Tensors, level_i: Level, level_j: Level) -> dict:
        """The barriers of one pair, whose levels at the ends are known; 0 where both are the same network.

        Returns:
            value (B_ij), hump (B+_ij), loss_i, error_i, loss_j, error_j, and of the metric loss_max (at the top of the
            path), alpha_max (where that is), and path, at evenly spaced alpha from 0 (theta_j) to 1 (theta_i).
        """
        inner = (
            []
            if state_i is state_j
            else [self.level(lerp(state_i, state_j, float(alpha))) for alpha in self.alphas[1:-1]]
        )
        levels = np.array([getattr(level, self.metric) for level in (level_j, *inner, level_i)])
        alphas = self.alphas if inner else self.alphas[[0, -1]]
        top = int(levels.argmax())
        over_line = levels - (alphas * levels[-1] + (1 - alphas) * levels[0])
        return {
            "value": float(levels[top]) - float(levels[0] + levels[-1]) / 2,
            "hump": float(over_line[1:-1].max(initial=0.0)),  # at the ends it is 0
            "loss_i": level_i.loss,
            "error_i": level_i.error,
            "loss_j": level_j.loss,
            "error_j": level_j.error,
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


def on_test_set(model, data, evaluated: Mapping, alphas: int, metric: str, test_size: int | None) -> dict[str, Barrier]:
    """The barriers as the config's `evaluation` and `barrier` describe them, on the test set or a sample of it.

    Returns:
        one for each of the statistics of batch norms, those that the config chooses first.
    """
    data.require("barrier.test_size", "test", test_size)
    inputs, labels = data.sample("test", test_size)
    kinds = evaluation.statistics_of(model, evaluated["bn"])
    calibration = data.sample("train", evaluated["calibration_size"])[0] if len(kinds) > 1 else None
    return {
        bn: Barrier(model, inputs, labels, alphas, metric, calibration if bn == "recalibrate" else None) for bn in kinds
    }


def of_files(
    barriers: Mapping[str, Barrier], pairs: Iterable[tuple[Path, Path]], keep: int, progress: Callable
) -> list[dict]:
    """Barriers of pairs of checkpoint files, in order.

    Args:
        barriers: by the statistics of batch norms, those of choice first, as of `on_test_set`.
        pairs: files of theta_i and theta_j.
        keep: number of states to hold in memory; each level is evaluated once all the same.
        progress: called with the number of pairs done.

    Returns:
        for each pair what `Barrier.pair` returns under the statistics of choice, and `IN_TABLES` of either kind behind
        the name of its statistics, as `hump_recalibrate`; the same twice for a network without batch norms.
    """
    chosen = next(iter(barriers))

    @lru_cache(maxsize=keep)
    def state(path: Path) -> Tensors:
        arrays = storage.read_tensors(path)
        tensors = {name: torch.from_numpy(a) for name, a in arrays.items() if not name.startswith(OPTIMIZER)}
        return {name: tensor.to(barriers[chosen].labels.device) for name, tensor in tensors.items()}

    @cache
    def level(bn: str, path: Path) -> Level:
        return barriers[bn].level(state(path))

    rows = []
    for i, j in pairs:
        found = {bn: b.pair(state(i), state(j), level(bn, i), level(bn, j)) for bn, b in barriers.items()}
        named = {f"{name}_{bn}": pair[name] for bn, pair in either(found).items() for name in IN_TABLES}
        rows.append(found[chosen] | named)
        progress(len(rows))
    return rows
