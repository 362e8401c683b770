"""Base run and forks in the plane of the principal components of their parameters.

Forks that trained in lock-step left a twin of the base run: they are shown where they would be had they left the base
run itself, moved by what lies between twin and base run at that time.
"""

from pathlib import Path

import pandas as pd

from twophase.files import folders, layout, storage, vectors
from twophase.files.layout import Block
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_trajectory, path_to_forks, path_to_plane, facts):
    base = layout.states(folders.files(path_to_trajectory))
    rows = [{"t0": -1, "draw": -1, "iteration": layout.iteration(state)} for state in base]
    paths = [Path(path_to_trajectory) / state for state in base]
    left = []  # of each fork, at its time: the run that it left
    for block in path_to_forks:
        states = Block(layout.states(folders.files(block)))
        for state in states.states:
            if not state.fork.is_control:
                rows.append({"t0": state.fork.t0, "draw": state.fork.draw, "iteration": state.t1})
                paths.append(Path(block) / state.path)
                base_of_it = states.base(state)
                left.append(Path(base_of_it.within(block, path_to_trajectory)) / base_of_it.path)
    places = list(dict.fromkeys([*paths, *left]))
    coordinates, explained = distances.principal_coordinates(vectors.networks(places), None, 2)
    coordinates = dict(zip(places, coordinates, strict=True))
    shown = [coordinates[path] for path in paths]
    for k, twin in enumerate(left, start=len(base)):
        shown[k] = shown[k] + coordinates[Path(path_to_trajectory) / twin.name] - coordinates[twin]
    table = pd.DataFrame(rows).join(pd.DataFrame(shown, columns=["x", "y"]))
    definition = "parameters of base run (t0 = -1) and of its forks along their two principal axes"
    storage.write_table(path_to_plane, table, storage.provenance(definition, explained=explained.tolist(), **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
