"""A block of switches: linearized training from each, evaluated on the test set on the way."""

from pathlib import Path

from twophase.files import storage
from twophase.files.layout import step_file, switch_folder
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.runtime import job
from twophase.training import loop, machine
from twophase.training.linearized import Linearized, initial_state


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
    facts,
):
    network, data = loop.set_up(path_to_data, model, settings, seed)
    inputs, labels = data.sample("test", None)
    if lr is not None:
        settings = {**settings, "lr": lr, "schedule": {**settings["schedule"], "kind": "constant", "warmup": 0}}
    definition = "linearized run from a switch; batch and test loss in nats, accuracies as shares"
    facts |= machine.facts(data, settings)
    provenance = storage.provenance(definition, **facts)

    def test(t, tangent, optimizer, row):
        loss, error = evaluation.score(evaluation.logits(tangent, inputs), labels)
        row |= {"test_loss": loss, "test_accuracy": 1 - error}

    with storage.resumable(path_to_linearized, machine.key(facts), path_to_data, path_to_trajectory) as folder:
        for switch in switches:
            print(f"linearized from iteration {switch}")
            state = storage.read_tensors(Path(path_to_trajectory) / step_file(switch))
            network_state.load_state(network, state)
            loop.run(
                Linearized(network),
                data,
                settings,
                seed,
                sorted({switch, *(t for t in evaluate if t > switch)}),
                folder / switch_folder(switch),
                provenance,
                test,
                start=switch,
                initial=initial_state(state, momentum),
                columns=("test_loss", "test_accuracy"),
                may_diverge=True,  # a step that the network takes can be too long for its tangent
            )


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
