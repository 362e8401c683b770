"""Linearized training over its switches: rank correlation and gains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twophase.analysis import gains

VALUES = st.lists(st.integers(0, 9), min_size=4, max_size=12)


@given(VALUES, st.integers(0, 2**32 - 1))
def test_the_rank_correlation_is_kendalls(y, seed):
    x = np.random.default_rng(seed).integers(0, 9, len(y))
    expected = stats.kendalltau(x, y).statistic
    assert gains.kendall(x, y) == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=9, unique=True))
def test_only_order_counts(y):
    y = np.sort(y)
    x = np.arange(len(y))
    assert gains.kendall(x, y) == pytest.approx(1)
    assert gains.kendall(x, -y) == pytest.approx(-1)
    assert gains.kendall(x, stats.rankdata(y) ** 3) == pytest.approx(1)


def test_three_quarters_of_the_pairs_in_order_are_generally():
    """Of eight switches there are 28 pairs, and those with the first are out of order."""
    assert gains.kendall(range(8), [7, 0, 1, 2, 3, 4, 5, 6]) == (21 - 7) / 28 == gains.GENERALLY


def test_switches_from_which_training_diverged_are_left_out():
    assert gains.kendall(range(5), [0, np.nan, 1, 2, 3]) == 1
    assert np.isnan(gains.kendall(range(4), [0, np.nan, 1, 2]))
    assert np.isnan(gains.kendall(range(4), [1, 1, 1, 1]))


@given(before=st.floats(0.01, 0.5), after=st.floats(0.01, 0.5))
def test_half_of_the_gain_is_where_the_gain_after_is_that_before(before, after):
    share = gains.share_of_gain_past([0, 1000, 2000, 3000, 4000], np.cumsum([0, 0, before, 0, after]))
    assert share == pytest.approx(after / (before + after))
    assert (share >= gains.ESPECIALLY) == (after / before >= 1)


def test_accuracy_at_the_point_is_interpolated():
    assert gains.share_of_gain_past([0, 1000, 4000], [0.0, 0.0, 0.3]) == pytest.approx(2 / 3)
    assert gains.share_of_gain_past([0, 1000, 1500, 4000], [0.0, 0.0, np.nan, 0.3]) == pytest.approx(2 / 3)


def test_no_gain_has_no_shares():
    assert np.isnan(gains.share_of_gain_past([0, 1000, 4000], [0.3, 0.2, 0.3]))
    assert np.isnan(gains.share_of_gain_past([0, 1000, 1500], [0.1, 0.2, 0.3]))


def test_the_gain_past_a_point_is_up_to_the_mean_of_the_last_quarter():
    iterations = np.arange(0, 1001, 100)
    standard = np.where(iterations <= 200, 0.4, np.where(iterations < 800, 0.5, 0.8))
    assert gains.gain_past(iterations, standard, 200) == pytest.approx(0.4)
    assert gains.gain_past(iterations, np.full(11, 0.7), 350) == pytest.approx(0)
    assert np.isnan(gains.gain_past(iterations, standard, 1000))
