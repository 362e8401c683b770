"""Surfaces are tables seen another way; a statistic of the mean run is of the mean surface."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import surfaces


def test_draws_are_averaged_on_the_scale_and_order_does_not_matter():
    rows = [(0, 10, 0, 1e-2), (0, 10, 1, 1e-4), (0, 20, 0, 0.0), (0, 20, 1, 0.0), (5, 20, 0, 1.0), (5, 20, 1, np.nan)]
    table = pd.DataFrame(rows, columns=["t0", "t1", "draw", "C"]).sample(frac=1, random_state=1)
    expected = pd.DataFrame([[-3.0, -16.0], [np.nan, 0.0]], index=[0, 5], columns=[10, 20])
    found = surfaces.surface(table)
    pd.testing.assert_frame_equal(found, expected, check_names=False)
    assert surfaces.surface(table, scale="linear").loc[0, 10] == pytest.approx((1e-2 + 1e-4) / 2)


def test_a_grid_of_pairs_is_a_surface_as_well():
    table = pd.DataFrame({"i": [0, 0, 1], "j": [0, 1, 1], "value": [0.0, 0.5, 0.0]})
    S = surfaces.surface(table, "value", "linear", over=("i", "j"))
    assert S.loc[0, 1] == 0.5
    assert np.isnan(S.loc[1, 0])


@given(st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_linear_statistic_of_the_mean_is_the_mean_over_runs(runs):
    found = surfaces.per_run(
        lambda run, weights: (run * weights).sum(), [*map(np.array, runs)], [np.ones(3)] * len(runs)
    )
    assert found.each.tolist() == pytest.approx([sum(run) for run in runs])
    assert found.of_mean == pytest.approx(found.each.mean(), abs=1e-9)


def test_a_ratio_of_the_mean_is_that_of_the_means():
    """A run whose denominator is small does not decide it."""
    found = surfaces.per_run(lambda a, b: a / b, [1.0, 3.0], [0.5, 1.5])
    assert (found.each.tolist(), found.of_mean) == ([2.0, 2.0], 2.0)
    assert surfaces.per_run(lambda a, b: a / b, [1.0, 3.0], [0.1, 3.9]).of_mean == 1.0
