"""Training: one loop for base runs, forks and linearized runs; resume, replay.

Everything random at iteration t comes from `noise`, so a run is determined by its start and its settings alone.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from twophase.data import sources
from twophase.data.dataset import Data, too_much_padding
from twophase.errors import UserError
from twophase.files import storage
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.training import machine, noise

LOGGED = ("loss", "accuracy", "gradient")  # columns of a run's log that every iteration fills
PAUSE = 200  # iterations between looks at the clock and at the finiteness of the loss
SAVE_AFTER = 30.0  # seconds of work that an interruption may cost


class Diverged(UserError):
    """The loss of an iteration is not finite."""


def set_up(path_to_dataset: str | Path, model: dict, settings: dict, seed: int):
    """The network of an experiment at its initialisation and its data, both on the experiment's device.

    Makes arithmetic repeatable on this machine. The number of threads is a setting of the experiment: it changes the
    order of the sums and with it, through the chaos effect, everything that follows.

    Args:
        model, settings: the config's `model` and `training`; the device `auto` is CUDA where there is a GPU.
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
    return network.to(device, getattr(torch, settings["dtype"])), data


def learning_rate(t: int, settings: dict) -> float:
    """Learning rate of iteration `t`: linear warmup, then `step`, `cosine` or `constant`."""
    schedule, base = settings["schedule"], settings["lr"]
    warmup = schedule["warmup"]
    if t < warmup:
        return base * (t + 1) / warmup
    if schedule["kind"] == "step":
        return base * schedule["gamma"] ** sum(t >= milestone for milestone in schedule["milestones"])
    if schedule["kind"] == "cosine":
        return base * (1 + np.cos(np.pi * (t - warmup) / (settings["iterations"] - warmup))) / 2
    return base


def make_optimizer(model: nn.Module, settings: dict) -> torch.optim.Optimizer:
    """SGD or Adam on the trainable parameters, as in the config."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if settings["optimizer"] == "adam":
        betas = tuple(settings["betas"])
        return torch.optim.Adam(parameters, settings["lr"], betas, weight_decay=settings["weight_decay"])
    return torch.optim.SGD(
        parameters,
        settings["lr"],
        settings["momentum"],
        weight_decay=settings["weight_decay"],
        nesterov=settings["nesterov"],
    )


def batch(data, settings: dict, seed: int, t: int):
    """Inputs [b, C, H, W], augmented and normalised, and labels [b] of iteration `t`."""
    crop, flip = settings["augment"]["crop"], settings["augment"]["flip"]
    indices, offsets, flips = noise.batch(seed, t, len(data.train_labels), settings["batch_size"], crop)
    indices, offsets, flips = (torch.from_numpy(a).to(data.train_labels.device) for a in (indices, offsets, flips))
    images = noise.augment(data.train_images[indices], offsets, flips, crop, flip)
    return data.normalise(images), data.train_labels[indices]


def train(model, optimizer, data, settings: dict, seed: int, start: int, stops: Collection[int], log) -> Iterator[int]:
    """Trains `model` in place from iteration `start`; hands over at each iteration of `stops`, before its step.

    Args:
        model: one network, or a `lockstep.Stack` of K.
        log: tensor [T, 3] on the data's device, [T, 3, K] for a stack, see `empty_log`; row t receives what iteration t
            has of `LOGGED`: its loss (nats), the batch accuracy and a checksum of its gradient.
        stops: the last of them is the end of training; `start` may be among them.

    Raises:
        Diverged: the loss is not finite.
    """
    last = max(stops)
    checked = start
    model.train()
    for t in range(start, last + 1):
        if t in stops or t % PAUSE == 0:
            _stop_if_not_finite(log, checked, t, settings)
            checked = t
            yield t
            model.train()
        if t == last:
            return
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(t, settings)
        inputs, labels = batch(data, settings, seed, t)
        _seed_dropout(noise.torch_seed(seed, "dropout", t), inputs.device)
        logits = model(inputs)
        loss = mean_loss(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        log[t, 0] = loss.detach()
        log[t, 1] = (logits.detach().argmax(-1) == labels).to(log.dtype).mean(-1)
        log[t, 2] = checksum(next(p.grad for p in model.parameters() if p.grad is not None), log.shape[2:])


def empty_log(last: int, data, *members: int) -> torch.Tensor:
    """Room for what `train` logs of iterations 0 to `last` - 1, for a stack of each of its members."""
    return torch.full((last, len(LOGGED), *members), torch.nan, dtype=data.mean.dtype, device=data.mean.device)


def checksum(gradient: torch.Tensor, members: Sequence[int] = ()) -> torch.Tensor:
    """The sum of a gradient's 32-bit words modulo 2^24, which a float32 holds exactly; one for each of `members`.

    The gradient of a network's first layer comes last in an iteration and depends on every operation before it. Where
    the arithmetic differs it does so in the first iteration, when the loss, a mean, still has the same bits.
    """
    return gradient.reshape(*members, -1).view(torch.int32).sum(-1) % 2**24


def mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats) of labels [b]: [] for logits [b, c], [K] for those of a stack, [K, b, c]."""
    if logits.dim() == 2:
        return cross_entropy(logits, labels)
    members, size = logits.shape[:2]
    return cross_entropy(logits.flatten(0, 1), labels.repeat(members), reduction="none").view(members, size).mean(1)


def _seed_dropout(seed: int, device: torch.device) -> None:
    """What torch.manual_seed does for this device; for all that there could be it takes a good part of a small step."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _stop_if_not_finite(log, start: int, stop: int, settings: dict) -> None:
    finite = torch.isfinite(log[start:stop, 0])
    if not bool(finite.all()):
        first, *member = (~finite).nonzero()[0].tolist()
        t = start + first
        whose = f"of member {member[0]} " if member else ""
        raise Diverged(
            f"The loss {whose}of iteration {t} is not finite (lr {learning_rate(t, settings):g}). "
            "Lower training.lr or lengthen training.schedule.warmup."
        )


def run(
    model: nn.Module,
    data,
    settings: dict,
    seed: int,
    checkpoints: Collection[int],
    folder: Path,
    provenance: dict,
    at_checkpoint: Callable,
    start: int = 0,
    initial: dict[str, np.ndarray] | None = None,
    columns: Collection[str] = (),
    may_diverge: bool = False,
) -> None:
    """Trains from `start` to the last checkpoint and leaves `folder/log.parquet`; goes on where a call was stopped.

    Args:
        model: at theta_start, or anything when `initial` holds the state to start from.
        at_checkpoint: called as f(t, model, optimizer, row) at each checkpoint, with a dict `row` to which it
            may add a value for each of `columns`.
        columns: further columns of the log.
        may_diverge: whether divergence is a result, after which the log holds no values, or an error.

    Raises:
        Diverged: the loss is not finite, unless `may_diverge`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path_to_log, path_to_resume = folder / "log.parquet", folder / "resume.safetensors"
    if path_to_log.exists():
        return
    last = max(checkpoints)
    optimizer = make_optimizer(model, settings)
    log = empty_log(last, data)
    extra = {name: np.full(last + 1, np.nan) for name in columns}
    if path_to_resume.exists():
        saved = storage.read_tensors(path_to_resume)
        start_at = int(saved.pop("iteration"))
        log[:start_at] = torch.from_numpy(saved.pop("log")).to(log)
        extra = {name: saved.pop(f"extra/{name}") for name in columns}
        network_state.load_state(model, saved, optimizer)
        print(f"resumed at iteration {start_at} of {last}")
    else:
        start_at = start
        if initial is not None:
            network_state.load_state(model, initial, optimizer)
        print(f"started at iteration {start_at} of {last}")

    stops = {t for t in checkpoints if t >= start}
    saved_at = time.monotonic()
    try:
        with bar(last, start_at, folder.name.partition(".partial")[0]) as progress:
            for t in train(model, optimizer, data, settings, seed, start_at, stops, log):
                if t in checkpoints:
                    row = {}
                    at_checkpoint(t, model, optimizer, row)
                    for name, value in row.items():
                        extra[name][t] = value
                if t < last and time.monotonic() - saved_at >= SAVE_AFTER:
                    state = network_state.state_of(model, optimizer)
                    state |= {f"extra/{name}": values for name, values in extra.items()}
                    state |= {"iteration": np.array(t), "log": log[:t].cpu().numpy()}
                    storage.write_tensors(path_to_resume, state, {})
                    saved_at = time.monotonic()
                loss = float(log[t - 1, 0]) if t > start else float("nan")
                progress(t, f"loss {loss:.3g}")
    except Diverged as error:
        if not may_diverge:
            raise
        print(error)

    write_log(path_to_log, log, data, settings, start, provenance, extra)
    path_to_resume.unlink(missing_ok=True)


def write_log(path: Path, log: torch.Tensor, data, settings: dict, start: int, provenance: dict, extra=None) -> None:
    """The table of a run from iteration `start` to the end T, one row each, from `log` [T, 3] and `extra` columns."""
    times = np.arange(start, len(log) + 1)
    end = np.full((1, len(LOGGED)), np.nan, np.float32)  # theta_T is reached, not trained on
    values = np.vstack([log.cpu().numpy(), end])[start:]
    per_epoch = sources.iterations_per_epoch(len(data.train_labels), settings["batch_size"])
    table = {
        "iteration": times,
        "epoch": times // per_epoch,
        "lr": [learning_rate(int(t), settings) for t in times],
        **dict(zip(LOGGED, values.T, strict=True)),
        **{name: array[start:] for name, array in (extra or {}).items()},
    }
    storage.write_table(path, table, provenance)


def replay(model, data, settings: dict, seed: int, t0: int, state: dict[str, np.ndarray], log, here: dict) -> None:
    """Re-runs iterations from `t0` without perturbation and compares losses and gradients bit by bit with the base run.

    Args:
        state: the base run's checkpoint at t0, with the optimizer's buffers.
        log: rows of the base run's log, a table, for iterations t0, t0 + 1, ...; as many are replayed.
        here: metadata of this run; where the log has its own in `.attrs`, a failure names what differs.

    Raises:
        UserError: they differ: this machine or build does other arithmetic than the base run's did, so that a fork
            would measure that difference and not the perturbation.
    """
    optimizer = make_optimizer(model, settings)
    network_state.load_state(model, state, optimizer)
    stop = t0 + len(log)
    replayed = empty_log(stop, data)
    for _ in train(model, optimizer, data, settings, seed, t0, {stop}, replayed):
        pass
    for found, (t, row) in zip(replayed[t0:].cpu().numpy(), log.iterrows(), strict=True):
        found = dict(zip(LOGGED, found, strict=True))
        if found["loss"] == row["loss"] and found["gradient"] == row["gradient"]:
            continue
        what = f"iteration {t} has loss {found['loss']:.9g} here and {row['loss']:.9g} in the base run"
        if found["loss"] == row["loss"]:
            what = f"iteration {t} has the loss of the base run, but not the bits of its gradient"
        raise UserError(
            f"Replay check failed: {what}. The base run was trained with other arithmetic. "
            f"{machine.differences(log.attrs, here)} Fork where the base run was trained; or train it anew here "
            "(snakemake --forcerun trajectory ...); or set training.engine: lockstep, whose forks are compared with a "
            "twin of the base run that trains beside them."
        )
