"""Growth of distances: exponential until it saturates, or a power law, told apart with and without noise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import growth, surfaces

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


@pytest.mark.parametrize("runs", [2, 5])
@pytest.mark.parametrize(("shape", "better"), [(exponential, "exponential"), (diffusion, "power law")])
def test_the_planted_one_predicts_every_run_better(shape, better, runs):
    each = [planted(shape, noise=0.02, seed=k) for k in range(runs)]
    for k, run in enumerate(each):
        found = growth.exponential_over_power(surfaces.mean([*each[:k], *each[k + 1 :]]), run)
        assert (found > growth.BETTER) == (better == "exponential")


def test_without_noise_the_planted_one_errs_by_rounding_alone():
    exact = planted(exponential)
    lag = LAGS[: growth.rise(LAGS, np.log10(exponential(LAGS)))]
    level = np.log10(exponential(lag))
    missed = level - np.polyval(np.polyfit(np.log10(lag), level, 1), np.log10(lag))
    expected = np.log10(np.sqrt(np.mean(missed**2)) / growth.ROUNDING)
    assert growth.exponential_over_power(exact, exact) == pytest.approx(expected)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=2))
def test_the_level_of_a_run_does_not_count(levels):
    runs = [planted(exponential, noise=0.05, seed=k) for k in range(2)]
    shifted = [run + level for run, level in zip(runs, levels, strict=True)]
    assert growth.exponential_over_power(*shifted) == pytest.approx(growth.exponential_over_power(*runs))


def test_a_rise_that_was_not_compared_has_no_answer():
    flat = planted(lambda lag: np.ones(len(lag)))
    assert np.isnan(growth.exponential_over_power(flat, flat))


def test_the_rise_ends_at_the_share_of_the_last_level():
    lags, y = np.arange(1.0, 9), np.log10([0.1, 0.2, 0.3, 0.5, 0.9, 1, 1, 1])
    assert growth.rise(lags, y) == 4
    assert growth.rise(lags, y, share=0.9) == 5


def test_growth_is_that_of_each_layer_s_own_perturbation():
    """Two layers, of which the second got none; the fork from 5 has grown tenfold by its last t1."""
    rows = [(5, 5, 0, 0.1), (5, 5, 1, 0.0), (5, 10, 0, 0.3), (5, 10, 1, 2.0), (5, 20, 0, 1.0), (5, 20, 1, 3.0)]
    forks = pd.DataFrame(rows, columns=["t0", "t1", "place", "l2"]).assign(experiment="e", seed=0, draw=0)
    found = growth.by_layer(forks)
    assert found[["t1", "place", "l2"]].to_numpy().tolist() == [[20, 0, 1.0], [20, 1, 3.0]]
    assert found["growth"].to_numpy() == pytest.approx([10.0, np.nan], nan_ok=True)
