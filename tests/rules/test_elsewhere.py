"""Results that were copied, lost Snakemake's records, or whose run was killed or edited: neither trusted nor lost."""

import base64
import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twophase.files import integrity, storage
from twophase.runtime import records
from workflow_runner import REPOSITORY, TINY, Workflow

pytestmark = pytest.mark.workflow

TARGET = "fig4"
RUN = "results/tiny/seed0"


def config(**changes) -> dict:
    """TINY with other values of an experiment's keys, by their path with `__` between the keys."""
    changed = copy.deepcopy(TINY)
    for path, value in changes.items():
        part = changed["experiments"]["tiny"]
        *outer, last = path.split("__")
        for key in outer:
            part = part[key]
        part[last] = value
    return changed


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Workflow:
    """The workflow after `snakemake fig4`: to be copied."""
    workflow = Workflow(tmp_path_factory.mktemp("made"), TINY)
    workflow.snakemake("--cores", "1", TARGET)
    return workflow


@pytest.fixture
def finished(made, tmp_path) -> Workflow:
    return made.copied(tmp_path)


def without_records(workflow: Workflow, how: str) -> None:
    """Takes Snakemake's records from it: all of them, or what is in them."""
    if how == "none":
        shutil.rmtree(workflow.folder / ".snakemake")
    for path in (workflow.folder / ".snakemake/metadata").rglob("*"):
        if path.is_file():
            path.write_text("{")


# --- records


@pytest.mark.parametrize("how", ["none", "corrupt"])
def test_a_changed_setting_is_noticed_without_snakemakes_records(finished, how):
    without_records(finished, how)
    assert not finished.planned(TARGET)
    finished.write(config(kernel__n=10))
    plan = finished.planned(TARGET)
    assert plan == {"kernels": 1, "block_S": 3, "grid": 1, "inflection": 1, "fig4": 1}


def test_code_is_compared_without_snakemakes_records(finished):
    without_records(finished, "none")
    finished.change(
        "scripts/cone/kernels.py", "for k, state in enumerate(states):", "for k, state in enumerate([*states]):"
    )
    assert set(finished.planned(TARGET)) == {"kernels", "block_S", "grid", "inflection", "fig4"}


@pytest.mark.parametrize(
    ("changes", "key"), [({"training__lr": 0.07}, "training.lr 0.05"), ({"model__width": 4}, "model.width 2")]
)
def test_what_would_train_anew_is_refused_in_a_dry_run_as_well(finished, changes, key):
    without_records(finished, "none")
    finished.write(config(**changes))
    for mode in (["--dry-run"], ["--cores", "1"]):
        printed = finished.snakemake(*mode, TARGET, check=False)
        assert f"results holds experiment tiny of config.yaml, made with {key}" in printed
        assert "Traceback" not in printed


def test_a_report_of_other_settings_is_refused_with_file_key_and_values(finished):
    finished.write(config(kernel__n=10))
    printed = finished.snakemake("--report", "report.html", check=False)
    (line,) = [line for line in printed.splitlines() if "The report would show" in line]
    assert "results/figures/fig4.png" in line
    assert f"{RUN}/kernels/trajectory was made with n = 12, where the config has n = 10" in line
    assert "Traceback" not in printed
    assert not (finished.folder / "report.html").exists()


def test_a_report_of_half_a_run_is_refused(finished):
    """The tables are of the config, the figure is not drawn yet."""
    finished.write(config(kernel__n=10))
    finished.snakemake("--cores", "1", f"{RUN}/S.parquet")
    printed = finished.snakemake("--report", "report.html", check=False)
    assert re.search(r"fig4\.\w+ was made from another tiny/seed0/S\.parquet than there is", printed)


def test_a_report_of_what_is_there_is_made(finished):
    without_records(finished, "none")
    finished.snakemake("--report", "report.html")
    assert (finished.folder / "report.html").exists()


# --- copies


def adopt(workflow: Workflow):
    command = [sys.executable, str(REPOSITORY / "tools/adopt.py"), "results"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    return subprocess.run(command, cwd=workflow.folder, capture_output=True, text=True, env=environment)


def without_dates(workflow: Workflow) -> None:
    """As `cp -r` leaves them: in the order of their names, data before what is made from them or after it."""
    for k, path in enumerate(sorted((workflow.folder / "results").rglob("*"), reverse=True)):
        os.utime(path, (1e9 + k,) * 2)


@pytest.mark.parametrize("records_too", [True, False])
def test_a_copy_without_dates_is_made_current(finished, records_too):
    before = finished.tables()
    without_dates(finished)
    if not records_too:
        without_records(finished, "none")
    assert finished.planned(TARGET) or records_too  # which have checksums of small files
    done = adopt(finished)
    assert done.returncode == 0, done.stderr
    assert not finished.planned(TARGET)
    assert finished.tables() == before
    finished.write(config(kernel__n=10))
    assert finished.planned(TARGET)["kernels"] == 1


def test_what_is_not_as_it_was_made_is_not_adopted(finished):
    folder = finished.folder / RUN
    shutil.copy(folder / "blocks/S/0-0.parquet", folder / "blocks/S/0-1.parquet")
    without_dates(finished)
    done = adopt(finished)
    assert done.returncode == 1
    assert "blocks/S/0-1.parquet is of file" in done.stdout or "0-1.parquet is not what was recorded" in done.stdout
    assert finished.planned(TARGET) == {"block_S": 1, "grid": 1, "inflection": 1, "fig4": 1}


def test_a_damaged_checkpoint_of_a_copy_is_named(finished):
    path = finished.folder / RUN / "trajectory/step-8.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    done = adopt(finished)
    assert done.returncode == 1
    assert f"{RUN}/trajectory/step-8.safetensors is not as it was written" in done.stdout
    assert finished.planned(TARGET)["trajectory"] == 1


def test_a_run_that_stopped_half_way_is_not_adopted_whole(finished):
    """Its grid is of the new kernels, its figure of the old ones; without dates nothing else says so."""
    finished.write(config(kernel__n=10))
    finished.snakemake("--cores", "1", f"{RUN}/S.parquet")
    without_dates(finished)
    done = adopt(finished)
    assert "fig4.png was made from another tiny/seed0/S.parquet than there is" in done.stdout
    assert set(finished.planned(TARGET)) == {"inflection", "fig4"}


def test_what_was_not_copied_is_not_made_where_nothing_needs_it(finished):
    for part in ("trajectory", "kernels"):
        shutil.rmtree(finished.folder / RUN / part)
    without_dates(finished)
    done = adopt(finished)
    assert done.returncode == 0, done.stdout
    assert not finished.planned(TARGET)


def test_a_damaged_record_is_named_and_its_output_made_anew(finished):
    (finished.folder / "results" / records.FOLDER / RUN.removeprefix("results/") / "S.parquet.json").write_text("{")
    done = adopt(finished)
    assert done.returncode == 1
    assert f"the record of {RUN}/S.parquet is damaged" in done.stdout
    assert finished.planned(TARGET)["grid"] == 1


def test_measurements_of_other_settings_that_were_copied_back_are_noticed(finished, tmp_path_factory):
    """Elsewhere, under the same name: the records there came along, those of Snakemake here know nothing of it."""
    other = finished.copied(tmp_path_factory.mktemp("other"))
    other.write(config(kernel__n=10))
    other.snakemake("--cores", "1", TARGET)
    shutil.rmtree(finished.folder / "results")
    shutil.copytree(other.folder / "results", finished.folder / "results", symlinks=True)
    assert finished.planned(TARGET)["kernels"] == 1


def test_results_of_an_older_version_are_not_adopted_unchecked(finished):
    shutil.rmtree(finished.folder / "results" / records.FOLDER)
    done = adopt(finished)
    assert done.returncode != 0
    assert "has no records by which to check it" in done.stderr


# --- runs that are killed or edited


def test_what_a_job_finished_after_its_run_was_killed_is_kept(tmp_path):
    workflow = Workflow(tmp_path, TINY)
    workflow.slow_training_down(0.2)
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", "--cores", "1", f"{RUN}/trajectory"]
    with (tmp_path / "printed").open("w") as printed:
        run = subprocess.Popen(command, cwd=tmp_path, stdout=printed, stderr=printed, start_new_session=True)
    while not list(tmp_path.glob(f"{RUN}/trajectory.partial-*/step-4.*")):
        assert run.poll() is None, (tmp_path / "printed").read_text()
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)  # itself alone: its job lives
    run.wait()
    while not (tmp_path / RUN / "trajectory" / integrity.CONTENTS).exists():
        time.sleep(0.05)
    made = [*integrity.contents(tmp_path / RUN / "trajectory")["files"]]
    before = [(tmp_path / RUN / "trajectory" / name).stat()[:10] for name in made]
    while "Another run is writing" in (printed := workflow.snakemake(*command[5:], check=False)):
        time.sleep(0.2)
    after = [(tmp_path / RUN / "trajectory" / name).stat()[:10] for name in made]
    assert after == before, printed  # inode, date and size of each
    assert not workflow.planned(f"{RUN}/trajectory")


def test_a_finished_folder_of_another_config_is_not_kept(finished):
    """Marked as unfinished by a run that was killed, and made with another number of kernel inputs."""
    finished.write(config(kernel__n=10))
    key = base64.urlsafe_b64encode(f"{RUN}/kernels/trajectory".encode()).decode()
    (finished.folder / ".snakemake/incomplete" / key).write_text('{"external_jobid": null}')
    finished.snakemake("--cores", "1", f"{RUN}/kernels/trajectory")
    kernel = storage.read_tensors(finished.folder / RUN / "kernels/trajectory/step-8.safetensors")["kernel"]
    assert kernel.shape == (10, 10)


def job_of_cluster(workflow: Workflow) -> str:
    """A job of the run, as a cluster's node starts it."""
    block = f"{RUN}/blocks/S/0-0.parquet"
    (workflow.folder / block).unlink()
    job = ["--target-jobs", "block_S:experiment=tiny,seed=0,bi=0,bj=0", "--allowed-rules", "block_S"]
    return workflow.snakemake(
        "--mode", "remote", "--no-hooks", "--cores", "1", "--nolock", "--force", *job, check=False
    )


def test_a_job_reads_the_config_with_which_its_run_began(finished):
    finished.write(config(kernel__n=10))
    printed = job_of_cluster(finished)
    assert "The config was edited while its run goes on: experiments.tiny.kernel.n was 12 when it began" in printed
    assert "Traceback" not in printed
    assert not (finished.folder / RUN / "blocks/S/0-0.parquet").exists()


def test_a_job_runs_the_code_with_which_its_run_began(finished):
    finished.change("twophase/measures/distances.py", "values = scale / 2", "values = scale / 3")
    job_of_cluster(finished)
    log = (finished.folder / "results/logs/tiny/seed0/blocks/S/0-0.log").read_text()
    assert "Error: The code of block_S was edited while the run goes on" in log
    assert not (finished.folder / RUN / "blocks/S/0-0.parquet").exists()


def test_a_job_of_the_run_as_it_began_is_done(finished):
    before = (finished.folder / RUN / "blocks/S/0-0.parquet").read_bytes()
    printed = job_of_cluster(finished)
    path = Path(finished.folder / RUN / "blocks/S/0-0.parquet")
    assert path.exists(), printed
    assert path.read_bytes() == before
