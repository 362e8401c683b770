"""Wrong configs on the real command line: one message that names the key, no traceback, nothing started."""

import copy
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 20.0  # seconds; the message takes about two

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
    began = time.monotonic()
    done = subprocess.run(command, cwd=start, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert time.monotonic() - began < PATIENCE
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
