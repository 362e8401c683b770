"""The explorer: all tables of a run as one interactive HTML page."""

from pathlib import Path

from twophase.files import folders, layout, storage, tables
from twophase.report import explorer
from twophase.runtime import job


def main(
    path_to_trajectories,
    path_to_predictions,
    path_to_tables,
    path_to_forks,
    path_to_barriers,
    path_to_phases,
    path_to_claims,
    path_to_explorer,
    experiments,
    style,
    facts,
):
    runs = tables.by_run([*path_to_tables, *(Path(folder) / "log.parquet" for folder in path_to_trajectories)])

    def run_of(facts):
        return runs[facts["experiment"], int(facts["seed"])]

    for run, scores in tables.standard_by_run(path_to_predictions).items():
        runs[run]["scores"] = scores.sort_values("iteration")
    for path in path_to_barriers:
        table = storage.read_table(path)
        run_of(table.attrs).setdefault("barriers", []).append(table)
    for folder in path_to_forks:
        for file in folders.files(folder):
            if Path(file).match("t0-*/draw-*/log.parquet"):
                log = storage.read_table(Path(folder) / file)
                run_of(log.attrs).setdefault("forks", {})[layout.Fork.of(file)] = log
    for run in runs.values():
        if "barriers" in run:
            run["barriers"] = tables.joined(run["barriers"])
    shown = explorer.gather(runs, *map(storage.read_table, (path_to_phases, path_to_claims)), experiments)
    explorer.write(path_to_explorer, shown, style, storage.provenance("explorer", **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
