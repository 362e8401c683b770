"""Wrong configs on the real command line: one message that names the key, no traceback, nothing started."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from image_files import files, folder, pack
from twophase.files import integrity, storage
from twophase.runtime import gpus
from workflow_runner import TINY, Workflow

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 900  # seconds after which it hangs; the message takes about two

GOOD = {
    "datasets": {"digits": {"source": "digits"}},
    "experiments": {
        "one": {
            "dataset": "digits",
            "model": {"name": "resnet8"},
            "training": {"iterations": 100},
            "checkpoints": {"every": 10},
        }
    },
}


def snakemake(folder: Path, config: dict | None, *arguments: str, start: Path = REPOSITORY):
    """Runs Snakemake as from the shell, its working directory `folder`; returns its exit status and what it printed."""
    command = [sys.executable, "-m", "snakemake", *arguments, "-s", str(REPOSITORY / "Snakefile"), "-d", str(folder)]
    if config is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        command += ["--configfile", str(folder / "config.yaml")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, cwd=start, timeout=PATIENCE, **pipes)
    return done.returncode, done.stdout  # a dry run prints errors to stdout, a real one to stderr


def changed(value, *path: str) -> dict:
    config = part = copy.deepcopy(GOOD)
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
    return config


def of_one(value, *path: str) -> dict:
    return changed(value, "experiments", "one", *path)


BAD = {
    "unknown key": (
        of_one({"alfas": 11}, "barrier"),
        "experiments.one.barrier: unknown key 'alfas'; did you mean alphas?",
    ),
    "wrong type": (changed("high", "figures", "dpi"), "figures.dpi: 'high' is not of type 'integer'."),
    "t0 at the end": (
        of_one([0, 100], "chaos", "t0"),
        "experiments.one.chaos.t0: 100 is not before the end of training",
    ),
    "t0 off the grid": (
        of_one([33], "chaos", "t0"),
        "experiments.one.chaos.t0: 33 is not on experiments.one.checkpoints; the nearest is 30.",
    ),
    "unknown model": (
        of_one("lenet", "model", "name"),
        "experiments.one.model: 'lenet' is unknown (did you mean lenet5?)",
    ),
    "unknown data set": (
        of_one("mnist", "dataset"),
        "experiments.one.dataset: unknown data set 'mnist'; known: digits.",
    ),
    "missing folder": (
        changed({"source": "imagefolder", "root": "nowhere"}, "datasets", "mine"),
        "datasets.mine.root: nowhere does not exist;",
    ),
    "two lengths": (of_one(3, "training", "epochs"), "experiments.one.training: give either iterations or epochs"),
}


@pytest.mark.parametrize("number", range(len(BAD)), ids=list(BAD))
def test_a_wrong_config_stops_before_the_first_job(number, tmp_path):
    config, expected = list(BAD.values())[number]
    mode = ["--dry-run"] if number % 2 else ["--cores", "1"]
    status, printed = snakemake(tmp_path, config, *mode)
    assert status != 0
    assert printed.count(f"In the config: {expected}") == 1
    assert "Traceback" not in printed
    assert not (tmp_path / "results").exists()


SPOILED = {  # a file that is no config: what is said about it
    "run code": (
        "datasets: !!python/object/apply:os.mkdir [it-ran]\n",
        "Config file is not valid JSON or YAML.",
    ),
    "no YAML": ("datasets: {digits: [\n", "Config file is not valid JSON or YAML."),
    "key twice": (
        yaml.safe_dump(GOOD) + "datasets: {}\n",
        "config.yaml: datasets is given twice; drop one",
    ),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_file_that_is_no_config_is_refused(kind, tmp_path):
    text, expected = SPOILED[kind]
    (tmp_path / "config.yaml").write_text(text)
    status, printed = snakemake(tmp_path, None, "--dry-run", "--configfile", str(tmp_path / "config.yaml"))
    assert status != 0
    assert expected in printed
    assert "Traceback" not in printed
    assert {path.name for path in tmp_path.iterdir()} <= {"config.yaml", ".snakemake"}


def test_a_model_that_is_no_python_is_named_with_its_line(tmp_path):
    workflow = Workflow(tmp_path, GOOD)
    path = tmp_path / "workflow/twophase/networks/models.py"
    path.write_text("def broken(:\n")
    printed = workflow.snakemake("--dry-run", check=False)
    assert f"{path}, line 1: invalid syntax; mend it, jobs import this file." in printed
    assert "Traceback" not in printed


NASTY = 'o\'ut; touch "it-ran" $(touch it-ran) `touch it-ran` & #'  # as a folder


def test_names_of_folders_are_never_commands(tmp_path):
    root = folder(tmp_path / NASTY, files())
    config = {**GOOD, "results": NASTY, "datasets": {"mine": {"source": "imagefolder", "root": str(root)}}}
    config["experiments"] = {"one": GOOD["experiments"]["one"] | {"dataset": "mine", "title": "$(touch it-ran)"}}
    status, printed = snakemake(tmp_path, config, "--cores", "1", f"{NASTY}/data/mine.safetensors")
    assert status == 0, printed
    assert (tmp_path / NASTY / "data/mine.safetensors").exists()
    assert not list(tmp_path.rglob("it-ran"))
    assert not (REPOSITORY / "it-ran").exists()


def test_a_malicious_zip_ends_the_job_with_its_name_and_leaves_nothing(tmp_path):
    root = pack(tmp_path / "set.zip", files() | {"../../train/Ant/9.png": b"out"})
    config = changed({"source": "imagefolder", "root": str(root)}, "datasets", "digits")
    status, printed = snakemake(tmp_path, config, "--cores", "1", "results/data/digits.safetensors")
    assert status != 0
    assert f"Error: root: member '../../train/Ant/9.png' of {root} points out of the archive;" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not list(tmp_path.rglob("9.png"))


@pytest.mark.skipif(gpus.uses_gpu("auto"), reason="has a GPU")
def test_a_gpu_that_is_not_there(tmp_path):
    config = of_one("cuda", "training", "device")
    config["datasets"]["digits"] |= {"train_size": 200, "test_size": 50}
    status, printed = snakemake(tmp_path, config, "--cores", "1", "results/one/seed0/trajectory")
    assert status != 0
    assert "Error: training.device is cuda, but torch sees no CUDA device here. Set it to cpu or auto." in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "results/one/seed0/trajectory").exists()


def test_a_network_that_cannot_be_linearized_trains_not_at_all_where_that_is_asked_for(tmp_path):
    workflow = Workflow(tmp_path, TINY)
    step = "        step = {name: p - self.point[name] for name, p in theta.items()}\n"
    workflow.change("twophase/training/linearized.py", step, "        raise NotImplementedError\n")
    printed = workflow.snakemake("--cores", "1", "results/tiny/seed0/trajectory", check=False)
    assert "Error: model: this network can have no linearized training (NotImplementedError)." in printed
    assert not (tmp_path / "results/tiny/seed0/trajectory").exists()
    config = copy.deepcopy(TINY)
    del config["experiments"]["tiny"]["linearized"]
    workflow.write(config)
    workflow.snakemake("--cores", "1", "results/tiny/seed0/trajectory")


def test_forks_on_a_machine_with_other_arithmetic_stop_and_say_what_differs(tmp_path, monkeypatch):
    config = copy.deepcopy(TINY)
    tiny = config["experiments"]["tiny"]
    tiny["training"] |= {"iterations": 8, "schedule": {}}
    tiny |= {"chaos": {"t0": [4], "t1": [8]}, "linearized": {}, "cone": {}}
    monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    status, printed = snakemake(tmp_path, config, "--cores", "1", "results/tiny/seed0/trajectory")
    assert status == 0, printed
    # The last bit of a loss differs, and a variable, which changes no arithmetic itself: whether another instruction
    # set would is the machine's affair.
    path = tmp_path / "results/tiny/seed0/trajectory/log.parquet"
    log = storage.read_table(path)
    (row,) = log.index[log["iteration"] == 4]
    log.loc[row, "loss"] = np.nextafter(log.loc[row, "loss"], np.float32(np.inf))
    storage.write_table(path, log, log.attrs)
    contents = path.with_name(integrity.CONTENTS)
    listed = json.loads(contents.read_text())
    listed["files"][path.name] = integrity.check(path.rename(tmp_path / path.name))
    (tmp_path / path.name).rename(path)
    contents.write_text(json.dumps(listed))
    monkeypatch.setenv("OMP_THREAD_LIMIT", "64")
    status, printed = snakemake(tmp_path, config, "--cores", "1", "results/tiny/seed0/forks/0")
    assert status != 0
    assert "Error: Replay check failed: iteration 4 has" in printed
    assert "OMP_THREAD_LIMIT (not set there, 64 here)" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "results/tiny/seed0/forks/0").exists()


def test_a_parameter_that_the_network_lacks_stops_the_forks_with_the_nearest(tmp_path):
    config = copy.deepcopy(TINY)
    tiny = config["experiments"]["tiny"]
    tiny["training"] |= {"iterations": 8, "schedule": {}}
    tiny |= {"chaos": {"t0": [4], "t1": [8], "where": ["fc.wieght"]}, "linearized": {}, "cone": {}}
    status, printed = snakemake(tmp_path, config, "--cores", "1", "results/tiny/seed0/forks/0")
    assert status != 0
    assert (
        "Error: chaos.where: 'fc.wieght' is no trainable parameter of this network; the nearest are fc.weight"
        in printed
    )
    assert "Traceback" not in printed
    assert not (tmp_path / "results/tiny/seed0/forks/0").exists()


def test_a_wrong_value_of_the_command_line_is_named_as_well(tmp_path):
    changes = ["--config", "experiments={one: {chaos: {draws: two}}, two: {}}"]
    status, printed = snakemake(tmp_path, GOOD, "--dry-run", *changes)
    assert status != 0
    assert "In the config: experiments.one.chaos.draws: 'two' is not of type 'integer'." in printed


def test_numbers_of_the_command_line_are_numbers(tmp_path):
    changes = ["--config", "experiments={one: {barrier: {alphas: 11}, seeds: [1]}}", "figures={dpi: 80}"]
    status, printed = snakemake(tmp_path, GOOD, "results/one/seed1/B.parquet", "--dry-run", *changes)
    assert status == 0, printed
    assert "block_B" in printed


def test_a_figure_without_an_experiment_says_so(tmp_path):
    status, printed = snakemake(tmp_path, GOOD, "fig6", "--dry-run")
    assert status != 0
    assert (
        printed.count("fig6 has no experiment to show in this config; config/README.md says which keys it needs.") == 1
    )


def test_from_another_folder_without_a_config(tmp_path):
    status, printed = snakemake(tmp_path, None, "--dry-run", start=tmp_path)
    assert status == 0, printed
    assert "results/data/digits.safetensors" in printed
    assert not (tmp_path / "results").exists()


def test_a_python_that_snakemake_cannot_start_jobs_with_is_named(tmp_path):
    code = "import sys; from snakemake.cli import main; sys.executable = '/a b/python'; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "-n", "-s", str(REPOSITORY / "Snakefile"), "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0
    assert "Snakemake cannot start jobs with /a b/python: its path has a space" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
