"""The chaos table: every fork against the base run, or the twin in its block, by formulas written out here."""

from dataclasses import replace

import numpy as np
import pytest

from twophase.files import folders, storage
from twophase.files.layout import CONTROL, TWIN, Fork, step_file
from twophase.files.predicted import STATISTICS, tensor
from twophase.measures import barrier, comparison
from twophase.measures.comparison import Measured
from twophase.measures.distances import OF_PAIR

T1S, DENSE = (10, 20), (8, 17)
FORKS = (Fork(0, CONTROL), Fork(0, 0), Fork(5, 0), Fork(15, 1))


def place(rng):
    """Parameters, kernel and predicted classes of one state."""
    kernel = rng.standard_normal((3, 3))
    return {
        "weight": rng.standard_normal(6).astype(np.float32),
        "kernel": (kernel @ kernel.T).astype(np.float32),
        "running": rng.integers(0, 3, 40).astype(np.int16),
        "recalibrate": rng.integers(0, 3, 40).astype(np.int16),
    }


def save(folder, states, barriers=None, forks=(), left=None):
    """Files of a run or a block whose states are {path: place}; `left`, by t1, is what its forks are compared with."""
    for kind, names in (("checkpoints", ("weight",)), ("kernels", ("kernel",))):
        with folders.resumable(folder / kind, "digest") as work:
            for path, state in states.items():
                (work / path).parent.mkdir(parents=True, exist_ok=True)
                storage.write_tensors(work / path, {n: state[n] for n in names}, {"trainable": ["weight"]})
            if kind == "checkpoints":
                for k, fork in enumerate(forks):
                    table = {"t0": [fork.t0], "draw": [fork.draw], "realised": [float(k)]}
                    storage.write_table(work / fork.folder / "perturbation.parquet", table, {"definition": "epsilon"})
                    storage.write_table(work / fork.folder / "log.parquet", log(fork), {})
    tensors = {}
    for bn in STATISTICS:
        tensors[tensor("predictions", bn, "running")] = np.stack([state[bn] for state in states.values()])
    storage.write_tensors(folder / "predictions.safetensors", tensors, {"states": list(states), "bn": "running"})
    measured = [folder / "checkpoints", folder / "predictions.safetensors", folder / "kernels"]
    if barriers is not None:
        storage.write_table(folder / "barriers.parquet", {"state": list(barriers), **named(barriers.values())}, {})
        measured.append(folder / "barriers.parquet")
    return Measured(*measured)


def log(fork):
    """Distances of a fork, made up, at all T1S and at times in between."""
    times = np.arange(fork.t0, T1S[-1] + 1)
    found = np.isin(times, [*T1S, *DENSE]) & (times > fork.t0)
    of = {name: np.where(found, distance(fork, times, name), np.nan) for name in OF_PAIR}
    return {"iteration": times, "loss": np.zeros(len(times)), **of}


def distance(fork, t1, name):
    return fork.t0 + fork.draw / 10 + t1 / 1000 + OF_PAIR.index(name) * 100


def named(values):
    """A table of barriers in which every column has numbers of its own."""
    values = np.array([*values], dtype=float)
    columns = [*barrier.IN_TABLES, *(f"{name}_{bn}" for name in barrier.IN_TABLES for bn in STATISTICS)]
    return {name: values + 1000 * k for k, name in enumerate(columns)}


def cosine(a, b):
    a, b = a.astype(float).ravel(), b.astype(float).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("with_twin", [False, True])
def test_every_fork_is_compared_with_what_it_left(tmp_path, with_twin):
    rng = np.random.default_rng(0)
    base = {step_file(t): place(rng) for t in (0, 5, *T1S)}
    run = save(tmp_path / "run", base)
    states = {f"{fork.folder}/{step_file(t)}": place(rng) for fork in FORKS for t in T1S if t > fork.t0}
    left = {t: base[step_file(t)] for t in T1S}
    if with_twin:
        left = {t: place(rng) for t in T1S}
    for t in T1S:  # the control has not left it
        states[f"{FORKS[0].folder}/{step_file(t)}"] = left[t]
    barriers = {path: float(k) for k, path in enumerate(states)}
    twins = {f"{TWIN}/{step_file(t)}": left[t] for t in T1S} if with_twin else {}
    block = save(tmp_path / "block", states | twins, barriers, FORKS)

    table, dense, perturbations = comparison.of_forks(run, [block], "statistics")

    assert perturbations[["t0", "draw"]].to_numpy().tolist() == sorted([*fork] for fork in FORKS)
    expected = sorted((fork.t0, t, fork.draw) for fork in FORKS for t in T1S if t > fork.t0)
    assert table[["t0", "t1", "draw"]].to_numpy().tolist() == [[*cell] for cell in expected]
    for row in table.itertuples():
        fork, other = Fork(row.t0, row.draw), left[row.t1]
        path = f"{fork.folder}/{step_file(row.t1)}"
        own = states[path]
        assert pytest.approx(1 - cosine(own["kernel"], other["kernel"]), abs=1e-12) == row.S
        for bn in STATISTICS:
            assert getattr(row, f"D_{bn}") == np.mean(own[bn] != other[bn])
        assert row.D_running == row.D
        for name in OF_PAIR:
            assert getattr(row, name) == distance(fork, row.t1, name)
        assert row.C_statistics == row.C
        given = {name: column[list(barriers).index(path)] for name, column in named(barriers.values()).items()}
        assert (row.B, row.hump, row.epsilon) == (given["value"], given["hump"], FORKS.index(fork))
        for bn in STATISTICS:
            assert getattr(row, f"B_{bn}") == given[f"value_{bn}"]
            assert getattr(row, f"hump_{bn}") == given[f"hump_{bn}"]
            # The fork comes second, as the barriers' j.
            assert getattr(row, f"loss_{bn}") == given[f"loss_j_{bn}"]
            assert getattr(row, f"base_error_{bn}") == given[f"error_i_{bn}"]
        if fork.is_control:
            assert (row.S, row.D_running, row.D_recalibrate) == (0, 0, 0)

    cells = sorted((f.t0, t, f.draw) for f in FORKS for t in (*T1S, *DENSE) if t > f.t0)
    assert dense[["t0", "t1", "draw"]].to_numpy().tolist() == [[*cell] for cell in cells]
    for row in dense.itertuples():
        fork = Fork(row.t0, row.draw)
        assert [getattr(row, name) for name in OF_PAIR] == [distance(fork, row.t1, name) for name in OF_PAIR]
        assert (row.C, row.epsilon) == (row.C_statistics, FORKS.index(fork))


def test_without_kernels_of_forks_s_is_unknown(tmp_path):
    rng = np.random.default_rng(2)
    run = save(tmp_path / "run", {step_file(t): place(rng) for t in T1S})
    states = {f"{FORKS[1].folder}/{step_file(t)}": place(rng) for t in T1S}
    block = save(tmp_path / "block", states, dict.fromkeys(states, 0.0), [FORKS[1]])
    table = comparison.of_forks(run, [replace(block, kernels=None)], "parameters").comparisons
    assert table["S"].isna().all()
    assert (table["C"] == table["C_parameters"]).all()


def test_base_runs_of_two_seeds(tmp_path):
    rng = np.random.default_rng(3)
    places = [{step_file(t): place(rng) for t in T1S} for _ in range(2)]
    runs = [save(tmp_path / str(k), states) for k, states in enumerate(places)]
    rows = [dict(zip(named([0]), values, strict=True)) for values in zip(*named([7.0, 8.0]).values(), strict=True)]
    table = comparison.of_runs(*runs, T1S, rows, "parameters")
    assert table["t"].tolist() == [*T1S]
    for row, t, given in zip(table.itertuples(), T1S, rows, strict=True):
        mine, other = (states[step_file(t)] for states in places)
        assert pytest.approx(1 - cosine(mine["weight"], other["weight"]), abs=1e-12) == row.C
        assert row.l2 == pytest.approx(np.linalg.norm(mine["weight"].astype(float) - other["weight"]), rel=1e-12)
        assert (row.D_running, row.D_recalibrate) == tuple(np.mean(mine[bn] != other[bn]) for bn in STATISTICS)
        assert (row.B, row.error_running, row.base_error_running) == (
            given["value"],
            given["error_j_running"],
            given["error_i_running"],
        )


def test_blocks_come_together_in_order(tmp_path):
    rng = np.random.default_rng(1)
    run = save(tmp_path / "run", {step_file(t): place(rng) for t in T1S})
    blocks = []
    for fork in (Fork(5, 1), Fork(5, 0), Fork(0, 0)):
        states = {f"{fork.folder}/{step_file(t)}": place(rng) for t in T1S}
        blocks.append(save(tmp_path / str(len(blocks)), states, dict.fromkeys(states, 0.0), [fork]))
    table, _, perturbations = comparison.of_forks(run, blocks, "parameters")
    assert table[["t0", "t1", "draw"]].to_numpy().tolist() == [
        [0, 10, 0], [0, 20, 0], [5, 10, 0], [5, 10, 1], [5, 20, 0], [5, 20, 1],
    ]  # fmt: skip
    assert perturbations[["t0", "draw"]].to_numpy().tolist() == [[0, 0], [5, 0], [5, 1]]
    assert perturbations.attrs["definition"] == "epsilon"
