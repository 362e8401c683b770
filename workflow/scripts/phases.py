"""All estimates of all experiments as one table."""

import _library  # noqa: F401
from twophase import job, storage, tables


def main(path_to_estimates, path_to_phases, facts):
    provenance = {**storage.read_table(path_to_estimates[0]).attrs, **facts}
    provenance.pop("experiment")
    table = tables.of_experiments(path_to_estimates)
    storage.write_table(path_to_phases, table[["experiment", *table.columns.drop("experiment")]], provenance)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
