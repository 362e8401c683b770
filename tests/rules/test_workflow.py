"""The whole chain on small data: what runs, what reruns, and that the result is the same however it is run."""

import copy

import numpy as np
import pytest
import yaml

from image_files import files, pack
from twophase import load
from twophase.config import figures
from workflow_runner import REPOSITORY, TINY, WHOLE, Workflow, shared_data

pytestmark = pytest.mark.workflow

TRAINING = {"trajectory", "forks", "linearized"}
FIGURES = {*figures.FIGURES} - {"readings", "side_by_side"}  # which take two experiments that are no counterexamples


@pytest.fixture(scope="module")
def finished(whole_run, tmp_path_factory) -> Workflow:
    """The workflow after `snakemake --cores 2`; tests leave its results and files as they found them."""
    return whole_run.copied(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def changed(finished):
    """Gives a changed config or source to the finished workflow, and takes it back."""
    saved = {}

    def change(keys: str = "", value=None, source: str = "", edit=None):
        if keys:
            config = copy.deepcopy(WHOLE)
            part = config["experiments"]["tiny"] if not keys.startswith("figures") else config
            *path, last = keys.split(".")
            for key in path:
                part = part.setdefault(key, {})
            part[last] = value
            finished.write(config)
        if source:
            path = finished.folder / "workflow" / source
            saved[path] = path.read_text()
            path.write_text(edit(saved[path]))
        return finished

    yield change
    finished.write(WHOLE)
    for path, text in saved.items():
        path.write_text(text)


def test_every_figure_and_table_is_there(finished):
    results = finished.folder / "results"
    for figure in FIGURES:
        assert (results / f"figures/{figure}.pdf").read_bytes()[:4] == b"%PDF"
        assert (results / f"figures/{figure}.png").read_bytes()[1:4] == b"PNG"
    for name in (
        "C",
        "S",
        "B",
        "D",
        "chaos",
        "control",
        "perturbations",
        "linearized",
        "pointwise",
        "layers",
        "layer_pairs",
        "layer_chaos",
    ):
        assert len(load("tiny", name, results=results)), name
    assert (results / "phases.parquet").exists()
    for page in ("claims.html", "tiny/overview.html", "explorer.html"):
        assert (results / page).read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_snakemake_looks_for_jobs_only_when_one_has_ended(finished):
    printed = (finished.folder / "printed").read_text()
    ended, looked = (printed.count(words) for words in ("Finished jobid: ", "Ready jobs: "))
    assert ended
    assert looked <= ended + 1


def test_a_second_run_does_nothing(finished):
    assert not finished.planned()


def test_tables_do_not_depend_on_the_number_of_cores(finished, tmp_path):
    alone = Workflow(tmp_path, WHOLE)
    names = [f"tiny/seed0/{n}.parquet" for n in (*"CSBD", "control", "linearized")]
    alone.snakemake("--cores", "1", *(f"results/{name}" for name in names))
    one, two = alone.tables(), finished.tables()
    assert set(names) <= one.keys() <= two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_control_ends_on_the_base_run(finished):
    control = load("tiny", "control", results=finished.folder / "results")
    assert len(control) == 3  # t0 = 0 against t1 = 8, 16 and the end
    assert (control[["C", "D", "B", "l2", "S"]] == 0).all(axis=None)


def test_chaos_grid_is_complete(finished):
    chaos = load("tiny", "chaos", results=finished.folder / "results")
    expected = {(t0, t1, draw) for t0 in (0, 8, 16) for t1 in (8, 16, 24) if t1 > t0 for draw in (0, 1)}
    assert set(chaos[["t0", "t1", "draw"]].itertuples(index=False, name=None)) == expected
    assert (chaos["C"] > 0).all()
    assert np.isfinite(chaos.to_numpy()).all()


def test_pair_grids_are_square_and_labelled(finished):
    for name, step in (("C", 4), ("S", 4), ("D", 4), ("B", 8)):
        matrix = load("tiny", name, square=True, results=finished.folder / "results")
        assert list(matrix.index) == list(matrix.columns) == list(range(0, 25, step))
        assert np.array_equal(matrix, matrix.T)
        assert (np.diag(matrix) == 0).all()


def test_one_figure_needs_only_its_own(tmp_path):
    plan = Workflow(tmp_path, TINY).planned("fig4")
    assert set(plan) == {"dataset", "trajectory", "kernels", "block_S", "grid", "inflection", "fig4"}
    assert plan["kernels"] == plan["grid"] == plan["inflection"] == 1


def test_measures_on_one_network_are_taken_where_they_are_asked_for(finished, tmp_path):
    table = load("tiny", "pointwise", results=finished.folder / "results")
    assert [*table["t"]] == [0, 8, 16, 24]
    assert [*table["lr"]] == pytest.approx([0.05, 0.05, 0.05, 0.005])  # of the step before
    assert np.isfinite(table.to_numpy()).all()
    assert "sharpness rises" in set(load("claims", results=finished.folder / "results")["claim"])
    without = copy.deepcopy(TINY)
    del without["experiments"]["tiny"]["pointwise"]
    assert not {"pointwise_measures", "pointwise"} & {*Workflow(tmp_path, without).planned()}


def test_layers_make_the_whole_where_they_are_asked_for(finished, tmp_path):
    results = finished.folder / "results"
    alone, pairs, chaos = (load("tiny", name, results=results) for name in ("layers", "layer_pairs", "layer_chaos"))
    assert [*alone["t"].unique()] == [0, 8, 16, 24]
    assert alone.groupby("t")["share"].sum().to_numpy() == pytest.approx(1)
    traces = load("tiny", "pointwise", results=results).set_index("t")["scale"]
    assert alone.groupby("t")["trace"].sum().to_numpy() == pytest.approx(traces.to_numpy(), rel=1e-5)
    whole = load("tiny", "C", results=results).set_index(["i", "j"])["l2"]
    squares = pairs.assign(square=pairs["l2"] ** 2).groupby(["i", "j"])["square"].sum()
    assert squares.to_numpy() == pytest.approx(whole[squares.index].to_numpy() ** 2, rel=1e-9)
    squares = chaos.assign(square=chaos["l2"] ** 2).groupby(["t0", "t1", "draw"])["square"].sum()
    for table, name, column in (("chaos", "t1", "l2"), ("perturbations", "t0", "realised")):
        for row in load("tiny", table, results=results).itertuples():
            apart = squares[row.t0, getattr(row, name), row.draw]
            assert apart == pytest.approx(getattr(row, column) ** 2, rel=1e-9)
    assert (chaos.loc[chaos["draw"] == -1, ["C", "l2"]] == 0).all(axis=None)
    without = copy.deepcopy(TINY)
    del without["experiments"]["tiny"]["layers"]
    jobs = {"layer_kernels", "layer_distances", "layer_chaos", "layers", "layer_forks"}
    assert not jobs & {*Workflow(tmp_path, without).planned()}


def test_style_redraws_one_figure(changed):
    assert changed("figures.fig3.colormap", "mako_r").planned() == {"fig3": 1}


def test_another_distance_estimates_and_judges_anew(changed):
    plan = changed("phases.distance", "checkpoints").planned()
    redrawn = {"fig1", "fig3", "lyapunov", "pointwise", "wfig3"}  # the last shows verdicts
    assert set(plan) == {"inflection", "phases", "experiment_pages", "claims", "claims_page", "explorer", *redrawn}
    assert plan["inflection"] == 1


def test_another_tau_redraws_only_what_shows_it(changed):
    shown = {"fig1", "fig5", "wfig1", "curves", "explorer", "experiment_pages"}
    assert set(changed("cone.tau", [8, 16]).planned()) == shown


def test_another_t0_trains_its_own_block_alone(changed):
    plan = changed("chaos.t0", [0, 8, 16, 12]).planned()
    assert plan["forks"] == 1
    assert "trajectory" not in plan


def test_editing_training_retrains(changed):
    plan = changed(
        source="twophase/training/loop.py", edit=lambda text: text.replace("optimizer.step()", "optimizer.step(None)")
    ).planned()
    assert set(plan) >= TRAINING


def test_editing_a_comment_reruns_nothing(changed):
    assert not changed(source="twophase/training/loop.py", edit=lambda text: text + "\n# a remark\n").planned()


def test_editing_a_figure_redraws_it(changed):
    lines = ("panels.drops(ax, drops[name])", "panels.drops(ax, drops[name][:1])")
    edit = {"source": "twophase/report/figures.py", "edit": lambda text: text.replace(*lines, 1)}
    assert changed(**edit).planned() == {"fig2": 1}


def test_only_another_archive_is_read_again(tmp_path):
    archive = pack(tmp_path / "set.zip", files())
    workflow = Workflow(tmp_path, {**TINY, "datasets": {"digits": {"source": "imagefolder", "root": str(archive)}}})
    target = "results/data/digits.safetensors"
    workflow.snakemake("--cores", "1", target)
    pack(archive, files())  # a copy of later date
    assert not workflow.planned(target)
    pack(archive, files() | {"test/Ant/9.png": files()["test/Ant/0.png"]})
    assert workflow.planned(target) == {"dataset": 1}


def test_mnist_scaled_down(tmp_path):
    data = shared_data("MNIST/raw")
    config = yaml.safe_load((REPOSITORY / "config" / "mnist.yaml").read_text())
    config["datasets"]["mnist"] |= {"root": str(data.parents[1]), "train_size": 600, "test_size": 200}
    small = config["experiments"]["lenet5"] | {"seeds": [0]}
    config["experiments"]["lenet5"] = small
    small["training"] |= {"iterations": 40}
    small["checkpoints"] = {"every": 10}
    small["chaos"] |= {"t0": [0, 20], "t1": [20, 40], "control": [0], "t0_per_job": 2}
    small["barrier"] = {"grid": {"every": 20}, "alphas": 4, "test_size": 100}
    small["kernel"] = {"n": 8}
    small["cone"] = {"tau": [20], "dt": [10]}
    small["linearized"] = {"switch": [0, 20], "evaluate": {"every": 20}, "switches_per_job": 2}
    workflow = Workflow(tmp_path, config)
    workflow.snakemake("--cores", "2", f"{config['results']}/lenet5/seed0/control.parquet", "fig5", "fig6")
    results = tmp_path / config["results"]
    control = load("lenet5", "control", results=results)
    assert (control[["C", "D", "l2"]] == 0).all(axis=None)
    assert (load("lenet5", "chaos", results=results)["C"] > 0).all()
    assert (results / "figures/fig5.png").exists()
