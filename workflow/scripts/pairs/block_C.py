"""One block of C: dissimilarity of all pairs of checkpoints (t_i, t_j), i <= j, with each of the vectors, and l2."""

from pathlib import Path

from twophase.files import storage, vectors
from twophase.files.layout import step_file
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_trajectory, path_to_block, rows, columns, vector, facts):
    paths = [[Path(path_to_trajectory) / step_file(t) for t in times] for times in (rows, columns)]
    found = {}
    for name in vectors.VECTORS:
        left, right = (vectors.networks(side, name) for side in paths)
        found[f"C_{name}"] = distances.dissimilarity(left, None if rows == columns else right)
    left, right = (distances.lengths(vectors.networks(side)) for side in paths)
    found["l2"] = distances.euclidean(found["C_parameters"], left, right)
    definition = (
        f"C, dissimilarity 1 - cos of the {vector} of the checkpoints at iterations i and j; C_<vector> of each of "
        "parameters, statistics (with running statistics), state_dict; l2, distance of the parameters"
    )
    table = distances.upper(rows, columns, value=found[f"C_{vector}"], **found)
    storage.write_table(path_to_block, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
