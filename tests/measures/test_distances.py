"""C, S and D against exact arithmetic, down to values of 1e-14."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twophase.measures import distances

SEEDS = st.integers(0, 2**32 - 1)


def whole(vectors):
    return lambda: iter([vectors])


def parted(vectors, cuts):
    return lambda: iter(np.split(vectors, sorted(cuts), axis=1))


def exact(a, b):
    """1 - cos of two vectors of floats, from exact inner products and 60 decimal digits."""

    def dot(x, y):
        total = sum((Fraction(float(p)) * Fraction(float(q)) for p, q in zip(x, y, strict=True)), Fraction(0))
        return Decimal(total.numerator) / Decimal(total.denominator)

    with localcontext() as context:
        context.prec = 60
        return float(1 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt())


def exact_table(left, right):
    return np.array([[exact(a, b) for b in right] for a in left])


def near(base, distances, rng):
    """Rows at the given angles (C = angle^2/2) from `base`, each stretched by its own factor."""
    rows = []
    for angle in distances:
        away = rng.standard_normal(len(base))
        away -= base * (away @ base) / (base @ base)
        away *= np.linalg.norm(base) / np.linalg.norm(away)
        rows.append((np.cos(angle) * base + np.sin(angle) * away) * rng.uniform(0.2, 5))
    return np.array(rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [0, -1, -3, -5, -7, -9, -11, -13, -14])
def test_close_vectors_keep_three_digits(exponent, dtype):
    rng = np.random.default_rng(-exponent)
    angle = np.sqrt(2 * 10.0**exponent)
    vectors = near(rng.standard_normal(300), [0, angle, 2 * angle, 1.2], rng).astype(dtype)
    expected = exact_table(vectors, vectors)
    if dtype == np.float64:
        assert expected[0, 1] == pytest.approx(1 - np.cos(angle) if exponent > -8 else 10.0**exponent, rel=1e-2)
    values = distances.dissimilarity(whole(vectors))
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-40)
    turned = distances.dissimilarity(whole(vectors), whole(vectors[::-1]))
    np.testing.assert_allclose(turned, expected[:, ::-1], rtol=1e-3, atol=1e-40)


@settings(max_examples=60)
@given(
    seed=SEEDS,
    angles=st.lists(st.sampled_from([0.0, 1e-7, 3e-7, 1e-5, 1e-3, 0.1, 1.5, 3.0]), min_size=1, max_size=5),
    others=st.integers(1, 4),
    dimension=st.integers(2, 60),
)
def test_any_mixture_of_near_and_far(seed, angles, others, dimension):
    rng = np.random.default_rng(seed)
    base = rng.standard_normal(dimension)
    left, right = near(base, angles, rng), near(base, rng.choice(angles, others), rng)
    values = distances.dissimilarity(whole(left), whole(right))
    # 1e-18: between vectors as equal as float64 can say, a few roundings per coordinate remain, squared.
    atol = dimension * np.finfo(float).eps ** 2 * 10
    np.testing.assert_allclose(values, exact_table(left, right), rtol=1e-3, atol=atol)
    np.testing.assert_allclose(values.T, distances.dissimilarity(whole(right), whole(left)), rtol=1e-5, atol=atol)


@given(seed=SEEDS, m=st.integers(1, 6), dimension=st.integers(1, 30))
def test_with_itself_it_is_symmetric_with_a_zero_diagonal(seed, m, dimension):
    vectors = np.random.default_rng(seed).standard_normal((m, dimension)).astype(np.float32)
    values = distances.dissimilarity(whole(vectors))
    assert np.array_equal(values, values.T)
    assert not np.diag(values).any()
    assert ((values >= 0) & (values <= 2 + 1e-12)).all()
    np.testing.assert_allclose(values, exact_table(vectors, vectors), rtol=1e-3, atol=1e-15)


@given(seed=SEEDS, exponents=st.lists(st.integers(-20, 20), min_size=4, max_size=4))
def test_it_does_not_depend_on_lengths(seed, exponents):
    rng = np.random.default_rng(seed)
    vectors = near(rng.standard_normal(40), [0, 1e-6, 1e-2, 2.0], rng)
    scaled = vectors * 2.0 ** np.array(exponents)[:, None]  # powers of two round nothing
    assert np.array_equal(distances.dissimilarity(whole(scaled)), distances.dissimilarity(whole(vectors)))
    thirds = vectors * np.array([1, 3, 1 / 7, 1e5])[:, None]
    np.testing.assert_allclose(
        distances.dissimilarity(whole(thirds)), distances.dissimilarity(whole(vectors)), rtol=1e-3, atol=1e-20
    )


def test_opposite_and_orthogonal_vectors():
    vectors = np.array([[3.0, 0, 0], [-1, 0, 0], [0, 2, 0], [0, 0, -5]])
    expected = [[0, 2, 1, 1], [2, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]
    np.testing.assert_allclose(distances.dissimilarity(whole(vectors)), expected, rtol=1e-14)


@given(seed=SEEDS, cuts=st.lists(st.integers(0, 50), max_size=6))
def test_the_parts_do_not_matter(seed, cuts):
    rng = np.random.default_rng(seed)
    vectors = near(rng.standard_normal(50), [0, 1e-7, 1e-4, 0.5, 3.0], rng)
    one, many = (distances.dissimilarity(parts) for parts in (whole(vectors), parted(vectors, cuts)))
    np.testing.assert_allclose(many, one, rtol=1e-5, atol=0)
    left, right = parted(vectors[:2], cuts), parted(vectors[2:], cuts)
    np.testing.assert_allclose(distances.dissimilarity(left, right), one[:2, 2:], rtol=1e-5)
    np.testing.assert_allclose(distances.lengths(parted(vectors, cuts)), np.linalg.norm(vectors, axis=1), rtol=1e-13)


def test_equal_vectors_of_two_files_are_at_zero_exactly():
    """The control: a fork without perturbation is at C = 0, not at a rounding from it."""
    vectors = np.random.default_rng(0).standard_normal((3, 1000)).astype(np.float32)
    values = distances.dissimilarity(whole(vectors), whole(vectors.copy()))
    assert not np.diag(values).any()
    assert (values + np.eye(3) > 0.1).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_spoils_its_own_row_and_column_alone(bad):
    rng = np.random.default_rng(1)
    vectors = near(rng.standard_normal(20), [0, 1e-6, 0.3, 1.0], rng)
    expected = distances.dissimilarity(whole(vectors))
    spoiled = vectors.copy()
    spoiled[2] = 0
    spoiled[2, 5] = bad
    keep = [0, 1, 3]
    for parts in (whole(spoiled), parted(spoiled, [3, 9])):
        for values in (distances.dissimilarity(parts), distances.dissimilarity(parts, parts)):
            assert np.isnan(values[2]).all()
            assert np.isnan(values[:, 2]).all()
            np.testing.assert_allclose(values[np.ix_(keep, keep)], expected[np.ix_(keep, keep)], rtol=1e-5, atol=1e-30)


def test_integer_and_half_precision_vectors_are_taken_in_float64():
    vectors = np.array([[1, 2, 3], [3, 2, 1]])
    for dtype in (np.int64, np.float16, np.float32):
        value = distances.dissimilarity(whole(vectors.astype(dtype)))[0, 1]
        assert value == pytest.approx(1 - 10 / 14, rel=1e-13)


# --- two networks


def network(rng, like=None, scale=1.0):
    """A state with parameters, running statistics, a counter and an optimizer's buffer; near another one, if given."""
    shapes = {"conv.weight": (4, 3), "fc.bias": (5,), "bn.running_var": (4,)}
    state = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    if like is not None:
        state = {name: like[name] + scale * step for name, step in state.items()}
    buffers = {"bn.num_batches_tracked": np.array(rng.integers(1, 9)), "optimizer/momentum_buffer/fc.bias": np.ones(5)}
    return state | buffers


TRAINABLE = ["conv.weight", "fc.bias"]
PARTS = {
    "parameters": TRAINABLE,
    "statistics": [*TRAINABLE, "bn.running_var"],
    "state_dict": [*TRAINABLE, "bn.running_var", "bn.num_batches_tracked"],
}


@given(seed=SEEDS, exponent=st.integers(-9, 2))
def test_two_networks_by_exact_arithmetic(seed, exponent):
    """C down to 1e-18, as close to the exact value as rounding leaves the square of the difference."""
    rng = np.random.default_rng(seed)
    a = network(rng)
    b = network(rng, a, 10.0**exponent)
    found = distances.between(a, b, TRAINABLE)
    assert found.keys() == set(distances.OF_PAIR)
    for vector, names in PARTS.items():
        x, y = (np.concatenate([state[name].ravel() for name in names]) for state in (a, b))
        rounding = 50 * np.finfo(float).eps * (x - y) @ (x - y) / (np.linalg.norm(x) * np.linalg.norm(y))
        assert found[f"C_{vector}"] == pytest.approx(exact(x, y), rel=1e-12, abs=rounding)
    pairs = [pair for name in TRAINABLE for pair in zip(a[name].flat, b[name].flat, strict=True)]
    total = sum((Fraction(float(p)) - Fraction(float(q))) ** 2 for p, q in pairs)
    assert found["l2"] == pytest.approx(float(total) ** 0.5, rel=1e-12)


def test_equal_networks_are_at_zero_exactly_and_opposite_ones_at_two():
    state = network(np.random.default_rng(0))
    equal = {name: value.copy() for name, value in state.items()}
    assert set(distances.between(state, equal, TRAINABLE).values()) == {0}
    opposite = {name: -value for name, value in state.items()}
    assert distances.between(state, opposite, TRAINABLE)["C_state_dict"] == pytest.approx(2, rel=1e-14)
    longer = {name: 3 * value for name, value in state.items()}
    assert distances.between(state, longer, TRAINABLE)["C_parameters"] < 1e-15


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_network_that_is_not_finite_has_no_distance(bad):
    rng = np.random.default_rng(1)
    state, spoiled = network(rng), network(rng)
    spoiled["fc.bias"] = np.full(5, bad)
    assert np.isnan(distances.between(state, spoiled, TRAINABLE)["C_parameters"])


def test_a_network_of_zeros_has_no_direction():
    for seed in range(20):
        state = network(np.random.default_rng(seed))
        zeros = {name: np.zeros_like(value) for name, value in state.items()}
        for pair in ((state, zeros), (zeros, state), (zeros, zeros)):
            found = distances.between(*pair, TRAINABLE)
            assert np.isnan([found[name] for name in distances.OF_PAIR[:-1]]).all()


@given(seed=SEEDS)
def test_euclidean_distances_from_angles_and_lengths(seed):
    rng = np.random.default_rng(seed)
    vectors = near(rng.standard_normal(30), [0, 1e-3, 0.5, 2.0], rng)
    parts = whole(vectors)
    length = distances.lengths(parts)
    found = distances.euclidean(distances.dissimilarity(parts), length, length)
    np.testing.assert_allclose(found, np.linalg.norm(vectors[:, None] - vectors[None], axis=2), rtol=1e-6, atol=1e-7)


# --- principal coordinates


@given(seed=SEEDS, m=st.integers(4, 8), dimension=st.integers(4, 30), origin=st.none() | st.integers(0, 3))
def test_principal_coordinates_are_those_of_a_singular_value_decomposition(seed, m, dimension, origin):
    assume(origin != m - 1)  # the last vector's sign is that of its axis, but at the origin, where it is rounding's
    vectors = np.random.default_rng(seed).standard_normal((m, dimension)) * np.linspace(3, 0.1, dimension)
    coordinates, explained = distances.principal_coordinates(parted(vectors, [2]), origin, 3)
    centred = vectors - (vectors.mean(axis=0) if origin is None else vectors[origin])
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:3].T
    expected *= np.where(expected[-1] < 0, -1, 1)
    np.testing.assert_allclose(coordinates, expected, atol=1e-6 * values[0])
    np.testing.assert_allclose(explained, values[:3] ** 2 / (values**2).sum(), atol=1e-9)
    assert (coordinates[-1] >= 0).all()
    if origin is not None:
        np.testing.assert_allclose(coordinates[origin], 0, atol=1e-6 * values[0])


def test_points_of_a_plane_keep_their_distances():
    rng = np.random.default_rng(3)
    plane = rng.standard_normal((6, 2))
    frame, _ = np.linalg.qr(rng.standard_normal((40, 2)))
    coordinates, explained = distances.principal_coordinates(whole(plane @ frame.T + 5), None, 2)

    def lengths(points):
        return np.linalg.norm(points[:, None] - points[None], axis=2)

    np.testing.assert_allclose(lengths(coordinates), lengths(plane), atol=1e-9)
    assert explained.sum() == pytest.approx(1)


def test_equal_points_have_no_axes_and_no_error():
    coordinates, explained = distances.principal_coordinates(whole(np.ones((4, 5))), None, 2)
    assert not coordinates.any()
    assert not explained.any()


@pytest.mark.parametrize("m", [1, 2])
def test_fewer_points_than_axes_leave_the_last_axes_empty(m):
    vectors = np.array([[0.0, 0, 0], [3, 0, 4]])[:m]
    coordinates, explained = distances.principal_coordinates(whole(vectors), 0, 3)
    np.testing.assert_allclose(coordinates, np.array([[0.0, 0, 0], [5, 0, 0]])[:m], atol=1e-12)
    np.testing.assert_allclose(explained, [m - 1, 0, 0], atol=1e-12)


# --- disagreement and tables


def test_disagreement_by_hand():
    left = np.array([[0, 1, 2, 2], [1, 1, 1, 1]])
    right = np.array([[0, 1, 2, 2], [0, 1, 2, 0], [3, 3, 3, 3]])
    expected = [[0, 1 / 4, 1], [3 / 4, 3 / 4, 1]]
    assert distances.disagreement(left, right).tolist() == expected


@given(seed=SEEDS, n=st.integers(1, 50))
def test_disagreement_is_a_metric(seed, n):
    labels = np.random.default_rng(seed).integers(0, 3, (4, n)).astype(np.int16)
    d = distances.disagreement(labels)
    assert np.array_equal(d, d.T)
    assert not np.diag(d).any()
    assert (d[:, :, None] <= d[:, None, :] + d.T[None] + 1e-12).all()
    np.testing.assert_allclose(d * n, np.round(d * n), atol=1e-9)


@given(seed=SEEDS, n=st.integers(1, 200), classes=st.integers(1, 1000))
def test_disagreement_is_the_mean_of_what_differs(seed, n, classes):
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, classes, (m, n)).astype(np.int16) for m in (3, 4))
    plain = (left[:, None] != right[None]).mean(axis=2)
    assert np.array_equal(distances.disagreement(left, right), plain)
    assert np.array_equal(distances.disagreement(left), distances.disagreement(left, left))


def test_the_upper_triangle_of_a_diagonal_block():
    table = distances.upper([0, 10, 50], [0, 10, 50], value=np.arange(9).reshape(3, 3))
    cells = list(zip(*(table[name].tolist() for name in ("i", "j", "value")), strict=True))
    assert cells == [(0, 0, 0), (0, 10, 1), (0, 50, 2), (10, 10, 4), (10, 50, 5), (50, 50, 8)]


def test_a_block_above_the_diagonal_keeps_all_its_cells():
    values = np.arange(6).reshape(2, 3)
    table = distances.upper([0, 10], [20, 30, 40], value=values, other=-values)
    assert [len(column) for column in table.values()] == [6, 6, 6, 6]
    assert (table["other"] == -table["value"]).all()
    assert table["value"][(table["i"] == 10) & (table["j"] == 30)] == 4
