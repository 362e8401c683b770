"""One block of B: loss barrier of all pairs of checkpoints (t_i, t_j), i <= j."""

from pathlib import Path

import pandas as pd

from twophase.files import storage
from twophase.files.layout import step_file
from twophase.measures import barrier
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.setup import set_up


def main(
    path_to_data, path_to_trajectory, path_to_block, model, settings, seed, rows, columns, evaluated, options, facts
):
    experiment = set_up(path_to_data, model, settings, seed)
    network, data = experiment.network, experiment.data
    facts |= machine.facts(data, settings)
    measure = barrier.on_test_set(network, data, evaluated, **options)
    pairs = [(i, j) for j in columns for i in rows if i <= j]
    files = [tuple(Path(path_to_trajectory) / step_file(t) for t in pair) for pair in pairs]
    with bar(len(pairs), label="barriers") as progress:
        found = barrier.of_files(measure, files, len(rows) + 2, progress)
    table = pd.DataFrame(pairs, columns=["i", "j"]).join(pd.DataFrame(found)).sort_values(["i", "j"])
    definition = (
        f"B and B+, barriers of the test {options['metric']} between checkpoints i and j (iterations), "
        f"statistics of batch norms: {evaluated['bn']}, and either in columns of its name"
    )
    storage.write_table(path_to_block, table, storage.provenance(definition, options=options, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
