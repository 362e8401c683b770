"""One block of D: disagreement of all pairs of checkpoints (t_i, t_j), i <= j, under either batch norms' statistics."""

import numpy as np

from twophase.files import layout, predicted, storage
from twophase.measures import distances
from twophase.runtime import job


def main(path_to_predictions, path_to_block, rows, columns, facts):
    found = {}
    for bn, states in predicted.classes(path_to_predictions).items():
        of = {layout.iteration(state): classes for state, classes in states.items()}
        left, right = (np.stack([of[t] for t in times]) for times in (rows, columns))
        found[bn] = distances.disagreement(left, None if rows == columns else right)
    chosen = next(iter(found))
    named = {f"D_{bn}": matrix for bn, matrix in predicted.either(found).items()}
    table = distances.upper(rows, columns, value=found[chosen], **named)
    definition = (
        "D, share of test inputs on which the checkpoints at iterations i and j predict different classes; "
        f"statistics of batch norms: {chosen}, and either in columns of its name"
    )
    storage.write_table(path_to_block, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
