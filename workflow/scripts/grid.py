"""The blocks of one metric as one table of all pairs."""

import pandas as pd

import _library  # noqa: F401
from twophase import job, storage


def main(path_to_blocks, path_to_grid, facts):
    tables = [storage.read_table(path) for path in path_to_blocks]
    provenance = {**tables[0].attrs, **facts}
    table = pd.concat(tables, ignore_index=True).sort_values(["i", "j"])
    storage.write_table(path_to_grid, table, provenance)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
