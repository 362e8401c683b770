"""Sharp changes against smooth curves: planted ones are found, declines are not called one."""

import numpy as np
import pytest

from twophase.analysis import contest

T = np.array([0, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 700, 1000])


def runs(shape, count=5, noise=0.1, seed=0):
    """Runs that differ from a shape by smooth curves over log time, and in level."""
    rng, x = np.random.default_rng(seed), contest.log_time(T)
    near = np.exp(-((x[:, None] - x) ** 2) / (2 * 0.3**2)) + 1e-9 * np.eye(len(x))
    return (
        shape + noise * rng.standard_normal((count, len(x))) @ np.linalg.cholesky(near).T + rng.normal(size=(count, 1))
    )


def step(place, fall=1.0):
    return np.where(place > T, 0.0, -fall)


def test_a_step_is_found_where_it_is():
    change = contest.step(T, runs(step(120)), 0.95)
    assert (change.value, change.found, change.reason) == (125, True, "")
    assert change.low <= 100 < 150 <= change.high
    assert {change.low, change.high} <= {*T}
    assert change.width == pytest.approx(1.5, rel=0.3)
    assert change.fall == pytest.approx(1.0, abs=0.3)
    models = change.models.set_index("model")
    assert set(models.index) == {*contest.SMOOTH, *contest.SHARP}
    behind = models.loc[list(contest.SMOOTH)]
    assert (behind["behind"] / behind["standard_error"] >= change.gain - 1e-9).all()


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        (-contest.log_time(T), "smooth curve"),
        (-1 / (1 + 10 ** (2 * (2 - contest.log_time(T)))), "wider"),
        (step(120, 0.2), "smaller"),
        (step(120, -1), "smaller"),
    ],
)
def test_what_is_not_a_step_down_is_refused_with_the_reason(shape, word):
    change = contest.step(T, runs(shape, noise=0.02), 0.95)
    assert not change.found
    assert word in change.reason


def test_a_step_next_to_the_first_point_is_also_a_bend_and_is_not_found():
    assert not contest.step(T, runs(step(3)), 0.95).found


@pytest.mark.parametrize("what", [contest.step, contest.bend])
def test_one_run_decides_nothing(what):
    change = what(T, runs(step(120), count=1), 0.95)
    assert change.value > 0
    assert not change.found
    assert np.isnan([change.low, change.high, change.gain]).all()
    flat = what(T, np.ones((3, len(T))), 0.95)
    assert not flat.found
    assert np.isnan(flat.value)


@pytest.mark.parametrize("what", [contest.step, contest.bend])
def test_levels_of_runs_do_not_matter(what):
    curves = runs(step(120))
    one, other = (what(T, part, 0.95) for part in (curves, curves + np.arange(5)[:, None]))
    assert other.gain == pytest.approx(one.gain)
    assert (other.low, other.high) == (one.low, one.high)


def test_runs_without_noise_decide_by_the_sign():
    change = contest.step(T, np.tile(step(120), (3, 1)), 0.95)
    assert change.found
    assert change.gain > 1e3


def test_many_experiments_are_measured_as_one_by_one():
    several = np.stack([runs(step(120), seed=k) for k in range(3)])
    together = contest.sharpness(T, several)
    for k, curves in enumerate(several):
        one = contest.step(T, curves, 0.95)
        assert [together[key][k] for key in ("gain", "width", "fall")] == pytest.approx([one.gain, one.width, one.fall])


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        (np.maximum(1 - T / 300, 0) - T / 5000, True),
        (np.exp(-T / 100), False),
        (1 / (1 + T / 50), False),
        (-contest.log_time(T), False),
    ],
)
def test_a_bend_is_found_and_a_smooth_decline_is_none(shape, found):
    change = contest.bend(T, runs(shape, noise=0.03), 0.95)
    assert change.found == found
    if found:
        assert change.low <= 300 <= change.high


@pytest.mark.parametrize("what", [contest.step, contest.bend])
def test_curves_with_gaps_have_no_change(what):
    curves = runs(step(120))
    curves[1, 3] = np.nan
    change = what(T, curves, 0.95)
    assert not change.found
    assert np.isnan([change.value, change.low, change.high]).all()


def test_a_place_is_known_up_to_the_points_around_it():
    """A uniform distribution of width w has the standard deviation w / sqrt(12)."""
    t = np.array([0.0, 10, 20, 40])  # log(t + 10) is log 10, 20, 30, 50
    assert contest.rounding(t, 15) == pytest.approx(np.log(30 / 20) / 12**0.5)
    assert contest.rounding(t, 20) == pytest.approx(np.log(50 / 20) / 2 / 12**0.5)
