"""The workflow with forks in lock-step: the same tables, forks compared with their twin."""

import copy

import numpy as np
import pytest

from twophase import load
from twophase.files import storage
from workflow_runner import TINY, Workflow

pytestmark = pytest.mark.workflow


def test_chaos_with_forks_in_lockstep(tmp_path):
    config = copy.deepcopy(TINY)
    tiny = config["experiments"]["tiny"]
    tiny["training"]["engine"] = "lockstep"
    tiny["chaos"] = {"t0": [8, 0], "t1": [8, 16, 24], "draws": 2, "control": [8], "t0_per_job": 2}
    workflow, target = Workflow(tmp_path, config), "results/tiny/seed0/chaos.parquet"
    printed = workflow.snakemake("--cores", "2", target, check=False)
    if "Lock-step check failed: of" in printed and "not all stayed equal" in printed:
        pytest.skip("members of a stack do not stay equal on this machine")
    assert (tmp_path / target).exists(), printed[-6000:]
    results = tmp_path / "results"

    chaos = load("tiny", "chaos", results=results)
    expected = {(t0, t1, draw) for t0 in (0, 8) for t1 in (8, 16, 24) if t1 > t0 for draw in (0, 1)}
    assert set(chaos[["t0", "t1", "draw"]].itertuples(index=False, name=None)) == expected
    assert (chaos["C"] > 0).all()
    assert np.isfinite(chaos.to_numpy()).all()
    perturbations = load("tiny", "perturbations", results=results)
    assert set(perturbations[["t0", "draw"]].itertuples(index=False, name=None)) == {
        (0, 0), (0, 1), (8, -1), (8, 0), (8, 1),
    }  # fmt: skip

    end = "step-24.safetensors"
    seed = results / "tiny" / "seed0"
    base, twin, control = (
        storage.read_tensors(seed / run / end) for run in ("trajectory", "forks/0/twin", "forks/0/t0-8/control")
    )
    np.testing.assert_allclose(twin["fc.weight"], base["fc.weight"], atol=1e-3)
    assert all(np.array_equal(twin[name], control[name]) for name in twin)
    table = load("tiny", "control", results=results)
    assert table[["t0", "t1"]].to_numpy().tolist() == [[8, 16], [8, 24]]
    assert (table[["C", "D", "B", "l2", "S"]] == 0).all(axis=None)

    tiny["training"]["engine"] = "solo"
    workflow.write(config)
    plan = workflow.planned(target)
    assert plan["forks"] == 1
    assert not plan.keys() & {"trajectory", "dataset"}

    # Zeros above say what the control was compared with, where the twin rounds differently from the base run.
    if all(np.array_equal(twin[name], base[name]) for name in twin):
        pytest.skip("a stack rounds like a single network here: whether the control was compared with the twin is open")
    assert not np.array_equal(base["fc.weight"], twin["fc.weight"])
