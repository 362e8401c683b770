"""The blocks of one metric as one table of all pairs."""

from twophase.files import storage, tables
from twophase.runtime import job


def main(path_to_blocks, path_to_grid, times, facts):
    table = tables.of_blocks(path_to_blocks, times, facts["origin"])
    storage.write_table(path_to_grid, table, {**table.attrs, **facts})


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
