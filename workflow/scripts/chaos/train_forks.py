"""A block of forks: for each t0 the replay check, then the control and the perturbed draws, in turn or in lock-step."""

from pathlib import Path

from twophase.files import folders, layout, storage
from twophase.files.layout import Stops, state_file, step_file
from twophase.measures import distances
from twophase.networks import state as network_state
from twophase.runtime import job
from twophase.training import forks, lockstep, machine
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation, length, matching
from twophase.training.setup import set_up


def main(
    path_to_data,
    path_to_trajectory,
    path_to_forks,
    model,
    settings,
    seed,
    t0s,
    stops,
    draws,
    norm,
    size,
    direction,
    where,
    noise,
    control,
    replay,
    engine,
    facts,
):
    if engine == "lockstep":
        lockstep.ignore_alignment()
    experiment = set_up(path_to_data, model, settings, seed)
    names = matching(where, network_state.trainable(experiment.network))
    facts |= machine.facts(experiment.data, settings) | {"engine": engine}
    provenance = storage.provenance("fork; loss in nats and accuracy of each iteration's batch", **facts)
    log = storage.read_table(Path(path_to_trajectory) / "log.parquet").set_index("iteration")

    stops = {t0: Stops(*map(tuple, of)) for t0, of in zip(t0s, stops, strict=True)}

    def base(t):
        checkpoint, state = (Path(path_to_trajectory) / name(t) for name in (step_file, state_file))
        return storage.read_tensors(state if state.exists() else checkpoint)

    perturbation = Perturbation(norm, size, direction, names, length(base(0), names), noise)

    def logged(t0):
        return log.loc[t0 : log.index[-1] - 1].head(replay)

    with folders.resumable(path_to_forks, machine.key(facts), path_to_data, path_to_trajectory) as folder:
        if engine == "lockstep":
            first, block = min(t0s), layout.forks(t0s, draws, control)
            losses = logged(first)["loss"].to_numpy()
            lockstep.run(experiment, base(first), losses, block, stops, perturbation, Output(folder, provenance))
        else:
            for t0 in t0s:
                forks.replay(experiment, t0, base(t0), logged(t0), provenance)
                for fork in layout.forks([t0], draws, control):
                    print(fork)
                    output = Output(folder / fork.folder, provenance, distances.OF_PAIR)
                    forks.train(experiment, fork, base, stops[t0], perturbation, output)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
