"""The tables of a published run draw its figures again, without training."""

import shutil
import subprocess

import pytest
import yaml

from twophase.config.figures import FIGURES
from workflow_runner import REPOSITORY, Workflow

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def with_published(run, folder) -> Workflow:
    """A copy of the repository with a published run, set to its config."""
    workflow = Workflow(folder, yaml.safe_load((REPOSITORY / "config" / f"{run}.yaml").read_text()))
    shutil.copy(REPOSITORY / "Makefile", folder)
    shutil.copytree(REPOSITORY / "results" / "reference" / run, folder / "results" / "reference" / run)
    return workflow


@pytest.fixture
def published(tmp_path):
    return with_published("demo", tmp_path)


def make(folder, *arguments):
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True)


def test_figures_are_drawn_from_kept_tables(published):
    make(published.folder, "restore", "RUN=demo").check_returncode()
    # The example has one experiment, with none beside it, no lags, point-wise measures or layers.
    figures = {*FIGURES} - {"readings", "side_by_side", "equal_lags", "pointwise", "layers", "layer_forks"}
    assert not {"claims.parquet", "phases.parquet", "figures"} & {
        p.name for p in (published.folder / "results").iterdir()
    }
    jobs = published.planned(*figures, "results/claims.html")
    assert set(jobs) == {*figures, "cone", "inflection", "phases", "claims", "claims_page"}


def test_images_are_not_missed(tmp_path):
    """They do not come with the repository."""
    published = with_published("cifar10-recalibrated", tmp_path)
    make(tmp_path, "restore", "RUN=cifar10-recalibrated").check_returncode()
    assert set(published.planned("fig4", "fig5")) == {"inflection", "fig4", "fig5"}


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
