"""The tables of a published run draw its figures again, without training."""

import shutil
import subprocess

import pytest
import yaml

from twophase import plan
from workflow_runner import REPOSITORY, Workflow


@pytest.fixture
def published(tmp_path):
    """A copy of the repository with its published runs, set to the example's config."""
    workflow = Workflow(tmp_path, yaml.safe_load((REPOSITORY / "config" / "demo.yaml").read_text()))
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copytree(REPOSITORY / "results" / "reference" / "demo", tmp_path / "results" / "reference" / "demo")
    return workflow


def make(folder, *arguments):
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True)


def test_figures_are_drawn_from_kept_tables(published):
    make(published.folder, "restore", "RUN=demo").check_returncode()
    figures = {*plan.FIGURES} - {"readings"}  # the example has one experiment, with none beside it
    jobs = published.planned(*figures, "results/claims.html")
    assert set(jobs) == {*figures, "inflection", "phases", "claims", "claims_page"}


def test_nothing_is_overwritten(published):
    mine = published.folder / "results" / "claims.parquet"
    mine.write_text("mine")
    done = make(published.folder, "restore", "RUN=demo")
    assert done.returncode != 0
    assert "results/claims.parquet is there already" in done.stdout
    assert mine.read_text() == "mine"
    assert not (published.folder / "results" / "resnet8").exists()


@pytest.mark.parametrize("arguments", [[], ["RUN=none"]])
def test_a_run_has_to_be_named(published, arguments):
    done = make(published.folder, "restore", *arguments)
    assert done.returncode != 0
    assert "make restore RUN=demo" in done.stdout
