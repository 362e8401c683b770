"""Forks: twins of the base run that start from a perturbed state and see the same noise (2505.13900, chaos effect)."""

import numpy as np

from twophase.files import storage
from twophase.files.layout import CONTROL, step_file
from twophase.networks import state as network_state
from twophase.training import loop, perturbation


def fork(model, data, settings, seed, base: dict[str, np.ndarray], t0, draw, t1s, norm, size, folder, provenance):
    """Trains one fork from theta_t0 + epsilon and keeps its state at every t1 > t0.

    Batches, augmentation and dropout follow from (seed, iteration) and are the base run's. Writes
    `perturbation.parquet`, `log.parquet`, `step-{t1}` files.

    Args:
        base: the base run's checkpoint at t0, with the optimizer's buffers.
        draw: number of the draw, or CONTROL for epsilon = 0.
        t1s: iterations; those up to t0 are left out.
        norm, size: of epsilon, as in `perturbation.perturb`.
        folder: receives the files; a fork that was stopped goes on from what is there.
        provenance: metadata of the files.

    Raises:
        Diverged: its loss is not finite.
    """
    initial = start(network_state.trainable(model), seed, base, t0, draw, norm, size, folder, provenance)

    def keep(t, model, optimizer, row):
        network_state.write_checkpoint(folder / step_file(t), model, None, {**provenance, "iteration": t})

    later = [t1 for t1 in t1s if t1 > t0]
    loop.run(model, data, settings, seed, later, folder, provenance, keep, start=t0, initial=initial)


def start(names, seed, base: dict[str, np.ndarray], t0, draw, norm, size, folder, provenance) -> dict[str, np.ndarray]:
    """The state that a fork starts from: `base` with epsilon added to the parameters `names`, and nothing else changed.

    Momentum and the buffers of batch norms are the base run's. Writes `perturbation.parquet` into `folder`.
    """
    control = draw == CONTROL
    theta, facts = perturbation.perturb(
        {name: base[name] for name in names}, norm, 0.0 if control else size, seed, t0, 0 if control else draw
    )
    table = {"t0": [t0], "draw": [-1 if control else draw], "norm": [norm], "size": [0.0 if control else size]}
    definition = "epsilon of one fork: l2 norm requested and realised after rounding, share of changed coordinates"
    facts_metadata = {**provenance, "definition": definition}
    storage.write_table(folder / "perturbation.parquet", table | {k: [v] for k, v in facts.items()}, facts_metadata)
    return base | theta
