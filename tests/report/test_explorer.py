"""What the explorer embeds is what the tables hold, and its texts cannot end its script."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hypothesis import given
from hypothesis import strategies as st

import made_up
from twophase.config import estimators, plan, resolve
from twophase.report import explorer

PAPER = Path(__file__).parents[2] / "config" / "paper.yaml"

SETTINGS = {
    "title": "A <net>",
    "counterexample": False,
    "seeds": [0],
    "iterations": 100,
    "drops": [60],
    "tau": [10],
    "dt": [10],
    "until": 50,
    "size": 1e-7,
    "noise": "shared",
    "norm": "per_coordinate",
    "barrier": "loss",
    "level": 0.95,
    "distance": "forks",
}
STYLE = {"colormap": "rocket_r", "scale": "claims", "marks": estimators.marks(), "points": estimators.point_names()}
NO_PHASES = pd.DataFrame(columns=["experiment", "quantity", "estimator"])
NO_CLAIMS = pd.DataFrame(columns=["experiment", "claim", "text", "verdict", "figure"])


def unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def pairs(times, value) -> pd.DataFrame:
    return pd.DataFrame([(i, j, value(i, j)) for i in times for j in times if i <= j], columns=["i", "j", "value"])


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=20))
def test_packed_numbers_come_back(values):
    assert unpacked(explorer.packed(values)).tolist() == values


@given(st.integers(1, 3000), st.integers(2, 200))
def test_thinned_times_keep_both_ends_and_equal_steps(count, limit):
    kept = explorer.thin(range(0, 10 * count, 10), limit)
    assert (kept[0], kept[-1]) == (0, 10 * (count - 1))
    assert len(kept) <= limit + 1
    assert len(set(np.diff(kept[:-1]))) <= 1


def test_thinned_times_keep_what_they_must():
    assert explorer.thin(range(0, 100, 10), 4, keep=[40, 45]) == [0, 30, 40, 60, 90]


def test_a_large_grid_is_thinned_and_says_so():
    found = explorer.grid(pairs(range(0, 90, 10), lambda i, j: i + j / 100), limit=4)
    assert (found["times"], found["all"]) == ([0, 30, 60, 80], 9)
    expected = [i + j / 100 for k, i in enumerate(found["times"]) for j in found["times"][k:]]
    np.testing.assert_allclose(unpacked(found["values"]), expected, rtol=1e-6)


def test_loss_along_alpha_is_kept_for_pairs_of_different_networks():
    frame = pairs([0, 10], lambda i, j: 0.0)
    frame["path"] = [np.array([1.0, 1.0]), np.array([1.0, 3.0, 2.0]), np.array([2.0, 2.0])]
    found = explorer.grid(frame)
    assert found["alphas"] == 3
    path = unpacked(found["path"]).reshape(3, 3)
    assert path[1].tolist() == [1.0, 3.0, 2.0]
    assert np.isnan(path[[0, 2]]).all()


def test_a_long_log_becomes_means():
    log = pd.DataFrame({"iteration": range(30, 40), "loss": np.arange(10.0)})
    found = explorer.log(log, limit=5)
    assert (found["start"], found["every"]) == (30, 2)
    assert unpacked(found["loss"]).tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]


def test_many_forks_have_fewer_points_each(monkeypatch):
    monkeypatch.setattr(explorer, "ALL_POINTS", 300)

    def points(count):
        forks = made_up.forks({"t0": range(count), "t1": [50], "draws": 1}, alphas=3, bend=10, end=1000)
        found = explorer.gather(
            {("e", 0): {"log": made_up.log(0, 50, 50), **forks}}, NO_PHASES, NO_CLAIMS, {"e": SETTINGS}
        )
        return [len(unpacked(log["loss"])) for log in found[0]["runs"][0]["forks"]["logs"].values()]

    assert max(points(1)) <= explorer.POINTS
    assert sum(points(3)) <= 300


def test_page_is_whole_and_names_no_other_address(tmp_path):
    log = pd.DataFrame({"iteration": [0, 1], "loss": [2.0, 1.0]})
    runs = {("e", 0): {"log": log, "S": pairs([0, 10, 20], lambda i, j: (j - i) / 100)}}
    described = explorer.gather(runs, NO_PHASES, NO_CLAIMS, {"e": SETTINGS | {"title": "</script><b>"}})
    explorer.write(tmp_path / "page.html", described, STYLE, {"commit": "c", "twophase": "v"})
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["experiments"][0]["title"] == "</script><b>"
    assert "<b>: no forks" not in page
    assert not re.search(r"<(script|link|img|iframe)[^>]*\s(src|href)=[\"'](?!data:)", page)


def test_claims_that_an_experiment_can_decide_are_there_with_their_verdicts():
    rows = [("e", "cone", "reproduced"), ("e", "peak", "outside this run's scale"), ("other", "cone", "undecided")]
    claims = pd.DataFrame(rows, columns=["experiment", "claim", "verdict"]).assign(text="It stays.", figure="fig5")
    runs = {("e", 0): {"S": pairs([0, 10], lambda i, j: 0.1)}}
    (shown,) = explorer.gather(runs, NO_PHASES, claims, {"e": SETTINGS})
    assert shown["claims"] == [{"claim": "cone", "text": "It stays.", "verdict": "reproduced", "figure": "fig5"}]
    assert shown["texts"][0] == "A <net>: 1 of 1 claims reproduced."
    assert "log" not in shown["runs"][0]  # published tables come without


def test_errors_after_a_switch_are_those_at_the_end():
    switches = pd.DataFrame(
        {"switch": [10, 0, 0, 10], "iteration": [50, 50, 20, 20], "test_accuracy": [0.9, 0.7, 0.2, 0.3]}
    )
    found = explorer.linearized(switches, 50)
    assert unpacked(found["switch"]).tolist() == [0, 10]
    np.testing.assert_allclose(unpacked(found["error"]), [0.3, 0.1], rtol=1e-6)


def test_bundle_is_compiled_once():
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    assert len(explorer.compiled_once(script)) == len(script) + 2
    assert explorer.compiled_once("another();") == "another();"


def test_page_of_the_papers_settings_is_under_15_megabytes(tmp_path):
    experiments = resolve.resolve(yaml.safe_load(PAPER.read_text(encoding="utf-8")))["experiments"]
    settings = {name: plan.described(experiment) for name, experiment in experiments.items()}
    described = explorer.gather(made_up.runs(experiments), made_up.estimates(experiments), NO_CLAIMS, settings)
    explorer.write(tmp_path / "page.html", described, STYLE, {"commit": "c", "twophase": "v"})
    assert (tmp_path / "page.html").stat().st_size < 15e6
