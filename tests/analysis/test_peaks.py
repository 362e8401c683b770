"""Peaks of C: one for all t0, at a fixed lag, or none, planted and found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twophase.analysis import peaks

T0, T1 = (0, 100, 200, 300, 500), tuple(range(250, 4001, 250))
LAGS = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)


def planted(f, t0s=T0, t1s=T1):
    """A surface of f(t0, t1), NaN up to t0."""
    return pd.DataFrame({t1: {t0: f(t0, t1) if t1 > t0 else np.nan for t0 in t0s} for t1 in t1s})


def at_lags(f, t0s, lags):
    """The same at lags, so that every fork has t1 of its own."""
    rows = {t0: {t0 + lag: f(t0, t0 + lag) for lag in lags} for t0 in t0s}
    return pd.DataFrame.from_dict(rows, "index").sort_index(axis="columns")


def common(m, steep=2.0):
    return lambda t0, t1: -steep * abs(np.log10(t1 / m)) - t0 / 1000


def lagged(lag):
    return lambda t0, t1: -2.0 * abs(np.log10((t1 - t0) / lag))


def growing(t0, t1):
    return np.log10(t1 - t0)


# --- one peak for all t0


@pytest.mark.parametrize("steep", [0.5, 2.0])
def test_a_common_peak_stands_above_what_is_a_factor_away(steep):
    """The grid has 1.5 m, where the surface is `steep` log10 1.5 lower."""
    found = peaks.common_peak(planted(common(1000, steep)))
    assert found == (pytest.approx(steep * np.log10(peaks.FACTOR)), 1000)
    assert found.height > peaks.PEAK


def test_one_fork_without_the_peak_is_enough_to_deny_it():
    surface = planted(common(1000))
    surface.loc[200] = planted(growing).loc[200]
    assert peaks.common_peak(surface).height < 0


@pytest.mark.parametrize("shape", [growing, lambda t0, t1: -growing(t0, t1)])
def test_where_c_only_grows_or_only_falls_there_is_no_common_peak(shape):
    assert peaks.common_peak(planted(shape)).height < 0


def test_a_peak_at_a_fixed_lag_is_not_common():
    assert peaks.common_peak(planted(lagged(500), t0s=range(0, 2001, 250))).height < 0


@given(st.integers(0, 2**32 - 1))
def test_the_common_peak_is_its_formula(seed):
    y = np.random.default_rng(seed).standard_normal((len(T0), len(T1)))
    surface = planted(lambda t0, t1: y[T0.index(t0), T1.index(t1)])
    values = {}
    for m in T1:
        early = [t0 for t0 in T0 if t0 < m]
        if len(early) >= 3 and 1.5 * T1[0] <= m <= T1[-1] / 1.5:
            values[m] = min(
                surface.loc[t0, m] - max(surface.loc[t0, t] for t in T1 if t >= 1.5 * m or t0 < t <= m / 1.5)
                for t0 in early
            )
    found = peaks.common_peak(surface)
    assert found.height == pytest.approx(max(values.values()))
    assert found.height == pytest.approx(values[found.place])


def test_forks_with_t1_of_their_own_have_a_common_peak():
    surface = at_lags(common(400), t0s=(0, 50, 100, 150, 200, 250), lags=LAGS)
    found = peaks.common_peak(surface)
    assert found.height > peaks.PEAK
    assert 400 / peaks.FACTOR < found.place < 400 * peaks.FACTOR


def test_forks_that_end_before_a_peak_could_be_told_rule_out_its_place():
    surface = planted(common(1000))
    assert peaks.common_peak(surface).place == 1000
    surface.loc[0, 1500:] = np.nan
    assert peaks.common_peak(surface).place <= 750  # 1.5 of which comes before 1500
    assert np.isnan(peaks.common_peak(surface.loc[:, :500]).height)
    assert np.isnan(peaks.common_peak(surface.iloc[:2]).height)


@pytest.mark.parametrize("shape", [lambda t0, t1: 0.0, growing, lambda t0, t1: -growing(t0, t1)])
def test_noise_seldom_makes_a_common_peak(shape):
    """Of five runs with 0.15 decades of noise in every comparison."""
    rng = np.random.default_rng(0)

    def one():
        runs = [planted(lambda t0, t1: shape(t0, t1) + 0.15 * rng.standard_normal()) for _ in range(5)]
        return np.mean([peaks.common_peak(run).height for run in runs])

    assert np.mean([one() >= peaks.PEAK for _ in range(20)]) <= 0.05


def test_noise_leaves_a_common_peak_where_it_is():
    rng = np.random.default_rng(0)
    surface = planted(lambda t0, t1: common(1000, steep=4.0)(t0, t1) + 0.1 * rng.standard_normal())
    found = peaks.common_peak(surface)
    assert found.height > peaks.PEAK
    assert 1000 / peaks.FACTOR < found.place < 1000 * peaks.FACTOR


# --- every fork's own


def test_the_papers_inflection_point_is_where_c_is_largest_for_each_t0():
    surface = planted(common(2500), t0s=range(0, 3501, 500))
    found = peaks.places(surface)
    assert found.dropna().tolist() == [2500] * 5
    assert found.loc[2500:].isna().all()  # these only fall
    assert peaks.inflection(surface) == pytest.approx(2500)
    assert peaks.spread(surface) == 1
    assert peaks.slope(found) == pytest.approx(0, abs=1e-9)


def test_at_a_fixed_lag_the_place_moves_with_t0():
    t0s, lag = (0, 250, 500, 1000, 1500, 2000), 500
    surface = planted(lagged(lag), t0s=t0s)
    assert peaks.places(surface).tolist() == [t0 + lag for t0 in t0s]
    assert peaks.slope(peaks.places(surface)) == pytest.approx(1)
    assert peaks.spread(surface) > peaks.ONE


@pytest.mark.parametrize("shape", [growing, lambda t0, t1: -growing(t0, t1)])
def test_where_c_only_grows_or_only_falls_there_is_no_place(shape):
    surface = planted(shape)
    assert peaks.places(surface).isna().all()
    assert np.isnan([peaks.inflection(surface), peaks.spread(surface), peaks.slope(peaks.places(surface))]).all()
    assert peaks.share_with_peak(surface) == 0


def test_a_point_that_few_forks_show_is_none():
    surface = planted(growing, t0s=range(0, 1000, 100))
    surface.loc[:300] = planted(common(1000), t0s=range(0, 400, 100))
    assert peaks.share_with_peak(surface) == 0.4
    assert np.isnan(peaks.inflection(surface))


@given(st.integers(0, 2**32 - 1), st.floats(-9, 9))
def test_the_level_of_a_fork_does_not_move_its_peak(seed, level):
    rng = np.random.default_rng(seed)
    surface = planted(lambda t0, t1: rng.integers(100))
    shifted = surface.add(level * rng.standard_normal(len(T0)), axis="index")
    pd.testing.assert_series_equal(peaks.places(surface), peaks.places(shifted))


def test_the_spread_is_a_factor():
    surface = planted(lambda t0, t1: -abs(np.log(t1 / {0: 1000, 100: 1500, 200: 3000}[t0])), t0s=(0, 100, 200))
    assert peaks.spread(surface) == 3
    assert peaks.inflection(surface) == pytest.approx((1000 * 1500 * 3000) ** (1 / 3))


def test_a_ripple_of_a_level_is_no_peak():
    rng = np.random.default_rng(0)
    surface = planted(lambda t0, t1: min(0.0, t1 / 2000 - 1) + 0.01 * rng.uniform())
    assert peaks.places(surface).isna().all()
    assert peaks.places(surface, least=0).notna().any()


def test_the_level_at_one_time_is_interpolated_in_the_logarithm_of_the_lag():
    surface = at_lags(growing, t0s=(0, 50, 100, 400), lags=LAGS)
    found = peaks.level_at(surface, 410)
    assert found.iloc[:3].tolist() == pytest.approx([np.log10(410 - t0) for t0 in (0, 50, 100)])
    assert np.isnan(found[400])  # the first of its comparisons is later
    assert peaks.level_at(surface, 100).index.tolist() == [0, 50]


# --- onset


def test_the_onset_at_a_fixed_lag_moves_with_t0():
    hump = planted(lambda t0, t1: 0.1 * (t1 - t0) / 500, t0s=range(0, 2001, 250))
    assert peaks.onset(hump).tolist() == [t0 + 500 for t0 in hump.index]
    assert peaks.slope(peaks.onset(hump)) == pytest.approx(1)


def test_the_onset_at_a_fixed_time_does_not():
    hump = planted(lambda t0, t1: float(t1 >= 2000))
    assert peaks.onset(hump).tolist() == [2000] * len(T0)
    assert peaks.slope(peaks.onset(hump)) == pytest.approx(0, abs=1e-9)


def test_an_onset_before_the_first_comparison_or_after_the_last_is_unknown():
    assert peaks.onset(planted(lambda t0, t1: 1.0)).isna().all()
    assert peaks.onset(planted(lambda t0, t1: 0.0)).isna().all()


def test_a_slope_takes_three_points():
    assert np.isnan(peaks.slope(pd.Series([1.0, 2.0, np.nan], index=[0, 1, 2])))
