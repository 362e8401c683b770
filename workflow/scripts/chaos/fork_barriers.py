"""Barriers between the forks of a block and the base run, or its twin in the block, at the same iteration."""

from pathlib import Path

import pandas as pd

from twophase.files import folders, layout, storage
from twophase.files.layout import Block
from twophase.measures import barrier
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.setup import set_up


def main(
    path_to_data, path_to_trajectory, path_to_forks, path_to_barriers, model, settings, seed, evaluated, options, facts
):
    experiment = set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(experiment.data, settings)
    measure = barrier.on_test_set(experiment.network, experiment.data, evaluated, **options)
    block = Block(layout.states(folders.files(path_to_forks)))
    files = []
    for state in block.states:
        base = block.base(state)
        files.append(
            (Path(base.within(path_to_forks, path_to_trajectory)) / base.path, Path(path_to_forks) / state.path)
        )
    with bar(len(files), label="barriers") as progress:
        found = barrier.of_files(measure, files, 2, progress)
    table = pd.DataFrame({"state": [state.path for state in block.states]}).join(pd.DataFrame(found))
    definition = (
        f"B and B+, barriers of the test {options['metric']} between base run (i) and fork (j) at one iteration, "
        f"statistics of batch norms: {evaluated['bn']}, and either in columns of its name"
    )
    storage.write_table(path_to_barriers, table, storage.provenance(definition, options=options, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
