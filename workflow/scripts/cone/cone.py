"""The cone's picture: unit kernels along their three principal axes about the kernel at initialisation."""

import numpy as np

from twophase.files import storage, tables
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_distances, path_to_cone, facts):
    grid = tables.matrix(storage.read_table(path_to_distances))
    coordinates, explained = np.full((len(grid), 3), np.nan), np.zeros(3)
    there = np.isfinite(np.diag(grid))  # the others are 0 or have overflown, and have no direction
    if there.any():
        values, axes = np.linalg.eigh(1 - grid.to_numpy()[np.ix_(there, there)])
        unit = axes * np.sqrt(np.maximum(values, 0))  # vectors [m, m] with the cosines of the kernels
        coordinates[there], explained = distances.principal_coordinates(lambda: iter([unit]), 0, 3)
    table = {"iteration": [*grid.index], **dict(zip("xyz", coordinates.T, strict=True))}
    definition = (
        "unit vectors of the empirical NTK along their principal axes about the first; explained: share of each"
    )
    storage.write_table(path_to_cone, table, storage.provenance(definition, explained=explained.tolist(), **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
