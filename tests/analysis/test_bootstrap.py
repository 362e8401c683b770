"""The bootstrap: what is resampled, and intervals that hold planted values."""

import numpy as np
import pytest

from made_up import bend
from twophase.analysis import changes
from twophase.analysis.bootstrap import Bootstrap


def mean(x, y):
    return float(y.mean())


def test_the_value_is_that_of_the_mean_curve_over_draws_then_seeds():
    curves = [np.array([[0.0, 2], [2, 4]]), np.array([[10.0, 10]])]
    # Seeds count alike, however many draws they have: ([1, 3] + [10, 10]) / 2.
    seen = []
    Bootstrap(1, 0.9).interval(lambda x, y: seen.append(y) or 0.0, [1, 2], curves)
    assert any(np.array_equal(y, [5.5, 6.5]) for y in seen)
    assert Bootstrap(5, 0.9).interval(mean, [1, 2], curves)[0] == 6


def test_an_interval_is_the_same_in_every_run():
    curves = [np.random.default_rng(0).standard_normal((3, 9))]
    first = Bootstrap(50, 0.9).interval(mean, range(9), curves)
    np.random.seed(5)
    np.random.random(3)
    assert Bootstrap(50, 0.9).interval(mean, range(9), curves) == first


def test_the_points_of_a_sample_stay_with_their_values_and_in_order():
    def check(x, y):
        assert (np.diff(x) >= 0).all()
        assert np.array_equal(y, x**2)
        return 0.0

    x = np.arange(10.0)
    Bootstrap(30, 0.9).interval(check, x, [np.stack([x**2, x**2]), (x**2)[None]])


@pytest.mark.parametrize("what", ["seeds", "draws", "points"])
def test_seeds_draws_and_points_are_resampled(what):
    """Curves that vary in one respect alone have an interval of positive length, and of the right one."""
    n, rng = 40, np.random.default_rng(1)
    z = rng.standard_normal(n)
    curves = {"seeds": [np.full((1, 3), v) for v in z], "draws": [np.tile(z[:, None], 3)], "points": [z[None]]}[what]
    value, low, high = Bootstrap(1000, 0.95).interval(mean, range(curves[0].shape[1]), curves)
    assert value == pytest.approx(z.mean())
    # The bootstrap's standard error of a mean is that of the sample over sqrt(n).
    assert (high - low) / 2 == pytest.approx(1.96 * z.std() / np.sqrt(n), rel=0.15)
    assert (high + low) / 2 == pytest.approx(z.mean(), abs=0.2 * z.std() / np.sqrt(n))
    constant = Bootstrap(20, 0.95).interval(mean, range(3), [np.ones((2, 3))] * 2)
    assert constant == (1, 1, 1)


def test_levels_are_nested_quantiles():
    curves = [np.random.default_rng(2).standard_normal((1, 30))]
    narrow, wide = (Bootstrap(400, level).interval(mean, range(30), curves) for level in (0.5, 0.95))
    assert wide[1] < narrow[1] < narrow[2] < wide[2]
    # A quarter of the samples lies below the lower end of an interval of level 0.5.
    samples = []
    Bootstrap(400, 0.5).interval(lambda x, y: samples.append(y.mean()) or samples[-1], range(30), curves)
    assert np.mean(np.array(samples[:400]) < narrow[1]) == pytest.approx(0.25, abs=0.01)


def test_samples_without_a_value_are_left_out():
    """A few points drawn again and again may have no change point."""
    value, low, high = Bootstrap(50, 0.9).interval(changes.change_point, [0, 10], [np.array([[1.0, 0]])])
    assert (value, low, high) == (5, 5, 5)


def coverage(statistic, x, truth, noise, runs=40, samples=60):
    """How many of `runs` intervals of level 0.95 hold the truth, and their median length."""
    held, lengths = 0, []
    for k in range(runs):
        rng = np.random.default_rng(k)
        curves = [truth[1] + noise * rng.standard_normal((3, len(x))) for _ in range(2)]
        _, low, high = Bootstrap(samples, 0.95).interval(statistic, x, curves)
        held += low <= truth[0] <= high
        lengths.append(high - low)
    return held, np.median(lengths)


@pytest.mark.parametrize("name", ["change", "elbow"])
def test_intervals_hold_the_planted_value(name):
    x = np.arange(0, 1000, 50.0)
    if name == "change":
        held, length = coverage(changes.change_point, x, (425, np.where(x < 425, 1.0, -1.0)), 0.8)
    else:
        held, length = coverage(changes.elbow, x, (400, bend(x / 50, 8)), 0.8)
    # 38 of 40 at the nominal level, less six standard deviations.
    assert held >= 40 * 0.95 - 6 * np.sqrt(40 * 0.95 * 0.05)
    assert 0 < length < 400


def test_each_use_draws_the_same_samples_one_after_the_other():
    bootstrap = Bootstrap(20, 0.9)
    first = bootstrap.draw(lambda rng: rng.random(3))
    assert first.shape == (20, 3)
    assert len(np.unique(first)) == 60
    assert np.array_equal(bootstrap.draw(lambda rng: rng.random(3)), first)
    assert not np.array_equal(Bootstrap(20, 0.9, rng=1).draw(lambda rng: rng.random(3)), first)


def test_ends_are_percentiles_of_the_samples_that_have_a_value():
    values = np.array([np.nan, *range(101), np.nan])
    assert Bootstrap(103, 0.9).ends(values) == pytest.approx((5, 95))
    assert np.isnan(Bootstrap(2, 0.9).ends(np.array([np.nan, np.nan]))).all()
