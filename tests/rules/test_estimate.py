"""`snakemake estimate` on the real command line, and the plan behind it against Snakemake's own."""

import copy
import json
import re
from collections import Counter

import pytest
import yaml

from twophase.config import plan
from twophase.config.figures import FIGURES
from twophase.config.resolve import resolve
from twophase.cost import estimate, sizes
from workflow_runner import REPOSITORY, TINY, Workflow

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[Workflow, str]:
    """The tiny workflow after `snakemake estimate`, and what that printed."""
    workflow = Workflow(tmp_path_factory.mktemp("measured"), TINY)
    return workflow, workflow.snakemake("--cores", "2", "estimate")


def row(printed: str, kind: str) -> list[str]:
    """The cells of a line of the table, which are two or more spaces apart."""
    printed = printed[printed.index("core hours") :]  # Snakemake prints a table of its own before
    return re.split(r" {2,}", re.search(rf"^{kind} .*", printed, re.MULTILINE)[0].strip())


BARE = copy.deepcopy(TINY)  # no forks, no switches, no cone
for part in ("chaos", "linearized", "cone"):
    del BARE["experiments"]["tiny"][part]


@pytest.mark.parametrize("name", ["demo", "mnist", "paper", "readings", "tiny", "bare"])
def test_plan_is_that_of_snakemake(tmp_path, name):
    config = {"tiny": TINY, "bare": BARE}.get(name)
    config = config or yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text())
    expected = Workflow(tmp_path, config).planned()
    assert Counter(job.rule for job in plan.jobs(resolve(config))) == expected


def test_estimate_prints_every_kind_of_job_and_a_time(measured):
    workflow, printed = measured
    planned = workflow.planned()
    assert int(row(printed, "total")[1]) == sum(planned.values())
    for rule, count in planned.items():
        if rule not in FIGURES:
            assert int(row(printed, rule)[1]) == count
    assert re.search(r"about \S+ (s|min|h) on 2 cores\.", printed)


def test_estimate_measures_once_and_prints_each_time(measured):
    workflow, first = measured
    assert workflow.planned("estimate") == {"estimate": 1}  # a dry run has one core, and that had two
    again = workflow.snakemake("--cores", "2", "estimate")
    assert row(again, "total")[:3] == row(first, "total")[:3]


def test_estimate_measures_anew_what_another_config_or_code_makes_different(measured):
    workflow, _ = measured
    config = copy.deepcopy(TINY)
    config["experiments"]["tiny"]["training"]["batch_size"] = 16
    more_draws = copy.deepcopy(TINY)
    more_draws["experiments"]["tiny"]["chaos"]["draws"] = 5
    source = workflow.folder / "workflow" / "twophase" / "measures" / "ntk.py"
    code = source.read_text()
    try:
        workflow.write(config)
        assert "calibration" in workflow.planned("estimate")
        workflow.write(more_draws)
        assert workflow.planned("estimate") == {"estimate": 1}
        workflow.write(TINY)
        source.write_text(code.replace("DENSE_SLICE = ", "DENSE_SLICE = 1 + "))
        assert "calibration" in workflow.planned("estimate")
    finally:
        source.write_text(code)
        workflow.write(TINY)


def test_measured_sizes_are_those_of_the_formula(measured):
    workflow, _ = measured
    calibration = estimate.read_calibration(workflow.folder / "results" / "calibration.json")["tiny"]
    config = resolve(TINY)
    by_formula = sizes.of_network(config["experiments"]["tiny"], calibration["about"]["shape"])
    assert calibration["sizes"]["parameters"] == by_formula["parameters"]
    assert calibration["sizes"]["optimizer"] == by_formula["optimizer"]
    assert by_formula["state"] < calibration["sizes"]["state"] < 2 * by_formula["state"]  # batch norms' buffers
    assert all(value > 0 for unit, value in calibration["units"].items() if unit != "widths")


def test_a_calibration_changes_what_jobs_ask_for_and_reruns_nothing(measured):
    workflow, _ = measured
    workflow.snakemake("--cores", "2", "results/tiny/seed0/trajectory")
    kept = (workflow.folder / "results" / "calibration.json").read_text()

    def runtime():
        printed = workflow.snakemake("--dry-run", "--forceall", "results/tiny/seed0/trajectory")
        part = printed[printed.index("rule trajectory:") :]
        return int(re.search(r"runtime=(\d+)", part)[1])

    before = runtime()
    found = json.loads(kept)
    found["experiments"]["tiny"]["units"]["step"] *= 1e6
    path = workflow.folder / "results" / "calibration.json"
    path.write_text(json.dumps(found))
    assert runtime() > before
    assert not workflow.planned("results/tiny/seed0/trajectory")
    path.unlink()
    assert runtime() == estimate.BOUNDS["trajectory"][1]
    path.write_text(kept)
