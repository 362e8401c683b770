"""A block of forks: for each t0 the replay check, then the control and the perturbed draws."""

from pathlib import Path

import _library  # noqa: F401
from twophase import forks, job, storage, training
from twophase.layout import fork_folder, members, step_file


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
    facts,
):
    network, data = training.set_up(path_to_data, model, settings, seed)
    facts |= training.machine(data, settings)
    provenance = storage.provenance("fork; loss in nats and accuracy of each iteration's batch", **facts)
    log = storage.read_table(Path(path_to_trajectory) / "log.parquet").set_index("iteration")
    with storage.resumable(path_to_forks, facts["settings"], path_to_data, path_to_trajectory) as folder:
        for t0 in t0s:
            base = storage.read_tensors(Path(path_to_trajectory) / step_file(t0))
            losses = log.loc[t0 : log.index[-1] - 1, "loss"].to_numpy()[:replay]
            training.replay(network, data, settings, seed, t0, base, losses)
            for _, draw in members([t0], draws, control):
                print(f"fork at t0 = {t0}, {draw if draw == 'control' else f'draw {draw}'}")
                fork = folder / fork_folder(t0, draw)
                forks.fork(network, data, settings, seed, base, t0, draw, t1s, norm, size, fork, provenance)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
