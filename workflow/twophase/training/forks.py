"""Forks: copies of the base run that start from a perturbed state and see the same noise (2505.13900, chaos effect).

With new noise in place of the base run's, or beside epsilon, they are those of linear mode connectivity (Frankle et
al., 2020).
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.files import storage
from twophase.files.layout import Fork, Stops
from twophase.measures import distances
from twophase.networks import state as network_state
from twophase.training import loop, machine, noise
from twophase.training.output import LOGGED, Output
from twophase.training.perturbation import Perturbation, perturb
from twophase.training.setup import Experiment


def train(
    experiment: Experiment,
    fork: Fork,
    base: Callable[[int], Mapping[str, np.ndarray]],
    stops: Stops,
    perturbation: Perturbation,
    output: Output,
) -> None:
    """Trains one fork from theta_t0 + epsilon to its last stop; compares its parameters with the base run's at each.

    Batches, augmentation and dropout follow from (seed, iteration) and are the base run's, unless the perturbation has
    new noise. Writes `perturbation.parquet`, `step-{t1}` files, and `log.parquet` with `distances.OF_PAIR` at the
    stops; a fork that was stopped continues from what is there.

    Args:
        base: the base run's state at an iteration; at t0 with the optimizer's buffers.
        output: with the columns `distances.OF_PAIR`.

    Raises:
        Diverged: its loss is not finite.
    """
    network = experiment.network
    names = network_state.trainable(network)
    initial = start(experiment, fork, base(fork.t0), perturbation, output)
    experiment = dataclasses.replace(experiment, new_noise=noise.of_fork(perturbation.noise, fork))
    optimizer = loop.make_optimizer(network, experiment.settings)
    for t1 in loop.run(experiment, optimizer, stops.all, output, start=fork.t0, initial=initial):
        output.record(t1, **distances.between(network_state.state_of(network), base(t1), names))
        if t1 in stops.t1s:
            output.checkpoint(t1, network)


def start(
    experiment: Experiment, fork: Fork, base: Mapping[str, np.ndarray], perturbation: Perturbation, output: Output
) -> dict[str, np.ndarray]:
    """The state that a fork starts from: `base` with epsilon added to trainable parameters, and nothing else changed.

    Momentum and the buffers of batch norms are the base run's. Writes `perturbation.parquet`. Where epsilon goes along
    the gradient, it leaves the network with that of `base`.
    """
    names = perturbation.where or network_state.trainable(experiment.network)
    along = loop.gradient(experiment, fork.t0, base) if perturbation.direction == "gradient" else None
    theta, facts = perturb({name: base[name] for name in names}, perturbation, experiment.seed, fork, along)
    size = 0.0 if fork.is_control else perturbation.size
    table = {"t0": [fork.t0], "draw": [fork.draw], "norm": [perturbation.norm], "size": [size]}
    definition = "epsilon of one fork: l2 norm requested and realised after rounding, share of changed coordinates"
    metadata = {**output.provenance, "definition": definition}
    storage.write_table(output.folder / "perturbation.parquet", table | {k: [v] for k, v in facts.items()}, metadata)
    return {**base, **theta}


def replay(experiment: Experiment, t0: int, state: Mapping[str, np.ndarray], log: pd.DataFrame, here: Mapping) -> None:
    """Re-runs iterations from `t0` without perturbation and compares losses and gradients bit by bit with the base run.

    Args:
        state: the base run's checkpoint at t0, with the optimizer's buffers.
        log: rows of the base run's log, a table, for iterations t0, t0 + 1, ...; as many are replayed.
        here: metadata of this run; where the log has its own in `.attrs`, a failure names what differs.

    Raises:
        UserError: they differ: this machine or build does other arithmetic than the base run's did, so that a fork
            would measure that difference and not the perturbation.
    """
    optimizer = loop.make_optimizer(experiment.network, experiment.settings)
    network_state.load_state(experiment.network, state, optimizer)
    stop = t0 + len(log)
    replayed = loop.empty_log(stop, experiment.data)
    for _ in loop.train(experiment, optimizer, t0, {stop}, replayed):
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
