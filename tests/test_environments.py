"""The environments name the same versions everywhere."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import versions

REPOSITORY = Path(__file__).parents[1]
CONDA = {"pytorch": "torch", "matplotlib-base": "matplotlib"}  # conda's names of packages where they differ
MODULES = {"PIL": "pillow", "sklearn": "scikit-learn"}  # and of modules


def plain(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


LOCK = REPOSITORY / "envs" / "requirements.lock"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
SITE = REPOSITORY / "envs" / "site.lock"
BENCH = REPOSITORY / "envs" / "bench.lock"
KUBERNETES = REPOSITORY / "envs" / "kubernetes.lock"
CRATE = REPOSITORY / "envs" / "crate.lock"
ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))


def pinned(*paths: Path) -> dict[str, str]:
    return {plain(name): version for path in paths or (LOCK,) for name, version in (x.split("==") for x in lines(path))}


def test_locks_pin_every_package_once():
    """Benchmarks and the site add packages to the environment and replace none."""
    every = [*lines(LOCK), *lines(BENCH), *lines(SITE)]
    for line in every:
        assert re.fullmatch(r"[\w.-]+==\d[\w.!+]*", line), line
    assert len(pinned(LOCK, BENCH, SITE)) == len(every)


@pytest.mark.parametrize("path", [KUBERNETES, CRATE], ids=lambda path: path.name)
def test_packages_beside_the_environment_are_other_ones(path):
    assert not pinned(path).keys() & pinned().keys()
    assert len(pinned(path)) == len(lines(path))


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
def test_conda_versions_are_those_of_the_lock(path):
    environment = yaml.safe_load(path.read_text())
    packages = dict(package.split("=") for package in environment["dependencies"])
    versions = {plain(CONDA.get(name, name)): version for name, version in packages.items()}
    assert tuple(map(int, versions.pop("python").split("."))) >= (3, 11)
    assert versions == {name: pinned().get(name) for name in versions}
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_every_dependency_is_in_the_lock():
    extras = [package for group in PROJECT["optional-dependencies"].values() for package in group]
    for package in [*PROJECT["dependencies"], *extras]:
        name, minimum = re.fullmatch(r"([\w.-]+)(?:>=([\d.]+))?", package).groups()
        assert plain(name) in pinned(), f"{name} is not in {LOCK.name}"
        if minimum:
            version = re.match(r"[\d.]+", pinned()[plain(name)])[0]
            assert tuple(map(int, version.split("."))) >= tuple(map(int, minimum.split(".")))


@pytest.mark.parametrize(
    "path",
    [LOCK, BENCH, SITE, *ENVIRONMENTS, REPOSITORY / "pyproject.toml", REPOSITORY / "Makefile"],
    ids=lambda path: path.name,
)
def test_no_index_is_named(path):
    """Which index packages come from is for whoever installs them to say."""
    assert not re.search(r"://|index-url|find-links|trusted-host", path.read_text())


def imports(path: Path) -> set[str]:
    """Top-level names that a script imports, itself or through modules of the library, wherever in them."""
    seen, waiting, found = set(), [path], set()
    while waiting:
        seen.add(path := waiting.pop())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "twophase":
                package = REPOSITORY / "workflow" / node.module.replace(".", "/")
                modules = {package.with_suffix(".py"), *(package / f"{alias.name}.py" for alias in node.names)}
                waiting += [module for module in modules - seen if module.exists()]
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"twophase"}


RULE = re.compile(
    r'conda:\s+"\.\./\.\./(envs/\w+\.yaml)"(?:(?!\n *rule\b).)*?script:\s+"\.\./(scripts/\w+/\w+\.py)"', re.DOTALL
)
RULES = [match for path in (REPOSITORY / "workflow/rules").glob("*.smk") for match in RULE.findall(path.read_text())]


def test_every_rule_names_its_environment():
    rules = [
        line
        for p in (REPOSITORY / "workflow/rules").glob("*.smk")
        for line in lines(p)
        if re.match(r"\s*rule\b.*:$", line)
    ]
    assert len(RULES) == len(rules)


@pytest.mark.parametrize(("environment", "script"), RULES)
def test_an_environment_has_what_its_rules_import(environment, script):
    packages = yaml.safe_load((REPOSITORY / environment).read_text())["dependencies"]
    there = {plain(CONDA.get(name, name)) for name in (package.split("=")[0] for package in packages)}
    needed = {plain(MODULES.get(name, name)) for name in imports(REPOSITORY / "workflow" / script)}
    assert needed <= there


def test_the_least_versions_that_are_tried_are_those_declared(monkeypatch):
    monkeypatch.setattr(versions, "runs", lambda python: python in ("python3.12", "python3.13"))
    (least, oldest, packages), *newest = versions.environments(versions.declared())
    assert (least, oldest) == ("least-python3.12", "python3.12")
    assert {*packages} == {
        *(f"{name}=={version}" for name, version in (need.split(">=") for need in PROJECT["dependencies"])),
        *PROJECT["optional-dependencies"]["dev"],
    }
    assert [name for name, _, _ in newest] == ["newest-python3.12", "newest-python3.13"]
    assert all({*PROJECT["dependencies"]} <= {*packages} for _, _, packages in newest)


@pytest.mark.parametrize(("code", "said"), [(0, "passed (3 passed in 1s)"), (1, "FAILED (1 failed, 2 passed in 1s)")])
def test_the_tests_of_an_environment_are_summed_up(tmp_path, code, said):
    """A stand-in for its Python prints what pytest would."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\necho '== {said.partition('(')[2][:-1]} =='\nexit {code}\n")
    python.chmod(0o755)
    assert versions.test(tmp_path, []) == said
