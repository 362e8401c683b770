"""Measures on the base run's networks and kernels one by one, at each checkpoint of a grid."""

from pathlib import Path

import pandas as pd

from twophase.files import folders, layout, storage
from twophase.measures import pointwise
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.schedule import learning_rate
from twophase.training.setup import set_up


def main(
    path_to_data,
    path_to_trajectory,
    path_to_kernels,
    path_to_pointwise,
    model,
    settings,
    seed,
    steps,
    examples,
    n,
    evaluated,
    facts,
):
    experiment = set_up(path_to_data, model, settings, seed)
    network, data = experiment.network, experiment.data
    facts |= machine.facts(data, settings)
    data.require("pointwise.examples", "train", examples)
    inputs, labels = data.sample("train", examples)
    anew = evaluation.statistics_of(network, evaluated["bn"])[0] == "recalibrate"
    calibration = data.sample("train", evaluated["calibration_size"])[0] if anew else None
    labels_of_kernel = data.sample("train", n)[1].cpu().numpy()
    kernels = {*folders.files(path_to_kernels)}
    rows = []
    with bar(len(steps), label="point-wise measures") as progress:
        for t in steps:
            state = layout.step_file(t)
            network_state.load_state(network, storage.read_tensors(Path(path_to_trajectory) / state))
            if anew:
                evaluation.recalibrate(network, calibration)
            lr = learning_rate(max(t - 1, 0), settings)  # of the step that led here
            row = {"t": t, "lr": lr, **pointwise.edges(lr, settings)}
            row |= pointwise.of_network(network, inputs, labels, settings["batch_size"])
            if state in kernels:
                kernel = storage.read_tensors(Path(path_to_kernels) / state)["kernel"]
                row |= pointwise.of_kernel(kernel, labels_of_kernel)
            rows.append(row)
            progress(len(rows))
    definition = (
        f"measures on one network at a time: of {len(labels)} training images curvature, with batch norms' statistics "
        f"of batches, and moments of the samples' gradients, in eval mode; of {n} images the kernel of S"
    )
    storage.write_table(path_to_pointwise, pd.DataFrame(rows), storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
