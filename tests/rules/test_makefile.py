"""`make`: its list of targets, a config that is not there, and runs that are kept."""

import os
import re
import shutil
import subprocess

import pytest

from workflow_runner import REPOSITORY

ALONE = {"MAKEFLAGS": "", "MAKELEVEL": "0"}  # not as a make within `make test`
RUNS = ("resnet8/seed0", "mnist/lenet5/seed0", "reference/old/resnet8/seed0")


@pytest.fixture
def folder(tmp_path):
    """The Makefile, the configs and results: of the demo, with a folder of another config's in them."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    for run in RUNS:
        for name in ("C.parquet", "blocks/C/0-0.parquet", "predictions/trajectory.safetensors"):
            path = tmp_path / "results" / run / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(run)
    for name in ("claims.parquet", "figures/fig1.png", "figures/fig1.pdf", "mnist/figures/fig1.png", "mnist/x.parquet"):
        path = tmp_path / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def make(folder, *arguments):
    command = ["make", "-o", ".venv/.ready", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | ALONE)


def test_make_alone_lists_every_target_with_a_line_each(folder):
    printed = make(folder).stdout
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", (folder / "Makefile").read_text(), re.MULTILINE)[1]
    targets = set(phony.replace("\\\n", " ").split()) - {"config-there"}
    listed = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", printed, re.MULTILINE))
    assert listed.keys() == targets
    assert "CONFIG=config/mnist.yaml" in printed
    assert make(folder, "help").stdout == printed


@pytest.mark.parametrize("target", ["figures", "report", "reference"])
def test_a_config_that_is_not_there_ends_in_a_line_with_a_suggestion(folder, target):
    done = make(folder, target, "RUN=demo", "CONFIG=config/papr.yaml")
    assert done.returncode != 0
    first = done.stderr.splitlines()[0]
    assert first == "config/papr.yaml does not exist; did you mean config/paper.yaml?"


def test_a_target_that_is_not_there_ends_in_a_line(folder):
    done = make(folder, "figurs")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "figurs is no target; make help lists them."


@pytest.mark.parametrize("run", ["", "../x", "a b", ".", "..", "-x", "x/y", "x;touch it-ran", "`touch it-ran`"])
def test_a_bad_name_of_a_run_is_refused(folder, run):
    before = sorted(folder.rglob("*"))
    done = make(folder, "reference", f"RUN={run}")
    assert done.returncode != 0
    assert "make reference RUN=demo" in done.stdout
    assert sorted(folder.rglob("*")) == before


def kept(folder, run) -> set[str]:
    reference = folder / "results" / "reference" / run
    return {path.relative_to(reference).as_posix() for path in reference.rglob("*") if path.is_file()}


def test_tables_and_figures_of_one_config_are_kept_and_nothing_else(folder):
    make(folder, "reference", "RUN=demo").check_returncode()
    tables = {"resnet8/seed0/C.parquet", "resnet8/seed0/predictions/trajectory.safetensors"}
    assert kept(folder, "demo") == tables | {"claims.parquet", "figures/fig1.png"}


def test_another_config_is_kept_from_its_own_folder(folder):
    make(folder, "reference", "RUN=mnist").check_returncode()
    tables = {"lenet5/seed0/C.parquet", "lenet5/seed0/predictions/trajectory.safetensors"}
    assert kept(folder, "mnist") == tables | {"x.parquet", "figures/fig1.png"}


def test_what_was_kept_goes_when_its_successor_is_whole(folder):
    make(folder, "reference", "RUN=old").check_returncode()
    assert "claims.parquet" in kept(folder, "old")
    before = kept(folder, "old")
    shutil.rmtree(folder / "results" / "resnet8")
    done = make(folder, "reference", "RUN=old")
    assert done.returncode != 0
    assert "results holds no run to keep" in done.stdout
    assert kept(folder, "old") == before
    assert {path.name for path in (folder / "results/reference").iterdir()} == {"old"}


def test_a_kept_run_is_restored_into_the_folder_of_its_config(folder):
    make(folder, "reference", "RUN=mnist").check_returncode()
    shutil.rmtree(folder / "results" / "mnist")
    make(folder, "restore", "RUN=mnist").check_returncode()
    assert (folder / "results/mnist/lenet5/seed0/C.parquet").read_text() == "mnist/lenet5/seed0"


@pytest.mark.parametrize("run", ["..", "../reference/old", "demo/.."])
def test_nothing_else_than_a_run_is_restored(folder, run):
    done = make(folder, "restore", f"RUN={run}")
    assert done.returncode != 0
    assert "make restore RUN=demo" in done.stdout


@pytest.mark.parametrize("name", ["a b", "it's", "a&b", "a(1)"])
def test_a_folder_in_which_snakemake_cannot_start_jobs_is_named_before_anything_is_installed(folder, name):
    clone = shutil.copytree(folder, folder.parent / name)
    (clone / "envs").mkdir()
    for path in ("envs/requirements.lock", "pyproject.toml"):
        (clone / path).touch()
    done = subprocess.run(["make", "setup"], cwd=clone, capture_output=True, text=True, env=os.environ | ALONE)
    assert done.returncode != 0
    assert f"Snakemake cannot start jobs from {clone}/.venv: its path has a space" in done.stdout
    assert not (clone / ".venv").exists()


def test_a_config_in_another_encoding_is_named(folder):
    for encoding in ("latin-1", "utf-16"):
        (folder / "config" / "mine.yaml").write_text("results: Ergebnisse für mich\n", encoding=encoding)
        done = make(folder, "figures", "CONFIG=config/mine.yaml")
        assert done.returncode != 0
        assert done.stdout.splitlines() == [
            "config/mine.yaml is not text in UTF-8; save it so (iconv -f LATIN1 -t UTF-8, or UTF-16)."
        ]


def test_results_in_the_home_are_not_a_folder_of_that_name(folder, tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    (folder / "config" / "mine.yaml").write_text("results: ~/runs of mine\n")
    done = make(folder, "reference", "RUN=x", "CONFIG=config/mine.yaml")
    assert f"{home}/runs of mine holds no run to keep." in done.stdout


@pytest.mark.parametrize("value", ["results", "results .venv", ".", ""])
def test_nothing_but_an_environment_is_cleaned_away(folder, value):
    before = sorted(folder.rglob("*"))
    make(folder, "clean", f"VENV={value}")
    assert sorted(folder.rglob("*")) == before


def test_the_environment_is_cleaned_away(folder):
    (folder / ".venv").mkdir()
    (folder / ".venv" / "pyvenv.cfg").touch()
    make(folder, "clean").check_returncode()
    assert not (folder / ".venv").exists()
    assert (folder / "results").exists()
