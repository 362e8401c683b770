"""The layers of the base run: norms and shares of the kernel at each checkpoint, and C and S of all pairs."""

from pathlib import Path

from twophase.files import storage
from twophase.files.layout import step_file
from twophase.measures import layers
from twophase.runtime import job


def main(path_to_trajectory, path_to_kernels, path_to_layers, path_to_pairs, steps, facts):
    states, kernels = ([Path(folder) / step_file(t) for t in steps] for folder in (path_to_trajectory, path_to_kernels))
    alone, pairs = layers.of_checkpoints(states, kernels, steps)
    definition = "each layer's parameters, and its part of the empirical NTK, at iteration t"
    storage.write_table(path_to_layers, alone, storage.provenance(definition, **facts))
    definition = (
        "of each layer at iterations i and j: C, dissimilarity 1 - cos of its parameters; l2, their distance; S, "
        "kernel distance 1 - cos (Frobenius) of its part of the empirical NTK"
    )
    storage.write_table(path_to_pairs, pairs, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
