"""A block of forks: for each t0 the replay check, then the control and the perturbed draws, in turn or in lock-step."""

from pathlib import Path

from twophase.files import storage
from twophase.files.layout import fork_folder, members, step_file
from twophase.runtime import job
from twophase.training import forks, lockstep, loop, machine


def main(
    path_to_data,
    path_to_trajectory,
    path_to_forks,
    model,
    settings,
    seed,
    t0s,
    t1s,
    draws,
    norm,
    size,
    control,
    replay,
    engine,
    facts,
):
    if engine == "lockstep":
        lockstep.ignore_alignment()
    network, data = loop.set_up(path_to_data, model, settings, seed)
    facts |= machine.facts(data, settings) | {"engine": engine}
    provenance = storage.provenance("fork; loss in nats and accuracy of each iteration's batch", **facts)
    log = storage.read_table(Path(path_to_trajectory) / "log.parquet").set_index("iteration")

    def base(t0):
        return storage.read_tensors(Path(path_to_trajectory) / step_file(t0))

    def logged(t0):
        return log.loc[t0 : log.index[-1] - 1].head(replay)

    with storage.resumable(path_to_forks, machine.key(facts), path_to_data, path_to_trajectory) as folder:
        if engine == "lockstep":
            first, block = min(t0s), members(t0s, draws, control)
            of_base = base(first), logged(first)["loss"].to_numpy()
            lockstep.run(network, data, settings, seed, *of_base, block, t1s, norm, size, folder, provenance)
        else:
            for t0 in t0s:
                state = base(t0)
                loop.replay(network, data, settings, seed, t0, state, logged(t0), provenance)
                for _, draw in members([t0], draws, control):
                    print(f"fork at t0 = {t0}, {draw if draw == 'control' else f'draw {draw}'}")
                    own = folder / fork_folder(t0, draw)
                    forks.fork(network, data, settings, seed, state, t0, draw, t1s, norm, size, own, provenance)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
