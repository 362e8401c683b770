"""The chaos table: every fork against the base run, or the twin in its block, by formulas written out here."""

import numpy as np
import pytest

from twophase.files import storage
from twophase.files.layout import CONTROL, TWIN, Fork, step_file
from twophase.measures import comparison
from twophase.measures.comparison import Measured

T1S = (10, 20)
FORKS = (Fork(0, CONTROL), Fork(0, 0), Fork(5, 0), Fork(15, 1))


def place(rng):
    """Parameters, kernel and predicted classes of one state."""
    kernel = rng.standard_normal((3, 3))
    return {
        "weight": rng.standard_normal(6).astype(np.float32),
        "kernel": (kernel @ kernel.T).astype(np.float32),
        "classes": rng.integers(0, 3, 40).astype(np.int16),
    }


def save(folder, states, barriers=None, forks=()):
    """Files of a run or a block whose states are {path: place}."""
    for kind, names in (("checkpoints", ("weight",)), ("kernels", ("kernel",))):
        with storage.resumable(folder / kind, "digest") as work:
            for path, state in states.items():
                (work / path).parent.mkdir(parents=True, exist_ok=True)
                storage.write_tensors(work / path, {n: state[n] for n in names}, {"trainable": ["weight"]})
            if kind == "checkpoints":
                for k, fork in enumerate(forks):
                    table = {"t0": [fork.t0], "draw": [fork.draw], "realised": [float(k)]}
                    storage.write_table(work / fork.folder / "perturbation.parquet", table, {"definition": "epsilon"})
    predictions = {"predictions": np.stack([state["classes"] for state in states.values()])}
    storage.write_tensors(folder / "predictions.safetensors", predictions, {"states": list(states)})
    measured = [folder / "checkpoints", folder / "predictions.safetensors", folder / "kernels"]
    if barriers is not None:
        table = {"state": list(barriers), "value": list(barriers.values())}
        storage.write_table(folder / "barriers.parquet", table, {})
        measured.append(folder / "barriers.parquet")
    return Measured(*measured)


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

    table, perturbations = comparison.of_forks(run, [block])

    assert perturbations[["t0", "draw"]].to_numpy().tolist() == sorted([*fork] for fork in FORKS)
    expected = sorted((fork.t0, t, fork.draw) for fork in FORKS for t in T1S if t > fork.t0)
    assert table[["t0", "t1", "draw"]].to_numpy().tolist() == [[*cell] for cell in expected]
    for row in table.itertuples():
        fork, other = Fork(row.t0, row.draw), left[row.t1]
        path = f"{fork.folder}/{step_file(row.t1)}"
        own = states[path]
        c, d, s = row.C, row.D, row.S
        assert c == pytest.approx(1 - cosine(own["weight"], other["weight"]), abs=1e-12)
        assert s == pytest.approx(1 - cosine(own["kernel"], other["kernel"]), abs=1e-12)
        assert d == np.mean(own["classes"] != other["classes"])
        assert row.l2 == pytest.approx(np.linalg.norm(own["weight"].astype(float) - other["weight"]), rel=1e-12)
        assert (row.B, row.epsilon) == (barriers[path], FORKS.index(fork))
        if fork.is_control:
            assert (c, s, d, row.l2) == (0, 0, 0, 0)


def test_blocks_come_together_in_order(tmp_path):
    rng = np.random.default_rng(1)
    run = save(tmp_path / "run", {step_file(t): place(rng) for t in T1S})
    blocks = []
    for fork in (Fork(5, 1), Fork(5, 0), Fork(0, 0)):
        states = {f"{fork.folder}/{step_file(t)}": place(rng) for t in T1S}
        blocks.append(save(tmp_path / str(len(blocks)), states, dict.fromkeys(states, 0.0), [fork]))
    table, perturbations = comparison.of_forks(run, blocks)
    assert table[["t0", "t1", "draw"]].to_numpy().tolist() == [
        [0, 10, 0], [0, 20, 0], [5, 10, 0], [5, 10, 1], [5, 20, 0], [5, 20, 1],
    ]  # fmt: skip
    assert perturbations[["t0", "draw"]].to_numpy().tolist() == [[0, 0], [5, 0], [5, 1]]
    assert perturbations.attrs["definition"] == "epsilon"
