"""What the claims of the papers are about: statistics of the tables of an experiment. No torch.

Each takes `Means`, the mean tables of all seeds or of a bootstrap sample of them, and returns one number, NaN where the
tables do not have what it takes. t* is the inflection point of these very tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log, nan

import numpy as np
import pandas as pd

from twophase.analysis import changes, inflection


@dataclass(frozen=True)
class Run:
    """The tables of one seed; None where the experiment has no such part.

    Args:
        chaos: columns t0, t1, draw, C, B, D, l2, epsilon.
        control: columns C, D.
        S: columns i, j, value.
        linearized: columns switch, iteration, test_accuracy.
        standard: columns iteration, test_accuracy, images (of the test set), of the base run.
    """

    chaos: pd.DataFrame | None = None
    control: pd.DataFrame | None = None
    S: pd.DataFrame | None = None
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
        """Iterations [m], and the kernel's distances S [m, m], i <= j; NaN below."""
        table = self.S.pivot(index="i", columns="j", values="value")
        return table.columns.to_numpy(), table.to_numpy()

    @cached_property
    def control_apart(self) -> float:
        """The largest C or D between an unperturbed fork and the base run."""
        return float(self.control[["C", "D"]].to_numpy().max())

    @cached_property
    def images(self) -> int:
        """Of the test set."""
        return int(self.standard["images"].iloc[0])

    def switched(self, switches: Sequence[int], end: int) -> tuple[np.ndarray, float]:
        """Test accuracy after linearized training from each of the `switches` to `end` [k], and the base run's there.

        NaN where training diverged on the way, or the base run has no score.
        """
        scores = self.linearized[self.linearized["iteration"] == end].set_index("switch")["test_accuracy"]
        base = nan
        if self.standard is not None:
            base = float(self.standard.loc[self.standard["iteration"] == end, "test_accuracy"].mean())
        return scores.reindex(switches).to_numpy(), base


class Means:
    """What the statistics look at: means over some runs of the means over some draws of each.

    Args:
        runs: of all seeds, possibly some of them several times.
        settings: `dt`, `switch` and `until` (iterations; of `cone` and `linearized`) and `scale` (of `phases`).
        rng: for a bootstrap sample, which also draws the draws, the test images and, as the estimates themselves do,
            the points from which inflection point and elbow are estimated; None takes all as they are.

    Attributes:
        end: which comparisons are at the last t1 [cells].
        inflection: t*, the change point of `level` there; early, late: which of them [cells] are of forks from before
            and after it.
        t0, t1, C, B, D, exponent: of the forks' comparisons [cells]; log10 of C, Lyapunov exponents per iteration.
        level: C on the scale of the settings [cells], of which t* is the change point.
        times, S: iterations [m] and kernel distances [m, m], i <= j.
        switches, accuracy, standard: switches [k], test accuracy after linearized training [k], the base run's.
    """

    def __init__(self, runs: Sequence[Run], settings: Mapping, rng: np.random.Generator | None = None):
        self.runs, self.settings, self.rng = runs, settings, rng
        if runs[0].chaos is not None:
            self.t0, self.t1 = runs[0].cells[0].T
            for name, values in self._mean_cells().items():
                setattr(self, name, values)
            self.end = self.t1 == self.t1.max()
            self.inflection = self._estimate(changes.change_point, self.t0[self.end], self.level[self.end])
            self.early, self.late = (self.end & part for part in (self.t0 < self.inflection, self.t0 > self.inflection))
        if runs[0].S is not None:
            self.times = runs[0].kernels[0]
            self.S = np.mean([run.kernels[1] for run in runs], axis=0)
        if runs[0].linearized is not None:
            self.switches = np.array(settings["switch"])
            scores = [run.switched(settings["switch"], settings["until"]) for run in runs]
            self.accuracy = np.mean([accuracy for accuracy, _ in scores], axis=0)
            self.standard = float(np.mean([base for _, base in scores]))

    def _estimate(self, statistic: Callable, x: np.ndarray, y: np.ndarray) -> float:
        """A statistic of the points of a curve [n], or of as many drawn from them."""
        points = np.arange(len(x)) if self.rng is None else np.sort(self.rng.integers(len(x), size=len(x)))
        return statistic(x[points], y[points])

    def _mean_cells(self) -> dict[str, np.ndarray]:
        parts = []
        for run in self.runs:
            cells = run.cells[1]
            if self.rng is not None:
                drawn = self.rng.integers(len(cells["C"]), size=len(cells["C"]))
                cells = {name: values[drawn] for name, values in cells.items()}
                cells["D"] = self.rng.binomial(run.images, cells["D"]) / run.images
            log_c, level = (inflection.SCALES[scale](cells["C"]) for scale in ("log", self.settings["scale"]))
            cells = cells | {"C": log_c, "level": level}
            parts.append({name: values.mean(axis=0) for name, values in cells.items()})
        return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}

    def steps(self, dt: int) -> tuple[np.ndarray, np.ndarray]:
        """t, and S(t, t + dt)."""
        i, j = np.nonzero(self.times[None] - self.times[:, None] == dt)
        return self.times[i], self.S[i, j]

    def since(self, tau: int) -> tuple[np.ndarray, np.ndarray]:
        """t >= tau, and S(t, tau)."""
        k = int(np.searchsorted(self.times, tau))
        return self.times[k:], self.S[k, k:]

    @cached_property
    def kernel_elbow(self) -> float:
        return self._estimate(changes.elbow, *self.steps(min(self.settings["dt"])))

    @property
    def taus(self) -> np.ndarray:
        """The times after t* up to the last quarter of the kernel's."""
        return self.times[(self.times > self.inflection) & (self.times <= 0.75 * self.times[-1])]


def fall(m: Means) -> float:
    if len(np.unique(m.t0)) > 1 and np.ptp(m.level[m.end]) == 0:
        return 0.0
    return inflection.fall(m.t0, m.t1, m.C, m.inflection) if np.isfinite(m.inflection) else nan


def earliest(m: Means) -> float:
    return 10 ** m.C[m.early].min()


def growth(m: Means) -> float:
    """Decades by which |theta' - theta| grows over |epsilon|, of the early fork where it grows least."""
    return (m.exponent * (m.t1 - m.t0))[m.early].min() / log(10)


def growth_after(m: Means) -> float:
    return inflection.growth_after(m.t0, m.t1, m.exponent, m.inflection)


def latest(m: Means) -> float:
    return 10 ** m.C[m.late].max()


def place(m: Means) -> float:
    return m.inflection


def _inside(m: Means) -> np.ndarray:
    return (m.t0 <= m.inflection) & (m.inflection < m.t1)


def level_inside(metric: str) -> Callable[[Means], float]:
    return lambda m: getattr(m, metric)[_inside(m)].mean()


def level_outside(metric: str) -> Callable[[Means], float]:
    def share(m: Means) -> float:
        values, inside = getattr(m, metric), _inside(m)
        return values[~inside].mean() / values[inside].mean() if values[inside].mean() > 0 else nan

    return share


def _later(m: Means, dt: int) -> np.ndarray:
    """S(t, t + dt) over the later half of t > t*."""
    t, steps = m.steps(dt)
    steps = steps[t > m.inflection]
    return steps[len(steps) // 2 :]


def slowing(m: Means) -> float:
    t, steps = m.steps(min(m.settings["dt"]))
    before, after = steps[t < m.inflection], steps[t > m.inflection]
    return before.mean() / after.mean() if len(before) and len(after) else nan


def settled(m: Means) -> float:
    later = _later(m, min(m.settings["dt"]))
    return later.mean() if len(later) else nan


def spread_of_dt(m: Means) -> float:
    short, long = (_later(m, dt) for dt in (min(m.settings["dt"]), max(m.settings["dt"])))
    return long.max() / short.max() if len(short) and len(long) else nan


def kernel_elbow(m: Means) -> float:
    return m.kernel_elbow


def coincidence(m: Means) -> float:
    return m.kernel_elbow / m.inflection


def plateau(m: Means) -> float:
    """Of all late tau, the largest growth of S(t, tau) in the second half of the time after it."""
    return max((_second_half(*m.since(tau)) for tau in m.taus), default=nan)


def _second_half(t: np.ndarray, curve: np.ndarray) -> float:
    """By which share of its end a curve grows in the second half of its time."""
    return 1 - np.interp((t[0] + t[-1]) / 2, t, curve) / curve[-1]


def narrowing(m: Means) -> float:
    """The cone's width after the first late tau over that after 0, in an equally long time."""
    if not len(m.taus):
        return nan
    (t, after), (times, before) = m.since(m.taus[0]), m.since(0)
    same = times <= t[-1] - t[0]
    return inflection.width(t, after) / inflection.width(times[same], before[same])


def gain_of_switch(m: Means) -> float:
    return m.accuracy[-1] - m.accuracy[0]


def gain_past_2000(m: Means) -> float:
    before, after = m.accuracy[m.switches <= 2000], m.accuracy[m.switches > 2000]
    return after[-1] - before[-1] if len(before) and len(after) else nan


def lead_of_standard(m: Means) -> float:
    return m.standard - m.accuracy[0]


def lead_of_cone(m: Means) -> float:
    late = m.accuracy[m.switches > m.inflection]
    return m.standard - late[0] if len(late) else nan


def difference_of_control(m: Means) -> float:
    return max(run.control_apart for run in m.runs)


def one_speed(m: Means) -> float:
    _, steps = m.steps(min(m.settings["dt"]))
    half = len(steps) // 2
    return steps[:half].mean() / steps[-half:].mean() if half else nan


def endless_growth(m: Means) -> float:
    return _second_half(*m.since(0))
