"""Curvature at the edge of stability: made-up trainings that get there, that do not, and that cannot tell."""

from math import isnan

import numpy as np
import pandas as pd
import pytest

from twophase.analysis import stability

T = pd.Index(range(0, 1001, 50), name="t")
DROP = 700


def by_time(values) -> pd.Series:
    return pd.Series(np.broadcast_to(values, len(T)).astype(float), T)


LR = by_time(np.where(T <= DROP, 0.1, 0.01))  # of the step that led to t
EDGE = 2 * 1.9 / LR
SHARPENING = by_time(np.minimum(5 + 0.11 * T, 38.0))  # from 5 to 38 until t = 300, and stays, also after the drop
FLAT = by_time(5.0)


def test_sharpening_up_to_the_edge():
    """Before t = 350, half of the stage, it has come to 38, and there it is from then on."""
    assert stability.rise(SHARPENING, LR) == pytest.approx(38 / 5)
    assert stability.over_edge(SHARPENING, EDGE, LR) == pytest.approx(1.0)


def test_curvature_that_stays_where_it_was():
    assert stability.rise(FLAT, LR) == pytest.approx(1.0)
    assert stability.over_edge(FLAT, EDGE, LR) == pytest.approx(5 / 38)


def test_curvature_that_rises_and_falls_again_has_risen():
    """As it does where the training images are learnt, with cross-entropy."""
    falling = SHARPENING.where(T < 350, 1.0)
    assert stability.rise(falling, LR) == pytest.approx(38 / 5)
    assert stability.over_edge(falling, EDGE, LR) == pytest.approx(1 / 38)


def test_a_late_rise_is_no_early_one():
    assert stability.rise(FLAT.where(T < 350, 38.0), LR) == pytest.approx(1.0)


def test_what_comes_after_the_drop_of_the_learning_rate_does_not_count():
    later = SHARPENING.where(T <= DROP, 1e6)
    assert stability.rise(later, LR) == stability.rise(SHARPENING, LR)
    assert stability.over_edge(later, EDGE, LR) == stability.over_edge(SHARPENING, EDGE, LR)


def test_the_first_stage_begins_after_half_of_a_warmup_and_ends_at_half_the_rate_of_a_cosine():
    warm = by_time(np.minimum(T / 200, 1.0))
    assert stability.first_stage(warm).index[0] == 100
    cosine = by_time((1 + np.cos(np.pi * T / 1000)) / 2)
    assert stability.first_stage(cosine).index[-1] in (450, 500)  # 500 is half to rounding


def test_too_few_checkpoints_tell_nothing():
    few = T[:3]
    assert isnan(stability.rise(SHARPENING[few], LR[few]))
    assert isnan(stability.over_edge(SHARPENING[few], EDGE[few], LR[few]))


@pytest.mark.parametrize("start", [0.0, -1.0, np.nan])
def test_a_rise_needs_a_curvature_to_rise_from(start):
    assert isnan(stability.rise(SHARPENING.where(T > 0, start), LR))
    assert isnan(stability.rise(SHARPENING[50:], LR[50:]))


def test_no_edge_no_share():
    assert isnan(stability.over_edge(SHARPENING, by_time(np.nan), LR))
