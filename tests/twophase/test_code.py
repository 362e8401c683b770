"""Digests of code see every edit that can change a result, and no other; and torch is loaded only where it computes."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twophase import code
from twophase.errors import UserError

ROOT = Path(__file__).parents[2]
LIBRARY, SCRIPTS, RULES = (ROOT / "workflow" / name for name in ("twophase", "scripts", "rules"))
ALL = sorted(path.stem for path in SCRIPTS.glob("[!_]*.py"))


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A folder with copies of the sources that tests may edit."""
    folder = tmp_path_factory.mktemp("workflow")
    for part in (LIBRARY, SCRIPTS):
        shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def sources(copies, monkeypatch):
    """`sources(path, f)` replaces the text of a copied file by f(text), until the test ends."""
    monkeypatch.setattr(code, "LIBRARY", copies / "twophase")
    monkeypatch.setattr(code, "SCRIPTS", copies / "scripts")
    originals = {}

    def edit(path, change):
        before = (copies / path).read_text()
        after = change(before)
        assert after != before
        originals.setdefault(path, before)
        (copies / path).write_text(after)

    yield edit
    for path, text in originals.items():
        (copies / path).write_text(text)


@pytest.fixture(scope="module")
def untouched(copies):
    """The digests before any edit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "LIBRARY", copies / "twophase")
        patch.setattr(code, "SCRIPTS", copies / "scripts")
        return digests()


def digests():
    code._read.cache_clear()  # one process of Snakemake reads each file once
    return {script: code.code_digest(script) for script in ALL}


def changed(before):
    after = digests()
    return {script for script in ALL if before[script] != after[script]}


def test_digests_are_sixteen_digits_and_differ_between_scripts():
    found = digests()
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in found.values())
    assert len(set(found.values())) == len(found)
    assert digests() == found


def without_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0].value.value = "Another docstring."
    return tree


def test_comments_docstrings_and_layout_change_nothing(untouched, sources):
    for folder in ("twophase", "scripts"):
        for path in sorted((code.LIBRARY.parent / folder).glob("*.py")):
            sources(f"{folder}/{path.name}", lambda text: "# A comment.\n\n" + text + "\n\n# Another.\n")
    assert not changed(untouched)
    # ast.unparse drops all comments and lays everything out anew; docstrings get another text.
    for folder in ("twophase", "scripts"):
        for path in sorted((code.LIBRARY.parent / folder).glob("*.py")):
            sources(f"{folder}/{path.name}", lambda text: ast.unparse(without_docstrings(ast.parse(text))))
    assert not changed(untouched)


FIGURES = {name for name in ALL if re.fullmatch(r"w?fig\d|lyapunov|readings", name)}
MEASURING = {"calibration", "scaling"}
TRAINING = {"trajectory", "predictions", "forks", "kernels", "linearized", "block_B", "fork_barriers", *MEASURING}
PLANNING = {"calibration", "estimate"}
USERS = {  # module: the scripts whose results it can change
    "metrics": {"block_C", "block_S", "block_D", "chaos", "cone", "plane", *MEASURING},
    "vectors": {"block_C", "block_S", "chaos", "cone", "plane", *MEASURING, *PLANNING},
    "phases": {
        "inflection",
        "explorer",
        "experiment_pages",
        "claims",
        "claims_page",
        *MEASURING,
        *FIGURES,
        "scaling_figure",
    },
    "changes": {
        "inflection",
        "explorer",
        "experiment_pages",
        "claims",
        "claims_page",
        *MEASURING,
        *FIGURES,
        "scaling_figure",
    },
    "perturbation": {"forks"},
    "forks": {"forks"},
    "linearized": {"linearized", *MEASURING},
    "ntk": {"kernels", *MEASURING},
    "barrier": {"block_B", "fork_barriers", *MEASURING},
    "noise": TRAINING,
    "training": TRAINING,
    "network_state": TRAINING,
    "machine": TRAINING,
    "models": TRAINING,
    "model_names": {*TRAINING, *PLANNING},
    "data": {*TRAINING, "dataset"},
    "evaluation": {"predictions", "kernels", "linearized", "block_B", "fork_barriers", *MEASURING},
    "datasets": {"dataset"},
    "imagefolder": {"dataset"},
    "torchvision_sets": {"dataset"},
    "torchvision_ops": {*TRAINING, "dataset"},
    "theme": {*FIGURES, *MEASURING, "scaling_figure", "explorer"},
    "figures": {*FIGURES, *MEASURING, "scaling_figure"} - {"readings"},
    "verdicts": {"readings"},
    "explorer": {"explorer"},
    "sentences": {"explorer", "experiment_pages"},
    "pages": {"experiment_pages", "claims_page"},
    "claims": {"claims", "claims_page", "readings"},
    "scorecard": {"claims", "claims_page", "readings"},
    "findings": {"claims", "claims_page", "readings"},
    "tables": {*FIGURES, *MEASURING, "grid", "inflection", "phases", "explorer", "claims", "experiment_pages"}
    - {"readings"},
    "layout": {*ALL} - {"dataset", "claims_page", "readings", "scaling_figure"},
    "summary": set(),
    "config": set(),
    "schema": set(),
    "sources": {"dataset", *PLANNING},
    "grids": {*PLANNING, "scaling"},
    "plan": {*PLANNING, "scaling"},
    "workload": PLANNING,
    "estimate": {"estimate"},
    "calibration": MEASURING,
    "timers": MEASURING,
    "scaling": {"scaling"},
}


@pytest.mark.parametrize("module", USERS)
def test_an_edit_concerns_the_scripts_that_use_the_module_directly_or_not(untouched, sources, module):
    sources(f"twophase/{module}.py", lambda text: text + "\nEDITED = 1\n")
    assert changed(untouched) == USERS[module]


def test_a_source_that_is_no_python_is_named_with_its_line(sources):
    sources("twophase/models.py", lambda text: text + "\n\ndef broken(:\n")
    line = len((code.LIBRARY / "models.py").read_text().splitlines())
    code._read.cache_clear()
    with pytest.raises(UserError, match=rf"models\.py, line {line}: .*; mend it"):
        code.code_digest("trajectory")


def test_an_edit_deep_inside_a_function_counts(untouched, sources):
    sources("twophase/metrics.py", lambda text: text.replace("exact / 2", "exact / 3"))
    assert changed(untouched) == USERS["metrics"]


@pytest.mark.parametrize("module", sorted(code.NEUTRAL))
def test_edits_of_what_computes_nothing_do_not_count(untouched, sources, module):
    sources(f"twophase/{module}.py", lambda text: text + "\nEDITED = 1\n")
    assert not changed(untouched)


def test_an_edit_of_a_page_s_template_concerns_that_page(copies, sources):
    shutil.copytree(LIBRARY / "templates", copies / "twophase" / "templates", dirs_exist_ok=True)
    before = {page: code.template_digests(page) for page in ("explorer", "page")}
    sources("twophase/templates/explorer.css", lambda text: text + "\n")
    assert len(before["explorer"]) == 3
    assert code.template_digests("explorer") != before["explorer"]
    assert code.template_digests("page") == before["page"]


def test_an_edit_of_a_script_concerns_that_script(untouched, sources):
    sources("scripts/chaos.py", lambda text: text.replace("mean(", "max("))
    assert changed(untouched) == {"chaos"}


def test_a_new_import_brings_in_its_module(sources):
    sources("twophase/vectors.py", lambda text: text.replace("import storage", "import grids, storage"))
    before = digests()
    sources("twophase/grids.py", lambda text: text + "\nEDITED = 1\n")
    assert changed(before) == USERS["vectors"] | USERS["grids"]


def test_imports_within_functions_count(sources):
    sources("twophase/vectors.py", lambda text: text + "\n\ndef late():\n    from twophase.grids import chunks\n")
    before = digests()
    sources("twophase/grids.py", lambda text: text + "\nEDITED = 1\n")
    assert changed(before) == USERS["vectors"] | USERS["grids"]


def test_a_function_may_lose_its_docstring_or_be_nothing_else(sources):
    sources("twophase/vectors.py", lambda text: text + '\n\ndef empty():\n    """Nothing."""\n')
    before = digests()
    sources("twophase/vectors.py", lambda text: text.replace('"""Nothing."""', "pass"))
    assert not changed(before)


@pytest.mark.parametrize("path", [*LIBRARY.glob("*.py"), *SCRIPTS.glob("*.py")], ids=lambda path: path.stem)
def test_the_library_is_imported_in_no_way_that_a_digest_overlooks(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.startswith("twophase")]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module != "twophase" or "*" not in {alias.name for alias in node.names}


# --- what importing costs


def imports_in_turn(names, forbidden):
    """Imports modules one after the other in a fresh process; the first that loads something of `forbidden`."""
    program = (
        "import importlib, sys\n"
        f"for name in {list(names)!r}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = sorted({set(forbidden)!r} & sys.modules.keys())\n"
        "    if loaded: sys.exit(f'{name} imports {loaded}')\n"
    )
    path = ":".join(map(str, [LIBRARY.parent, SCRIPTS, *sys.path]))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr


def rules_by_environment():
    """{conda environment: scripts of the rules that run in it}, read from the rules."""
    found = {}
    for file in RULES.glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            environment, script = re.search(r"envs/(\w+)\.yaml", rule), re.search(r"scripts/(\w+)\.py", rule)
            found.setdefault(environment[1], set()).add(script[1])
    return found


LIGHT = {"block_C", "block_S", "block_D", "grid", "chaos", "switches", "cone", "plane", "inflection", "phases"}
LIGHT |= {"estimate", "scaling_figure", "explorer", "experiment_pages", "claims", "claims_page"}


def test_rules_without_torch_are_those_of_the_small_environment():
    assert rules_by_environment()["tables"] == LIGHT | FIGURES


@pytest.mark.parametrize(
    "scripts",
    [sorted(n for n in LIGHT if n[:5] == "block"), sorted(n for n in LIGHT if n[:5] != "block"), sorted(FIGURES)],
    ids=["blocks", "tables", "figures"],
)
def test_scripts_of_pairs_gathering_and_figures_need_no_torch(scripts):
    imports_in_turn(scripts, ["torch", "torchvision"])


def test_planning_a_workflow_needs_neither_torch_nor_pandas():
    names = ["errors", "grids", "code", "model_names", "config", "plan", "estimate"]
    imports_in_turn([f"twophase.{name}" for name in names], ["torch", "torchvision", "pandas", "matplotlib"])


def test_modules_that_compute_without_torch_do_not_load_it():
    # tables, phases and figures are imported by the scripts above.
    torch_free = [
        *("errors", "storage", "grids", "layout", "noise", "perturbation", "metrics", "vectors", "progress", "job"),
        *("gpus", "locks"),
        *("code", "data", "datasets", "imagefolder", "torchvision_sets", "torchvision_ops", "model_names", "config"),
        *("plan", "estimate", "calibration", "scaling"),
    ]
    imports_in_turn([f"twophase.{name}" for name in torch_free], ["torch", "torchvision"])


def test_the_package_costs_nothing_until_load_is_asked_for():
    imports_in_turn(["twophase"], ["torch", "pandas", "numpy", "pyarrow"])
    program = (
        "import sys; from twophase import load; assert callable(load); assert 'torch' not in sys.modules;"
        "import twophase; assert twophase.load is load; assert twophase.__all__ == ['load']"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_the_package_has_no_other_attributes():
    import twophase

    with pytest.raises(AttributeError, match="has no attribute 'loda'"):
        twophase.loda  # noqa: B018


def test_a_digest_is_of_the_syntax_not_of_a_version_s_way_to_show_it():
    """Fields that are empty are left out: newer versions of Python have more of them."""
    tree = ast.parse("def f(x):\n    return None, [1, x]")
    older = ast.parse("def f(x):\n    return None, [1, x]")
    for node in ast.walk(older):
        for name in [name for name, value in ast.iter_fields(node) if value is None or value == []]:
            delattr(node, name)
    assert code._written(tree) == code._written(older)
    assert code._written(tree) != code._written(ast.parse("def f(x):\n    return None, [x, 1]"))
