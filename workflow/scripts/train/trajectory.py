"""The base run: checkpoints with the optimizer's state, and its log."""

from pathlib import Path

from twophase.files import storage
from twophase.files.layout import step_file
from twophase.networks import state as network_state
from twophase.runtime import job
from twophase.training import loop, machine


def main(path_to_data, path_to_trajectory, model, settings, checkpoints, seed, facts):
    network, data = loop.set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(data, settings)
    provenance = storage.provenance("base run; loss in nats and accuracy of each iteration's batch", **facts)
    with storage.resumable(path_to_trajectory, machine.key(facts), path_to_data) as folder:

        def keep(t, model, optimizer, row):
            path = Path(folder) / step_file(t)
            network_state.write_checkpoint(path, model, optimizer, {**provenance, "iteration": t})

        loop.run(network, data, settings, seed, checkpoints, folder, provenance, keep)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
