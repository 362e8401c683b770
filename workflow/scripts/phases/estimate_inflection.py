"""Inflection points of one experiment over all its seeds, by one family of estimators."""

import pandas as pd

from twophase.analysis import inflection
from twophase.files import storage, tables
from twophase.runtime import job


def main(path_to_tables, path_to_estimates, estimator, t0s, t1s, dts, scale, level, noise, barrier, facts):
    runs = tables.by_run(path_to_tables).values()
    if estimator == "chaos":
        grids = [tables.distances(run, t0s, t1s) for run in runs]
        rows = inflection.from_chaos(grids, scale, level)
        forks = [run["chaos"] for run in runs if "chaos" in run]  # none where checkpoints are compared
        if noise != "shared" and forks:
            rows += inflection.from_barriers(forks, barrier, level)
    elif estimator == "parameters":
        rows = inflection.from_steps([run["C"] for run in runs], "C", min(dts), level)
    else:
        grids = [run["S"] for run in runs]
        rows = inflection.from_steps(grids, "S", min(dts), level)
        rows += inflection.cone_width(grids, level)
    definition = f"inflection points and cone widths with {level:.0%} intervals over seeds"
    storage.write_table(path_to_estimates, pd.DataFrame(rows), storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
