"""Growth of distances: exponential until it saturates, or a power law, told apart with and without noise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import growth

T0, LAGS = (0, 100, 500), np.arange(10, 401, 10)


def exponential(lag, rate=0.05, epsilon=1e-4):
    return np.minimum(1.0, epsilon * np.exp(rate * lag))


def diffusion(lag, scale=0.01):
    return scale * np.sqrt(lag)


def planted(f, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = {
        t0: dict(zip(LAGS + t0, np.log10(f(LAGS)) + noise * rng.standard_normal(len(LAGS)), strict=True)) for t0 in T0
    }
    return pd.DataFrame.from_dict(rows, "index").sort_index(axis="columns")


@given(rate=st.floats(0.03, 0.065))
def test_the_rate_of_an_exponential_comes_back(rate):
    """Steps are shorter than a doubling, so that the rise ends before the plateau."""
    fits = growth.fits(planted(lambda lag: exponential(lag, rate)))
    assert fits["rate"].tolist() == pytest.approx([rate] * 3)
    # the first lag of the grid at which half the plateau is reached
    expected = np.ceil(np.log(0.5 / 1e-4) / rate / 10) * 10
    assert fits["until"].tolist() == [expected] * 3


@given(exponent=st.floats(0.1, 3))
def test_the_exponent_of_a_power_law_comes_back(exponent):
    fits = growth.fits(planted(lambda lag: lag**exponent))
    assert fits["exponent"].dropna().tolist() == pytest.approx([exponent] * fits["exponent"].notna().sum())


@pytest.mark.parametrize("runs", [1, 2, 5])
@pytest.mark.parametrize(("shape", "better"), [(exponential, "exponential"), (diffusion, "power law")])
def test_the_planted_one_is_better_in_every_run(shape, better, runs):
    found = growth.exponential_over_power([planted(shape, noise=0.02, seed=k) for k in range(runs)])
    assert len(found.each) == runs
    for value in (*found.each, found.of_mean):
        assert (value > growth.BETTER) == (better == "exponential")


def test_without_noise_the_planted_one_errs_by_rounding_alone():
    exact = [planted(exponential)] * 3
    found = growth.exponential_over_power(exact)
    lag = LAGS[: growth.rise(LAGS, np.log10(exponential(LAGS)))]
    level = np.log10(exponential(lag))
    missed = level - np.polyval(np.polyfit(np.log10(lag), level, 1), np.log10(lag))
    expected = np.log10(np.sqrt(np.mean(missed**2)) / growth.ROUNDING)
    assert [*found.each, found.of_mean] == pytest.approx([expected] * 4)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_the_level_of_a_run_does_not_count(levels):
    runs = [planted(exponential, noise=0.05, seed=k) for k in range(3)]
    shifted = [run + level for run, level in zip(runs, levels, strict=True)]
    expected = growth.exponential_over_power(runs)
    np.testing.assert_allclose(growth.exponential_over_power(shifted).each, expected.each)


def test_a_rise_that_was_not_compared_has_no_answer():
    flat = planted(lambda lag: np.ones(len(lag)))
    assert np.isnan(growth.exponential_over_power([flat, flat]).each).all()
    assert growth.fits(flat).isna().all(axis=None)
    assert growth.fits(flat).index.tolist() == [*T0]


def test_the_rise_ends_at_the_share_of_the_last_level():
    lags, y = np.arange(1.0, 9), np.log10([0.1, 0.2, 0.3, 0.5, 0.9, 1, 1, 1])
    assert growth.rise(lags, y) == 4
    assert growth.rise(lags, y, share=0.9) == 5
