"""How often the statistics are right: `python tools/simulations.py` writes the tables of results/reference/statistics.

Coverage of intervals over a few seeds, and how often a change that was planted is found, or one that was not. A few
minutes on one core; the same numbers every time.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from twophase.analysis import changes, contest, replicates

FOLDER = Path(__file__).parents[1] / "results" / "reference" / "statistics"
GRIDS = {  # t0 of the runs of ResNet-20
    "16 points": np.array([0, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 700, 1000]),
    "10 points": np.array([0, 25, 50, 100, 150, 200, 300, 500, 1000, 1500]),
}
NOISE, NEAR = 0.15, 0.3  # decades between seeds, and decades of time over which these differences are alike
LEVEL = 0.95
REPLICATES = (2, 3, 5, 10)
SEEDS = (3, 5, 8)
INNER = 3  # points at least on either side of a planted change: a step next to an end is also a bend


def smooth_noise(rng: np.random.Generator, t: np.ndarray, shape: tuple, size: float = NOISE) -> np.ndarray:
    """Differences between seeds [*shape, points] that are smooth over log time."""
    x = contest.log_time(t)
    near = np.exp(-((x[:, None] - x) ** 2) / (2 * NEAR**2)) + 1e-9 * np.eye(len(x))
    return size * rng.standard_normal((*shape, len(x))) @ np.linalg.cholesky(near).T


# Coverage ------------------------------------------------------------------------------------------------------------
# Each function draws an experiment of so many seeds and returns the truth and the interval.


def mean(rng, count):
    return 1.0, replicates.interval(1 + rng.standard_normal(count), LEVEL)


def geometric_mean(rng, count):
    """Of C, which differs by decades between seeds and, half as much, between two draws of each."""
    draws = rng.standard_normal((count, 1)) + 0.5 * rng.standard_normal((count, 2))
    return 1e-3, replicates.interval(10 ** (draws.mean(axis=1) - 3), LEVEL, "log")


def ratio(rng, count):
    """Of the kernel's mean step before a time to that after it, each of steps of even chance to be any size."""
    before, after = 3 * rng.exponential(size=(count, 8)).mean(axis=1), rng.exponential(size=(count, 20)).mean(axis=1)
    bias = (special.digamma(8) - np.log(8)) - (special.digamma(20) - np.log(20))  # of the mean logarithm
    return 3 * np.exp(bias), replicates.interval(before / after, LEVEL, "log")


def share(rng, count):
    """Of 1000 test images, on which seeds disagree more or less."""
    chance = special.expit(special.logit(0.1) + 0.4 * rng.standard_normal(count))
    return 0.1, replicates.interval(rng.binomial(1000, chance) / 1000, LEVEL, "logit")


def place(rng, count):
    """t*, which differs by a factor of 1.25 between seeds, in curves that do as well."""
    t = GRIDS["16 points"]
    centre = rng.uniform(50, 200)
    places = centre * 1.25 ** rng.standard_normal((count, 1))
    curves = -(t > places).astype(float) + smooth_noise(rng, t, (count,))
    return centre, contest.place_of(changes.change_point, t, curves, LEVEL)


def contrast(rng, count, fall=0.0, own=False):
    """Mean before t* less mean after it, where t* is the other seeds' or one's own."""
    t = GRIDS["16 points"]
    curves = -fall * (t > 125) + smooth_noise(rng, t, (count,))
    values = np.empty(count)
    for choosing, tested in replicates.halves(count):
        for k in tested:
            chosen = curves[[k]] if own else curves[choosing]
            early = t < changes.change_point(t, chosen.mean(axis=0))
            values[k] = curves[k, early].mean() - curves[k, ~early].mean()
            values[k] = abs(values[k]) if own else values[k]  # whoever chooses the place chooses the sign as well
    return fall, replicates.interval(values, LEVEL)


def two_clusters(rng, count):
    """log10 C of forks that have taken off, or have not yet, with even chance."""
    return -6.0, replicates.interval(np.where(rng.random(count) < 0.5, -2, -10) + rng.standard_normal(count), LEVEL)


COVERED = {  # what is held to the level
    "mean": mean,
    "geometric mean of C": geometric_mean,
    "ratio": ratio,
    "share of test images": share,
    "place of a step": place,
    "contrast at others' t*, nothing planted": contrast,
    "contrast at others' t*, one decade planted": lambda rng, count: contrast(rng, count, fall=1.0),
}
WARNINGS = {  # and what shows where it ends
    "contrast at one's own t*, nothing planted": lambda rng, count: contrast(rng, count, own=True),
    "two clusters of C": two_clusters,
}


def covered(name: str, count: int, samples: int) -> float:
    """The share of intervals of so many replicates that hold the truth."""
    rng, held = np.random.default_rng([count, *name.encode()]), 0
    for _ in range(samples):
        truth, (_, low, high) = (COVERED | WARNINGS)[name](rng, count)
        held += low <= truth <= high
    return held / samples


# Power ---------------------------------------------------------------------------------------------------------------


def step(rng, t, samples, fall):
    """A step in a gap that has `INNER` points at least on either side."""
    gap = rng.integers(INNER, len(t) - INNER + 1, size=(samples, 1))
    return -fall * (np.arange(len(t)) >= gap)


def power_law(rng, t, samples, fall):
    """log C falls with log(t + offset), by `fall` in all."""
    return _down(np.log(t + 10 ** rng.uniform(0, 2, size=(samples, 1))), fall)


def exponential(rng, t, samples, fall):
    """log C falls exponentially, over any time."""
    return _down(-np.exp(-t / 10 ** rng.uniform(1.5, 3, size=(samples, 1))), fall)


def curved(rng, t, samples, fall):
    """log C falls with a power of log time, early or late."""
    return _down(_down(contest.log_time(t)[None], -1.0) ** 2 ** rng.uniform(-1.5, 1.5, size=(samples, 1)), fall)


def constant(rng, t, samples, fall):
    return np.zeros((samples, len(t)))


def bend(rng, t, samples, fall):
    """A kernel's step that falls along a line up to a point of the grid, and then along a flatter one."""
    knots = t[rng.integers(INNER, len(t) - INNER, size=(samples, 1))]
    return fall * np.maximum(1 - t / knots, 0) - 0.1 * fall * t / t[-1]


def hyperbola(rng, t, samples, fall):
    """1 / (1 + t / scale) to some power."""
    scale, power = 10 ** rng.uniform(1.3, 2.5, size=(samples, 1)), rng.uniform(0.5, 2, size=(samples, 1))
    return fall * (1 + t / scale) ** -power


def _down(curves, fall):
    """Curves [samples, points] that rise, made to fall from 0 by `fall`."""
    return -fall * (curves - curves[:, :1]) / (curves[:, -1:] - curves[:, :1])


PLANTED = [  # kind of change, curve, its fall (decades; of a bend, in units of its first value)
    *(("step", step, fall) for fall in (0.5, 0.75, 1.0)),
    ("step", constant, 0.0),
    *(("step", curve, fall) for curve in (power_law, exponential, curved) for fall in (0.5, 1.0, 3.0)),
    ("bend", bend, 1.0),
    *(("bend", curve, 1.0) for curve in (power_law, exponential, hyperbola)),
]
BEND_NOISE = 0.05  # of S(t, t + dt) between seeds, as a share of its first value


def found(grid: str, kind: str, curve: Callable, fall: float, seeds: int, samples: int) -> tuple[float, float]:
    """How often a change is found: as `contest` does, and by two standard errors and half a decade."""
    t, rng = GRIDS[grid], np.random.default_rng([seeds, len(GRIDS[grid]), round(100 * fall), *curve.__name__.encode()])
    planted = curve(rng, t, samples, fall)[:, None]
    if kind == "bend":
        curves = planted + smooth_noise(rng, t, (samples, seeds), BEND_NOISE)
        errors = contest.errors(contest.STRAIGHT | contest.BENT, t.astype(float), curves)
        gain = contest.gain(errors, "bend", contest.STRAIGHT)
        return float((gain >= contest.MARGIN).mean()), float((gain >= 2).mean())
    of = contest.sharpness(t, planted + smooth_noise(rng, t, (samples, seeds)))
    narrow = of["width"] <= contest.WIDEST
    ours = narrow & (of["gain"] >= contest.MARGIN) & (of["fall"] >= contest.SMALLEST)
    return float(ours.mean()), float((narrow & (of["gain"] >= 2) & (of["fall"] >= 0.5)).mean())


def coverage_table(samples: int = 4000) -> pd.DataFrame:
    rows = []
    for name in COVERED | WARNINGS:
        for count in REPLICATES:
            rows.append((name, count, LEVEL, covered(name, count, samples), samples, name in COVERED))
    return pd.DataFrame(rows, columns=["statistic", "replicates", "level", "coverage", "samples", "held_to_level"])


def power_table(samples: int = 2000) -> pd.DataFrame:
    rows = []
    for grid in GRIDS:
        for kind, curve, fall in PLANTED:
            for seeds in SEEDS:
                shares = found(grid, kind, curve, fall, seeds, samples)
                rows.append((grid, kind, curve.__name__.replace("_", " "), fall, seeds, *shares, samples))
    return pd.DataFrame(rows, columns=["grid", "looked_for", "planted", "fall", "seeds", "found", "strict", "samples"])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stem, table in {"coverage": coverage_table(), "power": power_table()}.items():
        table.to_csv(FOLDER / f"{stem}.csv", index=False, float_format="%.4g", lineterminator="\n")
