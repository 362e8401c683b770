"""Inflection points and cone widths of all experiments as one table; without rows where there are none."""

from twophase.files import storage, tables
from twophase.runtime import job


def main(path_to_estimates, path_to_phases, facts):
    table = tables.of_experiments(path_to_estimates)
    table = table[["experiment", *table.columns.drop("experiment")]]
    definition = "inflection points and cone widths, with intervals over seeds"
    storage.write_table(path_to_phases, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
