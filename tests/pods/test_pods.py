"""profiles/kubernetes: what is asked of a cluster, and jobs that see nothing but what they fetch."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from helpers import LENET300
from image_files import folder, pictures, png
from workflow_runner import REPOSITORY, TINY, Workflow

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.skipif(find_spec("snakemake_executor_plugin_kubernetes") is None, reason="needs make test-kubernetes"),
    pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync, which the storage plugin copies with"),
]
TARGET = "results/tiny/seed0/C.parquet"


def snakemake(workflow: Workflow, *arguments: str) -> str:
    command = [sys.executable, REPOSITORY / "tests/pods/cluster.py", "--configfile", "config.yaml", *arguments]
    search = [workflow.folder / "workflow", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, search)),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, cwd=workflow.folder, env=environment, **out)
    assert not done.returncode, done.stdout[-6000:]
    return done.stdout


def with_storage(root: Path, config: dict) -> Workflow:
    """The workflow with the profile as it stands, but for where the volume is; of git, whose files Snakemake sends."""
    (root / "repository").mkdir()
    workflow = Workflow(root / "repository", config)
    profile = workflow.folder / "profiles/kubernetes/profile.yaml"
    profile.write_text(profile.read_text().replace("/shared", str(root / "volume")))
    for command in ("init", "--quiet"), ("add", "--all"):
        subprocess.run(["git", *command], cwd=workflow.folder, check=True)
    (root / "volume").mkdir(exist_ok=True)
    return workflow


@pytest.fixture(scope="module")
def pods(tmp_path_factory) -> tuple[Path, list[dict]]:
    """The storage after a run to TARGET, and what was asked for each of its jobs."""
    root = tmp_path_factory.mktemp("kubernetes")
    workflow = with_storage(root, TINY)
    looks = ("--seconds-between-status-checks", "1")
    printed = snakemake(workflow, "--profile", "profiles/kubernetes", "--jobs", "2", *looks, "--", TARGET)
    asked = Path(re.search(r"^pods: (.*)$", printed, re.MULTILINE)[1])
    yield root / "volume/store", [json.loads(path.read_text()) for path in asked.glob("*.json")]
    shutil.rmtree(asked)


def test_pods_make_what_a_machine_does(pods, tmp_path):
    storage, _ = pods
    workflow = Workflow(tmp_path, TINY)
    workflow.snakemake("--cores", "1", "--", TARGET)
    there, here = (pd.read_parquet(results / TARGET) for results in (storage, tmp_path))
    pd.testing.assert_frame_equal(there, here, check_exact=True)


def test_a_pod_asks_for_what_its_rule_does_and_for_no_gpu(pods):
    _, asked = pods
    assert len(asked) > 2  # the data, their training and C, at least
    for body in asked:
        (container,) = body["spec"]["template"]["spec"]["containers"]
        assert {"cpu", "memory", "ephemeral-storage"} == container["resources"]["requests"].keys()
        assert "tolerations" not in body["spec"]["template"]["spec"]


def test_images_of_the_user_s_own_are_read_where_they_lie(tmp_path):
    config = copy.deepcopy(TINY)
    images = folder(tmp_path / "volume/images", {name: png(pixels) for name, pixels in pictures().items()})
    config["datasets"] = {"digits": {"source": "imagefolder", "root": str(images)}}
    workflow = with_storage(tmp_path, config)
    snakemake(workflow, "--profile", "profiles/kubernetes", "--", "results/data/digits.safetensors")
    assert (tmp_path / "volume/store/results/data/digits.safetensors").exists()


def test_jobs_on_a_gpu_name_its_manufacturer(tmp_path):
    """Without it, the plugin refuses them."""
    config = copy.deepcopy(TINY)
    config["experiments"]["tiny"]["training"]["device"] = "cuda"
    workflow = with_storage(tmp_path, config)
    printed = snakemake(workflow, "--profile", "profiles/kubernetes", "--dry-run")
    trajectory = re.search(r"^rule trajectory:\n((?: {4}.*\n)+)", printed, re.MULTILINE)[1]
    assert "gpu=1, gpu_manufacturer=nvidia" in trajectory


def test_the_file_of_a_network_is_sent_along_with_the_config(tmp_path):
    """From a folder of its own, and though git does not track it."""
    config = copy.deepcopy(TINY)
    config["experiments"]["tiny"]["model"] = {"name": "my nets/net.py:build"}
    workflow = with_storage(tmp_path, config)
    (workflow.folder / "my nets").mkdir()
    (workflow.folder / "my nets/net.py").write_text(LENET300, encoding="utf-8")
    snakemake(workflow, "--profile", "profiles/kubernetes", "--", "results/tiny/seed0/trajectory")
    assert (tmp_path / "volume/store/results/tiny/seed0/trajectory/step-24.safetensors").exists()
