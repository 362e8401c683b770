"""The notebook of the documents runs from top to bottom on published tables, and draws what it says."""

import json

import matplotlib.pyplot as plt

from workflow_runner import REPOSITORY

NOTEBOOK = json.loads((REPOSITORY / "docs" / "tour.ipynb").read_text(encoding="utf-8"))


def test_the_tour_runs(monkeypatch):
    monkeypatch.chdir(REPOSITORY / "docs")  # where Jupyter runs it
    plt.close("all")
    names = {}
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert set(names["other"].index) == {"chaos C", "chaos C, linear"}
    assert len(plt.get_fignums()) == 3
    plt.close("all")


def test_it_is_kept_without_outputs():
    assert not any(cell.get("outputs") for cell in NOTEBOOK["cells"])
