"""The blocks of one metric as one table of all pairs."""

import _library  # noqa: F401
from twophase import job, storage, tables


def main(path_to_blocks, path_to_grid, times, facts):
    table = tables.of_blocks(path_to_blocks, times, facts["origin"])
    storage.write_table(path_to_grid, table, {**table.attrs, **facts})


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
