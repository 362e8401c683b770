"""Digests of code see every edit that can change a result, and no other; and torch is loaded only where it computes."""

import ast
import json
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
    code._module.cache_clear()  # one process of Snakemake reads each file once
    code._written.cache_clear()
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


class Reworded(ast.NodeTransformer):
    """Other words in every string inside `raise` and in what is printed."""

    def speaks(self, node):
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                part.value = f"In other words: {part.value}"
        return node

    def visit_Raise(self, node):
        return self.speaks(node)

    def visit_Call(self, node):
        self.generic_visit(node)
        return self.speaks(node) if ast.unparse(node.func) in ("print", "UserError") else node


def test_messages_in_other_words_change_nothing(untouched, sources):
    texts = {}
    for path in sorted(code.LIBRARY.glob("*.py")):
        tree = ast.parse(path.read_text())
        before, after = ast.unparse(tree), ast.unparse(Reworded().visit(tree))
        if before != after:
            texts[path.name] = after
    assert len(texts) > 10
    for name, text in texts.items():
        sources(f"twophase/{name}", lambda _, text=text: text)
    assert not changed(untouched)


def moved(sources, name: str, to: str):
    """Moves a module of the library to another dotted name, in the copies, and mends every import of it."""
    sources(f"twophase/{name}.py", lambda text: "")
    target = (code.LIBRARY / to.replace(".", "/")).with_suffix(".py")
    target.parent.mkdir(exist_ok=True)
    (target.parent / "__init__.py").touch()
    target.write_text((LIBRARY / f"{name}.py").read_text())
    package, _, new = to.rpartition(".")
    for path in sorted([*code.LIBRARY.rglob("*.py"), *code.SCRIPTS.glob("*.py")]):
        tree, lines = ast.parse(path.read_text()), []
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            if node.module == f"twophase.{name}":
                node.module = f"twophase.{to}"
            elif node.module == "twophase" and any(alias.name == name for alias in node.names):
                node.names = [alias for alias in node.names if alias.name != name]
                lines.append(f"from twophase.{package} import {new} as {name}")
                if not node.names:
                    node.names = [ast.alias("errors")]
            else:
                continue
            lines.append("")
        if lines:
            text = "\n".join([*filter(None, lines), ast.unparse(tree)])
            sources(path.relative_to(code.LIBRARY.parent).as_posix(), lambda _, text=text: text)


@pytest.mark.parametrize("name", ["metrics", "phases", "tables", "training"])
def test_a_module_that_moves_changes_nothing(untouched, sources, name):
    moved(sources, name, f"rooms.{name}_renamed")
    try:
        assert not changed(untouched)
        # It is read where it is now.
        path = code.LIBRARY / "rooms" / f"{name}_renamed.py"
        path.write_text("from twophase.errors import UserError\n")
        assert changed(untouched) >= {script for script in USERS[name] if script not in ("calibration", "scaling")}
    finally:
        shutil.rmtree(code.LIBRARY / "rooms")


def test_a_function_that_moves_to_another_module_changes_nothing(untouched, sources):
    source = (LIBRARY / "metrics.py").read_text()
    function = source[source.index("def upper(") :]
    assert "\ndef " not in function
    sources("twophase/metrics.py", lambda text: text.replace(function, "from twophase.grids import upper\n"))
    sources("twophase/grids.py", lambda text: f"import numpy as np\n{text}\n\n{function}")
    assert not changed(untouched)


FIGURES = {name for name in ALL if re.fullmatch(r"w?fig\d|lyapunov|readings", name)}
MEASURING = {"calibration", "scaling"}
TRAINING = {"trajectory", "predictions", "forks", "kernels", "linearized", "block_B", "fork_barriers", *MEASURING}
PLANNING = {"calibration", "estimate"}
USERS = {  # module: the scripts whose results it can change
    "metrics": {"block_C", "block_S", "block_D", "chaos", "cone", "plane", *MEASURING},
    "vectors": {"block_C", "block_S", "chaos", "cone", "plane", *MEASURING, *PLANNING},
    "phases": {"inflection", "explorer", "experiment_pages", "claims", "fig1", "lyapunov", *MEASURING},
    "changes": {"inflection", "claims", *MEASURING},
    "perturbation": {"forks"},
    "forks": {"forks"},
    "linearized": {"linearized", *MEASURING},
    "ntk": {"kernels", *MEASURING},
    "barrier": {"block_B", "fork_barriers", *MEASURING},
    "noise": TRAINING,
    "training": TRAINING,
    "network_state": TRAINING,
    "machine": TRAINING - MEASURING,
    "models": TRAINING,
    "model_names": {*TRAINING, "calibration"},
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
    "claims": {"claims"},
    "scorecard": {"claims", "claims_page", "readings"},
    "findings": {"claims"},
    "tables": {*FIGURES, "grid", "inflection", "phases", "explorer", "claims", "experiment_pages"} - {"readings"},
    # What a fork, a run or a checkpoint is called: whatever reads or writes several.
    "layout": (TRAINING - MEASURING)
    | {"block_C", "block_D", "block_S", "chaos", "cone", "plane", "switches", "explorer", "estimate"}
    | {"fig6", "wfig2", "claims"},  # scores of checkpoints
    "summary": set(),
    "config": set(),
    "schema": set(),
    "sources": {"dataset", "calibration"},
    "grids": {"estimate"},
    "plan": PLANNING,
    "workload": PLANNING,
    "estimate": {"estimate"},
    "calibration": MEASURING,
    "timers": MEASURING,
    "scaling": {"scaling"},
}


class Edited(ast.NodeTransformer):
    """Another statement at the start of every function and class, and another value of every constant."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.body.append(ast.parse("edited = 1").body[0])
        return node

    visit_ClassDef = visit_FunctionDef

    def visit_Module(self, node):
        self.generic_visit(node)
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                statement.value = ast.Tuple([statement.value, ast.Constant("edited")], ast.Load())
        return node


def edited(text: str) -> str:
    return ast.unparse(ast.fix_missing_locations(Edited().visit(ast.parse(text))))


@pytest.mark.parametrize("module", USERS)
def test_an_edit_concerns_the_scripts_that_use_the_module_directly_or_not(untouched, sources, module):
    sources(f"twophase/{module}.py", edited)
    assert changed(untouched) == USERS[module]


def test_a_definition_that_a_script_does_not_reach_does_not_concern_it(untouched, sources):
    sources("twophase/metrics.py", lambda text: text + "\n\ndef unused():\n    return 1\n")
    assert not changed(untouched)
    sources("twophase/metrics.py", lambda text: text.replace("def principal_coordinates(", "def renamed("))
    assert changed(untouched) == {"cone", "plane"}


def test_what_an_import_does_concerns_all_who_import_the_module(untouched, sources):
    sources("twophase/metrics.py", lambda text: text + "\nfor module in [np]:\n    module.seterr(all='raise')\n")
    assert changed(untouched) == USERS["metrics"]


def test_a_function_that_a_decorator_may_note_concerns_all_who_import_the_module(untouched, sources):
    noted = "\n\ndef note(function):\n    return function\n\n\n@note\ndef noted():\n    return 1\n"
    sources("twophase/metrics.py", lambda text: text + noted)
    assert changed(untouched) == USERS["metrics"]


def test_a_source_that_is_no_python_is_named_with_its_line(sources):
    sources("twophase/models.py", lambda text: text + "\n\ndef broken(:\n")
    line = len((code.LIBRARY / "models.py").read_text().splitlines())
    code._module.cache_clear()
    code._written.cache_clear()
    with pytest.raises(UserError, match=rf"models\.py, line {line}: .*; mend it"):
        code.code_digest("trajectory")


def test_an_edit_deep_inside_a_function_counts(untouched, sources):
    sources("twophase/metrics.py", lambda text: text.replace("exact / 2", "exact / 3"))
    assert changed(untouched) == {"block_C", "block_S", "chaos", *MEASURING}  # all that takes a cosine


@pytest.mark.parametrize("module", sorted(code.NEUTRAL))
def test_edits_of_what_computes_nothing_do_not_count(untouched, sources, module):
    sources(f"twophase/{module}.py", edited)
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


USE = {
    "module": ("from twophase import grids\n", "grids.chunks"),
    "function": ("from twophase.grids import chunks as pieces\n", "pieces"),
    "whole module": ("from twophase import grids\n", "getattr(grids, 'chunks')"),
    "within": ("", "__import__('twophase')\n    from twophase.grids import chunks\n    chunks"),
}


@pytest.mark.parametrize("way", USE)
def test_a_new_use_of_a_module_counts_however_it_is_imported(sources, way):
    line, use = USE[way]
    sources("twophase/vectors.py", lambda text: line + text.replace("PART = 1 << 16", f"PART = {use}"))
    if way == "within":
        sources("twophase/vectors.py", lambda text: text.replace(f"PART = {use}", "PART = late()"))
        sources("twophase/vectors.py", lambda text: text + f"\n\ndef late():\n    return {use}\n")
    before = digests()
    sources("twophase/grids.py", edited)
    assert changed(before) == {"block_C", "chaos", "plane", *MEASURING, *PLANNING}  # whatever reads parameters in parts


def test_a_name_of_a_function_s_own_is_not_that_of_the_module(untouched, sources):
    """`part` of `dissimilarity` is an array, whatever else may be called that."""
    sources("twophase/metrics.py", lambda text: text + "\n\ndef part():\n    return 1\n")
    assert not changed(untouched)


def called(folder):
    """(script, file, name) of all functions of the library that jobs of a run called."""
    for path in folder.glob("*.json"):
        for file, name in json.loads(path.read_text()):
            # Functions without a name belong to what has them; `torch.fx` makes some of its own.
            if not name.startswith(("<", "__")) and " in " not in file:
                yield path.name.rpartition("-")[0], file, name


@pytest.mark.workflow
def test_all_that_jobs_call_is_in_their_digests(whole_run):
    """Seen while a whole run went on: an independent account of what results depend on."""
    found = set(called(whole_run.folder / "called"))
    assert {script for script, *_ in found} >= {"dataset", *TRAINING, *LIGHT, *FIGURES} - {
        *MEASURING, "estimate", "scaling_figure", "readings",
    }  # fmt: skip
    reached = {script: {(r.path, r.name) for r in code.definitions(script)} for script in ALL}
    overlooked = {
        (script, file, name)
        for script, file, name in found
        if Path(file).stem not in code.NEUTRAL and (LIBRARY / file, name) not in reached[script]
    }
    assert not overlooked


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

    def written(tree):
        return code._Writer(LIBRARY / "metrics.py", code.Module()).block(tree.body)

    tree, older = (ast.parse("class C:\n    y = f(None, [1, x])") for _ in range(2))
    for node in ast.walk(older):
        for name in [name for name, value in ast.iter_fields(node) if value is None or value == []]:
            delattr(node, name)
    assert written(tree) == written(older)
    assert written(tree) != written(ast.parse("class C:\n    y = f(None, [x, 1])"))
