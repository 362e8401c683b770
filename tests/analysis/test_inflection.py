"""Inflection points: planted values come back, and their intervals hold them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import bend
from twophase.analysis import inflection
from twophase.analysis.bootstrap import Bootstrap


def test_significance_of_an_inflection_goes_with_the_level():
    grid = pd.DataFrame({"t0": range(6), "t1": 9, "draw": 0, "B": 1.0, "D": [9, 9, 9, 0, 0, 0], "l2": 1, "epsilon": 1})
    grid["C"] = 10.0 ** -np.array([3, 2, 3, 8, 9, 8])
    c, b, d, *_ = inflection.from_chaos([grid], "log", Bootstrap(20, 0.95))
    assert (c["found"], b["found"], d["found"]) == (True, False, True)
    assert np.isnan([b["value"], b["low"], b["high"]]).all()
    assert b["p"] == 1
    assert 0 < c["p"] <= 0.05
    assert not inflection.from_chaos([grid], "log", Bootstrap(20, 1 - c["p"] / 2))[0]["found"]


@pytest.mark.parametrize(("after", "found"), [(0.09, False), (1e-3, True)])
def test_a_fall_of_c_by_less_than_a_decade_is_no_inflection(after, found):
    levels = {"C": [0.5] * 5 + [after] * 4, "B": 1.0, "D": 1.0, "l2": 1.0, "epsilon": 1.0}
    grid = pd.DataFrame({"t0": range(9), "t1": 9, "draw": 0, **levels})
    row = inflection.from_chaos([grid], "log", Bootstrap(20, 0.95))[0]
    assert row["p"] < 0.01
    assert row["found"] is found


# --- cone width


@given(st.lists(st.floats(0, 180), min_size=1, max_size=8))
def test_the_width_is_the_largest_angle(angles):
    s = 1 - np.cos(np.radians(angles))
    assert inflection.width(np.arange(len(angles)), s) == pytest.approx(max(angles), abs=1e-5)


def test_rounding_beyond_the_range_of_s_does_no_harm():
    assert inflection.width(np.arange(2), np.array([0.0, -1e-16])) == 0
    assert inflection.width(np.arange(2), np.array([0.0, 2 + 1e-12])) == 180


# --- from tables


def chaos_table(rng, t0s, change, draws=3, noise=0.1):
    rows = []
    for t0 in t0s:
        for draw in range(draws):
            early = t0 < change
            for t1, shift in ((600, 0.0), (300, 5.0)):  # an earlier comparison that must not be used
                if t1 <= t0:
                    continue
                levels = {
                    "C": 10.0 ** ((-3 if early else -12) + noise * rng.standard_normal() - shift),
                    "B": (2.0 if early else 0.1) + noise * rng.standard_normal(),
                    "D": (0.3 if early else 0.01) + 0.1 * noise * rng.standard_normal(),
                    "l2": 1.0,
                    "epsilon": 1.0,
                }
                rows.append({"t0": t0, "t1": t1, "draw": draw} | levels)
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_inflection_points_of_planted_chaos_grids():
    t0s = list(range(0, 550, 50))
    grids = [chaos_table(np.random.default_rng(k), t0s, 225) for k in range(2)]
    *rows, _ = inflection.from_chaos(grids, "log", Bootstrap(200, 0.95))
    assert [row["estimator"] for row in rows] == ["chaos C", "chaos B", "chaos D", "chaos C, linear"]
    for row in rows:
        assert row["value"] == 225
        assert row["low"] <= 225 <= row["high"]
        assert (row["quantity"], row["unit"]) == ("inflection", "iterations")
        assert (row["seeds"], row["draws"], row["points"]) == (2, 3, 11)
        assert "600" in row["definition"]
    assert "of log10 C" in rows[0]["definition"]
    assert "of C" in rows[3]["definition"]


def test_forks_that_all_run_away_alike_have_no_inflection_point():
    """At the end later ones are closer, by decades and significantly, for lack of time alone."""
    t0s, t1s = (0, 50, 100, 250, 500, 750, 1000, 1250, 1500, 1750), (500, 1000, 1500, 2000)
    cells = pd.DataFrame([(t0, t1) for t0 in t0s for t1 in t1s if t1 > t0], columns=["t0", "t1"])
    l2 = np.minimum(20.0, 1e-5 * np.exp(0.01 * (cells["t1"] - cells["t0"])))
    table = cells.assign(draw=0, C=1e-3 * l2**2, B=0.0, D=0.0, l2=l2, epsilon=1e-5)
    row = inflection.from_chaos([table], "log", Bootstrap(10, 0.95))[0]
    end = table[table["t1"] == 2000].set_index("t0")["C"]
    assert row["p"] < 0.05
    assert np.log10(end[end.index < row["value"]]).mean() - np.log10(end[end.index > row["value"]]).mean() > 2
    assert not row["found"]
    assert inflection.from_chaos([table.assign(C=np.where(table["t0"] < 600, 1e-2, 1e-6))], "log", Bootstrap(10, 0.95))[
        0
    ]["found"]


@pytest.mark.parametrize("change", [3, 20, 60, 140, 333])
def test_the_interval_of_a_change_of_level_reaches_to_the_points_around_it(change):
    """It may have been anywhere between two t0s, and the value is halfway."""
    t0s = [0, 50, 100, 150, 200, 300, 400, 500]
    tables = [chaos_table(np.random.default_rng(seed), t0s, change) for seed in range(3)]
    row = {row["estimator"]: row for row in inflection.from_chaos(tables, "log", Bootstrap(50, 0.95))}["chaos C"]
    assert (
        row["low"] <= max(t for t in t0s if t < change) <= change <= min(t for t in t0s if t >= change) <= row["high"]
    )
    assert {row["low"], row["high"]} <= {*t0s}


def test_small_barriers_and_disagreements_have_no_inflection_point():
    tables = [chaos_table(np.random.default_rng(0), range(0, 550, 50), 225)]
    small = [tables[0].assign(B=tables[0]["B"] / 100, D=tables[0]["D"] / 100)]
    rows, less = (
        {row["estimator"]: row for row in inflection.from_chaos(t, "log", Bootstrap(10, 0.95))} for t in (tables, small)
    )
    for name in ("chaos B", "chaos D"):
        assert rows[name]["found"]
        assert not less[name]["found"]
        assert less[name]["p"] == rows[name]["p"] <= 0.05


@pytest.mark.parametrize(("scale", "value", "other"), [("log", 25, "linear"), ("linear", 5, "log")])
def test_c_is_compared_by_its_order_of_magnitude_or_itself(scale, value, other):
    """In C itself the change from 1 to 1e-2 outweighs that from 1e-2 to 1e-14; in its logarithm it does not."""
    t0s = [0, 10, 20, 30, 40, 50]
    values = [1.0, 1e-2, 1e-2, 1e-14, 0.0, 1e-14]
    table = pd.DataFrame({"t0": t0s, "t1": 60, "draw": 0, "C": values, "B": values, "D": values, "l2": 1, "epsilon": 1})
    rows = {row["estimator"]: row["value"] for row in inflection.from_chaos([table], scale, Bootstrap(20, 0.9))[:4]}
    assert rows == {"chaos C": value, "chaos B": 5, "chaos D": 5, f"chaos C, {other}": 30 - value}


# --- Lyapunov exponents


@given(st.floats(-0.1, 0.1), st.floats(1e-9, 1e-3))
def test_exponential_growth_has_its_rate_as_exponent(rate, epsilon):
    table = pd.DataFrame({"t0": [0, 0, 20], "t1": [10, 50, 50], "epsilon": epsilon})
    table["l2"] = epsilon * np.exp(rate * (table["t1"] - table["t0"]))
    np.testing.assert_allclose(inflection.exponents(table), rate, atol=1e-6)


def test_the_sign_change_of_forks_is_found_with_its_interval():
    rows = []
    for draw, zero in enumerate((200, 240, 280)):
        for t0 in range(0, 550, 50):
            l2 = 1e-6 * np.exp(1e-4 * (zero - t0) * (600 - t0))
            rows.append({"t0": t0, "t1": 600, "draw": draw, "C": 1.0, "B": 1.0, "D": 1.0, "l2": l2, "epsilon": 1e-6})
    row = inflection.from_chaos([pd.DataFrame(rows)], "log", Bootstrap(100, 0.95))[-1]
    assert (row["quantity"], row["found"], row["unit"]) == ("sign change", True, "iterations")
    assert row["value"] == pytest.approx(240)
    assert 190 < row["low"] < 240 < row["high"] < 290


def test_distances_that_grow_from_no_perturbation_have_no_sign_change():
    table = chaos_table(np.random.default_rng(0), range(0, 1000, 100), 450)
    unperturbed = table.assign(l2=np.nan, epsilon=np.nan)
    quantities = [row["quantity"] for row in inflection.from_chaos([unperturbed], "log", Bootstrap(20, 0.95))]
    assert quantities == ["inflection"] * 4
    assert inflection.from_chaos([table], "log", Bootstrap(20, 0.95))[-1]["quantity"] == "sign change"


def test_where_the_mean_exponent_keeps_its_sign_there_is_no_interval_either():
    """One of the draws shrinks late; the mean does not."""
    rows = [
        {"t0": t0, "t1": 60, "draw": draw, "C": 1.0, "B": 1.0, "D": 1.0, "l2": l2, "epsilon": 1.0}
        for t0 in (0, 20, 40)
        for draw, l2 in enumerate((100.0, 0.5 if t0 == 40 else 100.0))
    ]
    row = inflection.from_chaos([pd.DataFrame(rows)], "log", Bootstrap(100, 0.95))[-1]
    assert not row["found"]
    assert np.isnan([row["value"], row["low"], row["high"]]).all()


def pair_grid(times, f):
    return pd.DataFrame([{"i": i, "j": j, "value": f(i, j)} for j in times for i in times if i <= j])


@pytest.mark.parametrize(("metric", "name"), [("S", "kernel"), ("C", "parameters")])
def test_the_elbow_of_a_pair_grid(metric, name):
    times = list(range(0, 500, 25))
    speed = dict(zip(times, bend(np.array(times) / 25, 6), strict=True))
    grids = [pair_grid(times, lambda i, j, s=s: s * (speed[i] if j - i == 50 else 100 * i)) for s in (1.0, 3.0)]
    grids[1] = grids[1].sample(frac=1, random_state=3)  # the order of rows is no one's promise
    (row,) = inflection.from_steps(grids, metric, 50, Bootstrap(100, 0.95))
    assert row["value"] == 150
    assert row["low"] <= 150 <= row["high"]
    assert (row["quantity"], row["estimator"], row["unit"]) == ("inflection", name, "iterations")
    assert row["definition"] == f"elbow of {metric}(t, t + 50)"
    assert (row["seeds"], row["draws"], row["points"]) == (2, 1, 18)


def test_the_cones_width_after_each_tau():
    times, angle = [0, 100, 200, 300, 400], {0: 0, 100: 60, 200: 80, 300: 85, 400: 82}
    grid = pair_grid(times, lambda i, j: 1 - np.cos(np.radians(abs(angle[j] - angle[i]))))
    rows = inflection.cone_width([grid, grid.sample(frac=1, random_state=1)], Bootstrap(50, 0.9))
    assert [row["value"] for row in rows] == pytest.approx([85, 25, 5, 3])
    assert [row["estimator"] for row in rows] == ["after 0", "after 100", "after 200", "after 300"]
    assert {(row["quantity"], row["unit"]) for row in rows} == {("cone width", "degrees")}
    assert all(row["low"] == row["high"] == pytest.approx(row["value"]) for row in rows)  # equal seeds


def test_the_interval_of_a_width_is_over_seeds_alone():
    """A sample of the points can only miss the largest distance; of one run there is nothing to draw again."""
    grid = pair_grid([0, 100, 200, 300], lambda i, j: (j - i) / 1000)
    wider = grid.assign(value=1.5 * grid["value"])
    narrow, wide = (inflection.cone_width([g], Bootstrap(9, 0.9)) for g in (grid, wider))
    for row, low, high in zip(inflection.cone_width([grid, wider], Bootstrap(50, 0.9)), narrow, wide, strict=True):
        assert np.isnan([low["low"], low["high"]]).all()
        assert row["low"] == pytest.approx(low["value"])
        assert row["high"] == pytest.approx(high["value"])
