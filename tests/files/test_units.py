"""Units of columns: every table that there is has one for each of its columns."""

import pytest

from scripts.estimate import measure_scaling
from twophase import load, runs
from twophase.files import storage, units
from workflow_runner import REPOSITORY

PUBLISHED = REPOSITORY / "results" / "reference"


@pytest.mark.parametrize("run", sorted({path.parents[2].name for path in PUBLISHED.glob("*/*/seed*/*.parquet")}))
def test_every_column_of_a_published_run_has_a_unit(run):
    every_column_has_one(PUBLISHED / run)


@pytest.mark.workflow
def test_every_column_of_a_run_has_a_unit(whole_run):
    every_column_has_one(whole_run.folder / "results")
    frame = load("tiny", "B", results=whole_run.folder / "results")
    assert frame.attrs["units"]["value"] == "nats"


def every_column_has_one(results):
    frames = [(path.stem, load(path.stem, results=results)) for path in results.glob("*.parquet")]
    for run in runs(results).itertuples():
        frames += [(name, load(run.experiment, name, run.seed, results=run.results)) for name in run.tables]
    assert frames
    for name, frame in frames:
        assert list(frame.attrs["units"]) == list(frame.columns), name


def test_every_column_of_the_scaling_table_has_a_unit(tmp_path, monkeypatch):
    rows = [{"axis": "n", "stage": "kernel", "x": x, "seconds": x} for x in (1.0, 2.0)]
    monkeypatch.setattr(measure_scaling.scaling, "sweeps", lambda work: rows)
    measure_scaling.main(tmp_path / "scaling.parquet", {})
    assert load("scaling", results=tmp_path).attrs["units"].keys() == units.COLUMNS["scaling"].keys()


def test_all_columns_of_the_dictionary_are_in_some_table():
    """Less those that no published run has."""
    lacking = {"scaling", "pointwise", "layers", "layer_pairs", "layer_chaos"}
    found = {}
    for path in [*PUBLISHED.glob("*/*.parquet"), *PUBLISHED.glob("*/*/seed*/*.parquet")]:
        found.setdefault(path.stem, set()).update(storage.read_table(path).columns)
    assert found == {name: columns.keys() for name, columns in units.COLUMNS.items() if name not in lacking}


def test_every_entry_says_what_it_is():
    for columns in units.COLUMNS.values():
        for column in columns.values():
            assert column.meaning


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        ({"options": {"metric": "loss"}}, "nats"),
        ({"options": {"metric": "error"}}, "share of the test set"),
        ({}, "nats (or share, with barrier.metric: error)"),
    ],
)
def test_a_barrier_has_the_unit_of_its_metric(tmp_path, options, unit):
    storage.write_table(tmp_path / "net" / "seed0" / "B.parquet", {"i": [0], "j": [0], "value": [0.0]}, options)
    for seed in (0, "all"):
        assert load("net", "B", seed=seed, results=tmp_path).attrs["units"]["value"] == unit
    square = load("net", "B", square=True, results=tmp_path)
    assert square.attrs["units"] == {"i": "iterations", "j": "iterations", "value": unit}


def test_a_column_that_nobody_knows_has_no_unit():
    assert units.of("C", ["i", "mine"], {}) == {"i": "iterations"}
    assert units.of("mine", ["i"], {}) == {}
