"""One block of S: kernel distance of all pairs of checkpoints (t_i, t_j), i <= j."""

from pathlib import Path

from twophase.files import storage, vectors
from twophase.files.layout import step_file
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_kernels, path_to_block, rows, columns, facts):
    left, right = (vectors.kernels([Path(path_to_kernels) / step_file(t) for t in times]) for times in (rows, columns))
    values = distances.dissimilarity(left, None if rows == columns else right)
    definition = "S, kernel distance 1 - cos (Frobenius) of the empirical NTKs at iterations i and j"
    storage.write_table(
        path_to_block, distances.upper(rows, columns, value=values), storage.provenance(definition, **facts)
    )


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
