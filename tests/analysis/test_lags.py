"""Comparisons after equal times: all forks enter, interpolated in the logarithm of the lag."""

import numpy as np

from twophase.analysis import lags

CIFAR = [(t0, t1) for t0 in (0, 50, 100, 250, 500, 1000, 1500) for t1 in (500, 1000, 1500, 2000) if t1 > t0]


def grown(t0, t1):
    """log10 C by a power of the lag, with a level of its own for each fork."""
    return 2 * np.log10(t1 - t0) - t0 / 1000


def test_a_power_of_the_lag_is_interpolated_exactly():
    t0, t1 = np.array(CIFAR, dtype=float).T
    forks, lag, table = lags.at_lags(t0, t1, np.stack([grown(t0, t1), 0 * t0]))
    there = ~np.isnan(table[0])
    expected = 2 * np.log10(lag) - forks[:, None] / 1000
    np.testing.assert_allclose(table[0][there], expected[there])
    for k, fork in enumerate(forks):
        own = (t1 - t0)[t0 == fork]
        np.testing.assert_array_equal(there[k], (lag >= own.min()) & (lag <= own.max()))
    assert (table[1][there] == 0).all()


def test_every_fork_is_on_the_curve_at_equal_lag():
    """Though only four of these seven have the same lags as another."""
    t0, t1 = np.array(CIFAR).T
    forks, curve, at = lags.curve(t0, t1, grown(t0, t1))
    assert forks.tolist() == [0, 50, 100, 250, 500, 1000, 1500]
    np.testing.assert_allclose(curve, 2 * np.log10(500) - forks / 1000)
    assert at == "t1 = t0 + 500"


def test_the_order_of_comparisons_is_no_one_s_promise():
    order = np.random.default_rng(0).permutation(len(CIFAR))
    t0, t1 = np.array(CIFAR)[order].T
    np.testing.assert_allclose(lags.curve(t0, t1, grown(t0, t1))[1], 2 * np.log10(500) - np.unique(t0) / 1000)


def test_forks_that_have_no_time_in_common_are_compared_at_the_end():
    t0 = np.array([30, 20, 10, 0])
    forks, curve, at = lags.curve(t0, np.full(4, 40), t0 / 10)
    assert forks.tolist() == [0, 10, 20, 30]
    assert curve.tolist() == [0, 1, 2, 3]
    assert at == "t1 = 40"
    assert lags.contrast(t0, np.full(4, 40), t0 / 10, 15)[1].shape == (0, 2)


def test_a_contrast_is_of_all_forks_on_either_side():
    t0, t1 = np.array(CIFAR).T
    levels = np.where(t0 <= 250, -1.0, -3.0)
    times, pairs = lags.contrast(t0, t1, levels, 250)
    assert np.array_equal(np.unique(pairs, axis=0), [[-1, -3]])
    lag = np.unique(t1 - t0)
    assert times.tolist() == lag[(lag >= 500) & (lag <= 1500)].tolist()


def test_a_fork_without_a_value_has_none_at_any_lag():
    t0, t1 = np.array(CIFAR).T
    values = np.where(t0 == 100, np.nan, 1.0)
    forks, curve, _ = lags.curve(t0, t1, values)
    assert np.isnan(curve[forks == 100]).all()
    np.testing.assert_allclose(curve[forks != 100], 1.0)


def test_exponential_growth_is_a_line_over_the_lag():
    t0, t1 = np.array(CIFAR).T
    _, lag, table = lags.at_lags(t0, t1, (t1 - t0) / 7, over=np.asarray)
    there = ~np.isnan(table)
    np.testing.assert_allclose(table[there], (there * lag / 7)[there])
