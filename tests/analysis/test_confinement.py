"""Exponents of the kernel: diffusion has 1, a drift 2, a cone 0; planted and from a walk."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import confinement

TIMES = np.arange(0, 1001, 50)


def grid(f, times=TIMES):
    return pd.DataFrame({j: {i: f(i, j) if i <= j else np.nan for i in times} for j in times})


def of_vectors(vectors):
    """S of vectors [times, dimensions]."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    S = 1 - unit @ unit.T
    return grid(lambda i, j: S[i // 50, j // 50])


def brownian(seed):
    """A small walk about a large constant, so that S is its squared length."""
    steps = np.random.default_rng(seed).standard_normal((len(TIMES), 5000))
    return of_vectors(100 + 0.1 * steps.cumsum(axis=0))


@given(exponent=st.floats(0, 2), level=st.floats(1e-6, 0.1))
def test_the_exponent_of_a_power_of_time_comes_back(exponent, level):
    S = grid(lambda i, j: level * ((j - i) / 1000) ** exponent if j > i else 0.0)
    for of in (np.max, np.mean):
        assert confinement.step_exponent(S, 200, level=of) == pytest.approx(exponent, abs=1e-9)
    assert confinement.growth_exponent(S, 200) == pytest.approx(exponent, abs=1e-9)
    assert confinement.growth_exponent(S, 200) == pytest.approx(confinement.growth_exponent(S, 0), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_brownian_motion_has_exponent_one(seed):
    S = brownian(seed)
    assert confinement.step_exponent(S, 0) == pytest.approx(1, abs=0.1)
    assert confinement.step_exponent(S, 0, dts=[50, 100, 200], level=np.mean) == pytest.approx(1, abs=0.1)
    assert confinement.growth_exponent(S, 0) == pytest.approx(1, abs=0.1)


def test_independent_kernels_about_a_mean_are_confined():
    vectors = 10 + np.random.default_rng(0).standard_normal((len(TIMES), 2000))
    S = of_vectors(vectors)
    assert abs(confinement.step_exponent(S, 0)) < confinement.SAME_BOUND
    assert abs(confinement.growth_exponent(S, 0)) < confinement.CONSTANT
    # the angle between two of them: cos = 100 / 101, up to the dimension
    assert confinement.angle(S, 0) == pytest.approx(np.degrees(np.arccos(100 / 101)), rel=0.02)


def test_only_what_comes_after_the_bend_counts():
    S = grid(lambda i, j: 0.05 if i > 300 else j / 1000)
    assert confinement.step_exponent(S, 300) == pytest.approx(0, abs=1e-9)
    assert confinement.step_exponent(S, 0) != pytest.approx(0, abs=1e-2)


def test_one_late_kernel_does_not_decide_the_growth():
    S = grid(lambda i, j: 0.1)
    one = S.copy()
    one.loc[0, 1000] *= 2
    # one of the five in the last quarter, whose mean of log S rises by log 2 / 5
    u = TIMES[1:]
    time = np.log(u[u > 750]).mean() - np.log(u[(u > 250) & (u <= 500)]).mean()
    assert confinement.growth_exponent(one, 0) == pytest.approx(np.log(2) / 5 / time)


def test_the_angle_is_that_of_the_late_kernels():
    S = grid(lambda i, j: 1 - np.cos(np.radians(25)) if j > 750 else 0.9)
    assert confinement.angle(S, 0) == pytest.approx(25)
    assert confinement.angle(S, 0) < confinement.NARROW
    assert np.isnan(confinement.angle(S, 1000))


def steps(f):
    """Kernels whose S(t, t + 50) is f(t)."""
    return grid(lambda i, j: f(i) if j - i == 50 else 0.5)


@given(rate=st.floats(0.5, 20))
def test_an_exponential_decline_has_dropped_by_half_at_half_of_its_logarithm(rate):
    t = TIMES[:-1] / 950
    late = np.exp(-rate * t)[t >= 0.75].mean()
    S = steps(lambda i: np.exp(-rate * i / 950))
    assert confinement.drop(S, 50) == pytest.approx(-np.log(late) / 2 / rate)
    assert confinement.drop(0.01 * S, 50) == pytest.approx(confinement.drop(S, 50))


def test_what_drops_at_once_drops_quickly_and_a_straight_line_does_not():
    assert confinement.drop(steps(lambda i: (1 + i / 10) ** -1.5), 50) < confinement.QUICKLY
    assert confinement.drop(steps(lambda i: 1 - i / 1000), 50) > 0.5
    assert confinement.drop(steps(lambda i: 1.0 if i < 100 else 0.0 if i < 700 else 0.1), 50) == pytest.approx(
        100 / 950
    )
    assert np.isnan([confinement.drop(steps(f), 50) for f in (lambda i: 1.0, lambda i: i / 1000, lambda i: 0.0)]).all()


def test_what_first_rises_starts_below_its_late_level():
    S = grid(lambda i, j: 0.1 * (1 - np.exp(-(j - i) / 100)))
    expected = (1 - np.exp(-0.5)) / np.mean([1 - np.exp(-u / 100) for u in range(800, 1001, 50)])
    assert confinement.first_over_late(S, 0) == pytest.approx(expected)
    assert expected < confinement.RISES
    assert confinement.first_over_late(grid(lambda i, j: 0.1), 0) == pytest.approx(1)


def test_a_kernel_that_stands_still_or_is_seldom_seen_has_no_exponent():
    still = grid(lambda i, j: 0.0)
    few = grid(lambda i, j: j - i + 0.0, times=(0, 50, 100))
    for of in (lambda S: confinement.step_exponent(S, 0), lambda S: confinement.growth_exponent(S, 0)):
        assert np.isnan(of(still))
    assert np.isnan(confinement.step_exponent(few, 0))
    assert np.isnan(confinement.growth_exponent(few, 100))
    assert np.isnan([confinement.first_over_late(still, 0), confinement.first_over_late(few, 0)]).all()
