"""The explorer: all tables of a run as one interactive HTML page."""

from pathlib import Path

import _library  # noqa: F401
from twophase import explorer, job, layout, storage, tables


def main(
    path_to_trajectories,
    path_to_predictions,
    path_to_tables,
    path_to_forks,
    path_to_barriers,
    path_to_phases,
    path_to_explorer,
    experiments,
    colormap,
    facts,
):
    runs = tables.by_run([*path_to_tables, *(Path(folder) / "log.parquet" for folder in path_to_trajectories)])

    def run_of(facts):
        return runs[facts["experiment"], int(facts["seed"])]

    for path in path_to_predictions:
        scores = tables.standard_scores([path])
        columns = ["iteration", "test_loss", "test_accuracy"]
        run_of(scores.iloc[0])["scores"] = scores[columns].sort_values("iteration")
    for path in path_to_barriers:
        table = storage.read_table(path)
        run_of(table.attrs).setdefault("barriers", []).append(table)
    for folder in path_to_forks:
        for file in storage.files(folder):
            if Path(file).match("t0-*/draw-*/log.parquet"):
                log = storage.read_table(Path(folder) / file)
                run_of(log.attrs).setdefault("forks", {})[layout.fork(file)] = log
    for run in runs.values():
        if "barriers" in run:
            run["barriers"] = tables.joined(run["barriers"])
    phases = storage.read_table(path_to_phases[0]) if path_to_phases else tables.of_experiments([])
    provenance = storage.provenance("explorer", **facts)
    explorer.write(path_to_explorer, explorer.gather(runs, phases, experiments), colormap, provenance)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
