"""The registry of what estimates the inflection point: tables, what it takes, and how its points are named and marked.

No torch. `analysis.inflection` makes the estimates; a point's name is that in the column `estimator` of their tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from twophase.config.figures import value


@dataclass(frozen=True)
class Estimator:
    """A family of estimates of one experiment, made by one job.

    Attributes:
        needs: key of an experiment that must not be empty.
        tables: of every seed, that it is made from.
        checkpoints: tables in place of those where `phases.distance` is `checkpoints`; none if that changes nothing.
        points: its inflection points: name -> what the explorer calls it. The first is marked in figures.
        label: what happens at that one.
        colour, line: how it is marked; the line is `dash`, `dashdot` or `dot`.
        cost: what the job does, in units of `cost.workload`.
    """

    needs: str
    tables: tuple[str, ...]
    points: Mapping[str, str]
    label: str
    colour: str
    line: str
    cost: Mapping[str, int]
    checkpoints: tuple[str, ...] = ()


ESTIMATORS = {
    "chaos": Estimator(
        needs="chaos.t0",
        tables=("chaos",),
        checkpoints=("C", "B", "D"),
        points={
            "chaos C": "C",
            "chaos B": "B",
            "chaos D": "D",
            "chaos C, linear": "C, linear scale",  # this or the next: the scale that `phases.scale` is not
            "chaos C, log": "C, log scale",
        },
        label="the chaotic phase ends",
        colour="#d1495b",
        line="dash",
        cost={"bend": 4},
    ),
    "kernel": Estimator(
        needs="cone.dt",
        tables=("S",),
        points={"kernel": "kernel"},
        label="the kernel slows down",
        colour="#00798c",
        line="dashdot",
        cost={"bend": 1, "widths": 1},
    ),
    "parameters": Estimator(
        needs="cone.dt",
        tables=("C",),
        points={"parameters": "weights"},
        label="the weights slow down",
        colour="#8d6a9f",
        line="dot",
        cost={"bend": 1},
    ),
}


def families(experiment: Mapping) -> list[str]:
    """The families of estimates that an experiment has the tables for; a counterexample gets none."""
    if experiment["counterexample"]:
        return []
    return [name for name, estimator in ESTIMATORS.items() if value(experiment, estimator.needs)]


def tables(experiment: Mapping, family: str) -> list[str]:
    """The tables of every seed from which a family of estimates of an experiment is made."""
    estimator = ESTIMATORS[family]
    if estimator.checkpoints and experiment["phases"]["distance"] == "checkpoints":
        return [*estimator.checkpoints]
    return [*estimator.tables]


def marks() -> dict[str, dict[str, str]]:
    """How figures mark inflection points: name of the point -> `colour`, `line` and `label`."""
    return {next(iter(e.points)): {"colour": e.colour, "line": e.line, "label": e.label} for e in ESTIMATORS.values()}


def point_names() -> dict[str, str]:
    """What the explorer calls each inflection point, by its name."""
    return {name: words for estimator in ESTIMATORS.values() for name, words in estimator.points.items()}
