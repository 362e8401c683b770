"""The last lines of a run name what it built, and nothing that was there before, and say what the tables say."""

import os

import pandas as pd

from twophase.files import storage
from twophase.runtime import summary

EXPERIMENTS = {"e": ["C", "S"]}


def made(path, when: float):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when, when))


def test_counts_what_is_new_and_what_is_for_people(tmp_path):
    for name in ("figures/fig1.pdf", "figures/fig2.pdf", "e/seed0/C.parquet", "e/seed0/blocks/C/0-0.parquet"):
        made(tmp_path / name, 100)
    made(tmp_path / "e/seed0/S.parquet", 10)
    made(tmp_path / "explorer.html", 10)
    found = summary.lines(tmp_path, EXPERIMENTS, started=50, now=175)
    assert found[0] == f"Built 2 figures, 1 table in 2 min 5 s, under {tmp_path}/."
    assert f"{tmp_path}/explorer.html" in found[1]


def test_counts_all_pages_but_the_report_and_those_of_other_configs(tmp_path):
    for name in ("explorer.html", "claims.html", "e/overview.html", "report.html", "mnist/claims.html"):
        made(tmp_path / name, 100)
    made(tmp_path / "mnist/lenet5/seed0/C.parquet", 100)
    assert summary.lines(tmp_path, EXPERIMENTS, 50, 60)[0] == f"Built 3 pages in 10 s, under {tmp_path}/."


def test_nothing_to_do(tmp_path):
    made(tmp_path / "explorer.html", 10)
    assert summary.lines(tmp_path, EXPERIMENTS, 50, 60) == []


def judged(tmp_path, found: bool):
    """Results of experiment e, judged at time 100, and of another one."""
    made(tmp_path / "e/seed0/C.parquet", 90)
    verdicts = ["not reproduced", "reproduced", "reproduced", "untested"]
    rows = [{"experiment": "e", "verdict": verdict} for verdict in verdicts] + [
        {"experiment": "other", "verdict": "undecided"}
    ]
    points = [
        {"experiment": "e", "estimator": "chaos C", "found": found, "value": 175.2, "low": 100.0, "high": 250.0},
        {"experiment": "e", "estimator": "kernel", "found": True, "value": 50.0, "low": 25.0, "high": 200.0},
    ]
    for name, table in (("claims", rows), ("phases", points)):
        storage.write_table(tmp_path / f"{name}.parquet", pd.DataFrame(table), {})
        os.utime(tmp_path / f"{name}.parquet", (100, 100))


def test_says_what_was_found(tmp_path):
    judged(tmp_path, True)
    assert summary.found(tmp_path, EXPERIMENTS) == [
        "e: inflection point found at iteration 175 (100 to 250); claims: 2 reproduced, 1 not reproduced, 1 untested."
    ]


def test_says_what_was_not_found(tmp_path):
    judged(tmp_path, False)
    (line,) = summary.found(tmp_path, EXPERIMENTS)
    assert line.startswith("e: no inflection point found; claims:")


def test_says_nothing_that_a_newer_table_may_contradict(tmp_path):
    judged(tmp_path, True)
    made(tmp_path / "e/seed1/S.parquet", 110)
    assert summary.found(tmp_path, EXPERIMENTS) == []


def test_names_what_there_is_to_open(tmp_path):
    for name in ("figures/fig1.png", "claims.html"):
        made(tmp_path / name, 10)
    assert summary.to_open(tmp_path) == [f"Figures:  {tmp_path}/figures", f"Claims:   {tmp_path}/claims.html"]
