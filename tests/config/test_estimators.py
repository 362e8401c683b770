"""The registry of estimators names the inflection points that are made, and the tables that they are made from."""

import copy

import numpy as np
import pandas as pd
import pytest

from twophase.analysis import inflection
from twophase.config import estimators
from twophase.config.resolve import resolve
from twophase.report.theme import LINES
from workflow_runner import WHOLE

EXPERIMENTS = resolve(WHOLE)["experiments"]
TIMES = range(0, 60, 5)


def made(family: str) -> list[dict]:
    """The rows of a family of estimates, from made-up tables."""
    if family == "chaos":
        cells = pd.DataFrame([(t0, 60, draw) for t0 in TIMES for draw in (0, 1)], columns=["t0", "t1", "draw"])
        distance = np.exp(-cells["t0"])
        table = cells.assign(C=distance, B=distance, D=distance, l2=distance, epsilon=1e-6)
        return [row for scale in ("log", "linear") for row in inflection.from_chaos([table], scale, 0.95)]
    pairs = pd.DataFrame(
        [(i, j, (j - i) / (1 + i)) for i in TIMES for j in TIMES if i <= j], columns=["i", "j", "value"]
    )
    return inflection.from_steps([pairs], {"kernel": "S", "parameters": "C"}[family], 5, 0.95)


@pytest.mark.parametrize("family", estimators.ESTIMATORS)
def test_points_are_those_that_are_made(family):
    points = {row["estimator"] for row in made(family) if row["quantity"] == "inflection"}
    assert points == estimators.ESTIMATORS[family].points.keys()


def test_one_point_of_each_family_is_marked_in_a_colour_and_a_line_of_its_own():
    marks = estimators.marks()
    assert list(marks) == ["chaos C", "kernel", "parameters"]
    assert len({mark["colour"] for mark in marks.values()}) == len(marks)
    assert sorted(mark["line"] for mark in marks.values()) == sorted(LINES)
    assert marks.keys() <= estimators.point_names().keys()


def test_an_experiment_gets_the_estimates_that_it_has_tables_for():
    assert estimators.families(EXPERIMENTS["tiny"]) == ["chaos", "kernel", "parameters"]
    assert estimators.families(EXPERIMENTS["lazy"]) == []
    without = copy.deepcopy(EXPERIMENTS["tiny"])
    without["chaos"]["t0"] = []
    assert estimators.families(without) == ["kernel", "parameters"]
    without["cone"]["dt"] = []
    assert estimators.families(without) == []


def test_the_chaos_effect_is_read_from_forks_or_from_checkpoints():
    experiment = copy.deepcopy(EXPERIMENTS["tiny"])
    tables = {}
    for distance in ("forks", "checkpoints"):
        experiment["phases"]["distance"] = distance
        tables[distance] = [estimators.tables(experiment, family) for family in estimators.ESTIMATORS]
    assert tables == {"forks": [["chaos"], ["S"], ["C"]], "checkpoints": [["C", "B", "D"], ["S"], ["C"]]}
