"""The page of an experiment shows its rows, says what was not found, gives its settings, and escapes names."""

import re

import numpy as np
import pandas as pd
import pytest

from twophase.report import pages

ROWS = pd.DataFrame(
    [
        ("inflection", "chaos C", 175.0, 100.0, 275.0, 3.2, True, "", "level"),
        ("inflection", "kernel", 50.0, 25.0, 200.0, 0.4, False, "a line does as well", "elbow"),
        ("cone width", "after 100", 8.52, np.nan, np.nan, np.nan, True, "", "max"),
        ("cone width", "after 110", 7.77, np.nan, np.nan, np.nan, True, "", "max"),
    ],
    columns=["quantity", "estimator", "value", "low", "high", "gain", "found", "reason", "definition"],
)
CLAIM = {
    "text": "Forks part.",
    "definition": "C > 1",
    "paper": "large",
    "value": 2.0,
    "low": 1.5,
    "high": 2.5,
    "unit": "",
    "holds_from": 1.0,
    "holds_to": np.inf,
    "bound": "a < b",
    "lower_from": -np.inf,
    "lower_to": 1.5,
    "upper_from": np.nan,
    "upper_to": np.nan,
    "verdict": "reproduced",
    "reason": "",
    "figure": "fig3",
}
FORKS = pd.DataFrame({"t0": [0, 0, 100, 200], "t1": [100, 400, 400, 400], "C": [1e-3, 1e-2, 1e-5, 1e-9]})
SETTINGS = {
    "model": {"name": "resnet8"},
    "phases": {"level": 0.9},
    "cone": {"tau": [100]},
    "checkpoints": list(range(0, 500, 10)),
    "linearized": {"lr": None, "switch": []},
}


@pytest.fixture
def page() -> str:
    said = ["a < b: it ends at 175.", "On average by < 1."]
    tables = {"phases": ROWS, "claims": pd.DataFrame([CLAIM]), "forks": FORKS}
    return pages.of_experiment(said, tables, SETTINGS, {"chaos C": "C of forks"})


def test_inflection_points_are_there(page):
    assert "<h1>a &lt; b: it ends at 175.</h1>" in page
    assert "On average by &lt; 1." in page
    assert '<td class="number">175</td><td class="number">100 to 275</td><td class="number">3.2</td>' in page
    assert '<td>kernel</td><td class="number">none found</td>' in page
    assert "50" not in page.split("<td>kernel</td>")[1].split("</tr>")[0]
    assert "a line does as well" in page
    assert "8.52°" in page
    assert "7.77°" not in page  # not a tau of the config
    assert "90 % interval" in page


def test_a_page_begins_with_a_picture_of_where_forks_end(page):
    assert page.index("<svg") < page.index("On average by")
    dots = re.findall(r'<circle cx="(\d+)" cy="(\d+)"', page)
    assert len(dots) == 3  # of the last t1 alone
    across, down = zip(*((int(x), int(y)) for x, y in dots), strict=True)
    assert list(across) == sorted(across)
    assert list(down) == sorted(down)  # smaller C is lower
    assert "<td>C of forks</td>" in page


def test_claims_can_be_chosen_by_verdict():
    claims = pd.DataFrame([CLAIM, {**CLAIM, "verdict": "undecided"}]).assign(experiment="e", seeds=2)
    page = pages.of_claims(claims, {"e": {"title": "A net", "level": 0.9}})
    assert re.findall(r'<tr data-verdict="(\d)">', page) == ["0", "2"]
    assert re.findall(r'name="verdict" value="(\d)"', page) == [*"01234"]


def test_claims_lead_to_the_figures(page):
    assert "Forks part." in page
    assert '<span class="reproduced">reproduced</span>' in page
    assert 'href="../figures.html#fig3"' in page


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.name", "resnet8"),
        ("checkpoints", "0, 10, 20, 30, …, 490 (50)"),
        ("linearized.lr", "null"),
        ("linearized.switch", "[]"),
    ],
)
def test_settings_are_those_of_the_config(page, key, value):
    row = page.split(f"<td>{key}</td>")[1].split("</tr>")[0]
    assert f">{value}</td>" in row


def test_an_experiment_without_inflection_points_has_a_page():
    tables = {"phases": ROWS[:0], "claims": pd.DataFrame([CLAIM]), "forks": FORKS[:0]}
    page = pages.of_experiment(["No forks.", ""], tables, SETTINGS, {})
    assert "<svg" not in page
    assert "Inflection points" not in page
    assert "Width of the cone" not in page


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((-np.inf, 1.5, np.nan, np.nan), "the same with bounds up to 1.5"),
        ((2.5, np.inf, np.nan, np.nan), "the same with bounds above 2.5"),
        ((1.5, 2.5, np.nan, np.nan), "the same with bounds from 1.5 to 2.5"),
        ((np.nan, np.nan, -np.inf, np.inf), "the same with bounds anywhere"),
        ((-np.inf, 1.5, 2.5, np.inf), "the same with lower bound up to 1.5 and upper bound above 2.5"),
        ((np.nan,) * 4, ""),
    ],
)
def test_the_tolerance_of_a_verdict_in_words(ends, words):
    names = ("lower_from", "lower_to", "upper_from", "upper_to")
    assert pages.tolerance(pd.Series(dict(zip(names, ends, strict=True)))) == words


def test_the_page_says_whose_the_bounds_are_and_escapes_it(page):
    assert '≥ 1<div class="small">ours: a &lt; b</div>' in page
    assert "the same with bounds up to 1.5" in page
    tables = {"phases": ROWS, "claims": pd.DataFrame([CLAIM | {"bound": ""}]), "forks": FORKS}
    theirs = pages.of_experiment(["", ""], tables, SETTINGS, {})
    assert "the papers&#x27;" in theirs
