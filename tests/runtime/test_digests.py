"""Digests of code see every edit that can change a result, and no other; and torch is loaded only where it computes."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twophase.config import figures
from twophase.errors import UserError
from twophase.runtime import digests

ROOT = Path(__file__).parents[2]
LIBRARY, SCRIPTS, RULES = (ROOT / "workflow" / name for name in ("twophase", "scripts", "rules"))
FIGURES = {*figures.FIGURES}  # all are drawn by the script `draw`, and each has a digest of its own
ALL = sorted({path.stem for path in SCRIPTS.glob("*/*.py")} - {"draw"} | FIGURES)


def forget():
    """One process of Snakemake reads each file once; one of tests reads it after an edit, too."""
    for known in (digests._module, digests._written, digests._definition):
        known.cache_clear()


@pytest.fixture(autouse=True)
def _forget():
    yield
    forget()


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
    monkeypatch.setattr(digests, "LIBRARY", copies / "twophase")
    monkeypatch.setattr(digests, "SCRIPTS", copies / "scripts")
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
        patch.setattr(digests, "LIBRARY", copies / "twophase")
        patch.setattr(digests, "SCRIPTS", copies / "scripts")
        return all_digests()


def all_digests():
    forget()
    return {script: digests.code_digest(*what(script)) for script in ALL}


def what(script):
    """The arguments of a digest."""
    return ("draw", script) if script in FIGURES else (script,)


def changed(before):
    after = all_digests()
    return {script for script in ALL if before[script] != after[script]}


def test_digests_are_sixteen_digits_and_differ_between_scripts():
    found = all_digests()
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in found.values())
    assert len(set(found.values())) == len(found)
    assert all_digests() == found


def without_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0].value.value = "Another docstring."
    return tree


def test_comments_docstrings_and_layout_change_nothing(untouched, sources):
    for path in every_source():
        sources(path, lambda text: "# A comment.\n\n" + text + "\n\n# Another.\n")
    assert not changed(untouched)
    # ast.unparse drops all comments and lays everything out anew; docstrings get another text.
    for path in every_source():
        sources(path, lambda text: ast.unparse(without_docstrings(ast.parse(text))))
    assert not changed(untouched)


def every_source():
    """Paths of all copied sources that hold anything, as `sources` takes them."""
    folder = digests.LIBRARY.parent
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.py")) if path.stat().st_size]


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
    for path in every_source():
        tree = ast.parse((digests.LIBRARY.parent / path).read_text())
        before, after = ast.unparse(tree), ast.unparse(Reworded().visit(tree))
        if before != after:
            texts[path] = after
    assert len(texts) > 10
    for path, text in texts.items():
        sources(path, lambda _, text=text: text)
    assert not changed(untouched)


def moved(sources, module: str, to: str):
    """Moves a module of the library, in the copies, from one dotted name to another, and mends every import of it."""
    (package, name), (new_package, new_name) = (dotted.rsplit(".", 1) for dotted in (module, to))
    target = digests.LIBRARY / new_package / f"{new_name}.py"
    target.parent.mkdir(exist_ok=True)
    (target.parent / "__init__.py").touch()
    target.write_text((LIBRARY / package / f"{name}.py").read_text())
    sources(f"twophase/{package}/{name}.py", lambda text: "")
    for path in every_source():
        tree, lines = ast.parse((digests.LIBRARY.parent / path).read_text()), []
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            if node.module == f"twophase.{module}":
                node.module = f"twophase.{to}"
                lines.append("")
            elif node.module == f"twophase.{package}" and any(alias.name == name for alias in node.names):
                called = next(alias.asname or name for alias in node.names if alias.name == name)
                lines.append(f"from twophase.{new_package} import {new_name} as {called}")
                node.names = [alias for alias in node.names if alias.name != name]
                if not node.names:
                    node.module, node.names = "twophase", [ast.alias("errors")]
        if lines:
            text = "\n".join([*filter(None, lines), ast.unparse(tree)])
            if path != target.relative_to(digests.LIBRARY.parent).as_posix():
                sources(path, lambda _, text=text: text)


@pytest.mark.parametrize("module", ["measures.distances", "analysis.inflection", "files.tables", "networks.state"])
def test_a_module_that_moves_changes_nothing(untouched, sources, module):
    moved(sources, module, "rooms.renamed")
    try:
        assert not changed(untouched)
        path = digests.LIBRARY / "rooms" / "renamed.py"
        path.write_text(edited(path.read_text()))  # it is read where it is now
        assert changed(untouched) == USERS[module]
    finally:
        shutil.rmtree(digests.LIBRARY / "rooms")


def test_a_function_that_moves_to_another_module_changes_nothing(untouched, sources):
    source = (LIBRARY / "measures" / "distances.py").read_text()
    function = source[source.index("def upper(") :]
    assert "\ndef " not in function
    line = "from twophase.config.grids import upper\n"
    sources("twophase/measures/distances.py", lambda text: text.replace(function, line))
    sources("twophase/config/grids.py", lambda text: f"import numpy as np\n{text}\n\n{function}")
    assert not changed(untouched)


MEASURING = {"calibrate", "measure_scaling"}
TRAINING = {"trajectory", "train_forks", "train_linearized", "predictions", "kernels", "block_B", "fork_barriers"}
TRAINING |= {"independent", "pointwise_measures", "layer_chaos", *MEASURING}
PLANNING = {"calibrate", "print_estimate"}
ESTIMATORS = ("barrier_claims", "coincidence", "confinement", "gains", "peak_claims", "peaks", "surfaces", "turning")
ESTIMATORS += ("pointwise_claims", "stability")
USERS = {  # module: the scripts whose results it can change
    "measures.distances": {"block_C", "block_S", "block_D", "compare_forks", "cone", "plane", "train_forks"}
    | {"independent", "layer_distances", "layer_chaos", *MEASURING},
    "files.vectors": {"block_C", "block_S", "compare_forks", "plane", "train_forks", "independent"}
    | {"layer_distances", "layer_chaos", *MEASURING, *PLANNING},
    # What batch norms of a network under evaluation use.
    "files.predicted": {"predictions", "block_B", "block_D", "fork_barriers", "compare_forks", "independent"}
    | {"train_linearized", "pointwise_measures", "judge_claims", "write_explorer", "fig6", "wfig2", "curves"}
    | {"side_by_side"},
    "analysis.inflection": {"estimate_inflection", "judge_claims", "write_explorer", "experiment_pages"}
    | {"fig1", "lyapunov"},
    "analysis.changes": {"estimate_inflection", "judge_claims"},
    "analysis.contest": {"estimate_inflection", "judge_claims"},
    **{f"analysis.{name}": {"judge_claims"} for name in ESTIMATORS},
    "analysis.lags": {"estimate_inflection", "judge_claims", "experiment_pages", "write_explorer"},
    "analysis.replicates": {"estimate_inflection", "judge_claims"},
    "analysis.curves": {"estimate_inflection", "judge_claims", "fig5", "wfig1", "wfig3", "velocity"},
    "training.perturbation": {"train_forks", "layer_chaos"},
    "training.forks": {"train_forks"},
    "training.linearized": {"train_linearized", *MEASURING},
    "measures.ntk": {"kernels", *MEASURING},
    "measures.layers": {"kernels", "layer_distances", "layer_chaos"},
    "measures.pointwise": {"pointwise_measures"},
    "measures.barrier": {"block_B", "fork_barriers", "independent", *MEASURING},
    "training.noise": TRAINING,
    "training.loop": {"trajectory", "train_forks", "train_linearized", "layer_chaos", *MEASURING},
    "training.output": {"trajectory", "train_forks", "train_linearized", *MEASURING},
    "training.schedule": {"trajectory", "train_forks", "train_linearized", "pointwise_measures", *MEASURING},
    "training.setup": TRAINING,
    "training.lockstep": {"train_forks"},
    "training.capture": {"trajectory", "train_forks", "train_linearized", *MEASURING},
    "measures.comparison": {"compare_forks", "independent"},
    "networks.state": TRAINING - {"block_B", "fork_barriers", "independent"},
    "training.machine": TRAINING - MEASURING,
    "networks.initialisation": TRAINING,
    "networks.models": TRAINING,
    "networks.foreign": TRAINING,
    "networks.norms": TRAINING,
    "networks.transformer": TRAINING,
    "networks.names": {*TRAINING, "print_estimate"},
    "data.dataset": {*TRAINING, "prepare_dataset"},
    "networks.evaluation": {"predictions", "kernels", "train_linearized", "block_B", "fork_barriers", "independent"}
    | {"pointwise_measures", *MEASURING},
    "data.prepare": {"prepare_dataset"},
    "data.imagefolder": {"prepare_dataset"},
    "data.text": {"prepare_dataset"},
    "data.torchvision_sets": {"prepare_dataset"},
    "torchvision_ops": {*TRAINING, "prepare_dataset"},
    "report.theme": {*FIGURES, "scaling_figure", "write_explorer"},
    "report.figures": FIGURES,
    "report.panels": {*FIGURES, "scaling_figure"} - {"readings"},
    "report.overlaid_panels": {"side_by_side"},
    "report.scales": {"fig3", "fig4", "velocity", "layers", "layer_forks", "side_by_side", "write_explorer"},
    "report.cone_panels": {"fig1", "fig5", "wfig1", "wfig3"},
    "report.fork_panels": {"fig1", "fig2", "fig3", "lyapunov", "equal_lags"},
    "report.verdict_matrix": {"readings", "wfig3"},
    "report.explorer": {"write_explorer"},
    "report.sentences": {"write_explorer", "experiment_pages"},
    "report.pages": {"experiment_pages", "claims_page", "figures_page"},
    "report.captions": {"figures_page"},
    "analysis.claim": {"judge_claims"},
    "analysis.claims": {"judge_claims"},
    "analysis.fork_claims": {"judge_claims"},
    "analysis.kernel_claims": {"judge_claims"},
    "analysis.linearized_claims": {"judge_claims"},
    "analysis.scorecard": {
        *("judge_claims", "claims_page", "readings", "wfig3", "write_explorer", "experiment_pages"),
    },
    "analysis.statistics": {"judge_claims"},
    "files.tables": {
        *FIGURES,
        "grid",
        "cone",
        "estimate_inflection",
        "gather_estimates",
        "write_explorer",
        "judge_claims",
        "experiment_pages",
    }
    - {"readings"},
    # What a fork, a run or a checkpoint is called: whatever reads or writes several.
    "files.layout": TRAINING
    | {
        "block_C",
        "block_D",
        "block_S",
        "layer_distances",
        "compare_forks",
        "plane",
        "switches",
        "write_explorer",
        "print_estimate",
    }
    | {"fig6", "wfig2", "curves", "side_by_side", "judge_claims"},  # scores of checkpoints
    "files.results": set(),
    "files.units": set(),
    "runtime.summary": set(),
    "config.resolve": set(),
    "config.schema": set(),
    "data.sources": {"prepare_dataset", "trajectory", "train_forks", "train_linearized", "layer_chaos", *MEASURING},
    "config.grids": {"print_estimate"},
    "config.plan": {"print_estimate"},
    "config.figures": {"print_estimate"},
    "config.estimators": {"print_estimate"},
    "cost.workload": {"print_estimate"},
    "cost.sizes": PLANNING,
    "cost.estimate": {"print_estimate"},
    "cost.calibration": MEASURING,
    "cost.timers": MEASURING,
    "cost.scaling": {"measure_scaling"},
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
    sources(f"twophase/{module.replace('.', '/')}.py", edited)
    assert changed(untouched) == USERS[module]


def test_a_definition_that_a_script_does_not_reach_does_not_concern_it(untouched, sources):
    sources("twophase/measures/distances.py", lambda text: text + "\n\ndef unused():\n    return 1\n")
    assert not changed(untouched)
    sources("twophase/measures/distances.py", lambda text: text.replace("def principal_coordinates(", "def renamed("))
    assert changed(untouched) == {"cone", "plane"}


def test_what_an_import_does_concerns_all_who_import_the_module(untouched, sources):
    sources(
        "twophase/measures/distances.py", lambda text: text + "\nfor module in [np]:\n    module.seterr(all='raise')\n"
    )
    assert changed(untouched) == USERS["measures.distances"]


def test_a_function_that_a_decorator_may_note_concerns_all_who_import_the_module(untouched, sources):
    noted = "\n\ndef note(function):\n    return function\n\n\n@note\ndef noted():\n    return 1\n"
    sources("twophase/measures/distances.py", lambda text: text + noted)
    assert changed(untouched) == USERS["measures.distances"]


def test_a_source_that_is_no_python_is_named_with_its_line(sources):
    sources("twophase/networks/models.py", lambda text: text + "\n\ndef broken(:\n")
    line = len((digests.LIBRARY / "networks" / "models.py").read_text().splitlines())
    forget()
    with pytest.raises(UserError, match=rf"models\.py, line {line}: .*; mend it"):
        digests.code_digest("trajectory")


def test_an_edit_deep_inside_a_function_counts(untouched, sources):
    sources("twophase/measures/distances.py", lambda text: text.replace("exact / 2", "exact / 3"))
    assert changed(untouched) == {"block_C", "block_S", "compare_forks", "layer_distances", *MEASURING}


def test_edits_of_what_computes_nothing_do_not_count(untouched, sources):
    neutral = [
        path
        for path in every_source()
        if path.startswith("twophase") and digests.is_neutral(digests.LIBRARY.parent / path)
    ]
    assert {"twophase/errors.py", "twophase/runtime/job.py", "twophase/files/storage.py"} <= set(neutral)
    for path in neutral:
        sources(path, edited)
    assert not changed(untouched)


def test_an_edit_of_a_page_s_template_concerns_that_page(copies, sources):
    shutil.copytree(LIBRARY / "report" / "templates", copies / "twophase" / "report" / "templates", dirs_exist_ok=True)
    before = {page: digests.template_digests(page) for page in ("explorer", "page")}
    sources("twophase/report/templates/explorer.css", lambda text: text + "\n")
    assert len(before["explorer"]) == 3
    assert digests.template_digests("explorer") != before["explorer"]
    assert digests.template_digests("page") == before["page"]


def test_an_edit_of_a_script_concerns_that_script(untouched, sources):
    sources("scripts/chaos/compare_forks.py", lambda text: text.replace("== CONTROL", "!= CONTROL"))
    assert changed(untouched) == {"compare_forks"}


USE = {
    "module": ("from twophase.config import grids\n", "grids.chunks"),
    "function": ("from twophase.config.grids import chunks as pieces\n", "pieces"),
    "whole module": ("from twophase.config import grids\n", "getattr(grids, 'chunks')"),
    "within": ("", "__import__('twophase')\n    from twophase.config.grids import chunks\n    chunks"),
}


@pytest.mark.parametrize("way", USE)
def test_a_new_use_of_a_module_counts_however_it_is_imported(sources, way):
    line, use = USE[way]
    sources("twophase/files/vectors.py", lambda text: line + text.replace("PART = 1 << 16", f"PART = {use}"))
    if way == "within":
        sources("twophase/files/vectors.py", lambda text: text.replace(f"PART = {use}", "PART = late()"))
        sources("twophase/files/vectors.py", lambda text: text + f"\n\ndef late():\n    return {use}\n")
    before = all_digests()
    sources("twophase/config/grids.py", edited)
    assert changed(before) == {
        *("block_C", "plane", "layer_distances"),
        *MEASURING,
        *PLANNING,
    }  # whatever reads networks in parts


def test_an_edit_of_a_figure_s_drawing_concerns_that_figure(untouched, sources):
    sources("twophase/report/figures.py", lambda text: text.replace("def fig3(paths, ", "def fig3(paths, more, "))
    assert changed(untouched) == {"fig3"}


def test_no_figure_reaches_the_drawing_of_another():
    for figure in FIGURES:
        reached = {r.name for r in digests.definitions("draw", figure) if r.path == LIBRARY / "report" / "figures.py"}
        assert reached & FIGURES == {figure}
        assert None not in reached


def test_an_edit_of_the_script_that_draws_concerns_every_figure(untouched, sources):
    sources("scripts/figures/draw.py", lambda text: text.replace("theme.save(drawn, ", "theme.save(drawn or 1, "))
    assert changed(untouched) == FIGURES


def test_a_name_of_a_function_s_own_is_not_that_of_the_module(untouched, sources):
    """`part` of `dissimilarity` is an array, whatever else may be called that."""
    sources("twophase/measures/distances.py", lambda text: text + "\n\ndef part():\n    return 1\n")
    assert not changed(untouched)


def called(folder):
    """(script, file, name) of all functions of the library that jobs of a run called."""
    for path in folder.glob("*.json"):
        functions = json.loads(path.read_text())
        script = path.name.rpartition("-")[0]
        if script == "draw":  # of a figure, which is called as the function that draws it
            (script,) = {name for file, name in functions if file.endswith("report/figures.py")} & FIGURES
        for file, name in functions:
            # Functions without a name belong to what has them; `torch.fx` makes some of its own.
            if not name.startswith(("<", "__")) and " in " not in file:
                yield script, file, name


@pytest.mark.workflow
def test_all_that_jobs_call_is_in_their_digests(whole_run):
    """Seen while a whole run went on: an independent account of what results depend on."""
    found = set(called(whole_run.folder / "called"))
    assert {script for script, *_ in found} >= {"prepare_dataset", *TRAINING, *LIGHT, *FIGURES} - {
        *MEASURING, "print_estimate", "scaling_figure", "readings", "independent",  # which takes two seeds
        "side_by_side",
    }  # fmt: skip
    reached = {script: {(r.path, r.name) for r in digests.definitions(*what(script))} for script in ALL}
    overlooked = {
        (script, file, name)
        for script, file, name in found
        if not digests.is_neutral(LIBRARY / file) and (LIBRARY / file, name) not in reached[script]
    }
    assert not overlooked


def test_a_function_may_lose_its_docstring_or_be_nothing_else(sources):
    sources("twophase/files/vectors.py", lambda text: text + '\n\ndef empty():\n    """Nothing."""\n')
    before = all_digests()
    sources("twophase/files/vectors.py", lambda text: text.replace('"""Nothing."""', "pass"))
    assert not changed(before)


@pytest.mark.parametrize("path", [*LIBRARY.rglob("*.py"), *SCRIPTS.rglob("*.py")], ids=lambda path: path.stem)
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
    path = ":".join(map(str, [LIBRARY.parent, *sys.path]))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr


def rules_by_environment():
    """{conda environment: scripts of the rules that run in it}, read from the rules."""
    found = {}
    for file in RULES.glob("*.smk"):
        for rule in re.split(r"^ *rule\b", file.read_text(), flags=re.MULTILINE)[1:]:
            environment, script = re.search(r"envs/(\w+)\.yaml", rule), re.search(r"scripts/\w+/(\w+)\.py", rule)
            found.setdefault(environment[1], set()).add(script[1])
    return found


LIGHT = {"block_C", "block_S", "block_D", "grid", "compare_forks", "switches", "cone", "plane"}
LIGHT |= {"estimate_inflection", "gather_estimates", "judge_claims", "print_estimate", "scaling_figure"}
LIGHT |= {"write_explorer", "experiment_pages", "claims_page", "figures_page", "layer_distances"}


def test_rules_without_torch_are_those_of_the_small_environment():
    assert rules_by_environment()["tables"] == LIGHT | {"draw"}


@pytest.mark.parametrize(
    "scripts",
    [sorted(n for n in LIGHT if n[:5] == "block"), sorted(n for n in LIGHT if n[:5] != "block"), ["draw"]],
    ids=["blocks", "tables", "figures"],
)
def test_scripts_of_pairs_gathering_and_figures_need_no_torch(scripts):
    folders = {path.stem: path.parent.name for path in SCRIPTS.glob("*/*.py")}
    imports_in_turn([f"scripts.{folders[script]}.{script}" for script in scripts], ["torch", "torchvision"])


def test_planning_a_workflow_needs_neither_torch_nor_pandas():
    names = [
        "errors",
        "config.grids",
        "runtime.digests",
        "networks.names",
        "config.resolve",
        "config.plan",
        "config.figures",
        "config.estimators",
        "cost.estimate",
    ]
    imports_in_turn([f"twophase.{name}" for name in names], ["torch", "torchvision", "pandas", "matplotlib"])


FREE = {"analysis", "config", "data", "files", "report", "runtime"}  # packages without torch


def test_modules_that_compute_without_torch_do_not_load_it():
    torch_free = [
        *("errors", "progress", "torchvision_ops", "networks.names", "networks.own"),
        *("training.noise", "training.perturbation", "measures.distances", "measures.layers"),
        *("cost.calibration", "cost.estimate", "cost.scaling"),
        *(f"{path.parent.name}.{path.stem}" for path in sorted(LIBRARY.glob("*/[!_]*.py")) if path.parent.name in FREE),
    ]
    imports_in_turn([f"twophase.{name}" for name in torch_free], ["torch", "torchvision"])


def test_the_package_costs_nothing_until_load_is_asked_for():
    imports_in_turn(["twophase"], ["torch", "pandas", "numpy", "pyarrow"])
    program = (
        "import sys; from twophase import load; assert callable(load); assert 'torch' not in sys.modules;"
        "import twophase; assert twophase.load is load; assert twophase.__all__ == ['load', 'runs']"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_the_package_shows_what_it_gives_without_loading_it():
    program = "import sys, twophase; assert {'load', 'runs'} <= {*dir(twophase)}; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_the_package_has_no_other_attributes():
    import twophase

    with pytest.raises(AttributeError, match="has no attribute 'loda'"):
        twophase.loda  # noqa: B018


def test_a_digest_is_of_the_syntax_not_of_a_version_s_way_to_show_it():
    """Fields that are empty are left out: newer versions of Python have more of them."""

    def written(tree):
        return digests._Writer(LIBRARY / "measures" / "distances.py", digests.Module()).block(tree.body)

    tree, older = (ast.parse("class C:\n    y = f(None, [1, x])") for _ in range(2))
    for node in ast.walk(older):
        for name in [name for name, value in ast.iter_fields(node) if value is None or value == []]:
            delattr(node, name)
    assert written(tree) == written(older)
    assert written(tree) != written(ast.parse("class C:\n    y = f(None, [x, 1])"))
