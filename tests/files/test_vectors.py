"""Checkpoint files as the parts of vectors that the metrics take."""

import numpy as np
import pytest

from twophase.files import storage, vectors

SHAPES = {"b.weight": (4, 3, 2), "a.bias": (5,), "scale": ()}


@pytest.fixture
def checkpoints(tmp_path):
    """Three states with buffers and optimizer state that are no coordinates of theta."""
    rng = np.random.default_rng(0)
    states = []
    for k in range(3):
        state = {name: np.asarray(rng.standard_normal(shape), np.float32) for name, shape in SHAPES.items()}
        extra = {"bn.running_mean": rng.random(4), "optimizer/momentum_buffer/a.bias": rng.random(5)}
        storage.write_tensors(tmp_path / f"step-{k}.safetensors", state | extra, {"trainable": list(SHAPES)})
        states.append(np.concatenate([state[name].ravel() for name in SHAPES]))
    return [tmp_path / f"step-{k}.safetensors" for k in range(3)], np.stack(states)


@pytest.mark.parametrize("part", [1, 4, 7, 24, 1000])
def test_parts_are_the_trainable_parameters_once_each_in_their_order(checkpoints, monkeypatch, part):
    paths, expected = checkpoints
    monkeypatch.setattr(vectors, "PART", part)
    fresh = vectors.networks(paths)
    for _ in range(2):
        parts = list(fresh())
        assert all(1 <= p.shape[1] <= part for p in parts)
        assert np.array_equal(np.concatenate(parts, axis=1), expected)
    # Two iterators at once, as for a matrix of a block with itself.
    for a, b in zip(fresh(), fresh(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("part", [1, 5, 1000])
@pytest.mark.parametrize(("vector", "size"), [("parameters", 30), ("statistics", 38), ("state_dict", 40)])
def test_the_three_vectors_have_each_coordinate_of_their_tensors_once(tmp_path, monkeypatch, vector, size, part):
    monkeypatch.setattr(vectors, "PART", part)
    paths, expected = [], []
    for k in range(3):
        numbers = np.arange(40) + 100 * k  # each coordinate's value says which it is
        shapes = SHAPES | {f"{bn}.{what}": (2,) for bn in "cd" for what in ("running_mean", "running_var")}
        state, start = {}, 0
        for name, shape in shapes.items():
            stop = start + int(np.prod(shape))
            state[name] = numbers[start:stop].reshape(shape).astype(np.float32)
            start = stop
        state |= {f"{bn}.num_batches_tracked": np.array(n) for bn, n in zip("cd", numbers[start:], strict=True)}
        state["optimizer/momentum_buffer/a.bias"] = np.full(5, -1.0)
        paths.append(tmp_path / f"step-{k}.safetensors")
        storage.write_tensors(paths[-1], state, {"trainable": list(SHAPES)})
        expected.append(numbers[:size])
    parts = list(vectors.networks(paths, vector)())
    assert all(1 <= p.shape[1] <= part for p in parts)
    got = np.concatenate(parts, axis=1)
    assert (np.ptp(got - [[0], [100], [200]], axis=0) == 0).all()  # the same coordinate in every row
    assert np.array_equal(np.sort(got, axis=1), expected)
    assert np.array_equal(got[:, :30], np.stack(expected)[:, :30])


def test_the_order_of_files_is_the_order_of_rows(checkpoints):
    paths, expected = checkpoints
    (got,) = [np.concatenate(list(vectors.networks(paths[::-1])()), axis=1)]
    assert np.array_equal(got, expected[::-1])


def test_kernels_are_flattened(tmp_path):
    rng = np.random.default_rng(1)
    kernels = rng.standard_normal((2, 3, 4, 4)).astype(np.float32)
    paths = [tmp_path / f"step-{k}.safetensors" for k in range(2)]
    for path, kernel in zip(paths, kernels, strict=True):
        storage.write_tensors(path, {"kernel": kernel}, {})
    fresh = vectors.kernels(paths)
    for _ in range(2):
        assert np.array_equal(np.concatenate(list(fresh()), axis=1), kernels.reshape(2, -1))


def test_what_else_a_network_is_made_of_comes_after_its_parameters(tmp_path):
    state = {"w": np.array([1.0, 2.0], np.float32), "bn.running_var": np.array([3.0], np.float32)}
    state |= {"bn.num_batches_tracked": np.array(70_000_001), "optimizer/momentum_buffer/w": np.zeros(2)}
    path = tmp_path / "step-5.safetensors"
    storage.write_tensors(path, state, {"trainable": ["w"]})
    for vector, expected in (("parameters", [1, 2]), ("statistics", [1, 2, 3]), ("state_dict", [1, 2, 3, 70_000_001])):
        (got,) = np.concatenate(list(vectors.networks([path], vector)()), axis=1)
        assert sorted(got.tolist()) == expected
        assert got[:2].tolist() == [1, 2]
