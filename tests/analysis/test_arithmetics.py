"""The page of arithmetics names every pair of verdicts that contradict each other, and counts the rest."""

import numpy as np
import pandas as pd

import arithmetics

PUBLISHED = {"a": "reproduced", "b": "not reproduced", "c": "undecided"}


def claims(**verdicts) -> pd.DataFrame:
    table = pd.DataFrame({"claim": list(verdicts), "verdict": list(verdicts.values())})
    return table.assign(experiment="net", value=1.0, low=np.where(table["claim"] == "c", 0.0, 0.9), high=1.1)


def test_contradictions_of_any_pair_are_named():
    runs = {
        "published": claims(**PUBLISHED),
        "one": claims(**PUBLISHED),
        "two": claims(**PUBLISHED | {"a": "not reproduced"}),
    }
    *found, last = arithmetics.contradictions(runs)
    assert found == [
        "- net, a: reproduced (published), not reproduced (two)",
        "- net, a: reproduced (one), not reproduced (two)",
    ]
    assert last == "2 contradictions in 3 pairs of runs."


def test_undecided_contradicts_nothing():
    runs = {"published": claims(**PUBLISHED), "one": claims(a="undecided", b="undecided", c="not reproduced")}
    assert arithmetics.contradictions(runs) == ["0 contradictions in 1 pairs of runs."]
    page = arithmetics.page(runs)
    assert "| one | 0 | 1 | 2 | 0 | 0 | 0 of 3 | 0 |" in page
    assert "| published | 1 | 1 | 1 | 0 | 0 | 3 of 3 | 0 |" in page


def test_arithmetics_are_four_at_least_and_each_a_different_one():
    kinds = [(tuple(environment.items()), threads) for environment, threads in arithmetics.ARITHMETICS.values()]
    assert len(set(kinds)) == len(kinds) >= 4
