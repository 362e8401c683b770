"""Reading results from outside the workflow: any table of a run, of all its seeds, of all experiments."""

import numpy as np
import pandas as pd
import pytest

from twophase import load, runs
from twophase.errors import UserError
from twophase.files import storage
from workflow_runner import REPOSITORY

PUBLISHED = REPOSITORY / "results" / "reference"


def pairs(times, values):
    cells = [(i, j) for a, i in enumerate(times) for j in times[a:]]
    return pd.DataFrame({"i": [i for i, _ in cells], "j": [j for _, j in cells], "value": values[: len(cells)]})


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv("TWOPHASE_RESULTS", raising=False)


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "net" / "seed1"
    for name in ("C", "chaos"):
        table = pairs([0, 50, 75], np.array([0, 1, 2, 0, 3, 0.0]))
        storage.write_table(folder / f"{name}.parquet", table, {"definition": name, "experiment": "net", "seed": "1"})
    return tmp_path / "results"


def test_load_gives_a_table_with_its_metadata(results):
    frame = load("net", "C", seed=1, results=results)
    assert list(frame.columns) == ["i", "j", "value"]
    assert len(frame) == 6
    assert frame.attrs["definition"] == "C"


def test_load_square_gives_a_labelled_symmetric_matrix(results, monkeypatch):
    monkeypatch.chdir(results.parent)  # `results` is the default folder
    frame = load("net", "C", seed=1, square=True)
    assert frame.index.tolist() == frame.columns.tolist() == [0, 50, 75]
    assert frame.to_numpy().tolist() == [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    assert frame.loc[75, 50] == frame.loc[50, 75] == 3
    assert frame.attrs["definition"] == "C"


@pytest.mark.parametrize(
    ("experiment", "table", "seed", "there"),
    [("net", "S", 1, "C, chaos"), ("net", "C", 0, "no tables"), ("other", "C", 1, "no tables")],
)
def test_what_is_not_there_is_answered_with_what_is(results, experiment, table, seed, there):
    with pytest.raises(UserError, match=rf"{table}\.parquet; in .*{experiment}/seed{seed} there are: {there}\.$"):
        load(experiment, table, seed=seed, results=results)


# --- all seeds, all experiments


@pytest.mark.parametrize("table", ["chaos", "B", "cone", "perturbations"])
def test_all_seeds_are_those_of_each(table):
    frame = load("lenet5", table, seed="all", results=PUBLISHED / "mnist")
    assert frame.columns[0] == "seed"
    assert frame["seed"].unique().tolist() == [0, 1, 2]
    for seed, part in frame.groupby("seed"):
        one = load("lenet5", table, seed=seed, results=PUBLISHED / "mnist")
        pd.testing.assert_frame_equal(part.drop(columns="seed").reset_index(drop=True), one)
    assert frame.attrs["units"] == {"seed": "", **one.attrs["units"]}


def test_seeds_come_in_the_order_of_their_numbers_with_what_they_have_in_common(tmp_path):
    for seed in (10, 9, 2):
        facts = {"definition": "C", "seed": str(seed), "threads": min(seed, 9), "commit": "1"}
        storage.write_table(tmp_path / "net" / f"seed{seed}" / "C.parquet", pairs([0, 1], [0, seed, 0]), facts)
    storage.write_table(tmp_path / "net" / "seed3" / "S.parquet", pairs([0, 1], [0, 1, 0]), {})
    frame = load("net", "C", seed="all", results=tmp_path)
    assert frame["seed"].tolist() == [2, 2, 2, 9, 9, 9, 10, 10, 10]
    assert frame["value"].tolist() == [0, 2, 0, 0, 9, 0, 0, 10, 0]
    assert frame.attrs.keys() == {"definition", "commit", "experiment", "file", "units"}
    (tmp_path / "net" / "seed2" / "C.parquet").unlink()
    assert load("net", "C", seed="all", results=tmp_path).attrs["threads"] == 9


@pytest.mark.parametrize("table", ["claims", "phases"])
def test_tables_of_all_experiments_are_read_by_name(table):
    frame = load(table, results=PUBLISHED / "readings")
    assert frame.columns[0] == "experiment"
    assert frame["experiment"].nunique() > 10
    pd.testing.assert_frame_equal(frame, load(table, seed="all", results=PUBLISHED / "readings"))


def test_a_published_run_is_listed_with_its_tables():
    listed = runs(PUBLISHED / "demo")
    assert listed.columns.tolist() == ["experiment", "seed", "tables", "results"]
    assert [*zip(listed["experiment"], listed["seed"], strict=True)] == [("lazy", 0), ("resnet8", 0), ("resnet8", 1)]
    assert listed["tables"][0] == ["S"]
    for run in listed.itertuples():
        for table in run.tables:
            assert len(load(run.experiment, table, seed=run.seed, results=run.results))


def test_runs_below_the_folder_come_after_its_own(results):
    other = results / "reference" / "old" / "net" / "seed0"
    storage.write_table(other / "S.parquet", pairs([0], [0]), {})
    (other / ".C.part.parquet").touch()  # of a job that was killed
    (results / "net" / "seed2").mkdir()
    listed = runs(results)
    assert listed.to_numpy().tolist() == [
        ["net", 1, ["C", "chaos"], str(results)],
        ["net", 0, ["S"], str(results / "reference" / "old")],
    ]


def test_where_there_are_no_runs_none_are_listed(tmp_path):
    listed = runs(tmp_path)
    assert listed.empty
    assert listed.columns.tolist() == ["experiment", "seed", "tables", "results"]


# --- where results are looked for


def test_results_are_looked_for_upwards(results, monkeypatch):
    deep = results.parent / "notebooks" / "old"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert load("net", "C", seed=1).equals(load("net", "C", seed=1, results=results))
    assert runs().equals(runs(results))
    monkeypatch.chdir(results / "net")  # itself below a folder of that name
    assert len(load("net", "C", seed=1)) == 6
    nearer = deep / "results" / "net" / "seed1"
    storage.write_table(nearer / "C.parquet", pairs([0], [0]), {})
    monkeypatch.chdir(deep)
    assert len(load("net", "C", seed=1)) == 1


def test_a_folder_of_one_config_is_given_by_name(results, monkeypatch):
    moved = results.rename(results.parent / "moved")
    results.mkdir()
    moved.rename(results / "mnist")
    (results.parent / "notebooks").mkdir()
    monkeypatch.chdir(results.parent / "notebooks")
    assert len(load("net", "C", seed=1, results="results/mnist")) == 6
    with pytest.raises(UserError, match=r"below it there is, in mnist: give results='.*results/mnist'"):
        load("net", "C", seed=1)


def test_the_environment_names_a_folder_and_the_argument_goes_before_it(results, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    storage.write_table(elsewhere / "net" / "seed1" / "C.parquet", pairs([0], [0]), {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWOPHASE_RESULTS", str(elsewhere))
    assert len(load("net", "C", seed=1)) == 1
    assert len(load("net", "C", seed=1, results="results")) == 6
    monkeypatch.setenv("TWOPHASE_RESULTS", "")
    assert len(load("net", "C", seed=1)) == 6


# --- what is said where something is missing


def said(*arguments, **options) -> str:
    with pytest.raises(UserError) as error:
        load(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_table_is_answered_with_one_of_nearly_that_name(results):
    assert f"net has no table chao (did you mean chaos?). There is no {results}" in said(
        "net", "chao", 1, False, results
    )
    assert f"In {results} there is no run of nett (did you mean net?)" in said("nett", "C", results=results)
    assert "The seeds of net are: 1." in said("net", "C", results=results)
    assert "seed*/S.parquet" in said("net", "S", seed="all", results=results)
    assert "there are runs of: nothing" in said("net", "S", seed="all", results=results / "net")


def test_a_missing_table_of_all_experiments_is_answered_with_what_there_is(results):
    storage.write_table(results / "claims.parquet", {"claim": ["a"]}, {})
    answer = said("claim", results=results)
    assert "no claim.parquet (did you mean claims?); there are: claims." in answer
    assert answer.endswith("A table of a run takes its experiment first; there are runs of: net.")
    assert said("net", results=results) == "Name a table of net, as in load('net', 'C'); there are: C, chaos."
    storage.write_table(results / "old" / "net" / "seed0" / "C.parquet", pairs([0], [0]), {})
    storage.write_table(results / "old" / "phases.parquet", {"p": [0.0]}, {})
    assert "below it there is, in old: give results=" in said("phases", results=results)


def test_a_missing_folder_is_answered_with_where_it_was_looked_for(results, monkeypatch):
    monkeypatch.chdir(results.parent)
    answer = said("net", "C", results="resluts")
    assert f"no folder resluts in {results.parent} or above it (did you mean results?)" in answer
    assert "in " + str(results) + " there are: net." in said("net", "C", results="results/nett")
    monkeypatch.setenv("TWOPHASE_RESULTS", str(results / "nett"))
    assert f"no folder {results / 'nett'} (TWOPHASE_RESULTS) (did you mean net?)" in said("claims")
    with pytest.raises(UserError, match="TWOPHASE_RESULTS"):
        runs()


def test_only_a_grid_of_one_seed_is_a_square(results):
    assert "the grids are C, S, B, D." in said("net", "chaos", seed=1, square=True, results=results)
    assert "the grids are C, S, B, D." in said("claims", square=True, results=PUBLISHED / "demo")
    answer = said("resnet8", "S", seed="all", square=True, results=PUBLISHED / "demo")
    assert "of one seed: call load for each of the seeds 0, 1" in answer
