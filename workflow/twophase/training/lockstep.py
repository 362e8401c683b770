"""Lock-step forks: the forks of a block of t0s and a twin of the base run train together, as one stack of networks.

Every network of a stack sees the same batch and the same dropout mask of iteration t (docs/method.md), or, where forks
have new noise, a batch of its own; forks join when their t0 comes. One forward pass is `torch.func.vmap` of the network
over stacked parameters and buffers. The loop, the optimizers and the checkpoints are those of `training`: torch's
optimizers act coordinate by coordinate, so that one of them on stacked tensors is one for each member, and the gradient
of the sum of all losses is each member's own gradient.

**What forks are compared with.** A stack rounds differently from a single network, and where the dynamics are chaotic
the last bit decides. So the base run's checkpoint of the block's first t0 trains on as member 0, the twin; a fork from
t0 starts from the *twin's* state at t0, with epsilon added, and is compared with the twin. Their arithmetic is one,
epsilon the only difference. The twin is the base run with other rounding: where that is amplified, the forks of a block
are forks of one more base run with the same initialisation and noise.

**What takes the place of the replay check.** Solo forks have to repeat the base run's arithmetic; here that is of no
concern, and two other things are. Whenever members join, a stack of the new size holds nothing but copies of the twin
and trains for `chaos.replay` iterations: all copies must stay equal bit by bit, or the place in the stack would be a
perturbation. And the twin's first two losses must be the base run's up to rounding, so that it is its twin. The
control (`chaos.control`), a fork with epsilon = 0, must be equal to the twin to the end.

**What keeps members equal.** Every convolution and matrix product of a stack has a group for each member, the first
layer's included: kernels that run over the channels of all members treat the last few differently. And Intel's MKL is
told not to look at how operands lie in memory (`ignore_alignment`). Tried on an AMD EPYC with AVX2, and with oneDNN and
ATen limited to less; where members differ all the same, the check stops the run.

**Dropout.** The members of a stack share one mask, a function of (seed, t). On a CPU it is the mask that a single
network draws. On a GPU, where dropout of a single network is a fused kernel, it need not be (not tried): the twin then
has other masks than the base run, its forks have the twin's, and its losses are not compared with the base run's.

**Why vmap.** The same code runs on a CPU and a GPU, where the number of kernel launches of an iteration does not grow
with the members. On an H200 members of 16 stay equal bit by bit, and ResNet-20 takes 5.8 ms a member and iteration, as
much as one captured network alone (`training.capture`): its kernels, and not their launches, are what takes the time
(results/reference/benchmarks-gpu.md).

A stack needs the memory of its members' states and activations together; `chaos.t0_per_job` bounds their number.
"""

import copy
import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, vmap

from twophase.errors import UserError
from twophase.files import storage
from twophase.files.layout import OPTIMIZER, TWIN, Fork, Stops, step_file
from twophase.measures import distances
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.training import forks, loop, noise
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation
from twophase.training.setup import Experiment

SHARED = f"{OPTIMIZER}step/"  # Adam's step counter is one number for the whole stack

State = dict[str, np.ndarray]


class Stack(nn.Module):
    """`size` networks as one, inputs [b, C, H, W] that all share, or [size, b, C, H, W] -> logits [size, b, c].

    `members` is the network with each parameter and buffer [...] replaced by one of shape [size, ...], under its name:
    what reads and writes the state of a network works on it unchanged. Its values are the network's, `size` times.
    """

    def __init__(self, network: nn.Module, size: int):
        super().__init__()
        self.members = copy.deepcopy(network)
        for module in self.members.modules():
            for name, value in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
                stacked = value.detach().expand(size, *value.shape).clone()
                trained = isinstance(value, nn.Parameter)
                setattr(module, name, nn.Parameter(stacked, value.requires_grad) if trained else stacked)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        state = dict(self.members.named_parameters()) | dict(self.members.named_buffers())
        size = len(next(iter(state.values())))
        # Augmented batches come with the channels last. Kernels for that layout run their vectors across channels,
        # those of all members, and treat the last few differently: members would not stay equal.
        inputs = inputs.clone(memory_format=torch.contiguous_format)

        def one(state, inputs):  # batch norms update the member's part of the stacked statistics in place
            return functional_call(self.members, state, (inputs,))

        # For the same reason each member has a view of the inputs of its own. Inputs that all share would make the
        # first convolution a plain one with the channels of all members, in place of one group for each.
        return vmap(one, randomness="same")(state, inputs if inputs.dim() == 5 else inputs.expand(size, *inputs.shape))


def ignore_alignment() -> None:
    """Keeps Intel's MKL from computing products in an order that depends on where their operands lie in memory.

    Those of members with an odd number of pixels lie unlike. MKL looks at this when it is first used in a process: call
    it before the first product.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def stack(states: Sequence[State]) -> State:
    """The states of K networks at one iteration as the state of a stack: [...] -> [K, ...]."""
    return {
        name: v if name.startswith(SHARED) else np.stack([s[name] for s in states]) for name, v in states[0].items()
    }


def member(stacked: State, k: int) -> State:
    """The state of one member of a stack: [K, ...] -> [...]."""
    return {name: v if name.startswith(SHARED) else v[k, ...] for name, v in stacked.items()}


def restore(experiment: Experiment, stacked: State, size: int) -> tuple[Experiment, torch.optim.Optimizer]:
    """An experiment whose network is a stack of `size` networks in a given state, and the stack's optimizer.

    Args:
        experiment: where members have batches of their own, its `new_noise` is that of at least so many.
    """
    model = Stack(experiment.network, size)
    optimizer = loop.make_optimizer(model.members, experiment.settings)
    network_state.load_state(model.members, stacked, optimizer)
    noises = experiment.new_noise and experiment.new_noise[:size]
    return dataclasses.replace(experiment, network=model, new_noise=noises), optimizer


def check(experiment: Experiment, t0: int, twin: State, size: int, count: int) -> np.ndarray:
    """Trains `size` copies of `twin` for `count` iterations from t0; returns their losses [count].

    Raises:
        UserError: the copies do not stay equal bit by bit.
    """
    copies = dataclasses.replace(experiment, new_noise=experiment.new_noise and (None,) * size)
    stacked, optimizer = restore(copies, stack([twin] * size), size)
    log = loop.empty_log(t0 + count, experiment.data, size)
    for _ in loop.train(stacked, optimizer, t0, {t0 + count}, log):
        pass
    losses, end = log[t0:, 0].cpu().numpy(), network_state.state_of(stacked.network.members, optimizer)
    if not (
        all(np.array_equal(losses[:, k], losses[:, 0]) for k in range(size))
        and all(np.array_equal(a, member(end, 0)[name]) for k in range(size) for name, a in member(end, k).items())
    ):
        raise UserError(
            f"Lock-step check failed: of {size} equal networks that trained {count} iterations from {t0} in one stack, "
            "not all stayed equal. On this device the place in the stack acts like a perturbation. "
            "Set training.engine: solo."
        )
    return losses[:, 0]


def _same_run(experiment: Experiment, found: np.ndarray, losses: np.ndarray) -> None:
    """The twin's loss at its start, and after one step, must be the base run's up to rounding."""
    dropout = any(isinstance(module, nn.Dropout) and module.p > 0 for module in experiment.network.modules())
    if dropout and experiment.data.mean.device.type != "cpu":
        return  # other masks
    tolerance = np.sqrt(np.finfo(found.dtype).eps)
    if not np.allclose(found[:2], losses[:2], rtol=tolerance, atol=0):
        raise UserError(
            f"Lock-step check failed: the twin's losses are {found[:2]}, the base run's {losses[:2]}; "
            "it is more than rounding. Delete the trajectory and train the base run anew, "
            "or set training.engine: solo."
        )


def run(
    experiment: Experiment,
    base: State,
    losses: np.ndarray,
    members: Sequence[Fork],
    stops: Mapping[int, Stops],
    perturbation: Perturbation,
    output: Output,
) -> None:
    """Trains a block of forks in lock-step and compares each with the twin at its stops.

    A block that was stopped continues where it was saved last. Leaves what `forks.train` does in the folder of each
    fork, and checkpoints and log of the twin in `twin`. Members that have had their last stop train on with the others.

    Args:
        base: the base run's checkpoint at the first t0, with the optimizer's buffers.
        losses: the base run's losses of iterations t0, t0 + 1, ...; each check trains for as many.
        stops: by t0.
        output: of the block.

    Raises:
        UserError: a check failed.
        Diverged: the loss of a member is not finite.
    """
    members = sorted(members, key=lambda fork: fork.t0)  # as they join
    folders = [output.folder / name for name in (TWIN, *(fork.folder for fork in members))]
    outputs = [Output(folder, output.provenance, distances.OF_PAIR if k else ()) for k, folder in enumerate(folders)]
    if outputs[0].finished:
        return
    # What members record is saved with the block, so that it survives a stop.
    recorded = Output(
        output.folder, output.provenance, [_column(k, c) for k in range(1, len(outputs)) for c in distances.OF_PAIR]
    )
    t0s = sorted({fork.t0 for fork in members})
    of = [Stops(tuple({t1 for t0 in t0s for t1 in stops[t0].t1s})), *(stops[fork.t0] for fork in members)]
    last = max(t for own in of for t in own.all)
    starts = np.array([t0s[0], *(fork.t0 for fork in members)])
    names = network_state.trainable(experiment.network)
    if perturbation.noise != "shared":
        noises = (None, *(noise.of_fork(perturbation.noise, fork) for fork in members))
        experiment = dataclasses.replace(experiment, new_noise=noises)
    log = loop.empty_log(last, experiment.data, len(starts))

    def join(t0, state):
        """The state at t0 of the members that began before, with the forks that start there, once the checks passed."""
        twin, held, count = member(state, 0), max(1, int((starts < t0).sum())), int((starts <= t0).sum())
        found = check(experiment, t0, twin, count, len(losses))
        if t0 == t0s[0]:
            _same_run(experiment, found, losses)
        states = [member(state, k) for k in range(held)]
        for k in range(held, count):
            print(f"member {k}: {members[k - 1]}")
            states.append(forks.start(experiment, members[k - 1], twin, perturbation, outputs[k]))
        return stack(states)

    def keep(t, state):
        """Compares the members that have a stop here with the twin, and writes their checkpoints and the twin's."""
        metadata = {**output.provenance, "iteration": t, "trainable": names}
        twin = member(state, 0)
        for k in np.flatnonzero(starts < t):
            own = {name: v for name, v in member(state, k).items() if not name.startswith(OPTIMIZER)}
            if k and t in of[k].all:
                found = distances.between(own, twin, names)
                recorded.record(t, **{_column(k, name): value for name, value in found.items()})
            if t in of[k].t1s:
                storage.write_tensors(outputs[k].folder / step_file(t), own, metadata)

    reached, state = recorded.resume(log)
    if state is None:
        reached, state = t0s[0], stack([base])
    with bar(last, reached, f"{len(members)} forks in lock-step") as progress:
        for begin, end in zip(t0s, [*t0s[1:], last], strict=True):
            if reached >= end:
                continue
            if reached == begin:
                state = join(begin, state)
            count = int((starts <= begin).sum())
            stacked, optimizer = restore(experiment, state, count)
            looks = {t for own in of for t in own.all if reached < t < end} | {end}
            for t in loop.train(stacked, optimizer, reached, looks, log[..., :count]):
                due = t < last and recorded.due
                if t in looks or due:
                    state = network_state.state_of(stacked.network.members, optimizer)
                    if t in looks:
                        keep(t, state)
                    if due:
                        recorded.save(t, state, log)
                progress(t, f"{count} networks")
            reached = end

    for k in reversed(range(len(outputs))):  # the twin's log says that all are there
        outputs[k].recorded = {name: recorded.recorded[_column(k, name)] for name in outputs[k].recorded}
        outputs[k].close(experiment, int(starts[k]), log[..., k])
    recorded.drop_resume()


def _column(k: int, name: str) -> str:
    """What the block calls a column of its member `k`."""
    return f"{k}/{name}"
