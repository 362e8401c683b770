"""The base run against that of another seed: how far apart independent networks are, which forks are compared with."""

from pathlib import Path

from twophase.files import storage
from twophase.files.layout import step_file
from twophase.measures import barrier, comparison
from twophase.measures.comparison import Measured
from twophase.progress import bar
from twophase.runtime import job
from twophase.training import machine
from twophase.training.setup import set_up


def main(
    path_to_data,
    path_to_trajectory,
    path_to_other,
    path_to_predictions,
    path_to_other_predictions,
    path_to_independent,
    model,
    settings,
    seed,
    other,
    times,
    vector,
    evaluated,
    options,
    facts,
):
    experiment = set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(experiment.data, settings)
    measures = barrier.on_test_set(experiment.network, experiment.data, evaluated, **options)
    files = [(Path(path_to_other) / step_file(t), Path(path_to_trajectory) / step_file(t)) for t in times]
    with bar(len(files), label="barriers") as progress:
        barriers = barrier.of_files(measures, files, 2, progress)
    mine, others = Measured(path_to_trajectory, path_to_predictions), Measured(path_to_other, path_to_other_predictions)
    table = comparison.of_runs(mine, others, times, barriers, vector)
    definition = (
        f"base run against that of seed {other} at one iteration: C dissimilarity 1 - cos of {vector}, l2 distance of "
        "the parameters, B barrier, hump B+, D disagreement"
    )
    storage.write_table(path_to_independent, table, storage.provenance(definition, other=other, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
