"""Panels about forks: where they end, how far from the base run, and after which time. As in `panels`."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from twophase.analysis.inflection import exponents as lyapunov
from twophase.report.panels import BAND, averaged, curves, heat
from twophase.report.scales import Colours
from twophase.report.theme import CASING, INK, MARKERS, PAIR, headroom, label_times, legend, time_axis, time_colours

STATISTICS = {"running": "running statistics", "recalibrate": "computed anew"}  # of batch norms, in a legend's words
NEAR = 0.03  # a fork whose end is within this share of the panel from that of the base run hides under the star
INSET = 0.34  # side of the picture of what hides there, as a share of the panel's
APART = 0.1  # comparisons farther apart than this share of the time shown: what lies between was not measured
LAGS = 6  # curves of so many lags at most


def plane(ax, frame: pd.DataFrame, inflection: float, explained: Sequence[float]) -> None:
    """Base run and forks in the plane of their principal components; forks before the inflection point in red.

    Forks that end where the base run does are shown again in an inset.

    Args:
        frame: columns t0, draw, iteration, x, y; t0 of the base run is -1.
        inflection: iterations; NaN if none was found, so that all forks look alike.
        explained: shares of the variance along the two axes.
    """
    early, late = sns.color_palette("Reds_r", 6)[1], sns.color_palette("Blues_r", 6)[1]
    kinds = {"forks before the inflection": early, "forks after it": late} if np.isfinite(inflection) else {}
    kinds = kinds or {"forks (no inflection found)": late}
    base = frame[frame["t0"] < 0].sort_values("iteration")
    paths = []
    for (t0, _), fork in frame[frame["t0"] >= 0].groupby(["t0", "draw"]):
        start = base[base["iteration"] == t0]
        path = pd.concat([start, fork.sort_values("iteration")])[["x", "y"]].to_numpy()
        paths.append((path, early if t0 < inflection else late))
    runs(ax, base[["x", "y"]].to_numpy(), paths)
    handles = [Line2D([], [], color=INK, lw=1.6, marker="*", label="base run and its end")]
    handles += [Line2D([], [], color=colour, marker="o", ms=3.5, label=kind) for kind, colour in kinds.items()]
    headroom(ax, 0.4)
    ax.legend(handles=handles, loc="upper left")
    labels = (
        f"PC {k} of the parameters\n({100 * share:.0f} % of the variance)" for k, share in enumerate(explained, 1)
    )
    ax.set(**dict(zip(("xlabel", "ylabel"), labels, strict=True)))
    magnified(ax, base[["x", "y"]].to_numpy(), paths)


def runs(ax, base: np.ndarray, paths: Sequence[tuple[np.ndarray, tuple]]) -> None:
    """Base run [points, 2] with a star at its end, and forks, pairs of a path [points, 2] and a colour."""
    ax.plot(*base.T, color=INK, lw=1.6, zorder=3)
    for path, colour in paths:
        ax.plot(*path.T, color=colour, lw=0.9, alpha=0.8, zorder=4)
        ax.plot(*path[-1], marker="o", ms=3.5, color=colour, zorder=5)
    ax.plot(*base[-1], marker="*", ms=9, color=INK, zorder=4)


def magnified(ax, base: np.ndarray, paths: Sequence[tuple[np.ndarray, tuple]]) -> None:
    """An inset of what hides under the star, in the emptiest corner below the legend; arguments as in `runs`."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    size = np.array([right - left, top - bottom])
    away = [np.abs((path[-1] - base[-1]) / size).max() for path, _ in paths]
    hidden = [distance for distance in away if 0 < distance < NEAR]
    if not hidden:
        return
    lines = [np.linspace(a, b, 20) for path in (base, *(path for path, _ in paths)) for a, b in pairwise(path)]
    drawn = (np.concatenate(lines) - [left, bottom]) / size
    corners = [(x, y) for x in (0.04, 0.97 - INSET) for y in (0.05, 0.7 - INSET)]
    held = [((drawn >= corner) & (drawn <= np.add(corner, INSET))).all(axis=1).sum() for corner in corners]
    inset = ax.inset_axes([*corners[int(np.argmin(held))], INSET, INSET])
    runs(inset, base, paths)
    reach = 1.4 * max(hidden) * size
    inset.set(xlim=base[-1][0] + [-reach[0], reach[0]], ylim=base[-1][1] + [-reach[1], reach[1]], xticks=[], yticks=[])
    inset.patch.set_alpha(0.9)
    larger = float(f"{INSET / (2.8 * max(hidden)):.1g}")
    inset.set_title(f"at the star, × {larger:,.0f}", fontsize=6.5, pad=2, path_effects=CASING)
    sns.despine(ax=inset, top=False, right=False)


def divergence(ax, distances: pd.DataFrame, perturbations: pd.DataFrame) -> None:
    """The perturbation scheme: the distance of forks to the base run over time, starting at (t0, |epsilon|).

    Dotted between comparisons that are far apart.
    """
    starts = (
        perturbations[perturbations["draw"] >= 0]
        .rename(columns={"t0": "t1", "realised": "l2"})
        .assign(t0=lambda f: f["t1"])
    )
    both = pd.concat([starts[["t0", "t1", "draw", "l2"]], distances[["t0", "t1", "draw", "l2"]]])
    t0s, far = sorted(both["t0"].unique()), APART * (both["t1"].max() - both["t1"].min())
    handles, gaps = [], False
    for t0, colour in zip(t0s, time_colours(len(t0s)), strict=True):
        mean = np.exp(np.log(both[both["t0"] == t0].set_index("t1")["l2"]).groupby(level=0).mean())
        points = list(mean.items())
        for a, b in pairwise(points):
            gap = b[0] - a[0] > far
            gaps |= gap
            ax.plot(*zip(a, b, strict=True), color=colour, lw=0.9 if gap else 1.2, ls=":" if gap else "-")
        ax.plot(mean.index[1:], mean.iloc[1:], color=colour, ls="none", marker=".", ms=5)
        ax.plot(*points[0], color=colour, marker="v", ms=6)
        handles.append(Line2D([], [], color=colour, marker=".", ms=4, label=f"{t0}"))
    handles += [Line2D([], [], color=INK, marker="v", ls="none", label=r"$|\varepsilon|$, as rounded")]
    handles += [Line2D([], [], color=INK, ls=":", label="not measured between")] if gaps else []
    words = "Euclidean distance of fork and base run\n" + r"$|\theta'_{t_1}-\theta_{t_1}|_2$"
    ax.set(yscale="log", ylabel=words)
    time_axis(ax, "x", both["t1"], linear=True)
    label_times(ax, x="$t_1$")
    legend(ax, handles, "perturbed\nat $t_0$")


def compared_by(frame: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """What the comparisons of forks have in common: their t1, or their lag t1 - t0 where that is by design.

    Returns:
        the frame with a column `lag`, the column in common, and what a figure calls it.
    """
    frame = frame.assign(lag=frame["t1"] - frame["t0"])
    if frame["lag"].nunique() < frame["t1"].nunique():
        return frame, "lag", "$t_1 - t_0$"
    return frame, "t1", "$t_1$"


def chaos_heat(ax, frame: pd.DataFrame, metric: str, colours: Colours) -> None:
    """Heat map over t0 and t1, or t1 - t0, of a distance between fork and base run, the column `metric`."""
    frame, by, words = compared_by(frame)
    heat(ax, frame, "t0", by, metric, colours)
    label_times(ax, x="$t_0$", y=words)


def after_equal_times(chaos: pd.DataFrame) -> pd.DataFrame:
    """The comparisons at those lags t1 - t0, in a column `lag`, that most t0 have in common; all where no two have one.

    Growth saturates: rates over different times do not compare.
    """
    chaos = chaos.assign(lag=chaos["t1"] - chaos["t0"])
    counts = chaos.groupby("lag")["t0"].nunique()
    common = counts[counts > 1].sort_values(ascending=False, kind="stable").index[:LAGS]
    return chaos[chaos["lag"].isin(common)] if len(common) else chaos


def exponents(ax, chaos: pd.DataFrame, phases: pd.DataFrame) -> None:
    """Lyapunov exponents over t0, a curve for each lag t1 - t0: mean and range of seeds and draws; sign change."""
    chaos = after_equal_times(chaos.assign(exponent=lyapunov(chaos)))
    curves(ax, chaos, "t0", "exponent", "lag", "$t_1 - t_0$")
    ax.axhline(0.0, color=INK, lw=0.8)
    handles = ax.get_legend().legend_handles
    for row in phases[phases["quantity"] == "sign change"].itertuples():  # none of checkpoints
        if row.found:
            error = [[row.value - row.low], [row.high - row.value]] if np.isfinite(row.low) else None
            ax.errorbar(row.value, 0.0, xerr=error, fmt="D", ms=5, color=INK, capsize=3, zorder=5)
        place = f"{row.value:.0f}" if row.found else "none"
        marker = "D" if row.found else ""
        handles.append(Line2D([], [], color=INK, marker=marker, ms=5, ls="none", label=f"sign change: {place}"))
    legend(ax, handles, "$t_1 - t_0$")
    label_times(ax, x="$t_0$")
    words = "rate of growth of the distance (1/iteration)\n"
    ax.set(ylabel=words + r"$\log(|\theta'_{t_1}-\theta_{t_1}| / |\varepsilon|)\,/\,(t_1-t_0)$")


# After equal times, whenever they left the base run ------------------------------------------------------------------


def dissimilarity(ax, distances: pd.DataFrame, lags: list[int]) -> None:
    """C over t0, a curve for each lag (iterations): geometric mean and range over seeds and draws.

    Args:
        distances: columns t0, t1, C.
    """
    frame = distances.assign(lag=distances["t1"] - distances["t0"])
    frame = frame[frame["lag"].isin(lags) & (frame["C"] > 0)]
    curves(ax, frame.assign(magnitude=np.log10(frame["C"])), "t0", "magnitude", "lag", "lag")
    label_times(ax, x="$t_0$")
    ax.set(ylabel=r"$\log_{10} C(t_0, t_0 + \mathrm{lag})$")


def under_either(ax, chaos: pd.DataFrame, lag: int, metrics: dict[str, str], label: str) -> None:
    """Measures over t0 at one lag, under either statistics of batch norms: mean and range over seeds and draws.

    Args:
        chaos: columns t0, t1 and `<metric>_<statistics>`.
        metrics: by the line's style, solid and dashed: name of a column without its statistics -> what a legend says.
    """
    last, banded = chaos[chaos["t1"] - chaos["t0"] == lag], False
    for (metric, name), line in zip(metrics.items(), ("-", "--"), strict=False):
        for (bn, words), colour, marker in zip(STATISTICS.items(), PAIR, MARKERS, strict=False):
            said = ", ".join(filter(None, (name, words)))
            style = {"color": colour, "marker": marker, "ls": line, "label": said}
            banded |= averaged(ax, last, "t0", f"{metric}_{bn}", **style)
    time_axis(ax, "x", last["t0"])
    label_times(ax, x="$t_0$")
    ax.set(ylabel=label, ylim=(0, None))
    handles = [*ax.get_legend_handles_labels()[0], *([Patch(color=INK, alpha=0.18, label=BAND)] if banded else [])]
    legend(ax, handles, "")
