"""What a run says: a line a job, what there is to open, and what stops it before its first job."""

import copy
import json
import re

import pytest

from workflow_runner import REPOSITORY, TINY, Workflow

RULE = re.compile(r"^rule (\w+):\n((?: {4}.*\n|\n(?= {4}))+)", re.MULTILINE)
TARGETS = {"all", "calibration", "claims", "claims_page", "estimate", "experiment_pages", "explorer", "phases"}
TARGETS |= {"figures_page"}
DATA = "results/data/digits.safetensors"


def rules() -> dict[str, str]:
    """The body of every rule but figures', by its name."""
    paths = [REPOSITORY / "workflow" / "Snakefile", *(REPOSITORY / "workflow" / "rules").glob("*.smk")]
    return {name: body for path in paths if path.stem != "figures" for name, body in RULE.findall(path.read_text())}


def test_every_rule_has_a_message():
    found = rules()
    assert len(found) > 25
    assert [name for name, body in found.items() if "    message:\n" not in body] == []


def test_a_message_names_what_its_job_is_of():
    """Two jobs of a rule have different messages."""
    for name, body in rules().items():
        message = re.search(r"    message:\n +\"(.*)\"", body)[1]
        output = body.partition("    output:\n")[2].partition("    log:\n")[0]
        wildcards = set(re.findall(r"(?<!\{)\{\{?(\w+)\}", output)) - {"RESULTS", "name"}
        if "RUN" in wildcards:
            wildcards = wildcards - {"RUN"} | {"experiment", "seed"}
        if {"t0s", "switches"} & set(re.findall(r"\{params\.(\w+)", message)):
            wildcards.discard("block")  # told by what it holds
        assert wildcards == set(re.findall(r"\{wildcards\.(\w+)", message)), name


def test_targets_have_a_description_that_snakemake_lists():
    for name in TARGETS | {"scaling", "scaling_table"}:
        assert rules()[name].startswith('    """'), name


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Workflow, str]:
    """The workflow after its first job, and what it printed."""
    workflow = Workflow(tmp_path_factory.mktemp("ran"), copy.deepcopy(TINY))
    return workflow, workflow.snakemake("--cores", "1", DATA)


@pytest.mark.workflow
def test_a_run_prints_a_line_a_job(ran):
    lines = [line for line in ran[1].splitlines() if line and not line.startswith("Using workflow specific profile")]
    assert lines[0] == "1 job."
    assert re.fullmatch(r"\d\d:\d\d:\d\d  0 of 1 done  preparing the data set digits", lines[1])
    assert len(lines) == 2


@pytest.mark.workflow
def test_snakemakes_own_log_has_all_of_the_job(ran):
    (path,) = (ran[0].folder / ".snakemake" / "log").glob("*.log")
    text = path.read_text()
    for part in ("rule dataset:", "message: preparing the data set digits", f"output: {DATA}", "Job stats:"):
        assert part in text


@pytest.mark.workflow
def test_what_is_there_is_not_made_again(ran):
    printed = ran[0].snakemake("--cores", "1", DATA)
    assert "Nothing to be done" in printed
    assert "preparing" not in printed


@pytest.mark.workflow
@pytest.mark.parametrize("arguments", [["--dry-run"], ["--cores", "1"]])
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("fig7", "fig7 is no figure; there are fig1, "),
        ("explorr", "explorr is no target; snakemake --list describes those that there are; did you mean explorer?"),
    ],
)
def test_a_mistaken_target_is_one_line(ran, arguments, target, expected):
    printed = ran[0].snakemake(*arguments, target, check=False)
    lines = [line for line in printed.splitlines() if not line.startswith("Using workflow specific profile")]
    assert len(lines) == 1
    assert lines[0].startswith(expected)


@pytest.mark.workflow
def test_a_run_over_the_results_of_another_config_stops_before_its_first_job(ran, tmp_path):
    workflow = ran[0].copied(tmp_path)
    record = workflow.folder / "results" / "config.json"
    assert json.loads(record.read_text())["config"] == "config.yaml"
    table = workflow.folder / "results/tiny/seed0/C.parquet"
    table.parent.mkdir(parents=True)
    table.touch()
    other = copy.deepcopy(TINY)
    other["experiments"]["tiny"]["training"]["lr"] = 0.1
    workflow.write(other)
    (workflow.folder / DATA).unlink()
    for mode in (["--dry-run"], ["--cores", "1"]):
        printed = workflow.snakemake(*mode, DATA, check=False)
        assert "results holds experiment tiny of config.yaml, made with training.lr 0.05; config.yaml has" in printed
        assert "Traceback" not in printed
    assert not (workflow.folder / DATA).exists()
