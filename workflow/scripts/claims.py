"""Every claim of both papers about every experiment: value, interval and verdict."""

import pandas as pd

import _library  # noqa: F401
from twophase import findings, job, scorecard, storage, tables


def main(path_to_tables, path_to_predictions, path_to_phases, path_to_claims, experiments, facts):
    parts = tables.by_run(path_to_tables)
    for path in path_to_predictions:
        scores = tables.standard_scores([path])
        parts.setdefault((scores["experiment"].iloc[0], int(scores["seed"].iloc[0])), {})["standard"] = scores
    with_inflection = set()
    for path in path_to_phases:
        estimates = storage.read_table(path)
        here = estimates[(estimates["estimator"] == "chaos C") & estimates["found"]]
        with_inflection.update(here["experiment"])

    judged = []
    for name, settings in experiments.items():
        runs = []
        for seed in settings["seeds"]:
            run = parts.get((name, seed), {})
            if settings["distance"] == "checkpoints" and "B" in run:
                run["chaos"] = tables.of_checkpoints(run, settings["t0"], settings["t1"])
            runs.append(findings.Run(**{part: run[part] for part in scorecard.PARTS if len(run.get(part, ()))}))
        judged.append(scorecard.of_experiment(runs, name in with_inflection, settings).assign(experiment=name))
    table = pd.concat(judged, ignore_index=True)
    table = table[["experiment", *table.columns.drop("experiment")]]
    definition = "claims of both papers: value with bootstrap interval over seeds, draws and test images, and verdict"
    storage.write_table(path_to_claims, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
