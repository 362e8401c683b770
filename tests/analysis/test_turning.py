"""Turning, from distances alone: straight lines, circles, corners and random walks turn as geometry says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import turning


def distances(points, dt=10):
    """The distances between all pairs of points [n, dimensions], `dt` iterations apart."""
    i, j = np.triu_indices(len(points))
    l2 = np.linalg.norm(points[i] - points[j], axis=1)
    return pd.DataFrame({"i": dt * i, "j": dt * j, "l2": l2}).sample(frac=1, random_state=0)


def test_a_straight_line_does_not_turn():
    line = np.outer(np.arange(9.0), [3.0, 4.0])
    psi = turning.turning(distances(line), 20)
    assert psi.index.tolist() == [20, 30, 40, 50, 60]
    assert psi.tolist() == pytest.approx([0] * 5, abs=1e-12)


@pytest.mark.parametrize("dt", [10, 20, 30])
def test_a_circle_turns_by_its_angle_everywhere(dt):
    angle = 0.2 * np.arange(20)
    psi = turning.turning(distances(np.stack([np.cos(angle), np.sin(angle)], axis=1)), dt)
    assert psi.tolist() == pytest.approx([1 - np.cos(0.2 * dt / 10)] * len(psi))


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_cosine_of_the_vectors(seed):
    points = np.random.default_rng(seed).standard_normal((6, 3))
    psi = turning.turning(distances(points), 10)
    for k in range(1, 5):
        back, on = points[k] - points[k - 1], points[k + 1] - points[k]
        cosine = back @ on / np.linalg.norm(back) / np.linalg.norm(on)
        assert psi[10 * k] == pytest.approx(1 - cosine, abs=1e-9)


def test_a_random_walk_in_many_dimensions_turns_by_a_right_angle():
    walk = np.random.default_rng(0).standard_normal((12, 20000)).cumsum(axis=0)
    psi = turning.turning(distances(walk), 10)
    assert psi.tolist() == pytest.approx([1] * 10, abs=5 / np.sqrt(20000))
    assert not turning.sharpest(psi).prominence > turning.TURN


@pytest.mark.parametrize(("direction", "psi"), [([0.0, 1.0], 1.0), ([-1.0, 0.0], 2.0), ([1.0, 1.0], 1 - np.sqrt(0.5))])
def test_the_only_corner_is_the_sharpest_turn(direction, psi):
    steps = np.array([[1.0, 0.0]] * 8 + [direction] * 8)
    found = turning.sharpest(turning.turning(distances(np.cumsum(steps, axis=0)), 10))
    assert found == (pytest.approx(psi), 70, pytest.approx(psi))
    assert found.prominence > turning.TURN


def test_a_turn_at_either_end_has_no_place():
    assert np.isnan(turning.sharpest(pd.Series([1.0, 0.5, 0.2], index=[10, 20, 30]))).all()
    assert np.isnan(turning.sharpest(pd.Series([0.1, 0.5, 0.7], index=[10, 20, 30]))).all()
    assert np.isnan(turning.sharpest(pd.Series(dtype=float))).all()


def test_parameters_that_stand_still_do_not_turn():
    assert np.isnan(turning.turning(distances(np.ones((3, 2))), 10)).tolist() == [True]


def test_pairs_that_are_not_there_leave_out_their_times():
    table = distances(np.outer(np.arange(5.0), [1.0]))
    table = table[(table["i"] != 10) | (table["j"] != 30)]
    assert turning.turning(table, 10).index.tolist() == [10, 30]
