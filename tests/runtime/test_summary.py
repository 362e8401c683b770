"""The last lines of a run name what it built, and nothing that was there before."""

import os

from twophase.runtime import summary


def made(path, when: float):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when, when))


def test_counts_what_is_new_and_what_is_for_people(tmp_path):
    for name in ("figures/fig1.pdf", "figures/fig2.pdf", "e/seed0/C.parquet", "e/seed0/blocks/C/0-0.parquet"):
        made(tmp_path / name, 100)
    made(tmp_path / "e/seed0/S.parquet", 10)
    made(tmp_path / "explorer.html", 10)
    found = summary.lines(tmp_path, started=50, now=175)
    assert found[0] == f"Built 2 figures, 1 table in 2 min 5 s, under {tmp_path}/."
    assert f"{tmp_path}/explorer.html" in found[1]


def test_nothing_to_do(tmp_path):
    made(tmp_path / "explorer.html", 10)
    assert summary.lines(tmp_path, 50, 60) == []
