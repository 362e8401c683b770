"""What stops a run on a cluster before its first job."""

import copy

import pytest

from workflow_runner import TINY, Workflow

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]


def test_a_device_that_depends_on_who_looks_is_an_error(cluster, tmp_path):
    config = copy.deepcopy(TINY)
    config["experiments"]["tiny"]["training"]["device"] = "auto"
    workflow = Workflow(tmp_path, config)
    printed = workflow.snakemake("--profile", "profiles/slurm", check=False, environment=cluster.environment)
    assert "training.device of tiny is auto" in printed
    assert "has been submitted" not in printed
