"""What each layer adds to the empirical NTK at checkpoints of the base run, one file for each checkpoint."""

from pathlib import Path

from twophase.files import folders, layout, storage
from twophase.measures import layers, ntk
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.setup import set_up


def main(
    path_to_data,
    path_to_trajectory,
    path_to_kernels,
    model,
    settings,
    seed,
    steps,
    n,
    reduce,
    chunk,
    bn,
    calibration_size,
    facts,
):
    experiment = set_up(path_to_data, model, settings, seed)
    network, data = experiment.network, experiment.data
    facts |= machine.facts(data, settings)
    data.require("kernel.n", "train", n)
    inputs, _ = data.sample("train", n)  # those of the whole kernel, which the layers' parts sum to
    calibration = data.sample("train", calibration_size)[0] if bn == "recalibrate" else None
    names = layers.of(network_state.trainable(network))
    definition = f"empirical NTK of {len(inputs)} training inputs by layer, reduce: {reduce}, bn: {bn}"
    with (
        folders.resumable(path_to_kernels, machine.key(facts), path_to_data, path_to_trajectory) as folder,
        bar(len(steps), label="kernels by layer") as progress,
    ):
        for k, state in enumerate(map(layout.step_file, steps)):
            if not (folder / state).exists():
                network_state.load_state(network, storage.read_tensors(Path(path_to_trajectory) / state))
                if calibration is not None:
                    evaluation.recalibrate(network, calibration)
                kernels = ntk.by_layer(network, inputs, names, reduce, chunk)
                parts = {layer: kernel.cpu().numpy() for layer, kernel in kernels.items()}
                storage.write_tensors(folder / state, parts, storage.provenance(definition, **facts))
            progress(k + 1)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
