"""The workflow on a text of one's own, and what it says of one that cannot be used."""

import copy

import numpy as np
import pytest

from twophase import load
from twophase.files import storage
from workflow_runner import TINY, Workflow

pytestmark = pytest.mark.workflow

TEXT = "".join(f"{k} green bottles hanging on the wall, and if one of them should fall: " for k in range(99, 0, -1))


def on_text(root) -> dict:
    config = copy.deepcopy(TINY)
    config["datasets"] = {"digits": {"source": "text", "root": str(root), "context": 6}}
    tiny = config["experiments"]["tiny"]
    tiny["model"] = {"name": "transformer", "width": 8, "depth": 1}
    tiny["training"]["augment"] = {}
    tiny["chaos"] = {"t0": [0, 8], "t1": [16, 24], "control": [8], "t0_per_job": 2}
    return config


def test_forks_kernels_and_linearized_runs_of_a_text(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    workflow = Workflow(tmp_path, on_text(tmp_path / "a.txt"))
    seed = "results/tiny/seed0"
    workflow.snakemake("--cores", "2", *(f"{seed}/{name}.parquet" for name in ("chaos", "control", "S", "linearized")))
    results = tmp_path / "results"
    pieces = len(TEXT) // 7
    sizes = storage.read_metadata(results / "data" / "digits.safetensors")["sizes"]
    assert sizes == {"train": 4 * pieces // 5, "test": pieces - 4 * pieces // 5}
    control = load("tiny", "control", results=results)
    assert len(control) == 2
    assert (control[["C", "D", "B", "l2", "S"]] == 0).all(axis=None)
    assert (load("tiny", "chaos", results=results)["C"] > 0).all()
    kernels = load("tiny", "S", square=True, results=results)
    assert (np.diag(kernels) == 0).all()
    assert kernels.loc[0, 24] > 0
    assert np.isfinite(load("tiny", "linearized", results=results)["test_loss"]).all()

    (tmp_path / "a.txt").write_text(TEXT + TEXT[:70], encoding="utf-8")
    assert workflow.planned()["dataset"] == 1


def test_a_text_that_cannot_be_used_ends_the_first_job_with_its_name(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode("utf-16"))
    printed = Workflow(tmp_path, on_text(tmp_path / "a.txt")).snakemake("--cores", "1", check=False)
    assert f"Error: root: {tmp_path / 'a.txt'} is not text in UTF-8" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.rglob("trajectory"))
