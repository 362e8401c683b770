"""Predicted class, loss and error on the test set at every checkpoint of a run."""

from pathlib import Path

import numpy as np

from twophase.files import layout, storage
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.setup import set_up


def main(path_to_data, path_to_run, path_to_predictions, model, settings, seed, facts):
    experiment = set_up(path_to_data, model, settings, seed)
    network, data = experiment.network, experiment.data
    facts |= machine.facts(data, settings)
    network.eval()
    inputs, labels = data.sample("test", None)
    states = layout.states(storage.files(path_to_run))
    predictions, losses, errors = [], [], []
    with bar(len(states), label="predictions") as progress:
        for k, state in enumerate(states):
            network_state.load_state(network, storage.read_tensors(Path(path_to_run) / state))
            outputs = evaluation.logits(network, inputs)
            loss, error = evaluation.score(outputs, labels)
            predictions.append(outputs.argmax(1).cpu().numpy().astype(np.int16))
            losses.append(loss)
            errors.append(error)
            progress(k + 1)
    tensors = {"predictions": np.stack(predictions), "loss": np.array(losses), "error": np.array(errors)}
    definition = "test set at every checkpoint: predicted classes [m, n], loss in nats [m], error as a share [m]"
    storage.write_tensors(path_to_predictions, tensors, storage.provenance(definition, states=states, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
