"""The base run: checkpoints with the optimizer's state, states that distances alone need, and its log."""

from twophase.files import folders, storage
from twophase.runtime import job
from twophase.training import loop, machine
from twophase.training.output import Output
from twophase.training.setup import set_up
from twophase.training.trial import trial


def main(path_to_data, path_to_trajectory, model, settings, checkpoints, dense, seed, config, facts):
    experiment = set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(experiment.data, settings)
    provenance = storage.provenance("base run; loss in nats and accuracy of each iteration's batch", **facts)
    trial(experiment, config["experiments"][facts["experiment"]])
    with folders.resumable(path_to_trajectory, machine.key(facts), path_to_data) as folder:
        output = Output(folder, provenance)
        optimizer = loop.make_optimizer(experiment.network, settings)
        for t in loop.run(experiment, optimizer, {*checkpoints, *dense}, output):
            if t in checkpoints:
                output.checkpoint(t, experiment.network, optimizer)
            else:
                output.state(t, experiment.network)


if __name__ == "__main__":
    job.run(main, snakemake, config=snakemake.config)  # noqa: F821
