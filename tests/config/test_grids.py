"""Grids of iterations and the blocks that pairs are worked off in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.config import grids

POINTS = st.lists(st.integers(0, 300), max_size=6, unique=True)


@given(POINTS, st.integers(1, 300))
def test_a_list_keeps_its_order(points, last):
    assert grids.resolve(points, last) == points
    assert grids.resolve(tuple(points), last) == points


@given(
    at=st.none() | POINTS,
    every=st.none() | st.integers(1, 80),
    log=st.none() | st.integers(2, 20),
    until=st.none() | st.integers(1, 400),
    last=st.integers(1, 300),
)
def test_a_rule_is_the_union_of_its_parts(at, every, log, until, last):
    spec = {"at": at, "every": every, "log": log, "until": until}
    points = grids.resolve({key: value for key, value in spec.items() if value is not None}, last)
    assert points == sorted(set(points))
    assert points == grids.resolve(spec, last)
    end = last if until is None or until > last else until
    wanted = set(at or [])
    if every:
        wanted |= {t for t in range(end + 1) if t % every == 0 or t == end}
    if not log:
        assert set(points) == wanted
        return
    assert {1, end, *wanted} <= set(points)
    ideal = [end ** (k / (log - 1)) for k in range(log)]
    assert all(any(abs(point - place) < 0.5 + 1e-9 for point in points) for place in ideal)
    assert all(any(abs(point - place) < 0.5 + 1e-9 for place in ideal) for point in set(points) - wanted)


def test_worked_examples():
    assert grids.resolve({"every": 25, "at": [5, 10]}, 60) == [0, 5, 10, 25, 50, 60]
    assert grids.resolve({"every": 25, "until": 60, "at": [90]}, 100) == [0, 25, 50, 60, 90]
    assert grids.resolve({"log": 5}, 10_000) == [1, 10, 100, 1000, 10_000]
    assert grids.resolve({"log": 3, "until": 100}, 10_000) == [1, 10, 100]


@given(st.integers(-10, 120), st.lists(st.integers(0, 100), min_size=1, unique=True))
def test_nearest_and_the_earlier_of_two(value, grid):
    found = grids.nearest(value, grid)
    assert found in grid
    assert not [point for point in grid if abs(point - value) < abs(found - value)]
    assert not [point for point in grid if abs(point - value) == abs(found - value) and point < found]


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8), st.integers())
def test_chunks_in_order_and_appending_leaves_full_ones_alone(items, size, extra):
    parts = grids.chunks(items, size)
    assert list(itertools.chain(*parts)) == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(1 <= len(part) <= size for part in parts)
    longer = grids.chunks([*items, extra], size)
    full = [part for part in parts if len(part) == size]
    assert longer[: len(full)] == full


@pytest.mark.parametrize("points", range(10))
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_blocks_hold_every_pair_of_the_upper_triangle_once(points, size):
    sides = grids.chunks(range(points), size)
    blocks = grids.block_pairs(len(sides))
    pairs = [(i, j) for bi, bj in blocks for i in sides[bi] for j in sides[bj] if i <= j]
    assert sorted(pairs) == list(itertools.combinations_with_replacement(range(points), 2))
    # No block lies below the diagonal: it would be a job without a pair.
    assert all(bi <= bj for bi, bj in blocks)


def test_an_added_point_adds_blocks_and_renames_none():
    for count in range(6):
        assert set(grids.block_pairs(count)) < set(grids.block_pairs(count + 1))
