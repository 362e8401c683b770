"""The chaos tables of one seed: every fork against the base run, or its twin, at every t1."""

from twophase.files import storage
from twophase.files.layout import CONTROL
from twophase.measures import comparison
from twophase.measures.comparison import Measured
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
    path_to_distances,
    path_to_control,
    path_to_perturbations,
    vector,
    facts,
):
    run = Measured(path_to_trajectory, path_to_base_predictions, path_to_base_kernels)
    kernels = path_to_kernels or [None] * len(path_to_forks)
    blocks = map(Measured, path_to_forks, path_to_predictions, kernels, path_to_barriers)
    table, distances, perturbations = comparison.of_forks(run, list(blocks), vector)
    control = table["draw"] == CONTROL
    of_c = f"C dissimilarity 1 - cos of {vector}, l2 distance of the parameters, epsilon l2 norm of its start"
    left = "fork from t0 against the base run, in lock-step its twin, at t1 (iterations)"
    definition = f"{left}: {of_c}; B barrier, hump B+, D disagreement, S kernel distance"
    storage.write_table(path_to_chaos, table[~control], storage.provenance(definition, **facts))
    storage.write_table(
        path_to_distances,
        distances[distances["draw"] != CONTROL],
        storage.provenance(f"{left}, also where nothing else is measured: {of_c}", **facts),
    )
    storage.write_table(
        path_to_control,
        table[control].drop(columns="draw"),
        storage.provenance(f"control with epsilon = 0; {definition}", **facts),
    )
    definition = f"{perturbations.attrs['definition']}; draw {CONTROL} is the control"
    storage.write_table(path_to_perturbations, perturbations, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
