"""One colour means one value in every run, and colours begin where the claims draw their lines."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm, to_rgb

from twophase.analysis import claims, inflection
from twophase.report import panels, scales

CLAIMS = {"colormap": "rocket_r", "scale": "claims"}


def colour_of(value, metric, values):
    """What a heat map of `values` gives to one of them."""
    colours = scales.colours(scales.quantity(metric), pd.Series(values), CLAIMS)
    return colours.map(colours.norm(value))[:3]


def is_grey(colour):
    return np.ptp(colour) < 1e-6


@pytest.mark.parametrize("metric", scales.QUANTITIES)
def test_a_value_has_one_colour_whatever_else_a_run_has(metric):
    line = scales.QUANTITIES[metric].line
    for value in (0.1 * line, 2 * line):
        assert colour_of(value, metric, [value, 1e-9]) == colour_of(value, metric, [value, 0.9])


@pytest.mark.parametrize("metric", scales.QUANTITIES)
def test_what_claims_call_small_is_grey_and_what_they_call_large_has_a_colour(metric):
    line = scales.QUANTITIES[metric].line
    assert all(is_grey(colour_of(share * line, metric, [1.0])) for share in (1e-9, 0.1, 0.95))
    assert not any(is_grey(colour_of(times * line, metric, [1.0])) for times in (1.05, 2, 5))


@pytest.mark.parametrize("metric", scales.QUANTITIES)
def test_larger_is_darker_on_either_side_of_the_line(metric):
    shown = scales.QUANTITIES[metric]
    for low, high in ((shown.lowest, 0.98 * shown.line), (1.05 * shown.line, shown.highest)):
        luminance = [np.dot(colour_of(v, metric, [1.0]), [0.2126, 0.7152, 0.0722]) for v in np.geomspace(low, high, 20)]
        assert (np.diff(luminance) < 1e-9).all()


def test_lines_are_those_of_the_claims():
    of_claims = {claim.name: claim.holds for claim in claims.CLAIMS}
    assert of_claims["C high before"][0] == scales.QUANTITIES["C"].line == 1e-3
    assert of_claims["barrier before"][0] == scales.QUANTITIES["B"].line == 0.1
    assert scales.quantity("B", "error").line == inflection.STABLE == 0.02
    assert of_claims["disagreement before"][0] == scales.QUANTITIES["D"].line == 0.02
    assert of_claims["kernel keeps moving"][1] == scales.QUANTITIES["S"].line == 0.1


def test_colours_of_a_run_span_its_values():
    norm = scales.own(pd.Series([0.0, 1e-6, 1e-2]))
    assert isinstance(norm, LogNorm)
    assert (norm.vmin, norm.vmax) == (1e-6, 1e-2)
    assert not isinstance(scales.own(pd.Series([0.0, 0.2, 0.9])), LogNorm)


def test_scale_of_zeros_draws():
    norm = scales.own(pd.Series([0.0, 0.0]))
    assert norm.vmin < norm.vmax


@pytest.mark.parametrize(
    ("metric", "barrier", "unit", "ticks"),
    [
        ("B", "loss", "(nats)", {"0.01", "0.1", "10"}),
        ("B", "error", "(% of the test set)", {"0.2", "2", "20", "100"}),
        ("D", "loss", "(% of the test set)", {"0.2", "2", "20", "100"}),
    ],
)
def test_a_colour_bar_has_units_and_a_tick_at_the_line(metric, barrier, unit, ticks):
    figure, ax = plt.subplots()
    frame = pd.DataFrame({"i": [0, 0, 1], "j": [0, 1, 1], "value": [0.0, 0.3, 0.0]})
    panels.pairs_heat(ax, frame, scales.colours(scales.quantity(metric, barrier), frame["value"], CLAIMS))
    bar = figure.axes[1]
    assert unit in bar.get_ylabel()
    assert ticks <= {text.get_text() for text in bar.get_yticklabels()}
    plt.close(figure)


def test_pages_have_the_colours_of_the_figures():
    described = scales.described("rocket_r", 101)
    for metric, shown in scales.QUANTITIES.items():
        colours = described[metric]["colours"]
        values = np.geomspace(described[metric]["low"], described[metric]["high"], 101)
        assert all(
            is_grey(to_rgb(c)) == (v < shown.line)
            for c, v in zip(colours[1:-1], values[1:-1], strict=True)
            if abs(np.log(v / shown.line)) > 0.1
        )
