"""The figures of layers: the network's order from top to bottom, and what of the tables their cells are."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from twophase.config.figures import FIGURES
from twophase.files import storage
from twophase.report import figures

LAYERS = ["stem", "a.conv", "a.norm", "head"]  # not in the order of their names
TIMES = [0, 10, 20]
STYLE = {"panel": 2.4, "colormap": "rocket_r", "scale": "claims"}


def drawn(name, tables, tmp_path):
    """The panels by letter."""
    paths = {}
    for key, columns in tables.items():
        paths[key] = [tmp_path / f"{key}.parquet"]
        storage.write_table(paths[key][0], pd.DataFrame(columns), {"experiment": "one", "seed": "0"})
    titles, headings = {"one": "An experiment"}, FIGURES[name].headings
    figure = getattr(figures, name)(paths, titles, headings, STYLE, {"one": []})
    panels = {ax.get_title(loc="left")[0]: ax for ax in figure.axes if ax.get_title(loc="left")}
    assert "".join(panels) == "abc"
    for ax in panels.values():
        assert [label.get_text() for label in ax.get_yticklabels()] == LAYERS
        low, high = ax.get_ylim()
        assert low > high  # the first on top
    yield {letter: ax.collections[0].get_array().reshape(len(LAYERS), -1) for letter, ax in panels.items()}
    plt.close(figure)


def places(rows):
    return [{**row, "layer": layer, "place": k} for k, layer in enumerate(LAYERS) for row in rows]


def test_layers_of_the_base_run(tmp_path):
    alone = places([{"t": t} for t in TIMES])
    for row in alone:
        row["share"] = (row["place"] + 1) / 10
    pairs = places([{"i": i, "j": j} for i in TIMES for j in TIMES if i <= j])
    for row in pairs:
        row["C"], row["S"] = (row["j"] - row["i"]) / 100, (row["place"] + 1) * (row["j"] > row["i"]) / 10
    for cells in drawn("layers", {"layers": alone, "pairs": pairs}, tmp_path):
        np.testing.assert_allclose(cells["a"], [[0.2, 0.1]] * 4)  # from the end of training, which is left out
        np.testing.assert_allclose(cells["b"], [[k / 10] * 2 for k in range(1, 5)])
        np.testing.assert_allclose(cells["c"], [[k / 10] * 3 for k in range(1, 5)])


@pytest.mark.parametrize("untouched", [None, "stem"])
def test_layers_of_forks(tmp_path, untouched):
    """Distances double in ten iterations, from a perturbation of 1, or of none in one layer."""
    rows = places([{"t0": t0, "t1": t1, "draw": d} for t0 in TIMES[:2] for t1 in TIMES for d in (-1, 0) if t1 >= t0])
    for row in rows:
        row["l2"] = 0.0 if row["draw"] < 0 else 2 ** ((row["t1"] - row["t0"]) / 10)
        row["C"] = row["l2"] / 10
        if row["layer"] == untouched and row["t1"] == row["t0"]:
            row["l2"] = 0.0
    for cells in drawn("layer_forks", {"chaos": rows}, tmp_path):
        np.testing.assert_allclose(cells["a"], [[0.1, 0.2, 0.4]] * 4)
        np.testing.assert_allclose(cells["b"], [[0.4, 0.2]] * 4)
        growth = np.array([[4.0, 2.0]] * 4)
        growth[0] = growth[0] if untouched is None else np.nan
        np.testing.assert_allclose(np.ma.filled(cells["c"].astype(float), np.nan), growth)
