"""The empirical NTK at the checkpoints of a run, one file for each."""

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
    path_to_run,
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
    by_layer=False,
):
    experiment = set_up(path_to_data, model, settings, seed)
    network, data = experiment.network, experiment.data
    facts |= machine.facts(data, settings)
    data.require("kernel.n", "train", n)
    inputs, _ = data.sample("train", n)  # the same for every seed, so that kernels of two seeds can be compared
    calibration = data.sample("train", calibration_size)[0] if bn == "recalibrate" else None
    names = layers.of(network_state.trainable(network)) if by_layer else None
    cost = ntk.cost(network, inputs, reduce, chunk)
    states = layout.states(folders.files(path_to_run), steps)
    print(
        f"{len(states)} kernels of {cost['flops'] / 1e9:.3g} GFLOP, {cost['peak_bytes'] / 2**20:.3g} MiB of memory each"
    )
    parts = " by layer" if by_layer else ""
    definition = f"empirical NTK of {len(inputs)} training inputs{parts}, reduce: {reduce}, bn: {bn}"
    with (
        folders.resumable(path_to_kernels, machine.key(facts), path_to_data, path_to_run) as folder,
        bar(len(states), label=f"kernels{parts}") as progress,
    ):
        for k, state in enumerate(states):
            if not (folder / state).exists():
                network_state.load_state(network, storage.read_tensors(Path(path_to_run) / state))
                if calibration is not None:
                    evaluation.recalibrate(network, calibration)
                if by_layer:
                    kernels = ntk.by_layer(network, inputs, names, reduce, chunk)
                else:
                    kernels = {"kernel": ntk.empirical_ntk(network, inputs, reduce, chunk)}
                arrays = {name: kernel.cpu().numpy() for name, kernel in kernels.items()}
                storage.write_tensors(folder / state, arrays, storage.provenance(definition, **facts))
            progress(k + 1)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
