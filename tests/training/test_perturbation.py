"""The perturbation: every reading of its size, and what float32 leaves of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.errors import UserError
from twophase.files.layout import Fork
from twophase.training.perturbation import NORMS, Perturbation, length, matching, perturb

SIZES = st.floats(1e-9, 1.0)
SHAPES = {"conv.weight": (30, 4, 3, 3), "conv.bias": (30,), "scale": (), "fc.weight": (10, 7)}
COUNT = sum(math.prod(shape) for shape in SHAPES.values())


def parameters(scale=0.1, dtype=np.float32, seed=0, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return {name: np.asarray(scale * rng.standard_normal(shape), dtype) for name, shape in shapes.items()}


def flat(state):
    return np.concatenate([state[name].ravel().astype(np.float64) for name in state])


def epsilon(norm, size, draw=0, seed=1, t0=2):
    """Epsilon itself: about zero, float64 rounds nothing."""
    zeros = parameters(0.0, np.float64)
    perturbed, facts = perturb(zeros, Perturbation(norm, size), seed, Fork(t0, draw))
    return flat(perturbed), facts


@given(SIZES)
def test_l2_is_the_euclidean_norm(size):
    drawn, facts = epsilon("l2", size)
    assert math.sqrt(math.fsum(drawn**2)) == pytest.approx(size, rel=1e-12)
    assert facts["requested"] == pytest.approx(size, rel=1e-12)


@given(SIZES)
def test_linf_moves_every_coordinate_by_the_size(size):
    drawn, facts = epsilon("linf", size)
    assert (np.abs(drawn) == size).all()
    assert abs((drawn > 0).mean() - 0.5) < 6 * 0.5 / math.sqrt(COUNT)
    assert facts["requested"] == pytest.approx(size * math.sqrt(COUNT), rel=1e-12)


@given(SIZES)
def test_a_single_weight_moves_by_the_size(size):
    drawn, facts = epsilon("single_weight", size)
    assert np.count_nonzero(drawn) == 1
    assert np.abs(drawn).max() == size
    assert facts == {"requested": size, "realised": size, "changed": 1 / COUNT}


def test_the_single_weight_and_its_sign_are_uniform():
    zeros, draws = {"a": np.zeros(5), "b": np.zeros((1, 3))}, 2000
    moves = np.array([flat(perturb(zeros, Perturbation("single_weight", 1.0), 0, Fork(0, k))[0]) for k in range(draws)])
    assert np.abs(np.abs(moves).mean(axis=0) - 1 / 8).max() < 6 * math.sqrt(1 / 8 * 7 / 8 / draws)
    assert abs(moves.sum() / draws) < 6 / math.sqrt(draws)


@given(SIZES)
def test_per_coordinate_is_gaussian_of_that_standard_deviation(size):
    scaled = epsilon("per_coordinate", size)[0] / size
    # Standard errors: 1/sqrt(n) of the mean, sqrt(2/n) of the variance, sqrt(24/n) of the kurtosis.
    assert abs(scaled.mean()) < 6 / math.sqrt(COUNT)
    assert abs(scaled.var() - 1) < 6 * math.sqrt(2 / COUNT)
    assert abs((scaled**4).mean() - 3) < 6 * math.sqrt(24 / COUNT)


def test_per_coordinate_is_not_rescaled_to_a_norm():
    lengths = [np.linalg.norm(epsilon("per_coordinate", 1.0, draw)[0]) for draw in range(50)]
    assert np.std(lengths) == pytest.approx(math.sqrt(0.5), rel=0.6)  # the chi distribution's, for many coordinates


@given(size=SIZES, scale=st.floats(1e-3, 10))
def test_relative_is_a_share_of_the_parameters_norm(size, scale):
    theta = parameters(scale, np.float64)
    perturbed, facts = perturb(theta, Perturbation("relative", size), 1, Fork(2, 3))
    length = math.sqrt(math.fsum(flat(theta) ** 2))
    assert facts["requested"] == pytest.approx(size * length, rel=1e-12)
    assert np.linalg.norm(flat(perturbed) - flat(theta)) == pytest.approx(size * length, rel=1e-6)


@pytest.mark.parametrize("norm", ["l2", "relative"])
def test_directions_are_isotropic(norm):
    one = {"a": np.ones(6), "b": np.ones((3, 2))}
    draws = np.array([flat(perturb(one, Perturbation(norm, 1.0), 0, Fork(0, k))[0]) - 1 for k in range(2000)])
    units = draws / np.linalg.norm(draws, axis=1, keepdims=True)
    # Of a uniform direction in n dimensions: E u_i^2 = 1/n, E u_i^4 = 3/(n(n+2)).
    n = 12
    assert np.abs(units.mean(axis=0)).max() < 6 / math.sqrt(n * 2000)
    assert np.abs(np.cov(units.T) - np.eye(n) / n).max() < 6 * math.sqrt(3 / (n * (n + 2)) / 2000)
    assert (units**4).mean() == pytest.approx(3 / (n * (n + 2)), rel=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-7, 1e-3])
@pytest.mark.parametrize("norm", NORMS)
def test_realised_and_changed_are_what_a_direct_count_finds(norm, size, dtype):
    theta = parameters(dtype=dtype)
    before = {name: array.copy() for name, array in theta.items()}
    perturbed, facts = perturb(theta, Perturbation(norm, size), 5, Fork(100, 2))
    assert list(perturbed) == list(theta)
    for name, array in theta.items():
        assert perturbed[name].dtype == array.dtype
        assert perturbed[name].shape == array.shape
        assert np.array_equal(array, before[name])
    difference = flat(perturbed) - flat(theta)
    assert facts["realised"] == pytest.approx(math.sqrt(math.fsum(difference**2)), rel=1e-12)
    assert facts["changed"] == np.count_nonzero(difference) / COUNT
    assert 0 < facts["changed"] <= 1
    if dtype == np.float64:
        assert facts["realised"] == pytest.approx(facts["requested"], rel=1e-6)


def test_float32_eats_most_of_an_l2_perturbation_of_1e_7():
    theta = parameters(0.1, shapes={"weight": (200, 300)})
    _, facts = perturb(theta, Perturbation("l2", 1e-7), 0, Fork(0, 0))
    # A weight changes where epsilon, Gaussian of deviation size/sqrt(n), exceeds half a unit in the last place.
    n = theta["weight"].size
    reach = np.spacing(np.abs(theta["weight"])).astype(np.float64) / 2
    chances = np.vectorize(math.erfc)(reach * math.sqrt(n) / 1e-7 / math.sqrt(2))
    spread = math.sqrt((chances * (1 - chances)).sum()) / n
    assert abs(facts["changed"] - chances.mean()) < 6 * spread
    assert facts["changed"] < 0.2
    assert facts["requested"] == pytest.approx(1e-7, rel=1e-12)
    assert facts["realised"] != pytest.approx(facts["requested"], rel=0.01)


@pytest.mark.parametrize("norm", NORMS)
def test_size_zero_is_the_identity(norm):
    theta = parameters()
    perturbed, facts = perturb(theta, Perturbation(norm, 0.0), 1, Fork(2, 3))
    assert all(np.array_equal(perturbed[name], theta[name]) for name in theta)
    assert facts == {"requested": 0, "realised": 0, "changed": 0}


@pytest.mark.parametrize("norm", NORMS)
def test_the_draw_is_named_by_seed_t0_and_draw_alone(norm):
    def move(seed, t0, draw, scale=0.1):
        perturbed, _ = perturb(parameters(scale, np.float64), Perturbation(norm, 1e-3), seed, Fork(t0, draw))
        return flat(perturbed) - flat(parameters(scale, np.float64))

    first = move(1, 2, 3)
    np.random.seed(4)
    assert np.array_equal(move(1, 2, 3), first)
    others = [move(0, 2, 3), move(1, 0, 3), move(1, 2, 0), move(2, 1, 3), move(1, 3, 2)]
    assert not any(np.allclose(other, first, atol=1e-9) for other in others)
    if norm != "relative":
        np.testing.assert_allclose(move(1, 2, 3, scale=0.5), first, atol=1e-15)


# --- where, and in which direction


@given(size=SIZES, scale=st.floats(1e-3, 10))
def test_initial_is_a_share_of_the_initialisation_s_norm(size, scale):
    start, theta = parameters(scale, np.float64), parameters(1.0, np.float64, seed=1)
    norm = length(start, list(start))
    assert norm == pytest.approx(math.sqrt(math.fsum(flat(start) ** 2)), rel=1e-12)
    perturbed, facts = perturb(theta, Perturbation("initial", size, initial=norm), 1, Fork(2, 3))
    assert facts["requested"] == pytest.approx(size * norm, rel=1e-12)
    assert np.linalg.norm(flat(perturbed) - flat(theta)) == pytest.approx(size * norm, rel=1e-6)


@given(size=st.floats(1e-6, 1.0), norm=st.sampled_from(["l2", "relative", "initial"]), seed=st.integers(0, 5))
def test_the_gradient_is_the_direction(size, norm, seed):
    theta, gradient = parameters(1.0, np.float64), parameters(1e-3, seed=seed + 1)
    perturbed, facts = perturb(theta, Perturbation(norm, size, "gradient", initial=3.0), 1, Fork(2, 3), gradient)
    asked = size * {"l2": 1.0, "relative": math.sqrt(math.fsum(flat(theta) ** 2)), "initial": 3.0}[norm]
    unit = flat(gradient) / math.sqrt(math.fsum(flat(gradient) ** 2))
    np.testing.assert_allclose(flat(perturbed) - flat(theta), asked * unit, rtol=0, atol=1e-15)
    assert facts["requested"] == pytest.approx(asked, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_gradient_without_a_direction_is_refused(value):
    theta = parameters()
    gradient = {name: np.full_like(array, value) for name, array in theta.items()}
    with pytest.raises(
        UserError, match=r"chaos\.direction: the gradient at t0 = 2 has length (0|nan) and no direction"
    ):
        perturb(theta, Perturbation("l2", 1.0, "gradient"), 1, Fork(2, 3), gradient)


@pytest.mark.parametrize("norm", ["relative", "initial"])
def test_a_share_of_parameters_that_are_0_is_refused(norm):
    with pytest.raises(UserError, match=rf"chaos\.norm: {norm} takes size as a share .* all 0 .* Take norm: l2"):
        perturb(parameters(0.0), Perturbation(norm, 1.0, initial=0.0), 1, Fork(2, 3))


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], [*SHAPES]),
        (["fc.weight", "conv.bias"], ["conv.bias", "fc.weight"]),  # in the network's order
        (["conv.*"], ["conv.weight", "conv.bias"]),
        (["*.weight", "scale"], ["conv.weight", "scale", "fc.weight"]),
    ],
)
def test_names_and_patterns_of_parameters(patterns, names):
    assert matching(patterns, [*SHAPES]) == tuple(names)


def test_a_name_that_the_network_lacks_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"chaos\.where: 'conv\.wieght' is no trainable .* nearest are conv\.weight, "):
        matching(["fc.weight", "conv.wieght"], [*SHAPES])
