"""One family of estimates of the inflection point of one experiment, over all its seeds."""

import pandas as pd

import _library  # noqa: F401
from twophase import job, phases, storage


def main(path_to_tables, path_to_estimates, estimator, dts, bootstrap, level, facts):
    grids = [storage.read_table(path) for path in path_to_tables]
    if estimator == "chaos":
        rows = phases.from_chaos(grids, bootstrap, level)
    elif estimator == "parameters":
        rows = phases.from_steps(grids, "C", min(dts), bootstrap, level)
    else:
        rows = phases.from_steps(grids, "S", min(dts), bootstrap, level)
        rows += phases.cone_width(grids, bootstrap, level)
    definition = f"estimates with {level:.0%} bootstrap intervals over seeds, draws and grid points"
    storage.write_table(path_to_estimates, pd.DataFrame(rows), storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
