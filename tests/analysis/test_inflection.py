"""Inflection points: planted values come back, and their intervals hold them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import bend
from twophase.analysis import inflection


def grid_of(t0s, rng=None, **levels):
    """Forks that are all compared at the same t1, with levels over t0 that differ from run to run by a few percent."""
    table = pd.DataFrame({"t0": t0s, "t1": 9 * max(t0s), "draw": 0, "l2": 1.0, "epsilon": 1.0})
    rng = rng or np.random.default_rng(0)
    for name in "CBD":
        table[name] = levels.get(name, 1.0) * np.exp(0.03 * rng.standard_normal(len(table)))
    return table


def seeds(count, t0s, **levels):
    return [grid_of(t0s, np.random.default_rng(k), **levels) for k in range(count)]


T0 = (0, 50, 100, 150, 200, 300, 400, 500, 700)


def step(before, after):
    return np.array([before] * 4 + [after] * 5)


def test_an_inflection_is_found_where_a_step_predicts_other_seeds_best():
    c, b, d, *_ = inflection.from_chaos(seeds(5, T0, C=step(1e-3, 1e-9), D=step(0.9, 0.01)), "log", 0.95)
    assert (c["found"], b["found"], d["found"]) == (True, False, True)
    assert (c["reason"], d["reason"]) == ("", "")
    assert c["gain"] > 10
    assert c["fall"] == pytest.approx(6.0, abs=0.1)
    assert b["reason"]


@pytest.mark.parametrize(("after", "found"), [(0.4, False), (1e-3, True)])
@pytest.mark.parametrize("scale", inflection.SCALES)
def test_a_small_fall_of_c_is_no_inflection(after, found, scale):
    row = inflection.from_chaos(seeds(5, T0, C=step(0.5, after)), scale, 0.95)[0]
    assert row["gain"] > 1
    assert row["found"] is found
    assert found or "less than 0.33" in row["reason"] or "smaller than 0.33" in row["reason"]


def test_a_power_law_is_no_inflection():
    falling = 1e-2 * (np.array(T0) + 20.0) ** -2
    row = inflection.from_chaos(seeds(8, T0, C=falling), "log", 0.95)[0]
    assert row["fall"] > 1
    assert not row["found"]


def test_one_seed_shows_where_and_not_whether():
    row = inflection.from_chaos(seeds(1, T0, C=step(1e-3, 1e-9)), "log", 0.95)[0]
    assert row["value"] == 175
    assert not row["found"]
    assert row["reason"] == "one run tells of no other"
    assert np.isnan([row["low"], row["high"], row["gain"]]).all()


def test_forks_without_a_perturbation_have_no_lyapunov_exponent():
    grids = [grid.assign(epsilon=0.0) for grid in seeds(3, T0, C=step(1e-3, 1e-9))]
    assert "sign change" not in {row["quantity"] for row in inflection.from_chaos(grids, "log", 0.95)}


# --- stability to SGD noise


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=9))
def test_stable_from_is_the_first_from_which_on_all_are_below_2_percent(barriers):
    t0 = np.arange(0, 100 * len(barriers), 100)
    found = [t for k, t in enumerate(t0) if all(b < 0.02 for b in barriers[k:])]
    np.testing.assert_equal(inflection.stable_from(t0, np.array(barriers)), found[0] if found else np.nan)


def barriers(*runs, t0s=(0, 10, 40, 90), draws=2):
    """Error barriers of some runs over t0, that of each draw a little off; before the last t1, all are far above."""
    grids = []
    for run in runs:
        cells = [(t0, 200, draw, b + (2 * draw - 1) * 1e-3) for t0, b in zip(t0s, run, strict=True) for draw in (0, 1)]
        cells += [(t0, 100, draw, 0.9) for t0 in t0s for draw in range(draws)]
        grids.append(pd.DataFrame(cells, columns=["t0", "t1", "draw", "B"]))
    return grids


def test_stability_of_runs_that_agree_is_known_to_the_points_of_the_grid_around():
    early = (0.3, 0.1, 0.01, 0.0)
    (row,) = inflection.from_barriers(barriers(early, early, early), "error", 0.95)
    assert (row["quantity"], row["estimator"], row["value"], row["found"]) == ("stability", "stable from", 40.0, True)
    assert row["low"] <= 10
    assert row["high"] == 90
    assert (row["seeds"], row["draws"], row["unit"], row["points"]) == (3, 2, "iterations", 4)


def test_stable_from_the_start():
    (row,) = inflection.from_barriers(barriers((0.0,) * 4, (0.01,) * 4), "error", 0.95)
    assert (row["value"], row["low"], row["found"]) == (0.0, 0.0, True)
    (row,) = inflection.from_barriers(barriers((0.0,), (0.01,), t0s=(0,)), "error", 0.95)
    assert (row["value"], row["low"], row["high"], row["found"]) == (0.0, 0.0, 0.0, True)


@pytest.mark.parametrize(
    ("runs", "metric", "value", "reason"),
    [
        ([(0.3, 0.01, 0.0, 0.0)], "error", 10.0, "one run tells of no other"),
        ([(0.3, 0.01, 0.0, 0.0), (0.3, 0.1, 0.1, 0.03)], "error", 90.0, "at the last t0, 1 of 2 runs are not stable"),
        ([(0.3, 0.1, 0.1, 0.1)] * 2, "error", np.nan, "at the last t0, 2 of 2 runs are not stable"),
        ([(0.3, 0.1, 0.0, 0.0)] * 2, "loss", np.nan, "it takes barrier.metric: error"),
    ],
)
def test_stability_that_is_undecided_says_why(runs, metric, value, reason):
    (row,) = inflection.from_barriers(barriers(*runs), metric, 0.95)
    np.testing.assert_equal(row["value"], value)
    assert np.isnan([row["low"], row["high"]]).all()
    assert (row["found"], row["reason"]) == (False, reason)


# --- cone width


@given(st.lists(st.floats(0, 180), min_size=1, max_size=8))
def test_the_width_is_the_largest_angle(angles):
    s = 1 - np.cos(np.radians(angles))
    assert inflection.width(s) == pytest.approx(max(angles), abs=1e-5)


def test_rounding_beyond_the_range_of_s_does_no_harm():
    assert inflection.width(np.array([0.0, -1e-16])) == 0
    assert inflection.width(np.array([0.0, 2 + 1e-12])) == 180


# --- from tables


def chaos_table(rng, t0s, change, draws=3, noise=0.1):
    rows = []
    for t0 in t0s:
        for draw in range(draws):
            early = t0 < change
            for t1 in (t0 + 100, t0 + 600):
                levels = {
                    "C": 10.0 ** ((-3 if early else -12) + noise * rng.standard_normal()),
                    "B": (2.0 if early else 0.1) + noise * rng.standard_normal(),
                    "D": (0.3 if early else 0.01) + 0.1 * noise * rng.standard_normal(),
                    "l2": 1.0,
                    "epsilon": 1.0,
                }
                rows.append({"t0": t0, "t1": t1, "draw": draw} | levels)
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_inflection_points_of_planted_chaos_grids():
    t0s = list(range(0, 550, 50))
    grids = [chaos_table(np.random.default_rng(k), t0s, 225) for k in range(4)]
    *rows, _ = inflection.from_chaos(grids, "log", 0.95)
    assert [row["estimator"] for row in rows] == ["chaos C", "chaos B", "chaos D", "chaos C, linear"]
    for row in rows:
        assert row["value"] == 225
        assert row["found"]
        assert (row["low"], row["high"]) == (200, 250)
        assert (row["quantity"], row["unit"]) == ("inflection", "iterations")
        assert (row["seeds"], row["draws"], row["points"]) == (4, 3, 11)
        assert row["definition"].endswith("at t1 = t0 + 600")
    assert "of log10 C" in rows[0]["definition"]
    assert "of C" in rows[3]["definition"]


def test_forks_that_all_run_away_alike_have_no_inflection_point():
    """At the end later ones are closer, by decades, for lack of time alone."""
    t0s, t1s = (0, 50, 100, 250, 500, 750, 1000, 1250, 1500, 1750), (500, 1000, 1500, 2000)
    cells = pd.DataFrame([(t0, t1) for t0 in t0s for t1 in t1s if t1 > t0], columns=["t0", "t1"])
    l2 = np.minimum(20.0, 1e-5 * np.exp(0.01 * (cells["t1"] - cells["t0"])))
    table = cells.assign(draw=0, C=1e-3 * l2**2, B=0.0, D=0.0, l2=l2, epsilon=1e-5)
    noisy = [
        table.assign(C=table["C"] * 10 ** (0.1 * np.random.default_rng(k).standard_normal(len(table))))
        for k in (0, 1, 2)
    ]
    row = inflection.from_chaos(noisy, "log", 0.95)[0]
    assert not row["found"]
    assert abs(row["fall"]) < 0.5
    stepped = [t.assign(C=t["C"] * np.where(t["t0"] < 600, 1, 1e-3)) for t in noisy]
    assert inflection.from_chaos(stepped, "log", 0.95)[0]["found"]


def test_small_barriers_and_disagreements_have_no_inflection_point():
    tables = [chaos_table(np.random.default_rng(k), range(0, 550, 50), 225) for k in range(4)]
    small = [table.assign(B=table["B"] / 100, D=table["D"] / 100) for table in tables]
    rows, less = ({row["estimator"]: row for row in inflection.from_chaos(t, "log", 0.95)} for t in (tables, small))
    for name in ("chaos B", "chaos D"):
        assert rows[name]["found"]
        assert not less[name]["found"]
        assert "before it" in less[name]["reason"]
        assert less[name]["gain"] == pytest.approx(rows[name]["gain"])


@pytest.mark.parametrize(("scale", "value", "other"), [("log", 25, "linear"), ("linear", 5, "log")])
def test_c_is_compared_by_its_order_of_magnitude_or_itself(scale, value, other):
    """In C itself the change from 1 to 1e-2 outweighs that from 1e-2 to 1e-14; in its logarithm it does not."""
    t0s = [0, 10, 20, 30, 40, 50]
    values = [1.0, 1e-2, 1e-2, 1e-14, 0.0, 1e-14]
    table = pd.DataFrame({"t0": t0s, "t1": 60, "draw": 0, "C": values, "B": values, "D": values, "l2": 1, "epsilon": 1})
    rows = {row["estimator"]: row["value"] for row in inflection.from_chaos([table], scale, 0.9)[:4]}
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
    table = pd.DataFrame(rows)
    row = inflection.from_chaos([table], "log", 0.95)[-1]
    assert (row["quantity"], row["found"], row["unit"]) == ("sign change", True, "iterations")
    assert row["value"] == pytest.approx(240)
    assert np.isnan([row["low"], row["high"]]).all()
    later = [table.assign(l2=table["l2"] * np.exp(shift * 1e-4 * (600 - table["t0"]))) for shift in (0, 20, 40)]
    row = inflection.from_chaos(later, "log", 0.95)[-1]
    assert row["value"] == pytest.approx(260)
    assert 260 - row["low"] == pytest.approx(row["high"] - 260) == pytest.approx(4.303 * 20 / 3**0.5, rel=1e-3)


def test_distances_that_grow_from_no_perturbation_have_no_sign_change():
    table = chaos_table(np.random.default_rng(0), range(0, 1000, 100), 450)
    unperturbed = table.assign(l2=np.nan, epsilon=np.nan)
    quantities = [row["quantity"] for row in inflection.from_chaos([unperturbed], "log", 0.95)]
    assert quantities == ["inflection"] * 4
    assert inflection.from_chaos([table], "log", 0.95)[-1]["quantity"] == "sign change"


def test_where_the_mean_exponent_keeps_its_sign_there_is_no_interval_either():
    """One of the draws shrinks late; the mean does not."""
    rows = [
        {"t0": t0, "t1": 60, "draw": draw, "C": 1.0, "B": 1.0, "D": 1.0, "l2": l2, "epsilon": 1.0}
        for t0 in (0, 20, 40)
        for draw, l2 in enumerate((100.0, 0.5 if t0 == 40 else 100.0))
    ]
    row = inflection.from_chaos([pd.DataFrame(rows)], "log", 0.95)[-1]
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
    (row,) = inflection.from_steps(grids, metric, 50, 0.95)
    assert row["value"] == 150
    assert row["low"] <= 150 <= row["high"]
    assert (row["quantity"], row["estimator"], row["unit"]) == ("inflection", name, "iterations")
    assert row["definition"] == f"elbow of {metric}(t, t + 50)"
    assert (row["seeds"], row["draws"], row["points"]) == (2, 1, 18)


def test_the_cones_width_after_each_tau():
    times, angle = [0, 100, 200, 300, 400], {0: 0, 100: 60, 200: 80, 300: 85, 400: 82}
    grid = pair_grid(times, lambda i, j: 1 - np.cos(np.radians(abs(angle[j] - angle[i]))))
    rows = inflection.cone_width([grid, grid.sample(frac=1, random_state=1)], 0.9)
    assert [row["value"] for row in rows] == pytest.approx([85, 25, 5, 3])
    assert [row["estimator"] for row in rows] == ["after 0", "after 100", "after 200", "after 300"]
    assert {(row["quantity"], row["unit"]) for row in rows} == {("cone width", "degrees")}
    assert all(row["low"] == row["high"] == pytest.approx(row["value"]) for row in rows)  # equal seeds


def test_the_interval_of_a_width_is_over_seeds():
    grid = pair_grid([0, 100, 200, 300], lambda i, j: (j - i) / 1000)
    wider = grid.assign(value=1.5 * grid["value"])
    one, other = (inflection.cone_width([g], 0.9) for g in (grid, wider))
    for row, narrow, wide in zip(inflection.cone_width([grid, wider], 0.9), one, other, strict=True):
        assert np.isnan([narrow["low"], narrow["high"]]).all()
        assert row["value"] == pytest.approx((narrow["value"] * wide["value"]) ** 0.5)
        assert row["low"] < narrow["value"] < wide["value"] < row["high"]
