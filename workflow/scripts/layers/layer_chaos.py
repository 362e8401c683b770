"""Every fork against the base run, or its twin, layer by layer, from its perturbation on."""

from pathlib import Path

from twophase.files import storage
from twophase.files.layout import CONTROL, step_file
from twophase.measures import layers
from twophase.networks import state as network_state
from twophase.runtime import job
from twophase.training import loop, machine
from twophase.training.perturbation import Perturbation, length, matching, perturb
from twophase.training.setup import set_up


def main(
    path_to_data,
    path_to_trajectory,
    path_to_forks,
    path_to_chaos,
    model,
    settings,
    seed,
    norm,
    size,
    direction,
    where,
    facts,
):
    experiment = set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(experiment.data, settings)
    names = matching(where, network_state.trainable(experiment.network))
    initial = length(storage.read_tensors(Path(path_to_trajectory) / step_file(0)), names)
    perturbation = Perturbation(norm, size, direction, names, initial)

    def start(fork, base):
        """Perturbations aren't stored: the same draw gives the same one."""
        along = loop.gradient(experiment, fork.t0, base) if direction == "gradient" else None
        return perturb({name: base[name] for name in names}, perturbation, seed, fork, along)[0]

    table = layers.of_forks(path_to_trajectory, path_to_forks, start)
    definition = (
        "each layer of the fork from t0 against the base run, in lock-step its twin, at t1 (iterations), where t1 = t0 "
        f"its perturbation: C dissimilarity 1 - cos, l2 distance, norm of the base run's; draw {CONTROL} is the control"
    )
    storage.write_table(path_to_chaos, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
