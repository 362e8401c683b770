"""The chaos grid of one seed: C, B, D, S and l2 distance of every fork to the base run, or its twin, at every t1."""

from pathlib import Path

import numpy as np
import pandas as pd

from twophase.files import layout, storage, vectors
from twophase.measures import distances
from twophase.runtime import job


def main(
    path_to_trajectory,
    path_to_forks,
    path_to_base_predictions,
    path_to_predictions,
    path_to_base_kernels,
    path_to_kernels,
    path_to_barriers,
    path_to_chaos,
    path_to_control,
    path_to_perturbations,
    facts,
):
    base_states = storage.read_metadata(path_to_base_predictions)["states"]
    base_predictions = dict(
        zip(base_states, storage.read_tensors(path_to_base_predictions)["predictions"], strict=True)
    )
    rows, perturbations = [], []
    blocks = zip(path_to_forks, path_to_predictions, path_to_kernels, path_to_barriers, strict=True)
    for forks, predictions_file, kernels, barriers_file in blocks:
        states = storage.read_metadata(predictions_file)["states"]
        predictions = dict(zip(states, storage.read_tensors(predictions_file)["predictions"], strict=True))
        barriers = storage.read_table(barriers_file).set_index("state")["value"]
        names = [name for name in storage.files(forks) if name.endswith("perturbation.parquet")]
        made = [storage.read_table(Path(forks) / name) for name in names]
        epsilons = {(e.t0, e.draw): e.realised for table in made for e in table.itertuples()}
        perturbations += made
        for state in layout.without_twin(states):
            base = Path(*layout.base_of(state, states, forks, path_to_trajectory))
            dissimilarity, distance = distances.distance(vectors.parameters([base, Path(forks) / state]))
            base_kernel = Path(*layout.base_of(state, states, kernels, path_to_base_kernels))
            h, h_fork = (vectors.kernels([path]) for path in (base_kernel, Path(kernels) / state))
            of_base, name = layout.base_of(state, states, predictions, base_predictions)
            t0, draw = layout.fork_of(state)
            rows.append(
                {
                    "t0": t0,
                    "t1": layout.iteration(state),
                    "draw": draw,
                    "C": dissimilarity,
                    "B": barriers[state],
                    "D": float(np.mean(of_base[name] != predictions[state])),
                    "S": distances.dissimilarity(h, h_fork).item(),
                    "l2": distance,
                    "epsilon": epsilons[t0, draw],
                }
            )
    table = pd.DataFrame(rows).sort_values(["t0", "t1", "draw"])
    control = table["draw"] < 0
    definition = (
        "fork from t0 against the base run, in lock-step its twin, at t1 (iterations): C parameter dissimilarity, "
        "B barrier, D disagreement, S kernel distance, l2 distance of the parameters, epsilon l2 norm of its start"
    )
    storage.write_table(path_to_chaos, table[~control], storage.provenance(definition, **facts))
    storage.write_table(
        path_to_control,
        table[control].drop(columns="draw"),
        storage.provenance(f"control with epsilon = 0; {definition}", **facts),
    )
    storage.write_table(
        path_to_perturbations,
        pd.concat(perturbations).sort_values(["t0", "draw"]),
        storage.provenance(perturbations[0].attrs["definition"] + "; draw -1 is the control", **facts),
    )


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
