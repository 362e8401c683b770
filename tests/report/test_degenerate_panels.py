"""Panels of runs in which nothing moves, or all is lost: they are drawn, empty where there is nothing to show."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from twophase.report import cone_panels, fork_panels, panels, scales

TIMES = [0, 10, 20, 30]
PAIRS = pd.DataFrame([(i, j, 0.1) for i in TIMES for j in TIMES if i <= j], columns=["i", "j", "value"])
FORKS = pd.DataFrame([(t0, t1, 0) for t0 in TIMES for t1 in TIMES if t0 < t1], columns=["t0", "t1", "draw"]).assign(
    **dict.fromkeys(["C", "l2", "epsilon", "D_running", "D_recalibrate"], 0.1)
)
SWITCHES = pd.DataFrame([(s, t, 0.1, 0.1) for s in (0, 10) for t in (20, 30)]).set_axis(
    ["switch", "iteration", "test_loss", "error"], axis=1
)
STANDARD = pd.DataFrame({"iteration": TIMES, "test_loss": 0.1, "error": 0.1})
STARTS = pd.DataFrame({"t0": TIMES[:3], "draw": 0, "realised": 0.1})
CONE = pd.DataFrame({"iteration": TIMES, "x": 0.1, "y": 0.1, "z": 0.1})
PLANE = pd.DataFrame([(t0, 0, t, 0.1, 0.1) for t0 in (-1, 0, 10) for t in TIMES if t > t0]).set_axis(
    ["t0", "draw", "iteration", "x", "y"], axis=1
)
MEASURES = pd.DataFrame({"t": TIMES, "sharpness": 0.1, "edge": 0.1, "small_batch_edge": 0.1, "seed": 0})
LAYERS = pd.DataFrame(
    [(t, f"block.{k}", k, 0.1) for t in TIMES for k in range(30)], columns=["t", "layer", "place", "share"]
)
PHASES = pd.DataFrame(columns=["quantity", "estimator", "value", "low", "high", "found"])


def heat(ax, frame):
    style = {"colormap": "rocket_r", "scale": "run"}
    panels.pairs_heat(ax, frame, scales.colours(scales.quantity("S"), frame["value"], style))


def layers(ax, frame):
    style = {"colormap": "rocket_r"}
    panels.layers_heat(ax, frame, "t", "share", scales.spanned("share", "of all", frame["share"], style))


DRAWN = {  # what draws a table: the table, and whether it is one that can be empty
    "pairs_heat": (heat, PAIRS, False),
    "steps": (lambda ax, frame: panels.steps(ax, frame, [10]), PAIRS, True),
    "velocity": (lambda ax, frame: panels.velocity(ax, frame, [10]), PAIRS, True),
    "since": (lambda ax, frame: panels.since(ax, frame, [10]), PAIRS, True),
    "error": (lambda ax, f: panels.switching(ax, f, STANDARD, 30, "error", "test error (%)"), SWITCHES, True),
    "loss": (lambda ax, f: panels.switching(ax, f, STANDARD, 30, "test_loss", "loss"), SWITCHES, True),
    "learning_curves": (lambda ax, f: panels.learning_curves(ax, f, STANDARD), SWITCHES, True),
    "measure": (lambda ax, frame: panels.measure(ax, frame, "sharpness", "sharpness", True), MEASURES, True),
    "edges_of_stability": (panels.edges_of_stability, MEASURES, True),
    "key_of_measures": (panels.key_of_measures, MEASURES, True),
    "layers_heat": (layers, LAYERS, False),
    "cone": (cone_panels.cone, CONE, False),
    "angles": (lambda ax, frame: cone_panels.angles(ax, frame, [10]), PAIRS, True),
    "plane": (lambda ax, frame: fork_panels.plane(ax, frame, np.nan, (0.5, 0.1)), PLANE, False),
    "divergence": (lambda ax, frame: fork_panels.divergence(ax, frame, STARTS), FORKS, True),
    "exponents": (lambda ax, frame: fork_panels.exponents(ax, frame, PHASES), FORKS, False),
    "dissimilarity": (lambda ax, frame: fork_panels.dissimilarity(ax, frame, [10]), FORKS, True),
    "under_either": (lambda ax, f: fork_panels.under_either(ax, f, 10, {"D": ""}, "D"), FORKS, False),
}
KEYS = {"i", "j", "t", "t0", "t1", "draw", "seed", "switch", "iteration", "layer", "place"}


def frames(table: pd.DataFrame, emptied: bool) -> dict[str, pd.DataFrame]:
    measured = table.columns.difference([*KEYS])
    found = {str(value): table.assign(**dict.fromkeys(measured, value)) for value in (0.0, np.nan, np.inf)}
    return found | {"one row": table[:1]} | ({"no row": table[:0]} if emptied else {})


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, (_, table, emptied) in DRAWN.items() for kind in frames(table, emptied)]
)
@pytest.mark.filterwarnings("ignore")
def test_a_panel_is_drawn(name, kind):
    draw, table, emptied = DRAWN[name]
    figure = plt.figure()
    draw(figure.add_subplot(projection="3d" if name == "cone" else None), frames(table, emptied)[kind])
    figure.canvas.draw()
    plt.close(figure)
