"""What jobs ask a cluster for with profiles/slurm, as a dry run prints it."""

import copy
import re

import pytest
import yaml

from workflow_runner import REPOSITORY, TINY, Workflow

pytestmark = pytest.mark.workflow

PROFILE = yaml.safe_load((REPOSITORY / "profiles" / "slurm" / "profile.yaml").read_text())
ON_GPU = {
    "trajectory",
    "forks",
    "predictions",
    "kernels",
    "linearized",
    "fork_barriers",
    "block_B",
    "pointwise_measures",
    "layer_kernels",
    "layer_chaos",
}


def asked(workflow: Workflow, *arguments: str) -> dict[tuple[str, str], dict[str, str]]:
    """Resources of every job, threads among them, by rule and wildcards."""
    printed = workflow.snakemake("--dry-run", "--cores", "8", "--profile", "profiles/slurm", *arguments)
    found = {}
    for rule, text in re.findall(r"^rule (\w+):\n((?: {4}.*\n)+)", printed, re.MULTILINE):
        lines = dict(re.findall(r"^ {4}(\w+): (.*)$", text, re.MULTILINE))
        resources = dict(part.split("=", 1) for part in lines["resources"].split(", "))
        found[rule, lines.get("wildcards", "")] = resources | {"threads": lines.get("threads", "1")}
    return found


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Workflow:
    """Jobs on a GPU, of two threads."""
    config = copy.deepcopy(TINY)
    config["experiments"]["tiny"]["training"] |= {"device": "cuda", "threads": 2}
    return Workflow(tmp_path_factory.mktemp("workflow"), config)


@pytest.fixture(scope="module")
def first(workflow) -> dict[tuple[str, str], dict[str, str]]:
    return asked(workflow)


def test_every_job_asks_for_memory_and_time(first):
    assert len(first) > len(ON_GPU)
    for job, resources in first.items():
        if job[0] != "all":
            assert int(resources["mem_mb"]) >= 500, job  # two Snakemakes start it, and there it is
            assert int(resources["runtime"]) >= 10, job


def test_what_computes_with_torch_asks_for_a_gpu_and_its_threads_and_nothing_else_does(first):
    for name, value in (("gpu", "1"), ("gpu_manufacturer", "nvidia")):
        assert {rule for (rule, _), resources in first.items() if name in resources} == ON_GPU
        assert {resources[name] for resources in first.values() if name in resources} == {value}
    assert {rule for (rule, _), resources in first.items() if resources["threads"] == "2"} == ON_GPU


def test_no_job_asks_for_a_gpu_where_networks_train_on_the_cpu(tmp_path):
    named = {name for resources in asked(Workflow(tmp_path, TINY)).values() for name in resources}
    assert not {name for name in named if name.startswith("gpu")}  # 0 would be a request to some schedulers


def test_another_attempt_asks_for_more_memory_and_time_and_for_nothing_else(workflow, first):
    third = asked(workflow, "--attempt", "3")  # as --retries does
    assert third.keys() == first.keys()
    for job, before in first.items():
        for name, value in before.items():
            if name in ("mem_mb", "runtime") and job[0] != "all":
                assert int(third[job][name]) == 3 * int(value), job
            elif not name.startswith("mem"):  # mem and mem_mib are the same in other units
                assert third[job][name] == value, job


def test_the_model_of_gpu_is_that_of_the_profile_for_all_jobs_that_have_one(workflow, first):
    assert PROFILE["set-resources"].keys() == ON_GPU | {"calibration"}
    assert not any("gpu_model" in resources for resources in first.values())  # None takes any
    path = workflow.folder / "profiles" / "slurm" / "profile.yaml"
    text = path.read_text()
    path.write_text(text.replace("gpu_model: None", "gpu_model: a100"))
    try:
        models = {rule: resources.get("gpu_model") for (rule, _), resources in asked(workflow).items()}
    finally:
        path.write_text(text)
    assert models == {rule: "a100" if rule in ON_GPU else None for rule in models}
