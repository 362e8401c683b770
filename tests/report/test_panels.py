"""Panels show the numbers of their tables: what is drawn is read back from the axes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn import shown
from twophase.report import panels, scales

SPANNING = {"colormap": "rocket_r", "scale": "run"}
MARK = {"colour": "#00798c", "line": "dashdot", "label": "the kernel slows down"}


def pairs(times, value) -> pd.DataFrame:
    rows = [(i, j, value(i, j)) for i in times for j in times if i <= j]
    return pd.DataFrame(rows, columns=["i", "j", "value"]).assign(experiment="e", seed=0)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12, unique=True).map(sorted))
def test_every_grid_point_lies_in_its_own_cell(points):
    borders = panels.edges(np.array(points, dtype=float))
    assert len(borders) == len(points) + 1
    assert (borders[:-1] < points).all()
    assert (points < borders[1:]).all()


def test_a_grid_of_pairs_is_mirrored(ax):
    frame = pairs([0, 10, 40], lambda i, j: 1 + i + j / 100)
    panels.pairs_heat(ax, frame, scales.colours(scales.quantity("S"), frame["value"], SPANNING))
    np.testing.assert_allclose(shown(ax, 3), [[1.0, 1.1, 1.4], [1.1, 11.1, 11.4], [1.4, 11.4, 41.4]])


def test_steps_draws_one_curve_for_each_dt(ax):
    frame = pairs(range(0, 50, 10), lambda i, j: (j - i) / 100)
    panels.steps(ax, frame, [10, 20])
    heights = sorted({line.get_ydata()[0] for line in ax.lines if len(line.get_ydata())})
    assert heights == pytest.approx([0.1, 0.2])


def test_since_shows_both_sides_of_tau_and_a_gap_at_it(ax):
    """S(tau, tau) is 0 by definition: a curve that dips there would show what nobody measured."""
    panels.since(ax, pairs([0, 10, 20, 30], lambda i, j: float(j - i)), [20])
    (curve,) = ax.lines
    np.testing.assert_array_equal(curve.get_xdata(), [0, 10, 20, 30])
    np.testing.assert_array_equal(curve.get_ydata(), [20.0, 10.0, np.nan, 10.0])


def test_curves_of_many_times_differ_in_colour_and_marker(ax):
    panels.steps(ax, pairs(range(0, 50, 10), lambda i, j: 1.0), [10, 20, 30])
    assert len({line.get_marker() for line in ax.lines}) == 3
    lightness = [line.get_color()[:3] @ np.array([0.2126, 0.7152, 0.0722]) for line in ax.lines]
    assert (np.diff(lightness) > 0.2).all()


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_band_is_there_and_named_if_there_is_more_than_one_value(ax, seeds):
    grid = pd.concat([pairs([0, 10, 20], lambda i, j, s=s: 1.0 + s).assign(seed=s) for s in range(seeds)])
    panels.steps(ax, grid, [10])
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["10", panels.BAND][:seeds]
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1.0, float(seeds))


def test_no_legend_hides_a_curve(ax):
    panels.steps(ax, pairs(range(0, 50, 10), lambda i, j: 1.0), [10, 20])
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1


def measures(seeds=1) -> pd.DataFrame:
    """A measure of 1 + seed, and edges that rise as the learning rate drops to a tenth after iteration 20."""
    rows = [(s, t, 1.0 + s, 38.0 / f, 2.0 / f) for s in range(seeds) for t, f in ((0, 1), (10, 1), (20, 1), (30, 0.1))]
    return pd.DataFrame(rows, columns=["seed", "t", "sharpness", "edge", "small_batch_edge"])


def test_a_measure_is_its_mean_over_seeds_with_their_range(ax):
    panels.measure(ax, measures(2), "sharpness", "sharpness", True)
    (curve,) = ax.lines
    np.testing.assert_array_equal(curve.get_xydata(), [[t, 1.5] for t in (0, 10, 20, 30)])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1.0, 2.0)
    assert ax.get_yscale() == "log"


def test_edges_of_stability_change_with_the_step_that_led_to_a_checkpoint(ax):
    panels.edges_of_stability(ax, measures())
    assert [line.get_ydata().tolist() for line in ax.lines] == [[38, 38, 38, 380], [2, 2, 2, 20]]
    assert {line.get_drawstyle() for line in ax.lines} == {"steps-pre"}
    assert len({line.get_linestyle() for line in ax.lines}) == 2


@pytest.mark.parametrize(("seeds", "edge", "count"), [(1, 38.0, 3), (2, 38.0, 4), (1, np.nan, 1)])
def test_the_key_of_measures_names_what_is_drawn(ax, seeds, edge, count):
    panels.key_of_measures(ax, measures(seeds).assign(edge=edge))
    assert len(ax.get_legend().get_texts()) == count


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("metric", ["C", "B"])
def test_a_heat_map_says_where_what_it_shows_changes(ax, metric, found):
    row = {"estimator": f"chaos {metric}", "value": 25.0, "low": 20.0, "high": 40.0, "found": found}
    panels.change(ax, pd.Series(row), metric, MARK)
    assert ax.get_title(loc="right") == f"$t^*$ of ${metric}$: {'25' if found else 'none'}"
    assert [line.get_xdata()[0] for line in ax.lines] == [25.0] * found
    assert all(line.get_path_effects() for line in ax.lines)  # a casing, on dark ground
    bands = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    assert bands == [(20.0, 40.0)] * found


@pytest.mark.parametrize(("exponents", "words"), [((1.0, 1.0, 1.0), "grid: 1.00"), ((0.2, 0.2, 2.6), "no power law")])
def test_a_power_law_that_misses_its_points_has_no_exponent(ax, exponents, words):
    """Times that grow by 2 to the power of each exponent, where the size doubles."""
    seconds = 2.0 ** np.cumsum([0.0, *exponents])
    table = pd.DataFrame({"stage": "grid", "x": [25, 50, 100, 200], "seconds": seconds, "exponent": 1.0})
    panels.growth(ax, table, "size")
    (text,) = ax.get_legend().get_texts()
    assert text.get_text().endswith(words)
    if words == "no power law":
        assert list(ax.lines[-1].get_ydata()) == list(seconds)  # it joins the points


def test_scores_after_a_switch_are_logarithmic_so_that_97_and_98_percent_are_two_things(ax):
    switches = pd.DataFrame({"switch": [0, 10], "iteration": 20, "error": [3.0, 2.0]})
    standard = pd.DataFrame({"iteration": [0, 10, 20], "error": [90.0, 3.0, 1.0]})
    panels.switching(ax, switches, standard, 20, "error", "test error (%)")
    assert ax.get_yscale() == "log"
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[3.0, 2.0], [90.0, 3.0]]
    assert {"1", "2", "5"} <= {text.get_text() for text in ax.get_yticklabels()}


@pytest.mark.parametrize("found", [True, False])
def test_inflections_keep_the_legend_and_the_limits(ax, found):
    panels.steps(ax, pairs(range(0, 50, 10), lambda i, j: 1.0), [10])
    limits, lines = ax.get_xlim(), len(ax.lines)
    row = {"quantity": "inflection", "estimator": "kernel", "value": 25.0, "low": -100.0, "high": 900.0, "gain": 0.2}
    rows = [row | {"found": found}, row | {"estimator": "another", "found": found}]
    panels.inflections(ax, pd.DataFrame(rows), {"kernel": MARK})
    assert ax.get_xlim() == limits
    words = "25" if found else "none"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["10", f"inflection\n(kernel): {words}"]
    assert len(ax.lines) == lines + found
