"""The noise contract: order, crops and flips are pure functions of (seed, iteration)."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twophase.data.dataset import too_much_padding
from twophase.data.sources import iterations_per_epoch
from twophase.files.layout import CONTROL, Fork
from twophase.training import noise
from twophase.training.noise import NewNoise

SEEDS = st.integers(0, 2**31)
SIZES = st.integers(1, 40)


def equal(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@given(seed=SEEDS, size=SIZES, batch_size=st.integers(1, 12), crop=st.integers(0, 4), order=st.randoms())
def test_a_batch_depends_on_seed_and_iteration_alone(seed, size, batch_size, crop, order):
    iterations = list(range(3 * iterations_per_epoch(size, batch_size)))[:12]
    in_turn = [noise.batch(seed, t, size, batch_size, crop) for t in iterations]
    order.shuffle(iterations)
    noise.epoch_tables.cache_clear()
    np.random.seed(order.randrange(2**32))
    for t in iterations:
        noise.batch(seed + 1, t, size, batch_size, crop)
        assert equal(noise.batch(seed, t, size, batch_size, crop), in_turn[t])


@given(seed=SEEDS, size=SIZES, batch_size=st.integers(1, 50), epoch=st.integers(0, 500))
def test_an_epoch_shows_every_sample_once_and_keeps_the_last_partial_batch(seed, size, batch_size, epoch):
    count = iterations_per_epoch(size, batch_size)
    assert (count - 1) * batch_size < size <= count * batch_size
    batches = [noise.batch(seed, epoch * count + k, size, batch_size)[0] for k in range(count)]
    assert [len(indices) for indices in batches[:-1]] == [batch_size] * (count - 1)
    assert sorted(np.concatenate(batches)) == list(range(size))


def test_the_papers_epoch_of_cifar():
    assert iterations_per_epoch(50_000, 128) == 391


@given(seed=SEEDS, t=st.integers(0, 60), crops=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_augmentation_leaves_the_order_and_the_flips_alone(seed, t, crops):
    """Each stream is its own: an experiment without crops sees the batches of the one with crops."""
    first, second = (noise.batch(seed, t, 20, 6, crop) for crop in crops)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[2], second[2])


def test_seeds_epochs_and_streams_draw_differently():
    times = list(itertools.product(range(6), range(6)))
    draws = [noise.generator(seed, stream, k).random() for stream in noise.STREAMS for seed, k in times]
    draws += [noise.generator(seed, "perturbation", t0, draw).random() for seed, t0 in times for draw in (1, 2)]
    new = [(k, draw) for k, draw in itertools.product(("order", "crop", "flip"), (0, 1))]
    draws += [noise.generator(seed, f"new {k}", 0, t0, draw).random() for seed, t0 in times for k, draw in new]
    assert len(set(draws)) == len(draws)
    seeds = [noise.torch_seed(seed, stream, k) for stream in noise.STREAMS for seed, k in times]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert noise.torch_seed(4, "dropout", 9) == noise.torch_seed(4, "dropout", 9)
    orders = {tuple(noise.batch(seed, t, 30, 30)[0]) for seed in range(6) for t in range(6)}
    assert len(orders) == 36


def test_crops_are_uniform_flips_even_and_orders_unbiased():
    size, crop, epochs = 50, 2, 200
    drawn = [noise.batch(8, t, size, size, crop) for t in range(epochs)]
    order, offsets, flips = (np.stack(part) for part in zip(*drawn, strict=True))
    n = size * epochs
    for axis in (0, 1):
        shares = np.bincount(offsets[..., axis].ravel(), minlength=2 * crop + 1) / n
        assert len(shares) == 2 * crop + 1
        assert np.abs(shares - 0.2).max() < 6 * np.sqrt(0.2 * 0.8 / n)
    assert flips.dtype == np.bool_
    assert abs(flips.mean() - 0.5) < 6 * np.sqrt(0.25 / n)
    # Streams do not go together: correlations are of the order 1/sqrt(n).
    columns = np.stack([order.ravel(), offsets[..., 0].ravel(), offsets[..., 1].ravel(), flips.ravel()])
    assert np.abs(np.corrcoef(columns) - np.eye(4)).max() < 6 / np.sqrt(n)
    # The mean position of each sample over all epochs.
    position = np.argsort(order, axis=1).mean(axis=0)
    assert np.abs(position - (size - 1) / 2).max() < 6 * size / np.sqrt(12 * epochs)


# --- new noise

NEW = st.builds(
    NewNoise, st.sampled_from(["order", "augmentation", "both"]), st.builds(Fork, st.integers(0, 40), SEEDS)
)


@given(seed=SEEDS, size=SIZES, batch_size=st.integers(1, 12), crop=st.integers(1, 4), new=NEW)
def test_new_noise_begins_at_t0(seed, size, batch_size, crop, new):
    for t in range(new.fork.t0):
        assert equal(noise.batch(seed, t, size, batch_size, crop, new), noise.batch(seed, t, size, batch_size, crop))


@given(seed=SEEDS, size=SIZES, batch_size=st.integers(1, 12), crop=st.integers(1, 4), of=NEW, later=st.integers(0, 3))
def test_what_is_not_new_is_the_base_run_s(seed, size, batch_size, crop, of, later):
    """With a new order an epoch has the same examples, each with its crop and flip; with new crops, the same order."""
    count = iterations_per_epoch(size, batch_size)
    epoch = of.fork.t0 // count + later

    def of_epoch(new):
        parts = [noise.batch(seed, epoch * count + k, size, batch_size, crop, new) for k in range(count)]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    base = of_epoch(None)
    order, offsets, flips = of_epoch(NewNoise("order", of.fork))
    assert sorted(order) == list(range(size))
    mine, theirs = np.argsort(order), np.argsort(base[0])
    assert np.array_equal(offsets[mine], base[1][theirs])
    assert np.array_equal(flips[mine], base[2][theirs])
    assert np.array_equal(of_epoch(NewNoise("augmentation", of.fork))[0], base[0])
    assert np.array_equal(of_epoch(NewNoise("both", of.fork))[0], order)


@pytest.mark.parametrize("t0", [0, 3, 4])  # the start of an epoch, within one, at its end
@pytest.mark.parametrize("kind", ["order", "augmentation", "both"])
def test_new_noise_differs_from_the_base_run_s_and_between_draws(kind, t0):
    """In all of 300 examples, from t0 on: that two orders of 60 or more agree is less likely than 1e-80."""

    def drawn(new, seed=8, t=t0):
        order, offsets, flips = noise.batch(seed, t, 300, 60, 4, new)
        return (tuple(order), offsets.tobytes(), tuple(flips)) if t == t0 else None

    forks = [NewNoise(kind, fork) for fork in (Fork(t0, 0), Fork(t0, 1))]
    base, *others = [drawn(new) for new in (None, *forks)]
    for own, other in itertools.combinations([base, *others], 2):
        assert (own[0] != other[0]) == (kind != "augmentation")
        assert own[1] != other[1]
        assert own[2] != other[2]
    assert drawn(forks[0], seed=9) != drawn(forks[0])
    assert drawn(forks[0]) == others[0]


def test_a_new_order_is_none_of_another_epoch_or_t0():
    orders = [
        tuple(noise.batch(8, epoch, 60, 60, 0, NewNoise("order", Fork(t0, draw)))[0])
        for t0, draw in itertools.product((0, 1), (0, 1))
        for epoch in range(1, 6)
    ]
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize("kind", ["shared", "order", "augmentation", "both"])
def test_a_control_shares_the_base_run_s_noise(kind):
    assert noise.of_fork(kind, Fork(3, CONTROL)) is None
    assert noise.of_fork(kind, Fork(3, 0)) == (None if kind == "shared" else NewNoise(kind, Fork(3, 0)))


@given(seed=SEEDS, size=SIZES, batch_size=st.integers(1, 12), news=st.lists(NEW | st.none(), min_size=1, max_size=4))
def test_the_batches_of_a_stack_are_those_of_its_members(seed, size, batch_size, news):
    for t in range(6):
        together = noise.batch(seed, t, size, batch_size, 2, tuple(news))
        for k, new in enumerate(news):
            assert equal([part[:, k] for part in together], noise.batch(seed, t, size, batch_size, 2, new))


# --- augmentation


def one_by_one(images, offsets, flips, crop, flip):
    """Each image for itself: pad with zeros, cut out, mirror."""
    result = []
    for image, (row, column), mirrored in zip(images, offsets, flips, strict=True):
        _, height, width = image.shape
        padded = np.zeros((len(image), height + 2 * crop, width + 2 * crop), image.dtype)
        padded[:, crop : crop + height, crop : crop + width] = image
        cut = padded[:, row : row + height, column : column + width]
        result.append(cut[:, :, ::-1] if flip and mirrored else cut)
    return np.stack(result)


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    crop=st.integers(0, 3),
    flip=st.booleans(),
    seed=SEEDS,
)
def test_augmentation_equals_image_by_image(shape, crop, flip, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 256, shape, np.uint8)
    offsets, flips = rng.integers(0, 2 * crop + 1, (shape[0], 2)), rng.random(shape[0]) < 0.5
    tensors = [torch.from_numpy(a.copy()) for a in (images, offsets, flips)]
    augmented = noise.augment(*tensors, crop, flip)
    assert augmented.dtype == torch.uint8
    np.testing.assert_array_equal(augmented.numpy(), one_by_one(images, offsets, flips, crop, flip))
    assert np.array_equal(tensors[0].numpy(), images)


def test_a_batch_goes_straight_into_augmentation():
    images = torch.randint(0, 256, (20, 2, 5, 4), dtype=torch.uint8)
    indices, offsets, flips = noise.batch(1, 2, 20, 6, crop=2)
    assert len(indices) == len(offsets) == len(flips) == 6
    augmented = noise.augment(images[indices], torch.from_numpy(offsets), torch.from_numpy(flips), 2, True)
    expected = one_by_one(images.numpy()[indices], offsets, flips, 2, True)
    np.testing.assert_array_equal(augmented.numpy(), expected)


@pytest.mark.parametrize("flips", [torch.tensor([True, True]), torch.tensor([False, False])])
def test_no_crop_and_no_flip_is_the_identity(flips):
    images = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(noise.augment(images, torch.zeros(2, 2, dtype=torch.int64), flips, 0, False), images)


@given(crop=st.integers(0, 7), size=st.tuples(st.integers(1, 6), st.integers(1, 6)))
def test_padding_is_too_much_exactly_where_a_crop_can_miss_the_image(crop, size):
    corners = torch.tensor(list(itertools.product((0, 2 * crop), repeat=2)))
    images, flips = torch.ones(4, 1, *size, dtype=torch.uint8), torch.zeros(4, dtype=torch.bool)
    cut = noise.augment(images, corners, flips, crop, False)
    assert bool(too_much_padding(crop, size)) == bool((cut.amax((1, 2, 3)) == 0).any())
