"""The sentences about the end of the chaotic phase say what the inflection point and the forks say."""

import re

import pandas as pd
import pytest

from twophase.analysis import scorecard
from twophase.analysis.inflection import end_of_chaos
from twophase.report import sentences

SETTINGS = {
    "title": "A net",
    "counterexample": False,
    "iterations": 100,
    "size": 1e-7,
    "noise": "shared",
    "level": 0.95,
    "distance": "forks",
}


@pytest.fixture
def forks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "t0": [0, 20, 60, 80, 0],
            "t1": [100, 100, 100, 100, 40],
            "draw": 0,
            "C": [1e-2, 1e-4, 1e-12, 1e-12, 1e-3],
            "D": [0.2, 0, 0, 0, 0.1],
            "l2": [100.0, 10.0, 1e-3, 1e-6, 1.0],
            "epsilon": 1e-6,
        }
    )


def inflection(found: bool) -> pd.Series:
    return pd.Series({"value": 40.0, "low": 20.0, "high": 60.0, "gain": 3.0, "found": found, "reason": "why"})


def test_they_name_iteration_interval_and_both_levels(forks):
    sentence, ground = sentences.end_of_chaos(SETTINGS, inflection(True), forks)
    assert sentence.endswith("the chaotic phase ends at about iteration 40 of 100 (95 % interval 20 to 60).")
    assert re.search(r"1e-7 before .* 1e-3 in its weights .* 10 % .* later, by 1e-12 in its weights .* 0 %", ground)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"C"}, "A net: C changes level at 125 (50 to 250); barriers and disagreement: no transition; 1 of 3 claims"),
        (set(), "A net: C, barriers and disagreement: no transition; 1 of 3 claims"),
        (
            {"C", "B", "D"},
            "C changes level at 125 (50 to 250); barriers change level at 125 (50 to 250); disagreement ch",
        ),
    ],
)
def test_the_headline_says_what_was_found_and_what_not(found, words):
    rows = [("inflection", f"chaos {m}", 125.0, 50.0, 250.0, m in found) for m in "CBD"]
    rows += [("inflection", "kernel", 1.0, 1.0, 1.0, True), ("sign change", "lyapunov", 2.0, 2.0, 2.0, True)]
    phases = pd.DataFrame(rows, columns=["quantity", "estimator", "value", "low", "high", "found"])
    verdicts = [scorecard.REPRODUCED, scorecard.NOT, scorecard.UNDECIDED, scorecard.OUTSIDE]
    text = sentences.headline(SETTINGS, phases, pd.DataFrame({"verdict": verdicts}))
    assert words in text
    assert text.endswith("1 of 3 claims reproduced.")


def test_they_say_when_nothing_was_found(forks):
    sentence, _ = sentences.end_of_chaos(SETTINGS, inflection(False), forks)
    assert "no end" in sentence
    assert "40" not in sentence


def test_those_of_a_counterexample_name_no_iteration():
    text = " ".join(sentences.end_of_chaos(SETTINGS | {"counterexample": True}, None, None))
    assert "counterexample" in text
    assert not re.search(r"\d", text.replace(SETTINGS["title"], ""))


def test_the_inflection_point_is_that_of_the_experiment_s_forks():
    rows = [("other", "chaos C", 1.0), ("mine", "kernel", 2.0), ("mine", "chaos C", 3.0)]
    phases = pd.DataFrame(rows, columns=["experiment", "estimator", "value"])
    assert end_of_chaos(phases, "mine")["value"] == 3.0
    assert end_of_chaos(phases, "none") is None


@pytest.mark.parametrize("found", [True, False])
def test_an_inflection_point_from_checkpoints_is_called_so(forks, found):
    words = {
        d: sentences.end_of_chaos(SETTINGS | {"distance": d}, inflection(found), forks)[1]
        for d in ("forks", "checkpoints")
    }
    assert "between checkpoints" in words["checkpoints"]
    assert "between checkpoints" not in words["forks"]


def test_the_growth_of_later_perturbations_is_compared_in_equal_times(forks):
    """In 40 iterations the fork from 60 grows by three decades, that from 0 by six."""
    assert (
        "later perturbations grow 0.5 times as fast as earlier ones"
        in sentences.end_of_chaos(SETTINGS, inflection(True), forks)[1]
    )
    assert (
        "times as fast" not in sentences.end_of_chaos(SETTINGS, inflection(True), forks.assign(epsilon=float("nan")))[1]
    )


@pytest.mark.parametrize(
    ("settings", "done"),
    [
        ({"noise": "order", "size": 0}, "given another order of examples"),
        ({"noise": "augmentation", "size": 1e-7}, "perturbed by 1e-7 and given another augmentation"),
        ({"noise": "both", "size": 0}, "given another order of examples and another augmentation"),
    ],
)
def test_new_noise_is_named_in_place_of_a_perturbation_that_there_is_not(forks, settings, done):
    _, ground = sentences.end_of_chaos(SETTINGS | settings, inflection(True), forks)
    assert f"A copy of the network that is {done} before then ends up" in ground
    _, ground = sentences.end_of_chaos(SETTINGS | settings, inflection(False), forks)
    assert f"Copies of the network were {done} at 4 iterations" in ground
