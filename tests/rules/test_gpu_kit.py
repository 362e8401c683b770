"""The kit for a bare GPU machine, tools/gpu: what it takes from the library is there, and a CPU can rehearse it."""

import ast
import importlib
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from twophase.config.resolve import resolve

REPOSITORY = Path(__file__).parents[2]
KIT = REPOSITORY / "tools" / "gpu"
MODULES = sorted(KIT.glob("*.py"))


def run(script: str, *arguments) -> str:
    command = [sys.executable, KIT / script, *map(str, arguments)]
    environment = {"PYTHONPATH": "workflow", "PATH": ""}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True).stdout


def of_library(tree: ast.AST) -> dict:
    """Names in a source that stand for modules or values of the library."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "twophase":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                found[alias.asname or alias.name] = getattr(module, alias.name)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_a_module_takes_from_the_library_is_there(path):
    tree = ast.parse(path.read_text())
    names = of_library(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            assert hasattr(names[node.value.id], node.attr), f"{path.name}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", sorted(KIT.glob("*.yaml")), ids=lambda path: path.name)
def test_its_configs_are_valid(path):
    assert resolve(yaml.safe_load(path.read_text()))["experiments"]


def test_its_packages_are_those_of_the_lock():
    def pinned(path):
        return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}

    assert pinned(KIT / "wheels.txt") <= pinned(REPOSITORY / "envs" / "requirements.lock")


@pytest.mark.parametrize("script", ["pack.sh", "device.sh", "wheels.sh"])
def test_its_shell_scripts_parse(script):
    subprocess.run(["bash", "-n", KIT / script], check=True)


def test_images_come_back_byte_for_byte(tmp_path):
    """Of made-up JPEGs, which have one header and unlike scans."""
    rng = random.Random(0)
    header = b"\xff\xd8" + b"\xff\xdb\x00\x05abc" + b"\xff\xda\x00\x03d"
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for index in range(20):
            info = zipfile.ZipInfo(f"train/{index % 3}/{index}.jpg", (2020, 1, 2, 3, 4, 6))
            info.external_attr = 0o644 << 16
            archive.writestr(info, header + rng.randbytes(rng.randrange(1, 900)) + b"\xff\xd9")
    run("images.py", "pack", tmp_path / "images.zip", tmp_path / "jpegs")
    printed = run("images.py", "unpack", tmp_path / "jpegs", tmp_path / "again.zip")
    assert "another layout" not in printed
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "images.zip").read_bytes()


@pytest.mark.workflow
def test_a_benchmark_in_miniature_and_the_choice_by_it(tmp_path):
    """On a CPU, whose captured engine runs without a graph: it trains as the library does, bit by bit."""
    cases = ["solo:resnet20", "bits:resnet20", "stack:resnet20", "stages:resnet20", "processes:eager:8"]
    run("engines.py", "--tiny", "--out", tmp_path, "--seconds", 300, "--only", ",".join(cases))
    found = json.loads((tmp_path / "engines.json").read_text())
    errors = {case["case"]: case["error"] for case in found["cases"]}
    assert errors == {**dict.fromkeys(cases), "processes:eager:8:mps": errors["processes:eager:8:mps"]}
    assert "is not on this machine" in errors["processes:eager:8:mps"]
    assert all(check["holds"] for check in found["checks"]), found["checks"]
    chosen = run("choose.py", tmp_path / "engines.json", 1e9, KIT / "resnet20-full.yaml", KIT / "resnet20-short.yaml")
    assert f"CONFIG={KIT / 'resnet20-full.yaml'}" in chosen
