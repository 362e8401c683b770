"""The workflow with forks that have new noise: they leave the base run, and their stability is estimated."""

import copy

import pytest

from twophase import load
from twophase.files import storage
from workflow_runner import TINY, Workflow

pytestmark = pytest.mark.workflow


def test_forks_with_new_noise_and_no_perturbation(tmp_path):
    config = copy.deepcopy(TINY)
    tiny = config["experiments"]["tiny"]
    tiny |= {"chaos": {"t0": [0, 8], "lags": [8], "size": 0, "noise": "both"}, "linearized": {}, "cone": {}}
    tiny["barrier"]["metric"] = "error"
    workflow = Workflow(tmp_path, config)
    workflow.snakemake("--cores", "2", "results/phases.parquet")
    results = tmp_path / "results"
    chaos, control = (load("tiny", name, results=results) for name in ("chaos", "control"))
    assert chaos[["t0", "t1"]].to_numpy().tolist() == [[0, 8], [8, 16]]  # all forks have the same length
    assert (chaos[["C", "l2"]] > 0).all(axis=None)
    assert (chaos["epsilon"] == 0).all()
    assert (control[["C", "D", "B", "l2"]] == 0).all(axis=None)
    phases = storage.read_table(results / "phases.parquet").set_index("quantity")
    assert phases.loc["stability", "estimator"] == "stable from"
    assert phases.loc["stability", "reason"] == "one run tells of no other"
    assert "sign change" not in phases.index

    shared = copy.deepcopy(config)
    shared["experiments"]["tiny"]["chaos"] |= {"size": 1e-7, "noise": "shared"}
    workflow.write(shared)
    assert "made with chaos." in workflow.snakemake("--dry-run", check=False)
