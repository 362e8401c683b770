"""The figure of point-wise measures: a panel for each, all of which mark the inflection points that were found."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from twophase.config import estimators
from twophase.config.figures import FIGURES
from twophase.files import storage
from twophase.report import figures

FOUND = {"chaos C": 20.0, "chaos B": 30.0, "chaos D": None, "kernel": 40.0, "parameters": 50.0}
TIMES = np.arange(0, 60, 10)


@pytest.fixture
def paths(tmp_path):
    """Of two seeds, whose measures are 1 and 3, and of the estimates."""
    measures = []
    for seed in (0, 1):
        table = {"t": TIMES, "edge": 38.0, "small_batch_edge": 2.0}
        table = pd.DataFrame(table | dict.fromkeys(figures.MEASURES, 1.0 + 2 * seed))
        measures.append(tmp_path / f"{seed}.parquet")
        storage.write_table(measures[-1], table, {"experiment": "one", "seed": str(seed)})
    rows = [
        {"experiment": "one", "quantity": "inflection", "estimator": name, "found": place is not None}
        | {"value": place or np.nan, "low": np.nan, "high": np.nan}
        for name, place in FOUND.items()
    ]
    storage.write_table(tmp_path / "phases.parquet", pd.DataFrame(rows), {})
    return {"measures": measures, "phases": tmp_path / "phases.parquet"}


def test_every_panel_marks_what_was_found_and_draws_the_mean_over_seeds(paths):
    style = {"panel": 2.4, "marks": estimators.marks()}
    headings = FIGURES["pointwise"].headings
    figure = figures.pointwise(paths, {"one": "An experiment"}, headings, style, {"one": []})
    assert [ax.get_title(loc="left") for ax in figure.axes] == headings
    for ax in figure.axes:
        curve = next(line for line in ax.lines if line.get_marker() == "o")
        np.testing.assert_array_equal(curve.get_xydata(), [[t, 2.0] for t in TIMES])
        marked = {line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1}
        assert marked == {20.0, 30.0, 40.0}  # neither what was not found nor that of the weights
    kept = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    assert len(kept) == 1
    words = " ".join(text.get_text().replace("\n", " ") for text in kept[0].get_texts())
    assert "(chaos C): 20" in words
    assert "(chaos D): none" in words
    styles = [
        (line.get_color(), line.get_linestyle()) for line in kept[0].get_lines() if line.get_linestyle() != "None"
    ]
    assert len(set(styles)) == len(styles)
    plt.close(figure)
