"""The cone's picture: unit kernels along their three principal axes about the kernel at initialisation."""

from pathlib import Path

import numpy as np

from twophase.files import storage, vectors
from twophase.files.layout import step_file
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_kernels, path_to_cone, steps, facts):
    (stacked,) = vectors.kernels([Path(path_to_kernels) / step_file(t) for t in steps])()
    unit = stacked.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    coordinates, explained = distances.principal_coordinates(lambda: iter([unit]), 0, 3)
    table = {"iteration": steps, **dict(zip("xyz", coordinates.T, strict=True))}
    definition = (
        "unit vectors of the empirical NTK along their principal axes about the first; explained: share of each"
    )
    storage.write_table(path_to_cone, table, storage.provenance(definition, explained=explained.tolist(), **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
