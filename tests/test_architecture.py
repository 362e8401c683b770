"""Who may import whom: the packages of the library form layers, and a package's face names its modules."""

import ast
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parents[1] / "workflow"
LIBRARY, SCRIPTS = WORKFLOW / "twophase", WORKFLOW / "scripts"
LEAVES = {"errors", "progress", "torchvision_ops"}  # modules without a package, which all may import
MAY_IMPORT = {  # package: those that it may import beside itself
    "files": set(),
    "data": {"files"},
    "networks": {"files"},
    "training": {"measures", "networks", "data", "files"},
    "measures": {"networks", "files"},
    "analysis": set(),
    "report": {"analysis", "files"},
    "config": {"data", "networks", "files"},
    "runtime": {"files"},
    "cost": {"config", "training", "measures", "networks", "data", "runtime", "files"},
}


def imported(path: Path) -> set[tuple[str, str]]:
    """(package, module) of the library for all that a file imports, anywhere in it; leaves as package ""."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or node.module.split(".")[0] != "twophase":
            continue
        for alias in node.names:
            package, module = [*node.module.split(".")[1:], alias.name, ""][:2]
            found.add(("", package) if package in LEAVES else (package, module))
    return found


def test_all_packages_are_in_the_table():
    assert {path.parent.name for path in LIBRARY.glob("*/__init__.py")} == MAY_IMPORT.keys()
    assert {path.stem for path in LIBRARY.glob("*.py")} == {"__init__", *LEAVES}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_those_below_it_only(package):
    for path in sorted((LIBRARY / package).glob("*.py")):
        assert {other for other, _ in imported(path)} - {"", package} <= MAY_IMPORT[package], path


def test_a_config_knows_networks_by_name_and_file_only():
    for path in sorted((LIBRARY / "config").glob("*.py")):
        assert {module for package, module in imported(path) if package == "networks"} <= {"names", "own"}, path


def test_the_table_is_of_layers():
    """No package can be reached from itself."""
    below = {package: set(others) for package, others in MAY_IMPORT.items()}
    for _ in below:
        below = {package: others.union(*(below[other] for other in others)) for package, others in below.items()}
    assert not [package for package, others in below.items() if package in others]


def test_leaves_import_nothing_but_errors():
    for name in LEAVES:
        assert imported(LIBRARY / f"{name}.py") <= {("", "errors")}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_face_names_the_modules_of_its_package(package):
    face = ast.parse((LIBRARY / package / "__init__.py").read_text())
    assert ast.get_docstring(face)
    (names,) = (ast.literal_eval(node.value) for node in face.body if isinstance(node, ast.Assign))
    assert names == sorted(path.stem for path in (LIBRARY / package).glob("[!_]*.py"))


def test_modules_are_short():
    """Each is one idea. What stays long: the kernel is one contraction, however many kinds of layers it knows."""
    long = {path.stem: count for path in LIBRARY.rglob("*.py") if (count := len(path.read_text().splitlines())) > 330}
    assert long.keys() <= {"ntk"}


def test_scripts_lie_in_folders_named_after_the_rules_that_use_them():
    for path in SCRIPTS.rglob("*.py"):
        rules = WORKFLOW / "rules" / f"{path.parent.name}.smk"
        assert f"../scripts/{path.parent.name}/{path.name}" in rules.read_text(), path


def test_no_script_is_called_like_a_module_of_the_library():
    scripts = {path.stem for path in SCRIPTS.rglob("*.py")}
    assert not scripts & {path.stem for path in LIBRARY.rglob("*.py")}


def test_tests_lie_in_folders_named_after_the_packages():
    """Beside these there are those of the whole workflow, of what it runs on, and of speed."""
    others = {"rules", "faults", "slurm", "pods", "gpu", "browser", "benchmarks", "called"}
    assert {path.parent.name for path in Path(__file__).parent.glob("*/*.py")} == {*MAY_IMPORT, *others}
