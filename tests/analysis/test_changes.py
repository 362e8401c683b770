"""Changes of curves: planted values come back, and fits are the best there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import bend
from twophase.analysis import changes

SEEDS = st.integers(0, 2**32 - 1)


def level_change(x, place, before=1.0, after=-1.0):
    return np.where(x < place, before, after).astype(float)


# --- change of level


@given(points=st.integers(2, 20), split=st.data(), levels=st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
def test_a_clean_change_is_halfway_between_its_neighbours(points, split, levels):
    before, after = levels
    x = np.cumsum(1 + np.arange(points) % 3).astype(float)
    k = split.draw(st.integers(1, points - 1))
    y = np.where(np.arange(points) < k, before, after)
    if abs(before - after) > 1e-3:
        assert changes.change_point(x, y) == (x[k - 1] + x[k]) / 2


@given(SEEDS)
def test_a_change_is_found_under_noise(seed):
    rng = np.random.default_rng(seed)
    x = np.arange(0, 1000, 50.0)
    place = rng.choice((x[3:-3] + x[2:-4]) / 2)
    assert changes.change_point(x, level_change(x, place) + 0.15 * rng.standard_normal(len(x))) == place


@given(seed=SEEDS, a=st.floats(0.1, 10), b=st.floats(-10, 10))
def test_the_change_point_is_the_best_of_all_splits(seed, a, b):
    """Against least squares written out for each split; affine changes of y leave it where it is."""
    rng = np.random.default_rng(seed)
    x, y = np.arange(12.0), rng.standard_normal(12)

    def error(k):
        return sum(np.sum((part - part.mean()) ** 2) for part in (y[:k], y[k:]))

    best = min(range(1, 12), key=error)
    assert changes.change_point(x, y) == best - 0.5
    assert changes.change_point(x, a * y + b) == best - 0.5


def test_equal_times_are_not_split():
    x, y = np.array([0, 0, 0, 10, 10, 30.0]), np.array([5, 5, 0, 0, 0, 0.0])
    assert changes.change_point(x, y) == 5
    assert np.isnan(changes.change_point(np.array([3.0, 3]), np.array([0.0, 1])))
    assert np.isnan(changes.change_point(np.array([3.0]), np.array([0.0])))


# --- elbow


@given(
    knot=st.integers(1, 18),
    slopes=st.tuples(st.floats(-3, 3), st.floats(-3, 3)).filter(lambda s: abs(s[0] - s[1]) > 0.1),
    height=st.floats(-5, 5),
    scale=st.sampled_from([1, 25, 2000]),
)
def test_a_clean_bend_is_found_exactly(knot, slopes, height, scale):
    x = np.arange(20.0)
    assert changes.elbow(scale * x, height + bend(x, knot, -slopes[0], slopes[1])) == scale * knot


@given(SEEDS)
def test_a_bend_is_found_under_noise(seed):
    rng = np.random.default_rng(seed)
    x = np.arange(0, 40.0)
    knot = rng.integers(10, 30)
    assert abs(changes.elbow(x, bend(x, knot) + 0.2 * rng.standard_normal(40)) - knot) <= 3


@given(SEEDS)
def test_the_elbow_is_the_best_of_all_inner_knots(seed):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.choice(100, 9, replace=False)).astype(float), rng.standard_normal(9)

    def error(knot):
        # Hat functions at both ends and the knot span the continuous lines of two pieces.
        basis = np.stack([np.interp(x, [x[0], knot, x[-1]], unit) for unit in np.eye(3)], axis=1)
        return np.sum((y - basis @ np.linalg.pinv(basis) @ y) ** 2)

    assert changes.elbow(x, y) == min(x[1:-1], key=error)


def test_an_elbow_needs_an_inner_point():
    assert np.isnan(changes.elbow(np.array([0.0, 1]), np.array([1.0, 0])))
    assert np.isnan(changes.elbow(np.array([2.0, 2, 5]), np.array([1.0, 0, 3])))
    assert changes.elbow(np.array([0.0, 4, 5]), np.array([1.0, 0, 3])) == 4


# --- a curve without a change


@given(level=st.floats(-1e6, 1e6), slope=st.floats(-1e3, 1e3))
def test_a_constant_has_no_change_and_a_line_no_bend(level, slope):
    x = np.arange(12.0)
    assert np.isnan(changes.change_point(x, np.full(12, level)))
    assert np.isnan(changes.elbow(x, level + slope * x))


# --- all models

MODELS = {
    "constant": (changes.constant, lambda x: 0 * x + 3),
    "line": (changes.line, lambda x: 2 - x),
    "step": (changes.change_point, lambda x: 1.0 * (x > 2)),
    "bend": (changes.elbow, lambda x: bend(x, x[5])),
    "logistic": (changes.logistic, lambda x: 1 / (1 + np.exp(-(x - x[5]) / changes.SCALES[4]))),
    "exponential": (changes.decline, lambda x: np.exp(-changes.RATES[7] * (x - x[0]) / np.ptp(x))),
    "power": (changes.decline, lambda x: ((x - x[0]) / np.ptp(x) + changes.OFFSETS[4]) ** -changes.POWERS[3]),
    "logarithm": (changes.decline, lambda x: -np.log((x - x[0]) / np.ptp(x) + changes.OFFSETS[6])),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_fits_its_own_curves_exactly(name):
    x = np.linspace(1.0, 3.5, 16)
    model, shape = MODELS[name]
    curves = np.stack([shape(x), 5 - 2 * shape(x)])
    np.testing.assert_allclose(model.fit(x, curves)[0], curves, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_curves_are_fitted_one_by_one(name):
    x, y = np.linspace(1.0, 3.5, 9), np.random.default_rng(0).standard_normal((2, 3, 9))
    model = MODELS[name][0]
    fitted, places = model.fit(x, y)
    np.testing.assert_allclose(fitted[1, 2], model.fit(x, y[1, 2])[0], atol=1e-12)
    np.testing.assert_array_equal(places[1, 2], model.fit(x, y[1, 2])[1])


def test_a_logistic_curve_has_a_place_and_a_scale():
    x = np.linspace(1.0, 3.5, 16)
    place, scale = changes.logistic.fit(x, MODELS["logistic"][1](x))[1]
    assert (place, scale) == pytest.approx((x[5], changes.SCALES[4]))


# --- sign


def test_a_sign_changes_where_the_line_between_two_points_crosses_zero():
    x = np.array([0.0, 10, 20, 30])
    assert changes.sign_change(x, np.array([3.0, 1, -1, 5])) == 15
    assert changes.sign_change(x, np.array([3.0, 1, 0, 0])) == 20
    assert changes.sign_change(np.array([0.0, 0, 10]), np.array([2.0, 4, -3])) == 5
    assert np.isnan(changes.sign_change(x, np.array([3.0, 1, 1, 5])))
    assert np.isnan(changes.sign_change(x, np.array([-3.0, -1, 1, 5])))
