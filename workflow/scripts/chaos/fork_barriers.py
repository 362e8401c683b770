"""Barriers between the forks of a block and the base run, or its twin in the block, at the same iteration."""

from pathlib import Path

import pandas as pd

from twophase.files import layout, storage
from twophase.measures import barrier
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import loop, machine


def main(path_to_data, path_to_trajectory, path_to_forks, path_to_barriers, model, settings, seed, options, facts):
    network, data = loop.set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(data, settings)
    measure = barrier.on_test_set(network, data, **options)
    states = layout.states(storage.files(path_to_forks))
    forks = layout.without_twin(states)
    bases = [layout.base_of(fork, states, path_to_forks, path_to_trajectory) for fork in forks]
    files = [(Path(*base), Path(path_to_forks) / fork) for base, fork in zip(bases, forks, strict=True)]
    with bar(len(forks), label="barriers") as progress:
        found = barrier.of_files(measure, files, 2, progress)
    table = pd.DataFrame({"state": forks}).join(pd.DataFrame(found))
    definition = (
        f"B, barrier of the test {options['metric']} between base run and fork at one iteration, bn: {options['bn']}"
    )
    storage.write_table(path_to_barriers, table, storage.provenance(definition, options=options, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
