"""The training loop, for base runs, forks, linearized runs and stacks of networks.

Everything random at iteration t comes from `noise`, so a run is determined by its start and its settings alone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from twophase.data.dataset import Data
from twophase.errors import UserError
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.training import capture, noise
from twophase.training.output import LOGGED, Output
from twophase.training.schedule import learning_rate
from twophase.training.setup import Experiment

WIDE = 64  # channels with which cuDNN's float32 convolutions are faster when these come last
PAUSE = 200  # iterations between looks at the clock and at the finiteness of the loss


class Diverged(UserError):
    """The loss of an iteration is not finite."""


def make_optimizer(model: nn.Module, settings: Mapping) -> torch.optim.Optimizer:
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


def batch(
    data: Data, settings: Mapping, seed: int, t: int, new: noise.NewNoise | noise.Members | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs [b, C, H, W], augmented and normalised, and labels [b] of iteration `t`.

    Args:
        new: as of `Experiment`; for a stack whose members have batches of their own, [K, b, C, H, W] and [K, b].
    """
    crop = settings["augment"]["crop"]
    drawn = noise.batch(seed, t, len(data.train_labels), settings["batch_size"], crop, new)
    return noise.inputs(data, settings, *(torch.from_numpy(a).to(data.train_labels.device) for a in drawn))


def train(
    experiment: Experiment, optimizer: torch.optim.Optimizer, start: int, stops: Collection[int], log: torch.Tensor
) -> Iterator[int]:
    """Trains a network in place from iteration `start`; hands over at each iteration of `stops`, before its step.

    Args:
        experiment: its network may be a `lockstep.Stack` of K.
        log: [T, 3] on the data's device, [T, 3, K] for a stack, see `empty_log`; row t receives what iteration t has of
            `LOGGED`: its loss (nats), the batch accuracy and a checksum of its gradient.
        stops: the last of them is the end of training; `start` may be among them.

    Raises:
        Diverged: the loss is not finite.
    """
    model, data, settings, seed = experiment.network, experiment.data, experiment.settings, experiment.seed
    learn = learner(experiment, optimizer, log.shape[2:])

    def eager(t):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(t, settings)
        inputs, labels = batch(data, settings, seed, t, experiment.new_noise)
        _seed_dropout(noise.torch_seed(seed, "dropout", t), inputs.device)
        log[t] = learn(inputs, labels)

    captured = None if capture.obstacle(experiment, optimizer) else capture.Captured(experiment, optimizer, log, learn)
    iterate = captured or eager
    last = max(stops)
    checked = start
    model.train()
    for t in range(start, last + 1):
        if t in stops or t % PAUSE == 0:
            if captured:
                captured.wait()
            _stop_if_not_finite(log, checked, t, settings)
            checked = t
            yield t
            model.train()
        if t == last:
            return
        iterate(t)


def learner(experiment: Experiment, optimizer: torch.optim.Optimizer, members: Sequence[int] = ()) -> Callable:
    """What an iteration does with a batch, inputs [b, C, H, W] and labels [b]: a step.

    Where the members of a stack have batches of their own, these are [K, b, C, H, W] and [K, b].

    Returns:
        a function of both, which returns [3], or [3, K] for a stack of `members` K: what the iteration has of `LOGGED`.
    """
    model = experiment.network
    contiguous = _wants_contiguous(model, experiment.data.mean.device)

    def learn(inputs, labels):
        logits = model(inputs.contiguous() if contiguous else inputs)
        loss = mean_loss(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimizer.step()
        loss = loss.detach()
        accuracy = (logits.detach().argmax(-1) == labels).to(loss.dtype).mean(-1)
        gradient = next(p.grad for p in model.parameters() if p.grad is not None)
        return torch.stack([loss, accuracy, checksum(gradient, members).to(loss.dtype)])

    return learn


def run(
    experiment: Experiment,
    optimizer: torch.optim.Optimizer,
    checkpoints: Collection[int],
    output: Output,
    *,
    start: int = 0,
    initial: Mapping[str, np.ndarray] | None = None,
    may_diverge: bool = False,
) -> Iterator[int]:
    """Trains from `start` to the last checkpoint; hands over at each, and leaves the log in `output`.

    A run that was stopped continues where it was saved last. One that has its log already does nothing.

    Args:
        experiment: its network at theta_start, or anything when `initial` holds the state to start from.
        may_diverge: whether divergence is a result, after which the log holds no values, or an error.

    Raises:
        Diverged: the loss is not finite, unless `may_diverge`.
    """
    if output.finished:
        return
    model, last = experiment.network, max(checkpoints)
    log = empty_log(last, experiment.data)
    reached, state = output.resume(log)
    if state is None:
        reached, state = start, initial
        print(f"started at iteration {reached} of {last}")
    if state is not None:
        network_state.load_state(model, state, optimizer)
    stops = {t for t in checkpoints if t >= start}
    try:
        with bar(last, reached, output.label) as progress:
            for t in train(experiment, optimizer, reached, stops, log):
                if t in stops:
                    yield t
                if t < last and output.due:
                    output.save(t, network_state.state_of(model, optimizer), log)
                loss = float(log[t - 1, 0]) if t > start else float("nan")
                progress(t, f"loss {loss:.3g}")
    except Diverged as error:
        if not may_diverge:
            raise
        print(error)
    output.close(experiment, start, log)


def empty_log(last: int, data: Data, *members: int) -> torch.Tensor:
    """Room for what `train` logs of iterations 0 to `last` - 1, for a stack of each of its members."""
    return torch.full((last, len(LOGGED), *members), torch.nan, dtype=data.mean.dtype, device=data.mean.device)


def gradient(experiment: Experiment, t: int, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradient of the loss of iteration `t`'s batch at a state, by parameter; weight decay is not in it.

    The batch and the dropout mask are the base run's. Leaves the network at that state, having seen the batch.
    """
    network = experiment.network
    network_state.load_state(network, state)
    network.train()
    inputs, labels = batch(experiment.data, experiment.settings, experiment.seed, t)
    _seed_dropout(noise.torch_seed(experiment.seed, "dropout", t), inputs.device)
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(mean_loss(network(inputs), labels), list(parameters.values()))
    return {name: part.cpu().numpy() for name, part in zip(parameters, found, strict=True)}


def checksum(gradient: torch.Tensor, members: Sequence[int] = ()) -> torch.Tensor:
    """The sum of a gradient's 32-bit words modulo 2^24, which a float32 holds exactly; one for each of `members`.

    The gradient of a network's first layer comes last in an iteration and depends on every operation before it. Where
    the arithmetic differs it does so in the first iteration, when the loss, a mean, still has the same bits.
    """
    return gradient.reshape(*members, -1).view(torch.int32).sum(-1) % 2**24


def mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats) of labels [b]: [] for logits [b, c], [K] for those of a stack, [K, b, c].

    The members of a stack may have labels [K, b] of their own.
    """
    if logits.dim() == 2:
        return cross_entropy(logits, labels)
    members, size = logits.shape[:2]
    labels = labels.expand(members, size).flatten()
    return cross_entropy(logits.flatten(0, 1), labels, reduction="none").view(members, size).mean(1)


def _wants_contiguous(model: nn.Module, device: torch.device) -> bool:
    """Whether cuDNN is faster with channels apart; crops come with channels last, and convolutions keep a layout.

    Measured on an H200 in float32: ResNet-20, of 16 channels and more, 1.5 times as fast with channels apart; VGG-16,
    of 64 and more, 1.4 times as fast with channels last. CPUs take batches as they come.
    """
    channels = [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]
    return device.type == "cuda" and min(channels, default=0) < WIDE


def _seed_dropout(seed: int, device: torch.device) -> None:
    """As torch.manual_seed, for this device only: seeding every device takes a good part of a small step."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _stop_if_not_finite(log, start: int, stop: int, settings: Mapping) -> None:
    finite = torch.isfinite(log[start:stop, 0])
    if not bool(finite.all()):
        first, *member = (~finite).nonzero()[0].tolist()
        t = start + first
        whose = f"of member {member[0]} " if member else ""
        raise Diverged(
            f"The loss {whose}of iteration {t} is not finite (lr {learning_rate(t, settings):g}). "
            "Lower training.lr or lengthen training.schedule.warmup."
        )
