"""Panels about forks show the numbers of their tables: what is drawn is read back from the axes."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from drawn import shown
from twophase.report import fork_panels, scales, theme


def spanning(metric, frame):
    """Colours that span the values of a metric."""
    return scales.colours(scales.quantity(metric), frame[metric], {"colormap": "rocket_r", "scale": "run"})


def test_a_logarithmic_heat_map_shows_the_geometric_mean_of_seeds(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5, 5], "t1": [9, 9, 9, 9], "C": [1e-8, 1e-4, 1e-2, 1e-2]})
    frame = pd.concat([frame, frame.assign(t1=10)])
    fork_panels.chaos_heat(ax, frame, "C", spanning("C", frame))
    np.testing.assert_allclose(shown(ax, 2)[0], [1e-6, 1e-2])


def test_forks_that_do_not_exist_stay_white(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5], "t1": [5, 9, 9], "D": [0.1, 0.2, 0.3]})
    fork_panels.chaos_heat(ax, frame, "D", spanning("D", frame))
    assert np.isnan(shown(ax, 2)).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("found", [True, False])
def test_exponents_have_a_curve_for_each_time_that_forks_had_and_say_where_the_sign_changes(ax, found):
    """Growth stops when ln of it is 5: at one t1, later forks, which had less time, would grow faster."""
    rows = [(t0, t1) for t0 in (0, 10, 20, 40) for t1 in (50, 60, 70, 90) if t1 > t0]
    chaos = pd.DataFrame(rows, columns=["t0", "t1"]).assign(epsilon=1e-6)
    chaos["l2"] = 1e-6 * np.exp(np.minimum(0.2 * (chaos["t1"] - chaos["t0"]), 5.0))
    row = {"quantity": "sign change", "value": 312.0, "low": 300.0, "high": 320.0, "found": found}
    fork_panels.exponents(ax, chaos, pd.DataFrame([row]))
    curves = [line.get_ydata() for line in ax.lines if line.get_marker() != "None" and len(line.get_xdata()) > 1]
    assert curves
    assert all(np.allclose(rates, rates[0]) for rates in curves)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[-1] == ("sign change: 312" if found else "sign change: none")


@pytest.mark.parametrize("inflection", [np.nan, 15.0])
def test_the_legend_hides_no_fork(inflection):
    """Base run and forks in every corner, as wherever a legend may be put there can be a fork."""
    rows = [(-1, -1, t, t, t) for t in (0, 10, 20)] + [(10, 0, 20, 0, 20), (20, 1, 20, 20, 0)]
    figure, ((ax, _),) = theme.canvas(["title"], 2, {"panel": 2.6})
    fork_panels.plane(ax, pd.DataFrame(rows, columns=["t0", "draw", "iteration", "x", "y"]), inflection, [0.7, 0.2])
    figure.canvas.draw()
    top = max(ax.transData.transform(line.get_xydata())[:, 1].max() for line in ax.lines)
    assert top < ax.get_legend().get_window_extent().y0
    assert "(70 % of the variance)" in ax.get_xlabel()
    assert "(20 % of the variance)" in ax.get_ylabel()
    assert not ax.child_axes  # no fork hides
    plt.close(figure)


def test_forks_that_end_where_the_base_run_does_are_shown_again(ax):
    rows = [(-1, -1, t, t, 0.0) for t in (0, 10, 20)] + [(10, 0, 20, 20 + 1e-3, 0.0), (10, 1, 20, 0.0, 9.0)]
    fork_panels.plane(ax, pd.DataFrame(rows, columns=["t0", "draw", "iteration", "x", "y"]), np.nan, [0.7, 0.2])
    (inset,) = ax.child_axes
    assert inset.get_xlim()[0] < 20 < 20 + 1e-3 < inset.get_xlim()[1] < 20.1
    width, whole = np.ptp(inset.get_xlim()), np.ptp(ax.get_xlim())
    (times,) = re.findall(r"× ([\d,]+)", inset.get_title())
    assert float(times.replace(",", "")) == pytest.approx(fork_panels.INSET * whole / width, rel=0.5)


def test_a_line_between_comparisons_that_are_far_apart_is_dotted(ax):
    distances = pd.DataFrame({"t0": 0, "t1": [5, 10, 100], "draw": 0, "l2": [1e-3, 1e-2, 1.0]})
    start = pd.DataFrame({"t0": [0], "draw": [0], "realised": [1e-6]})
    fork_panels.divergence(ax, distances, start)
    styles = [line.get_linestyle() for line in ax.lines if len(line.get_xdata()) == 2]
    assert styles == ["-", "-", ":"]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["0", r"$|\varepsilon|$, as rounded", "not measured between"]


def test_exponents_say_nothing_of_a_sign_change_that_nobody_looked_for(ax):
    chaos = pd.DataFrame({"t0": [0, 10], "t1": [20, 20], "epsilon": 1e-6, "l2": 1e-5})
    fork_panels.exponents(ax, chaos, pd.DataFrame({"quantity": ["inflection"]}))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["10", "20"]


def test_no_tick_lies_beyond_the_times(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5500], "t1": [6500, 9500, 9500], "D": [0.1, 0.2, 0.3]})
    fork_panels.chaos_heat(ax, frame, "D", spanning("D", frame))
    assert ax.get_xlim()[1] > 6000  # where the last cell ends
    for ticks, (low, high) in ((ax.get_xticks(), (0, 5500)), (ax.get_yticks(), (6500, 9500))):
        assert len(ticks) > 1
        assert low <= min(ticks) < max(ticks) <= high
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "5.5k"]


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
    fork_panels.chaos_heat(ax, frame, "C", spanning("C", frame))
    assert np.isfinite(np.asarray(ax.collections[0].get_array(), dtype=float)).all()  # no cell without a comparison
    assert ax.get_ylabel() == "$t_1 - t_0$ (iterations)"
    _, ax = plt.subplots()
    fork_panels.exponents(ax, frame, pd.DataFrame({"quantity": ["inflection"]}))
    curves = [line.get_xdata().tolist() for line in ax.lines if len(line.get_xdata()) == 3]
    assert curves == [[0, 7, 40]] * 2


def test_forks_with_t1_in_common_are_shown_by_t1():
    frame = pd.DataFrame([(t0, t1) for t0 in (0, 7, 40) for t1 in (100, 300)], columns=["t0", "t1"])
    assert fork_panels.compared_by(frame)[1] == "t1"
