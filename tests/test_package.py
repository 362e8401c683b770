"""The package as `pip install .` leaves it: whole, and no part of the folder that it is installed in."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LIBRARY = REPOSITORY / "workflow" / "twophase"
SOURCES = {
    path.relative_to(LIBRARY.parent).as_posix()
    for path in LIBRARY.rglob("*")
    if path.is_file() and path.parent.name != "__pycache__"
}

TRY = """
import sys, yaml
import twophase
from twophase import load
from twophase.config.resolve import resolve
from twophase.files import storage
from twophase.report import explorer, pages

assert twophase.__file__.startswith(sys.argv[1]), twophase.__file__
assert resolve(yaml.safe_load(open(sys.argv[2])))["experiments"]
assert len(load("claims", results=sys.argv[3]))
assert pages.TEMPLATE.exists() and all(explorer.TEMPLATES.glob("explorer.js"))
assert storage.versions()["twophase"] == sys.argv[4]
assert storage.versions()["commit"] == "unknown", storage.versions()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist and the wheel of a copy of the repository."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    shutil.copytree(LIBRARY.parent, copy / "workflow", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for kind in ("sdist", "wheel"):
        code = f"from setuptools import build_meta; build_meta.build_{kind}('dist')"
        subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    return copy / "dist"


def test_sdist_and_wheel_are_whole(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.startswith("twophase/")} == SOURCES
    with tarfile.open(sdist) as archive:
        names = {name.partition("/workflow/")[2] for name in archive.getnames()}
        assert names >= SOURCES


def test_the_wheel_works_where_it_is_installed(built, tmp_path):
    """Beside the packages that are installed here; the folder around it is another repository."""
    (wheel,) = built.glob("*.whl")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", tmp_path]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "another repository"], check=True)
    site = tmp_path / "lib" / "python3" / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    config, results = REPOSITORY / "config" / "demo.yaml", REPOSITORY / "results" / "reference" / "demo"
    version = wheel.name.split("-")[1]
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-c", TRY, str(site), str(config), str(results), version]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
