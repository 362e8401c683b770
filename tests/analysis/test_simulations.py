"""Simulated coverage and power: as published, and as good as they have to be."""

import numpy as np
import pandas as pd
import pytest

import simulations

COVERAGE, POWER = (pd.read_csv(simulations.FOLDER / f"{name}.csv") for name in ("coverage", "power"))


def close(share, again, samples):
    """Whether another simulation of so many samples has the same share, up to four standard deviations."""
    return abs(share - again) <= 4 * np.sqrt(max(share * (1 - share), 0.01) / samples)


def test_intervals_hold_as_often_as_they_say():
    held = COVERAGE[COVERAGE["held_to_level"]]
    assert set(held["replicates"]) == {2, 3, 5, 10}
    assert held["statistic"].nunique() >= 3
    assert (held["coverage"] >= 0.93).all()


def test_planted_changes_are_found():
    for kind in ("step", "bend"):
        there = POWER[(POWER["looked_for"] == kind) & (POWER["planted"] == kind) & (POWER["seeds"] >= 5)]
        assert there["grid"].nunique() == 2
        assert (there["found"] >= 0.95).all()


def test_smooth_curves_are_not_called_a_change():
    smooth = POWER[POWER["planted"] != POWER["looked_for"]]
    assert {"constant", "power law", "exponential", "curved"} <= set(smooth["planted"])
    assert (smooth["found"] <= 0.05).all()


def test_two_standard_errors_and_half_a_decade_take_a_larger_step():
    strict = POWER[(POWER["looked_for"] == "step") & (POWER["planted"] == "step") & (POWER["seeds"] == 5)]
    assert (strict.loc[strict["fall"] == 0.5, "strict"] < 0.5).all()
    assert (strict.loc[strict["fall"] >= 0.75, "strict"] >= 0.95).all()


@pytest.mark.parametrize("name", simulations.COVERED | simulations.WARNINGS)
def test_coverage_is_that_of_today(name):
    row = COVERAGE[(COVERAGE["statistic"] == name) & (COVERAGE["replicates"] == 3)].iloc[0]
    assert close(row["coverage"], simulations.covered(name, 3, samples=150), 150)


@pytest.mark.parametrize("grid", simulations.GRIDS)
@pytest.mark.parametrize("planted", simulations.PLANTED[::2], ids=lambda planted: f"{planted[1].__name__} {planted[2]}")
def test_power_is_that_of_today(grid, planted):
    kind, curve, fall = planted
    row = POWER[(POWER["grid"] == grid) & (POWER["planted"] == curve.__name__.replace("_", " "))]
    row = row[(row["looked_for"] == kind) & (row["fall"] == fall) & (row["seeds"] == 5)].iloc[0]
    found, strict = simulations.found(grid, kind, curve, fall, 5, samples=200)
    assert close(row["found"], found, 200)
    assert close(row["strict"], strict, 200)
