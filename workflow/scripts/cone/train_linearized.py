"""A block of switches: linearized training from each, evaluated on the test set on the way."""

import dataclasses
from pathlib import Path

from twophase.files import folders, storage
from twophase.files.layout import step_file, switch_folder
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.runtime import job
from twophase.training import loop, machine
from twophase.training.linearized import Linearized, initial_state
from twophase.training.output import Output
from twophase.training.setup import set_up


def main(
    path_to_data,
    path_to_trajectory,
    path_to_linearized,
    model,
    settings,
    seed,
    switches,
    evaluate,
    momentum,
    lr,
    evaluated,
    facts,
):
    experiment = set_up(path_to_data, model, settings, seed)
    network = experiment.network
    inputs, labels = experiment.data.sample("test", None)
    anew = evaluation.statistics_of(network, evaluated["bn"])[0] == "recalibrate"
    calibration = experiment.data.sample("train", evaluated["calibration_size"])[0] if anew else None
    if lr is not None:
        settings = {**settings, "lr": lr, "schedule": {**settings["schedule"], "kind": "constant", "warmup": 0}}
    definition = "linearized run from a switch; batch and test loss in nats, accuracies as shares"
    facts |= machine.facts(experiment.data, settings)
    provenance = storage.provenance(definition, **facts)

    with folders.resumable(path_to_linearized, machine.key(facts), path_to_data, path_to_trajectory) as folder:
        for switch in switches:
            print(f"linearized from iteration {switch}")
            state = storage.read_tensors(Path(path_to_trajectory) / step_file(switch))
            network_state.load_state(network, state)
            if anew:  # the tangent is that of the network as it is evaluated
                evaluation.recalibrate(network, calibration)
                state |= network_state.state_of(network)
            tangent = Linearized(network)
            optimizer = loop.make_optimizer(tangent, settings)
            output = Output(folder / switch_folder(switch), provenance, ("test_loss", "test_accuracy"))
            for t in loop.run(
                dataclasses.replace(experiment, network=tangent, settings=settings),
                optimizer,
                sorted({switch, *(t for t in evaluate if t > switch)}),
                output,
                start=switch,
                initial=initial_state(state, momentum),
                may_diverge=True,  # a step that the network takes can be too long for its tangent
            ):
                loss, error = evaluation.score(evaluation.logits(tangent, inputs), labels)
                output.record(t, test_loss=loss, test_accuracy=1 - error)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
