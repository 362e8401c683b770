"""Tables of blocks, runs and experiments as one, and pair grids as matrices."""

import numpy as np
import pandas as pd
from hypothesis import assume, given
from hypothesis import strategies as st

from twophase.files import storage, tables

TIMES = st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True).map(sorted)


def pairs(times, values):
    cells = [(i, j) for a, i in enumerate(times) for j in times[a:]]
    return pd.DataFrame({"i": [i for i, _ in cells], "j": [j for _, j in cells], "value": values[: len(cells)]})


@given(TIMES, st.integers(0, 2**32 - 1))
def test_a_grid_in_any_order_of_rows_is_the_same_matrix(times, seed):
    rng = np.random.default_rng(seed)
    frame = pairs(times, rng.standard_normal(30))
    full = tables.matrix(frame.sample(frac=1, random_state=seed))
    assert full.index.tolist() == full.columns.tolist() == times
    assert not full.isna().to_numpy().any()
    for row in frame.itertuples():
        assert full.loc[row.i, row.j] == full.loc[row.j, row.i] == row.value


@given(TIMES, st.data())
def test_distances_of_checkpoints_are_those_of_the_pair_grids(times, data):
    rng = np.random.default_rng(0)
    grids = {name: pairs(times, rng.random(30)) for name in ("C", "B", "D")}
    t0s, t1s = (data.draw(st.lists(st.sampled_from(times), min_size=1, unique=True)) for _ in range(2))
    wanted = sorted((t0, t1) for t0 in t0s for t1 in t1s if t0 < t1)
    assume(wanted)
    found = tables.of_checkpoints(grids, t0s, t1s)
    assert [*zip(found["t0"], found["t1"], strict=True)] == wanted
    for name, grid in grids.items():
        square = tables.matrix(grid)
        assert [square.loc[t0, t1] for t0, t1 in wanted] == found[name].tolist()
    assert (found["draw"] == 0).all()
    assert found[["l2", "epsilon"]].isna().all(axis=None)


def test_a_hole_in_a_grid_stays_one():
    frame = pairs([0, 1, 2], np.arange(6.0))
    full = tables.matrix(frame[(frame["i"] != 0) | (frame["j"] != 2)])
    assert np.isnan(full.loc[0, 2])
    assert np.isnan(full.loc[2, 0])
    assert full.isna().to_numpy().sum() == 2


def test_tables_of_runs_are_labelled(tmp_path):
    for experiment, seed in (("a", 0), ("a", 2), ("b", 0)):
        facts = {"experiment": experiment, "seed": str(seed)}
        storage.write_table(tmp_path / f"{experiment}{seed}.parquet", {"t": [1, 2], "x": [seed, seed]}, facts)
    frame = tables.of_runs([tmp_path / name for name in ("a0.parquet", "a2.parquet", "b0.parquet")])
    assert frame["experiment"].tolist() == ["a"] * 4 + ["b"] * 2
    assert frame["seed"].tolist() == [0, 0, 2, 2, 0, 0]
    assert (frame["seed"] == frame["x"]).all()
    assert frame.index.tolist() == list(range(6))


def test_tables_of_experiments_are_labelled_and_of_none_are_empty(tmp_path):
    for name in "ab":
        table = {"quantity": ["inflection"], "estimator": ["kernel"]}
        storage.write_table(tmp_path / f"{name}.parquet", table, {"experiment": name})
    frame = tables.of_experiments([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert frame["experiment"].tolist() == ["a", "b"]
    none = tables.of_experiments([])
    assert len(none[(none["experiment"] == "a") & (none["estimator"] == "kernel")]) == 0
