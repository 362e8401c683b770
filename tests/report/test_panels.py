"""Panels show the numbers of their tables: what is drawn is read back from the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm

from twophase.report import fork_panels, panels, theme

MARK = {"colour": "#00798c", "line": "dashdot", "label": "the kernel slows down"}


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def shown(ax, rows: int) -> np.ndarray:
    """The numbers of a heat map, NaN where nothing is drawn."""
    mesh = next(item for item in ax.collections if isinstance(item, QuadMesh))
    return np.ma.filled(np.ma.asarray(mesh.get_array(), dtype=float), np.nan).reshape(rows, -1)


def pairs(times, value) -> pd.DataFrame:
    rows = [(i, j, value(i, j)) for i in times for j in times if i <= j]
    return pd.DataFrame(rows, columns=["i", "j", "value"]).assign(experiment="e", seed=0)


def test_scale_is_logarithmic_from_two_decades_on():
    assert isinstance(panels.scale(pd.Series([0.0, 1e-6, 1e-2])), LogNorm)
    assert not isinstance(panels.scale(pd.Series([0.0, 0.2, 0.9])), LogNorm)


def test_scale_of_zeros_draws():
    norm = panels.scale(pd.Series([0.0, 0.0]))
    assert norm.vmin < norm.vmax


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12, unique=True).map(sorted))
def test_every_grid_point_lies_in_its_own_cell(points):
    borders = panels.edges(np.array(points, dtype=float))
    assert len(borders) == len(points) + 1
    assert (borders[:-1] < points).all()
    assert (points < borders[1:]).all()


def test_a_grid_of_pairs_is_mirrored(ax):
    frame = pairs([0, 10, 40], lambda i, j: 1 + i + j / 100)
    panels.pairs_heat(ax, frame, panels.scale(frame["value"]), "rocket_r", "S")
    np.testing.assert_allclose(shown(ax, 3), [[1.0, 1.1, 1.4], [1.1, 11.1, 11.4], [1.4, 11.4, 41.4]])


def test_a_logarithmic_heat_map_shows_the_geometric_mean_of_seeds(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5, 5], "t1": [9, 9, 9, 9], "C": [1e-8, 1e-4, 1e-2, 1e-2]})
    frame = pd.concat([frame, frame.assign(t1=10)])
    fork_panels.chaos_heat(ax, frame, "C", panels.scale(frame["C"]), "rocket_r", "C")
    np.testing.assert_allclose(shown(ax, 2)[0], [1e-6, 1e-2])


def test_forks_that_do_not_exist_stay_white(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5], "t1": [5, 9, 9], "D": [0.1, 0.2, 0.3]})
    fork_panels.chaos_heat(ax, frame, "D", panels.scale(frame["D"]), "rocket_r", "D")
    assert np.isnan(shown(ax, 2)).tolist() == [[False, True], [False, False]]


def test_steps_draws_one_curve_for_each_dt(ax):
    frame = pairs(range(0, 50, 10), lambda i, j: (j - i) / 100)
    panels.steps(ax, frame, [10, 20])
    heights = sorted({line.get_ydata()[0] for line in ax.lines if len(line.get_ydata())})
    assert heights == pytest.approx([0.1, 0.2])


def test_since_shows_both_sides_of_tau_and_zero_at_it(ax):
    panels.since(ax, pairs([0, 10, 20, 30], lambda i, j: float(j - i)), [20])
    curve = next(line for line in ax.lines if len(line.get_xdata()) == 4)
    assert list(curve.get_ydata()) == [20.0, 10.0, 0.0, 10.0]


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("metric", ["C", "B"])
def test_a_heat_map_says_where_what_it_shows_changes(ax, metric, found):
    panels.change(ax, pd.Series({"estimator": f"chaos {metric}", "value": 25.0, "found": found}), metric, MARK)
    assert ax.get_title(loc="right") == f"$t^*$ of ${metric}$: {'25' if found else 'none'}"
    assert [line.get_xdata()[0] for line in ax.lines] == [25.0] * found


@pytest.mark.parametrize("found", [True, False])
def test_inflections_keep_the_legend_and_the_limits(ax, found):
    panels.steps(ax, pairs(range(0, 50, 10), lambda i, j: 1.0), [10])
    limits, lines = ax.get_xlim(), len(ax.lines)
    row = {"quantity": "inflection", "estimator": "kernel", "value": 25.0, "low": -100.0, "high": 900.0, "gain": 0.2}
    rows = [row | {"found": found}, row | {"estimator": "another", "found": found}]
    panels.inflections(ax, pd.DataFrame(rows), {"kernel": MARK})
    assert ax.get_xlim() == limits
    words = "25" if found else "none"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["10", f"inflection (kernel): {words}"]
    assert len(ax.lines) == lines + found


@pytest.mark.parametrize("found", [True, False])
def test_exponents_have_a_curve_for_each_t1_and_say_where_the_sign_changes(ax, found):
    chaos = pd.DataFrame({"t0": [0, 10, 0, 10], "t1": [20, 20, 50, 50], "epsilon": 1e-6})
    chaos["l2"] = 1e-6 * np.exp(0.1 * (chaos["t1"] - chaos["t0"]))
    row = {"quantity": "sign change", "value": 312.0, "low": 300.0, "high": 320.0, "found": found}
    fork_panels.exponents(ax, chaos, pd.DataFrame([row]))
    curves = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert sum(np.allclose(line.get_ydata(), 0.1) for line in curves) == 2
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[-1] == ("sign change: 312" if found else "sign change: none")


@pytest.mark.parametrize("inflection", [np.nan, 15.0])
def test_the_legend_hides_no_fork(inflection):
    """Base run and forks in every corner, as wherever a legend may be put there can be a fork."""
    rows = [(-1, -1, t, t, t) for t in (0, 10, 20)] + [(10, 0, 20, 0, 20), (20, 1, 20, 20, 0)]
    figure, ((ax, _),) = theme.canvas(["title"], 2, {"panel": 2.6})
    fork_panels.plane(ax, pd.DataFrame(rows, columns=["t0", "draw", "iteration", "x", "y"]), inflection)
    figure.canvas.draw()
    top = max(ax.transData.transform(line.get_xydata())[:, 1].max() for line in ax.lines)
    assert top < ax.get_legend().get_window_extent().y0
    plt.close(figure)


def test_exponents_say_nothing_of_a_sign_change_that_nobody_looked_for(ax):
    chaos = pd.DataFrame({"t0": [0, 10], "t1": [20, 20], "epsilon": 1e-6, "l2": 1e-5})
    fork_panels.exponents(ax, chaos, pd.DataFrame({"quantity": ["inflection"]}))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["20"]


def test_no_tick_lies_beyond_the_times(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5500], "t1": [6500, 9500, 9500], "D": [0.1, 0.2, 0.3]})
    fork_panels.chaos_heat(ax, frame, "D", panels.scale(frame["D"]), "rocket_r", "D")
    assert ax.get_xlim()[1] > 6000  # where the last cell ends
    for ticks, (low, high) in ((ax.get_xticks(), (0, 5500)), (ax.get_yticks(), (6500, 9500))):
        assert len(ticks) > 1
        assert low <= min(ticks) < max(ticks) <= high
    assert {"2k", "4k"} <= {text.get_text() for text in ax.get_xticklabels()}


def lagged():
    """Forks from three t0, each compared after 100 and 300 iterations, so that no two have a t1 in common."""
    rows = [(t0, t0 + lag, lag, 0.1 * lag + t0) for t0 in (0, 7, 40) for lag in (100, 300)]
    return pd.DataFrame(rows, columns=["t0", "t1", "lag", "C"]).assign(draw=0, l2=1.0, epsilon=1e-3)


def test_forks_that_are_compared_at_lags_are_shown_by_lag():
    frame = lagged()
    found, by, _ = fork_panels.compared_by(frame.drop(columns="lag"))
    assert by == "lag"
    assert found["lag"].tolist() == frame["lag"].tolist()
    _, ax = plt.subplots()
    fork_panels.chaos_heat(ax, frame, "C", panels.scale(frame["C"]), "rocket_r", "C")
    assert np.isfinite(np.asarray(ax.collections[0].get_array(), dtype=float)).all()  # no cell without a comparison
    assert ax.get_ylabel() == "$t_1 - t_0$ (iterations)"
    _, ax = plt.subplots()
    fork_panels.exponents(ax, frame, pd.DataFrame({"quantity": ["inflection"]}))
    curves = [line.get_xdata().tolist() for line in ax.lines if len(line.get_xdata()) == 3]
    assert curves == [[0, 7, 40]] * 2


def test_forks_with_t1_in_common_are_shown_by_t1():
    frame = pd.DataFrame([(t0, t1) for t0 in (0, 7, 40) for t1 in (100, 300)], columns=["t0", "t1"])
    assert fork_panels.compared_by(frame)[1] == "t1"
