"""One block of D: disagreement of all pairs of checkpoints (t_i, t_j), i <= j."""

from twophase.files import layout, storage
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_predictions, path_to_block, rows, columns, facts):
    predictions = storage.read_tensors(path_to_predictions)["predictions"]
    index = {layout.iteration(s): k for k, s in enumerate(storage.read_metadata(path_to_predictions)["states"])}
    left, right = (predictions[[index[t] for t in times]] for times in (rows, columns))
    table = distances.upper(distances.disagreement(left, None if rows == columns else right), rows, columns)
    definition = "D, share of test inputs on which the checkpoints at iterations i and j predict different classes"
    storage.write_table(path_to_block, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
