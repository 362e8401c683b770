"""Runs in which nothing happens, or all goes wrong: every claim has a row, and no experiment stops the others."""

import numpy as np
import pandas as pd
import pytest

from analysis.test_claims import SETTINGS, chaos, corner, independent, kernels, peaked, pointwise, run, switches
from twophase.analysis import claims, inflection, scorecard


def constant(frame: pd.DataFrame, value: float) -> pd.DataFrame:
    """All that is measured is `value`."""
    measured = frame.columns.difference(["t0", "t1", "draw", "i", "j", "t", "switch", "iteration", "epsilon"])
    return frame.assign(**dict.fromkeys(measured, value))


WORLD = {
    "chaos": chaos(),
    "distances": peaked(),
    "independent": independent(),
    "C": corner(),
    "S": kernels(),
    "pointwise": pointwise(),
    "linearized": switches(),
    "standard": pd.DataFrame({"iteration": [0, 500, 1000], "test_accuracy": [0.1, 0.9, 0.95]}),
}
STILL = {name: constant(table, 0.0) for name, table in WORLD.items()}
WORLDS = {
    **{f"{name} is {value}": {name: constant(table, value)} for name, table in WORLD.items() for value in (0.0, 1.0)},
    **{f"{name} is lost": {name: constant(table, np.nan)} for name, table in WORLD.items()},
    "nothing moves": STILL,
    "all is lost": {name: constant(table, np.nan) for name, table in WORLD.items()},
    "one switch": {"linearized": WORLD["linearized"].query("switch == 0")},
    "no switch ends": {"linearized": WORLD["linearized"].query("iteration == 0")},
    "two kernels": {"S": WORLD["S"].query("i in (0, 50) and j in (0, 50)")},
    "one kernel": {"S": WORLD["S"].query("i == 0 and j == 0")},
    "one fork": {
        "chaos": WORLD["chaos"].query("t0 == 0 and t1 == 500"),
        "distances": WORLD["distances"].query("t0 == 0"),
    },
    "no perturbation left": {"chaos": STILL["chaos"].assign(epsilon=0.0)},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("counterexample", [False, True])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.filterwarnings("error")
def test_every_claim_has_a_row(world, counterexample, seeds):
    runs = [run(**WORLDS[world])] * seeds
    settings = SETTINGS | {"counterexample": counterexample, "related": True}
    with np.errstate(all="raise", under="ignore"):
        table = scorecard.of_experiment(runs, True, settings)
    assert len(table) == sum(claim.counterexample == counterexample for claim in claims.CLAIMS)
    assert not np.isinf(table["value"]).any()


@pytest.mark.parametrize("world", [name for name, parts in WORLDS.items() if "chaos" in parts])
@pytest.mark.parametrize("scale", inflection.SCALES)
@pytest.mark.filterwarnings("error")
def test_no_inflection_point_is_found_where_nothing_changes(world, scale):
    grids = [WORLDS[world]["chaos"]] * 3
    with np.errstate(all="raise", under="ignore"):
        rows = inflection.from_chaos(grids, scale, 0.95)
    assert not any(row["found"] for row in rows if row["quantity"] == "inflection")


@pytest.mark.parametrize("world", [name for name, parts in WORLDS.items() if "S" in parts])
@pytest.mark.filterwarnings("error")
def test_a_kernel_that_never_moves_has_no_bend(world):
    grids = [WORLDS[world]["S"]] * 3
    with np.errstate(all="raise", under="ignore"):
        rows = inflection.from_steps(grids, "S", 50, 0.95)
        inflection.cone_width(grids, 0.95)
    assert not any(row["found"] for row in rows)
