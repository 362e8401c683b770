"""What the claims of the papers are about: statistics of the tables of an experiment. No torch.

Each takes `Means`, the mean tables of all seeds or of a bootstrap sample of them, and returns one number, NaN where the
tables do not have what it takes. t* is the inflection point of these very tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np
import pandas as pd

from twophase import phases


@dataclass(frozen=True)
class Run:
    """The tables of one seed; None where the experiment has no such part.

    Args:
        chaos: columns t0, t1, draw, C, B, D, l2, epsilon.
        control: columns C, D.
        S: columns i, j, value.
        switches: columns switch, iteration, test_accuracy.
        standard: columns iteration, test_accuracy, of the base run.
    """

    chaos: pd.DataFrame | None = None
    control: pd.DataFrame | None = None
    S: pd.DataFrame | None = None
    switches: pd.DataFrame | None = None
    standard: pd.DataFrame | None = None


class Means:
    """What the statistics look at: means over some runs of the means over some draws of each.

    Args:
        runs: of all seeds, possibly some of them several times.
        settings: `dt` (iterations) and `model` of the config, `iterations`, `images` of the test set.
        rng: for a bootstrap sample, which also draws the draws and the test images; None takes all as they are.
    """

    def __init__(self, runs: Sequence[Run], settings: Mapping, rng: np.random.Generator | None = None):
        self.runs, self.settings, self.rng = runs, settings, rng
        self.chaos = self._chaos() if runs[0].chaos is not None else None

    def _chaos(self) -> pd.DataFrame:
        """log10 C, log10 l2 / epsilon, B and D by t0 and t1: mean over seeds of the means over draws."""
        parts = []
        for run in self.runs:
            table = run.chaos
            if self.rng is not None:
                draws = table["draw"].unique()
                drawn = self.rng.choice(draws, len(draws))
                table = pd.concat([table[table["draw"] == draw] for draw in drawn])
            images = self.settings["images"]
            shares = table["D"] if self.rng is None else self.rng.binomial(images, table["D"]) / images
            columns = {
                "t0": table["t0"],
                "t1": table["t1"],
                "C": np.log10(np.maximum(table["C"], phases.TINY)),
                "l2": np.log10(np.maximum(table["l2"], phases.TINY) / table["epsilon"]),
                "B": table["B"],
                "D": shares,
            }
            parts.append(pd.DataFrame(columns).groupby(["t0", "t1"]).mean())
        return sum(parts) / len(parts)

    @cached_property
    def ends(self) -> pd.DataFrame:
        """The chaos table at the last t1, by t0."""
        return self.chaos.xs(self.settings["iterations"], level="t1")

    @cached_property
    def inflection(self) -> float:
        """t*: where log10 C of the last t1 changes level over t0."""
        return phases.change_point(self.ends.index.to_numpy(), self.ends["C"].to_numpy())

    @property
    def early(self) -> pd.DataFrame:
        return self.ends[self.ends.index < self.inflection]

    @property
    def late(self) -> pd.DataFrame:
        return self.ends[self.ends.index > self.inflection]

    @cached_property
    def S(self) -> pd.Series:
        """Kernel distance by i and j."""
        return sum(run.S.set_index(["i", "j"])["value"] for run in self.runs) / len(self.runs)

    def steps(self, dt: int) -> pd.Series:
        """S(t, t + dt) by t."""
        i, j = (self.S.index.get_level_values(name) for name in "ij")
        return self.S[j - i == dt].droplevel("j").sort_index()

    def since(self, tau: int) -> pd.Series:
        """S(t, tau) by t >= tau."""
        return self.S.xs(tau, level="i").sort_index()

    @property
    def taus(self) -> list[int]:
        """The first tau after t*, and those between it and the last quarter of the training."""
        times = self.S.index.get_level_values("i").unique()
        return sorted(t for t in times if self.inflection < t <= 0.75 * self.settings["iterations"])

    @cached_property
    def switched(self) -> pd.Series:
        """Test accuracy at the end of linearized training, by switch."""
        return sum(self._accuracies(run) for run in self.runs) / len(self.runs)

    @staticmethod
    def _accuracies(run: Run) -> pd.Series:
        last = run.switches[run.switches["iteration"] == run.switches["iteration"].max()]
        return last.set_index("switch")["test_accuracy"].sort_index()

    @property
    def standard(self) -> float:
        """Test accuracy of the base run where linearized training ends."""
        end = self.runs[0].switches["iteration"].max()
        return float(
            np.mean([run.standard.set_index("iteration").loc[end, "test_accuracy"].item() for run in self.runs])
        )


def fall(m: Means) -> float:
    return m.early["C"].mean() - m.late["C"].mean()


def gap(m: Means) -> float:
    return m.early["C"].min() - m.late["C"].max()


def growth(m: Means) -> float:
    return m.early["l2"].min()


def latest(m: Means) -> float:
    return 10 ** m.late["C"].max()


def _inside(m: Means, metric: str) -> tuple[pd.Series, pd.Series]:
    """Cells t0 <= t* < t1 of a metric, and all others."""
    t0, t1 = (m.chaos.index.get_level_values(name) for name in ("t0", "t1"))
    inside = (t0 <= m.inflection) & (m.inflection < t1)
    return m.chaos.loc[inside, metric], m.chaos.loc[~inside, metric]


def level_inside(metric: str) -> Callable[[Means], float]:
    return lambda m: _inside(m, metric)[0].mean()


def level_outside(metric: str) -> Callable[[Means], float]:
    def share(m: Means) -> float:
        inside, outside = (part.mean() for part in _inside(m, metric))
        return outside / inside if inside > 0 else nan

    return share


def _moves(m: Means) -> tuple[pd.Series, pd.Series]:
    """S(t, t + dt) of the shortest dt before t* and after."""
    steps = m.steps(min(m.settings["dt"]))
    return steps[steps.index < m.inflection], steps[steps.index > m.inflection]


def slowing(m: Means) -> float:
    before, after = _moves(m)
    return before.mean() / after.mean()


def settled(m: Means) -> float:
    after = _moves(m)[1]
    return after[len(after) // 2 :].mean()


def spread_of_dt(m: Means) -> float:
    def top(dt):
        steps = m.steps(dt)
        after = steps[steps.index > m.inflection]
        return after[len(after) // 2 :].max()

    return top(max(m.settings["dt"])) / top(min(m.settings["dt"]))


def kernel_elbow(m: Means) -> float:
    steps = m.steps(min(m.settings["dt"]))
    return phases.elbow(steps.index.to_numpy(), steps.to_numpy())


def coincidence(m: Means) -> float:
    return kernel_elbow(m) / m.inflection


def inflection(m: Means) -> float:
    return m.inflection


def plateau(m: Means) -> float:
    """Of all late tau, the largest growth of S(t, tau) in the second half of the time after it."""
    shares = []
    for tau in m.taus:
        curve = m.since(tau)
        half = curve[curve.index <= (tau + curve.index.max()) / 2].iloc[-1]
        shares.append(1 - half / curve.iloc[-1])
    return max(shares, default=nan)


def narrowing(m: Means) -> float:
    def width(tau):
        curve = m.since(tau)
        return phases.width(curve.index.to_numpy(), curve.to_numpy())

    return width(m.taus[0]) / width(0) if m.taus else nan


def gain_of_switch(m: Means) -> float:
    return m.switched.iloc[-1] - m.switched.iloc[0]


def gain_past_2000(m: Means) -> float:
    before, after = m.switched[m.switched.index <= 2000], m.switched[m.switched.index > 2000]
    return after.iloc[-1] - before.iloc[-1] if len(before) and len(after) else nan


def lead_of_cone(m: Means) -> float:
    late = m.switched[m.switched.index > m.inflection]
    return m.standard - late.iloc[0] if len(late) else nan


def lead_of_standard(m: Means) -> float:
    return m.standard - m.switched.iloc[0]


def difference_of_control(m: Means) -> float:
    return max(float(run.control[["C", "D"]].to_numpy().max()) for run in m.runs)


def one_speed(m: Means) -> float:
    steps = m.steps(min(m.settings["dt"]))
    half = len(steps) // 2
    return steps[:half].mean() / steps[-half:].mean()


def endless_growth(m: Means) -> float:
    curve = m.since(0)
    half = curve[curve.index <= curve.index.max() / 2].iloc[-1]
    return 1 - half / curve.iloc[-1]
