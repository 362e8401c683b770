"""Every claim of both papers, judged for every experiment: value, interval and verdict."""

import numpy as np
import pandas as pd

from twophase.analysis import inflection, scorecard, statistics
from twophase.files import storage, tables
from twophase.runtime import job


def main(path_to_tables, path_to_predictions, path_to_phases, path_to_claims, experiments, facts):
    parts = tables.by_run(path_to_tables)
    for run, scores in tables.standard_by_run(path_to_predictions).items():
        parts.setdefault(run, {})["standard"] = scores
    phases = storage.read_table(path_to_phases)
    related = any("pointwise" in tables_of_run for tables_of_run in parts.values())
    judged = []
    for name, settings in experiments.items():
        runs = []
        for seed in settings["seeds"]:
            run = parts.get((name, seed), {})
            run = run | {"chaos": tables.distances(run, settings["t0"], settings["t1"])}
            there = {part for part in scorecard.PARTS if run.get(part) is not None and len(run[part])}
            runs.append(statistics.Run(**{part: run[part] for part in there}))
        end = inflection.end_of_chaos(phases, name)
        found = end is not None and bool(end["found"])
        gain = np.nan if end is None else end["gain"]
        judged.append(
            scorecard.of_experiment(runs, found, settings | {"gain": gain, "related": related}).assign(experiment=name)
        )
    table = pd.concat(judged, ignore_index=True)
    table = table[["experiment", *table.columns.drop("experiment")]]
    definition = "claims of both papers: value with interval over seeds, and verdict"
    storage.write_table(path_to_claims, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
