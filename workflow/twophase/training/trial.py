"""Whatever an experiment asks of its network, tried on two images before it trains: it would fail hours later."""

import copy
import textwrap
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from twophase.errors import UserError
from twophase.measures import barrier, ntk
from twophase.networks import state as network_state
from twophase.training import loop
from twophase.training.linearized import Linearized
from twophase.training.perturbation import matching
from twophase.training.setup import Experiment


def trial(experiment: Experiment, config: Mapping) -> None:
    """Looks up the parameters to perturb; computes a barrier, a kernel and a step of linearized training, if asked for.

    The network and the state of the random generators are as before.

    Args:
        config: of the experiment, resolved.

    Raises:
        UserError: the network has no such parameters, or cannot have one of the others, or it is not finite.
    """
    if config["chaos"]["t0"]:
        matching(config["chaos"]["where"], network_state.trainable(experiment.network))
    asked = {
        "barrier": config["barrier"]["grid"] or config["chaos"]["t0"],
        "kernel": config["kernel"]["grid"] or (config["kernel"]["forks"] and config["chaos"]["t0"]),
        "linearized": config["linearized"]["switch"],
    }
    inputs, labels = experiment.data.sample("train", 2)
    for part in (part for part, wanted in asked.items() if wanted):
        network = copy.deepcopy(experiment.network)
        try:
            with torch.random.fork_rng(devices=[]):
                values = TRIALS[part](network, inputs, labels, config[part])
        except (RuntimeError, NotImplementedError, TypeError, ValueError, KeyError, AttributeError) as error:
            reason = textwrap.shorten(": ".join(filter(None, (type(error).__name__, str(error)))), 200)
        else:
            reason = "" if torch.isfinite(values).all() else "not all of it is finite"
        if reason:
            raise UserError(f"model: this network can have no {WORDS[part]} ({reason}). Change it, or {WITHOUT[part]}.")


def _barrier(network: nn.Module, inputs: Tensor, labels: Tensor, options: Mapping) -> Tensor:
    """Between the network and itself with all weights halved."""
    ends = [{name: value.clone() for name, value in network.state_dict().items()} for _ in range(2)]
    for name, _ in network.named_parameters():
        ends[1][name] /= 2
    measure = barrier.Barrier(network, inputs, labels, 3, options["metric"])
    return torch.tensor(measure.pair(*ends, *map(measure.level, ends))["path"])


def _kernel(network: nn.Module, inputs: Tensor, labels: Tensor, options: Mapping) -> Tensor:
    return ntk.empirical_ntk(network, inputs, options["reduce"])


def _linearized(network: nn.Module, inputs: Tensor, labels: Tensor, options: Mapping) -> Tensor:
    tangent = Linearized(network)
    loss = loop.mean_loss(tangent(inputs), labels)
    gradients = torch.autograd.grad(loss, [p for p in tangent.parameters() if p.requires_grad], allow_unused=True)
    return torch.stack([loss, *(gradient.sum() for gradient in gradients if gradient is not None)])


TRIALS = {"barrier": _barrier, "kernel": _kernel, "linearized": _linearized}
WORDS = {"barrier": "barriers", "kernel": "kernel", "linearized": "linearized training"}
WITHOUT = {
    "barrier": "empty `barrier.grid` and `chaos.t0`",
    "kernel": "empty `kernel.grid` and `cone.dt` and set `kernel.forks: false`",
    "linearized": "empty `linearized.switch`",
}
