"""Intervals over replicates: they hold as often as they say, on the scale that suits the values."""

import numpy as np
import pytest
from scipy import stats

from twophase.analysis import replicates


@pytest.mark.parametrize(("scale", "back"), [("plain", lambda z: z), ("log", np.exp)])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_it_is_student_s_interval_on_the_scale(scale, back, count):
    z = np.random.default_rng(count).standard_normal(count)
    low, high = stats.t.interval(0.9, count - 1, loc=z.mean(), scale=stats.sem(z))
    assert replicates.interval(back(z), 0.9, scale) == pytest.approx((back(z.mean()), back(low), back(high)))


def test_an_interval_of_shares_stays_between_0_and_1():
    value, low, high = replicates.interval([0.9, 0.99, 0.5], 0.95, "logit")
    assert 0 < low < value < high < 1


@pytest.mark.parametrize("scale", replicates.SCALES)
def test_one_replicate_tells_of_no_other(scale):
    value, low, high = replicates.interval([0.3], 0.95, scale)
    assert value == 0.3
    assert np.isnan([low, high]).all()


def test_replicates_that_are_all_alike_have_an_interval_without_length():
    assert replicates.interval([2.0, 2.0], 0.95, "log") == (2, 2, 2)


def test_a_replicate_without_a_value_leaves_none():
    assert np.isnan(replicates.interval([1.0, np.nan, 2.0], 0.95)).all()


@pytest.mark.parametrize(("scale", "values"), [("log", [0.0, 1.0, 3.0]), ("logit", [0.2, 1.0, 0.6])])
def test_what_a_scale_cannot_show_is_taken_as_it_is(scale, values):
    assert replicates.interval(values, 0.95, scale) == replicates.interval(values, 0.95)


@pytest.mark.parametrize("count", range(1, 9))
def test_every_replicate_is_tested_once_by_others_that_had_chosen(count):
    pairs = replicates.halves(count)
    assert sorted(k for _, tested in pairs for k in tested) == list(range(count))
    assert all(choosing for choosing, _ in pairs)
    assert count == 1 or not any(set(choosing) & set(tested) for choosing, tested in pairs)
    assert max(len(tested) for _, tested in pairs) - min(len(choosing) for choosing, _ in pairs) <= 1


def test_values_that_were_rounded_to_the_same_are_not_so_close_for_certain():
    """Their spread counts as no less than that of the rounding."""
    alike = replicates.interval([5.0, 5.0], 0.95, rounding=0.1)
    assert alike.high - 5 == pytest.approx(12.7062 * 0.1 / 2**0.5, rel=1e-4)
    assert 5 - alike.low == pytest.approx(12.7062 * 0.1 / 2**0.5, rel=1e-4)
    apart = [4.0, 5.0, 6.0]
    assert replicates.interval(apart, 0.95, rounding=0.1) == replicates.interval(apart, 0.95)
