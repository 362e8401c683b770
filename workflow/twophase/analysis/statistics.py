"""The tables of a run and their means over seeds and draws, of which the claims' statistics are computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np
import pandas as pd

from twophase.analysis import changes, contest, curves, gains, inflection, lags, peaks, surfaces

NONE = np.empty(0)  # the values of a part that an experiment does not have


@dataclass(frozen=True)
class Run:
    """The tables of one seed; None where the experiment has no such part.

    Args:
        chaos: columns t0, t1, draw, C, B, D, l2, epsilon.
        distances: columns t0, t1, draw, C, l2: as `chaos`, also at the t1 where nothing else is measured.
        control: columns C, D.
        independent: columns t and those of `chaos`, between this base run and another seed's.
        C: columns i, j, l2 (Euclidean distance of the parameters).
        S: columns i, j, value.
        pointwise: columns t, lr, sharpness, batch_sharpness, edge, small_batch_edge.
        linearized: columns switch, iteration, test_accuracy, test_loss.
        standard: columns iteration, test_accuracy, of the base run.
    """

    chaos: pd.DataFrame | None = None
    distances: pd.DataFrame | None = None
    control: pd.DataFrame | None = None
    independent: pd.DataFrame | None = None
    C: pd.DataFrame | None = None
    S: pd.DataFrame | None = None
    pointwise: pd.DataFrame | None = None
    linearized: pd.DataFrame | None = None
    standard: pd.DataFrame | None = None

    @cached_property
    def cells(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(t0, t1) of the forks' comparisons [cells, 2], and C, B, D and Lyapunov exponents there [draws, cells]."""
        names = ["C", "B", "D", "exponent"]
        table = self.chaos.assign(exponent=inflection.exponents(self.chaos))
        table = table.pivot(index="draw", columns=["t0", "t1"], values=names).sort_index(axis=1)
        return np.array(table["C"].columns.to_list()), {name: table[name].to_numpy() for name in names}

    @cached_property
    def kernels(self) -> tuple[np.ndarray, np.ndarray]:
        """Iterations [m] and kernel distances S [m, m], i <= j; NaN below."""
        table = self.S.pivot(index="i", columns="j", values="value")
        return table.columns.to_numpy(), table.to_numpy()

    @cached_property
    def steps(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """t [points] and S(t, t + dt) [points] for every dt; none without kernels."""
        if self.S is None:
            return {}
        by_dt = curves.steps(self.S).groupby("dt")
        return {dt: (pairs["t"].to_numpy(), pairs["value"].to_numpy()) for dt, pairs in by_dt}

    @cached_property
    def largest_of_control(self) -> float:
        """The largest C or D between an unperturbed fork and the base run."""
        return float(self.control[["C", "D"]].to_numpy().max())

    def switched(self, switches: Sequence[int], end: int) -> tuple[np.ndarray, np.ndarray, float]:
        """What linearized training from each of the `switches` comes to at `end`.

        Returns:
            test accuracy and loss (nats) [k], NaN where training diverged on the way; the base run's accuracy, NaN
            where it has no score.
        """
        scores = self.linearized[self.linearized["iteration"] == end].set_index("switch").reindex(switches)
        base = nan
        if self.standard is not None:
            base = float(self.standard.loc[self.standard["iteration"] == end, "test_accuracy"].mean())
        return scores["test_accuracy"].to_numpy(), scores["test_loss"].to_numpy(), base


class Means:
    """Means over some runs of the means over the draws of each; empty or NaN for parts that the runs do not have.

    Args:
        runs: of some seeds.
        settings: `dt`, `switch` and `until` (iterations; of `cone` and `linearized`) and `scale` (of `phases`).
        chosen_by: other runs' means, whose inflection point, peak and kernel's bend are taken; None for those of these
            runs.

    Attributes:
        t0, t1, C, B, D, exponent: of the forks' comparisons [cells]; log10 of C, Lyapunov exponents per iteration.
        level: C on the scale of the settings [cells], whose change of level after equal times is at t*.
        end: which comparisons are a fork's last [cells]: at the last t1 of all, or at the longest lag.
        inflection: t*, the inflection point (iterations).
        early, late: which comparisons at the last t1 are of forks from before t*, and from after it [cells].
        inside: which comparisons have t0 <= t* < t1 [cells].
        times, S: iterations [m] and kernel distances [m, m], i <= j.
        switches, accuracy, loss, standard: switches [k], test accuracy and loss (nats) after linearized training [k],
            and the base run's accuracy.
    """

    def __init__(self, runs: Sequence[Run], settings: Mapping, chosen_by: "Means | None" = None):
        self.runs, self.settings, self.chosen_by = runs, settings, chosen_by
        forks, kernels, switched = (getattr(runs[0], part) is not None for part in ("chaos", "S", "linearized"))

        self.t0, self.t1 = runs[0].cells[0].T if forks else (NONE, NONE)
        names = ("C", "level", "B", "D", "exponent")
        cells = self._mean_cells() if forks else dict.fromkeys(names, NONE)
        self.C, self.level, self.B, self.D, self.exponent = (cells[name] for name in names)
        self.end = lags.last(self.t0, self.t1)
        self.inflection = self._own_inflection() if chosen_by is None else chosen_by.inflection
        self.early, self.late = (self.end & part for part in (self.t0 < self.inflection, self.t0 > self.inflection))
        self.inside = (self.t0 <= self.inflection) & (self.inflection < self.t1)

        self.times, self.S = NONE, np.empty((0, 0))
        if kernels:
            self.times, self.S = runs[0].kernels[0], np.mean([run.kernels[1] for run in runs], axis=0)

        self.switches, self.accuracy, self.loss, self.standard = NONE, NONE, NONE, nan
        if switched:
            self.switches = np.array(settings["switch"])
            scores = [run.switched(settings["switch"], settings["until"]) for run in runs]
            self.accuracy, self.loss = (np.mean([score[k] for score in scores], axis=0) for k in (0, 1))
            self.standard = float(np.mean([base for *_, base in scores]))

    def _own_inflection(self) -> float:
        """Where C after equal times changes level over t0; NaN without forks."""
        return changes.change_point(*lags.curve(self.t0, self.t1, self.level)[:2]) if len(self.t0) else nan

    def _mean_cells(self) -> dict[str, np.ndarray]:
        parts = []
        for run in self.runs:
            cells = run.cells[1]
            log_c, level = (inflection.SCALES[scale](cells["C"]) for scale in ("log", self.settings["scale"]))
            cells = cells | {"C": log_c, "level": level}
            parts.append({name: values.mean(axis=0) for name, values in cells.items()})
        return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}

    def surface(self, table: str, column: str, scale: str = "log") -> pd.DataFrame:
        """A column of `chaos` or `distances` [t0, t1], averaged over draws and runs; empty where the table lacks it.

        Args:
            scale: `log` for log10, or `linear`.
        """
        tables = [getattr(run, table) for run in self.runs]
        if column not in tables[0]:
            return pd.DataFrame()
        return surfaces.mean([surfaces.surface(part, column, scale) for part in tables])

    @cached_property
    def log_c(self) -> pd.DataFrame:
        """log10 C between forks and base run [t0, t1], also where nothing else is measured."""
        return self.surface("distances", "C")

    def independent(self, column: str) -> pd.Series:
        """A column of `independent` by t, averaged over runs."""
        return surfaces.mean([run.independent.set_index("t")[column] for run in self.runs])

    def pointwise(self, column: str) -> pd.Series:
        """A column of `pointwise` by t, averaged over runs."""
        return surfaces.mean([run.pointwise.set_index("t")[column] for run in self.runs])

    @property
    def shortest(self) -> int:
        """The shortest dt, in iterations."""
        return min(self.settings["dt"])

    @property
    def longest(self) -> int:
        """The longest dt, in iterations."""
        return max(self.settings["dt"])

    def steps(self, dt: int) -> tuple[np.ndarray, np.ndarray]:
        """t [points] and S(t, t + dt) [points]."""
        each = [run.steps.get(dt, (NONE, NONE)) for run in self.runs]
        return each[0][0], np.mean([values for _, values in each], axis=0)

    def later_steps(self, dt: int) -> np.ndarray:
        """S(t, t + dt) over the later half of t after the kernel's bend."""
        t, values = self.steps(dt)
        values = values[t > self.kernel_elbow]
        return values[len(values) // 2 :]

    def since(self, tau: int) -> tuple[np.ndarray, np.ndarray]:
        """t >= tau [points] and S(t, tau) [points]."""
        k = int(np.searchsorted(self.times, tau))
        return self.times[k:], self.S[k, k:]

    @cached_property
    def kernel_elbow(self) -> float:
        """The elbow of S(t, t + dt) at the shortest dt, in iterations."""
        if self.chosen_by is not None:
            return self.chosen_by.kernel_elbow
        t, values = self.steps(self.shortest)
        return changes.elbow(t, values) if len(t) else nan

    @cached_property
    def peak(self) -> float:
        """m*, the papers' inflection point: the t1 at which C(t0, t1) is largest, in iterations; NaN for none."""
        if self.chosen_by is not None:
            return self.chosen_by.peak
        return peaks.inflection(self.log_c) if self.runs[0].distances is not None else nan

    def rounding(self, place: str) -> float:
        """How far the grid alone can put a place off, in logarithms of time.

        Args:
            place: `inflection`, `peak` or `kernel_elbow`.
        """
        grids = {
            "inflection": lambda: lags.curve(self.t0, self.t1, self.level)[0],
            "peak": lambda: self.log_c.columns.to_numpy(),
            "kernel_elbow": lambda: self.steps(self.shortest)[0],
        }
        return contest.rounding(grids[place](), getattr(self, place))

    @property
    def taus(self) -> np.ndarray:
        """The times of kernels after the kernel's bend, up to half of the last one's."""
        return self.times[(self.times > self.kernel_elbow) & (self.times <= self.times.max(initial=0) / 2)]

    @property
    def kernel_surface(self) -> pd.DataFrame:
        """Kernel distances S [i, j], i <= j, by their iterations; NaN below."""
        return pd.DataFrame(self.S, index=self.times, columns=self.times)

    def gain_past(self, place: float) -> float:
        """By how much the base runs' test accuracy improves past an iteration, averaged over runs."""
        scores = [run.standard.sort_values("iteration") for run in self.runs]
        return float(np.mean([gains.gain_past(s["iteration"], s["test_accuracy"], place) for s in scores]))

    def gains_over_switches(self) -> np.ndarray:
        """What linearized training adds to the base run's test accuracy at its switch [k], averaged over runs."""
        scores = [run.standard.sort_values("iteration") for run in self.runs]
        standard = np.mean([np.interp(self.switches, s["iteration"], s["test_accuracy"]) for s in scores], axis=0)
        return self.accuracy - standard
