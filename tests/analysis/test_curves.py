"""Curves cut out of tables: S(t, t + dt) is the diagonal of the square matrix, in order."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import curves


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True), st.integers(0, 2**32 - 1))
def test_steps_are_the_pairs_that_lie_so_far_apart_in_the_order_of_time(times, seed):
    rows = [(i, j, 100.0 * i + j) for i in times for j in times if i <= j]
    grid = pd.DataFrame(rows, columns=["i", "j", "value"]).sample(frac=1, random_state=seed)
    every = curves.steps(grid)
    assert len(every) == len(grid)
    for dt in range(31):
        expected = [(t, 100.0 * t + t + dt) for t in sorted(times) if t + dt in times]
        for part in (every[every["dt"] == dt], curves.steps(grid, [dt])):
            assert [*zip(part["t"], part["value"], strict=True)] == expected


def test_seeds_count_alike_in_a_mean_however_many_draws_they_have():
    assert np.array_equal(curves.mean_curve([np.array([[0.0, 2], [2, 4]]), np.array([[10.0, 10]])]), [5.5, 6.5])
