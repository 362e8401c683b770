"""Base run and forks in the plane of the principal components of their parameters."""

from pathlib import Path

import pandas as pd

import _library  # noqa: F401
from twophase import job, layout, metrics, storage, vectors


def main(path_to_trajectory, path_to_forks, path_to_plane, facts):
    base = layout.states(storage.files(path_to_trajectory))
    rows = [{"t0": -1, "draw": -1, "iteration": layout.iteration(state)} for state in base]
    paths = [Path(path_to_trajectory) / state for state in base]
    for block in path_to_forks:
        for state in layout.forks(layout.states(storage.files(block))):
            t0, draw = layout.fork(state)
            if draw >= 0:
                rows.append({"t0": t0, "draw": draw, "iteration": layout.iteration(state)})
                paths.append(Path(block) / state)
    coordinates, explained = metrics.principal_coordinates(vectors.parameters(paths), None, 2)
    table = pd.DataFrame(rows).join(pd.DataFrame(coordinates, columns=["x", "y"]))
    definition = "parameters of base run (t0 = -1) and of its forks along their two principal axes"
    storage.write_table(path_to_plane, table, storage.provenance(definition, explained=explained.tolist(), **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
