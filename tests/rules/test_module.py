"""The workflow in another one: from a path and from GitHub, with a prefix and without."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workflow_runner import REPOSITORY, TINY

pytestmark = pytest.mark.workflow

DATA = "results/data/digits.safetensors"
SNAKEFILES = {
    "path": '"{repository}/workflow/Snakefile"',
    "github": 'github("owner/name", path="workflow/Snakefile", tag="v1")',
}
# Of which Snakemake 9.27 finds no second script: `join` takes no path that it has resolved.
LOCAL_GIT = {"gitfile": 'gitfile("{repository}", path="workflow/Snakefile", tag="v1")'}


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A git repository of the workflow, with the tag v1."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("workflow", "profiles", "envs", "config"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(REPOSITORY / "Snakefile", folder)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", folder]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    return folder


@pytest.fixture(autouse=True)
def github(repository, tmp_path, monkeypatch):
    """GitHub is the repository: git takes all addresses there for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{repository}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/owner/name")


def importing(folder: Path, repository: Path, kind: str, use: str, before: str = "") -> None:
    """Writes a workflow that has this one as a module."""
    snakefile = (SNAKEFILES | LOCAL_GIT)[kind].format(repository=repository)
    (folder / "config.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "Snakefile").write_text(f"""
configfile: "config.yaml"
{before}
module twophase:
    snakefile: {snakefile}
    config: config

use rule * from twophase{use}
""")


def snakemake(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, cwd=folder, **pipes)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.parametrize("kind", [*SNAKEFILES, *LOCAL_GIT])
def test_a_job_of_the_module_runs_with_a_prefix(repository, tmp_path, monkeypatch, kind):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if kind != "path":  # what is not committed is not meant
        (repository / "workflow" / "twophase" / "data" / "prepare.py").rename(repository / "aside")
    try:
        importing(tmp_path, repository, kind, " as tp_*")
        printed = snakemake(tmp_path, DATA)
    finally:
        if kind != "path":
            (repository / "aside").rename(repository / "workflow" / "twophase" / "data" / "prepare.py")
    assert "Rule: tp_dataset" in printed
    assert (tmp_path / DATA).exists()


@pytest.mark.parametrize("kind", SNAKEFILES)
@pytest.mark.parametrize(("use", "everything"), [("", "all"), (" as tp_*", "tp_all")])
def test_without_rules_of_its_own_everything_is_made(repository, tmp_path, kind, use, everything):
    importing(tmp_path, repository, kind, use)
    assert re.search(rf"^{everything} +1$", snakemake(tmp_path, "--dry-run"), re.MULTILINE)


def test_the_importing_workflow_keeps_its_own_target(repository, tmp_path):
    importing(
        tmp_path, repository, "path", " as tp_*", 'rule mine:\n    output: "mine.txt"\n    shell: "touch {output}"\n'
    )
    printed = snakemake(tmp_path, "--dry-run")
    assert re.search(r"^mine +1$", printed, re.MULTILINE)
    assert "tp_" not in printed.partition("Job stats")[2]
