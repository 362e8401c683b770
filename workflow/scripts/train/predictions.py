"""Predicted class, loss and error on the test set at every checkpoint, under either statistics of batch norms."""

from pathlib import Path

import numpy as np

from twophase.files import folders, layout, storage
from twophase.files.predicted import STATISTICS, tensor
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.setup import set_up


def main(path_to_data, path_to_run, path_to_predictions, model, settings, seed, evaluated, facts):
    experiment = set_up(path_to_data, model, settings, seed)
    network, data = experiment.network, experiment.data
    facts |= machine.facts(data, settings)
    network.eval()
    inputs, labels = data.sample("test", None)
    kinds = evaluation.statistics_of(network, evaluated["bn"])
    calibration = data.sample("train", evaluated["calibration_size"])[0] if "recalibrate" in kinds else None
    states = layout.states(folders.files(path_to_run))
    found = {(name, bn): [] for bn in kinds for name in ("predictions", "loss", "error")}
    with bar(len(states), label="predictions") as progress:
        for k, state in enumerate(states):
            network_state.load_state(network, storage.read_tensors(Path(path_to_run) / state))
            for bn in sorted(kinds, key=STATISTICS.index):  # the running ones before they are replaced
                if bn == "recalibrate":
                    evaluation.recalibrate(network, calibration)
                outputs = evaluation.logits(network, inputs)
                loss, error = evaluation.score(outputs, labels)
                found["predictions", bn].append(outputs.argmax(1).cpu().numpy().astype(np.int16))
                found["loss", bn].append(loss)
                found["error", bn].append(error)
            progress(k + 1)
    tensors = {tensor(name, bn, kinds[0]): np.stack(values) for (name, bn), values in found.items()}
    definition = "test set at every checkpoint: predicted classes [m, n], loss in nats [m], error as a share [m]"
    if len(kinds) > 1:
        definition += f"; statistics of batch norms: {kinds[0]}, in tensors named _{kinds[1]} the others"
    metadata = storage.provenance(definition, states=states, bn=kinds[0], **facts)
    storage.write_tensors(path_to_predictions, tensors, metadata)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
