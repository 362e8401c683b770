"""Inflection points of one experiment over all its seeds, by one family of estimators."""

import pandas as pd

from twophase.analysis import inflection
from twophase.analysis.bootstrap import Bootstrap
from twophase.files import storage, tables
from twophase.runtime import job


def main(path_to_tables, path_to_estimates, estimator, t0s, t1s, dts, scale, bootstrap, level, facts):
    runs, intervals = tables.by_run(path_to_tables).values(), Bootstrap(bootstrap, level)
    if estimator == "chaos":
        grids = [tables.distances(run, t0s, t1s) for run in runs]
        rows = inflection.from_chaos(grids, scale, intervals)
    elif estimator == "parameters":
        rows = inflection.from_steps([run["C"] for run in runs], "C", min(dts), intervals)
    else:
        grids = [run["S"] for run in runs]
        rows = inflection.from_steps(grids, "S", min(dts), intervals)
        rows += inflection.cone_width(grids, intervals)
    definition = (
        f"inflection points and cone widths with {level:.0%} bootstrap intervals over seeds, draws and grid points"
    )
    storage.write_table(path_to_estimates, pd.DataFrame(rows), storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
