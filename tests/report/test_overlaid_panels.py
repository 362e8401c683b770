"""Panels with a curve for each experiment show the numbers of their tables, as read back from the axes."""

import numpy as np
import pandas as pd
import pytest

from twophase.report import overlaid_panels, scales

SEEDS = (0, 1)


def lines(ax) -> list[tuple[list, list, str]]:
    """Times, values and style of each curve; lines across the panel are none."""
    drawn = [line for line in ax.lines if line.get_marker() != "None"]
    return [([*line.get_xdata()], [*line.get_ydata()], line.get_linestyle()) for line in drawn]


def test_forks_have_a_curve_for_each_experiment_a_geometric_mean_over_seeds(ax):
    forks = {
        name: pd.DataFrame({"seed": [0, 1, 0, 1], "t0": [0, 0, 50, 50], "C": [a, b, a, 0.0]})
        for name, a, b in (("one", 1e-2, 1e-4), ("other", 1e-6, 1e-6))
    }
    overlaid_panels.dissimilarity(ax, forks)
    (one, other) = lines(ax)
    assert one[0] == other[0] == [0, 50]
    np.testing.assert_allclose([one[1], other[1]], [[-3, -2], [-6, -6]])  # the control, at 0, has no logarithm


def test_statistics_computed_anew_are_dashed_where_there_are_any(ax):
    plain = pd.DataFrame({"t0": [0, 50], "hump_running": [0.4, 0.1]})
    forks = {
        "without": plain.assign(hump_recalibrate=plain["hump_running"]),
        "with": plain.assign(hump_recalibrate=plain["hump_running"] / 2),
    }
    overlaid_panels.humps(ax, forks, [scales.quantity("B")])
    assert lines(ax) == [([0, 50], [0.4, 0.1], "-"), ([0, 50], [0.4, 0.1], "-"), ([0, 50], [0.2, 0.05], "--")]
    colours = [line.get_color() for line in ax.lines]
    assert colours[0] != colours[1] == colours[2]
    assert "nats" in ax.get_ylabel()


@pytest.mark.parametrize(("metric", "line"), [("loss", 0.1), ("error", 0.02)])
def test_a_barrier_that_is_none_does_not_look_like_one(ax, metric, line):
    tiny = pd.DataFrame({"t0": [0, 50], "hump_running": [0.0, 1e-6], "hump_recalibrate": [0.0, 1e-6]})
    overlaid_panels.humps(ax, {"one": tiny}, [scales.quantity("B", metric)])
    assert ax.get_ylim()[1] > line
    assert line in {y for drawn in ax.lines for y in drawn.get_ydata()}


def test_the_width_of_the_cone_is_drawn_in_the_order_of_time_with_its_interval(ax):
    rows = pd.DataFrame(
        {
            "quantity": ["inflection", "cone width", "cone width", "cone width"],
            "estimator": ["kernel", "after 100", "after 0", "after 25"],
            "value": [40.0, 10.0, 70.0, 30.0],
            "low": [30.0, 8.0, 60.0, 25.0],
            "high": [50.0, 12.0, 80.0, 35.0],
        }
    )
    overlaid_panels.widths(ax, {"one": rows, "none": rows[:1]})
    assert lines(ax) == [([0, 25, 100], [70, 30, 10], "-"), ([], [], "-")]
    band = ax.collections[0].get_paths()[0].vertices
    assert {(0, 60), (0, 80), (25, 25), (25, 35), (100, 8), (100, 12)} <= set(map(tuple, band))


def test_the_gain_is_standard_accuracy_less_linearized_seed_by_seed(ax):
    rows = [(seed, switch, 90, 0.5 + 0.1 * seed + 0.001 * switch) for seed in SEEDS for switch in (0, 50)]
    rows += [(0, 0, 40, 0.1), (1, 50, 40, 0.1)]  # before the end
    switches = pd.DataFrame(rows, columns=["seed", "switch", "iteration", "test_accuracy"])
    standard = pd.DataFrame({"seed": [0, 1, 0, 1], "iteration": [90, 90, 40, 40], "test_accuracy": [0.7, 0.9, 0, 0]})
    diverged = switches.assign(test_accuracy=switches["test_accuracy"].where(switches["switch"] > 0))
    both = {"plain": switches, "diverged": diverged}
    overlaid_panels.gains(ax, both, dict.fromkeys(both, standard), dict.fromkeys(both, 90))
    (plain, cut) = lines(ax)
    np.testing.assert_allclose(plain[1], [25, 20])  # means of 20 and 30, and of 15 and 25
    assert np.isnan(cut[1][0])
    assert cut[1][1] == pytest.approx(20)


def test_an_experiment_looks_the_same_in_every_panel_and_in_the_key(ax):
    titles = {name: f"Experiment {name}" for name in "abc"}
    overlaid_panels.key(ax, titles)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:3] == [*titles.values()]
    looks = overlaid_panels.looks([*titles])
    assert len({(*look["color"], look["marker"]) for look in looks.values()}) == 3
    for handle, look in zip(ax.get_legend().legend_handles, looks.values(), strict=False):
        assert handle.get_color() == look["color"]
        assert handle.get_marker() == look["marker"]
