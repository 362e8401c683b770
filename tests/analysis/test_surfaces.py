"""Surfaces are tables seen another way."""

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
def test_the_mean_of_surfaces_is_that_of_their_cells(runs):
    frames = [pd.DataFrame([run]) for run in runs]
    assert surfaces.mean(frames).to_numpy()[0].tolist() == pytest.approx(np.mean(runs, axis=0).tolist(), abs=1e-9)
    missing = [*frames, pd.DataFrame([[np.nan, 1.0, 1.0]])]
    assert surfaces.mean(missing).isna().to_numpy()[0].tolist() == [True, False, False]
