"""Coincidence of points, what emerges past them, and levels in terms of known ones."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import coincidence

PLACES = st.lists(st.floats(1, 1e5), min_size=2, max_size=5)


@given(PLACES, st.floats(0.1, 10))
def test_points_are_together_in_any_unit_and_order(places, unit):
    found = coincidence.coincidence(places)
    assert found >= 1
    assert coincidence.coincidence([unit * place for place in reversed(places)]) == pytest.approx(found)
    assert coincidence.coincidence([places[0]] * 3) == 1


def test_a_point_that_was_not_found_coincides_with_none():
    assert coincidence.coincidence([100, 150, 250, 200]) == 2.5 > coincidence.TOGETHER
    assert np.isnan([coincidence.coincidence(p) for p in ([100, np.nan], [100], [0, 100])]).all()


def planted(f, t0s=(0, 100, 400), t1s=(50, 150, 250, 500, 1000)):
    return pd.DataFrame({t1: {t0: f(t0, t1) if t1 > t0 else np.nan for t0 in t0s} for t1 in t1s})


def test_what_emerges_past_the_point_is_nothing_before_it():
    emerging = planted(lambda t0, t1: float(t0 <= 300 < t1))
    assert coincidence.before_over_after(emerging, 300) == 0
    assert coincidence.before_over_after(planted(lambda t0, t1: 7.0), 300) == 1
    slow = planted(lambda t0, t1: 4.0 if t1 > 300 else 1.0)
    assert coincidence.before_over_after(slow, 300) == 0.25


def test_without_early_comparisons_nobody_knows():
    late = planted(lambda t0, t1: 1.0, t1s=(500, 1000))
    assert np.isnan(coincidence.before_over_after(late, 300))
    assert np.isnan(coincidence.before_over_after(planted(lambda t0, t1: 0.0), 300))


@given(st.integers(0, 2**32 - 1))
def test_of_two_answers_by_chance_disagreement_is_the_error_where_classes_are_many(seed):
    """Two that err on the same share at random, and never with the same wrong class: D = 1 - (1 - e)^2."""
    e = np.random.default_rng(seed).uniform(0.01, 0.99)
    assert coincidence.disagreement_over_error(1 - (1 - e) ** 2, [e, e]) == pytest.approx(2 - e)


def test_disagreement_is_compared_with_the_mean_error():
    assert coincidence.disagreement_over_error(0.3, [0.2, 0.4]) == pytest.approx(1)
    assert np.isnan(coincidence.disagreement_over_error(0.0, [0.0, 0.0]))


def test_the_share_of_independent_runs_is_taken_at_the_last_time_of_both():
    forks = planted(lambda t0, t1: t1 / 1000 * (1 if t0 == 0 else 0.5))
    independent = pd.Series({500: 1.0, 250: 1.0, 2000: 9.0})
    assert coincidence.share_of_independent(forks, independent).tolist() == [0.5, 0.25, 0.25]
    forks.loc[0, 500:] = np.nan
    assert coincidence.share_of_independent(forks, independent)[0] == 0.25
    assert coincidence.share_of_independent(forks, pd.Series({3: 1.0})).isna().all()


def test_a_fork_like_an_independent_run_has_all_of_its_distance():
    forks = planted(lambda t0, t1: np.sqrt(t1))
    independent = pd.Series({t1: np.sqrt(t1) for t1 in forks.columns})
    shares = coincidence.share_of_independent(forks, independent)
    assert shares.tolist() == [1.0] * 3
    assert coincidence.ALIKE[0] <= shares.min() <= shares.max() <= coincidence.ALIKE[1]
