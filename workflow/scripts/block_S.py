"""One block of S: kernel distance of all pairs of checkpoints (t_i, t_j), i <= j."""

from pathlib import Path

import _library  # noqa: F401
from twophase import job, metrics, storage, vectors
from twophase.layout import step_file


def main(path_to_kernels, path_to_block, rows, columns, facts):
    left, right = (vectors.kernels([Path(path_to_kernels) / step_file(t) for t in times]) for times in (rows, columns))
    values = metrics.dissimilarity(left, None if rows == columns else right)
    definition = "S, kernel distance 1 - cos (Frobenius) of the empirical NTKs at iterations i and j"
    storage.write_table(path_to_block, metrics.upper(values, rows, columns), storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
