"""Panels of the figures: each function draws one of them, from tables. Nothing but means is computed here."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D

from twophase.analysis.curves import steps as pair_steps
from twophase.analysis.inflection import exponents as lyapunov
from twophase.report.theme import INK, LINES, TIME, headroom, legend, time_axis

DECADES = 2.0  # a colour scale is logarithmic from this span on


# Heat maps ----------------------------------------------------------------------------------------------------------


def scale(values: pd.Series):
    """One colour scale for all panels that show `values`; logarithmic if the positive ones span over two decades."""
    positive = values[values > 0]
    if positive.empty:
        return Normalize(0.0, 1.0)
    low, high = positive.min(), positive.max()
    return LogNorm(low, high) if np.log10(high / low) > DECADES else Normalize(0.0, high)


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders [points + 1] of cells around grid points: halfway between neighbours; a single cell has width 1."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], middle, [1.5 * centres[-1] - 0.5 * centres[-2]]])


def heat(ax, frame: pd.DataFrame, x: str, y: str, value: str, norm, colormap: str):
    """Heat map of the mean over seeds and draws, geometric on a logarithmic scale, in iterations on both axes.

    On a logarithmic scale, values of 0 or below take the lowest colour.

    Args:
        frame: columns `x`, `y` (iterations) and `value`.
        norm: of `scale`.

    Returns:
        the image, for a colour bar.
    """
    grid = frame[[x, y]].assign(value=frame[value].to_numpy(dtype=float))
    if isinstance(norm, LogNorm):
        grid["value"] = np.log(np.maximum(grid["value"], norm.vmin))
    table = grid.groupby([y, x])["value"].mean().unstack()  # a row without any value stays, white
    values = np.exp(table.to_numpy()) if isinstance(norm, LogNorm) else table.to_numpy()
    xs, ys = (np.asarray(axis, dtype=float) for axis in (table.columns, table.index))
    image = ax.pcolormesh(edges(xs), edges(ys), values, norm=norm, cmap=sns.color_palette(colormap, as_cmap=True))
    time_axis(ax, "x", xs, edges(xs)[[0, -1]])
    time_axis(ax, "y", ys, edges(ys)[[0, -1]])
    return image


def pairs_heat(ax, frame: pd.DataFrame, norm, colormap: str, label: str):
    """Heat map of a grid of pairs, columns i, j (i <= j) and value, mirrored to the full square."""
    mirror = frame[frame["i"] < frame["j"]].rename(columns={"i": "j", "j": "i"})
    image = heat(ax, pd.concat([frame, mirror]), "i", "j", "value", norm, colormap)
    ax.set(xlabel="$t_i$ (iterations)", ylabel="$t_j$ (iterations)", aspect="equal")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.85)


def chaos_heat(ax, frame: pd.DataFrame, metric: str, norm, colormap: str, label: str):
    """Heat map over t0 and t1, or t1 - t0, of a distance between fork and base run, the column `metric`."""
    frame, by, words = compared_by(frame)
    image = heat(ax, frame, "t0", by, metric, norm, colormap)
    ax.set(xlabel="$t_0$ (iterations)", ylabel=f"{words} (iterations)")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.85)


def compared_by(frame: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """What the comparisons of forks have in common: their t1, or their lag t1 - t0 where that is by design.

    Returns:
        the frame with a column `lag`, the column in common, and what a figure calls it.
    """
    frame = frame.assign(lag=frame["t1"] - frame["t0"])
    if frame["lag"].nunique() < frame["t1"].nunique():
        return frame, "lag", "$t_1 - t_0$"
    return frame, "t1", "$t_1$"


# Curves -------------------------------------------------------------------------------------------------------------


def curves(ax, frame: pd.DataFrame, x: str, y: str, hue: str, name: str):
    """One curve for each value of `hue`: the mean over seeds and draws, with their full range as a band."""
    values = sorted(frame[hue].unique())
    palette = dict(zip(values, sns.color_palette(TIME, len(values) + 1), strict=False))
    style = {"errorbar": ("pi", 100), "marker": "o", "ms": 3, "lw": 1.2}
    sns.lineplot(frame, x=x, y=y, hue=hue, palette=palette, hue_order=values, ax=ax, **style)
    time_axis(ax, "x", frame[x])
    legend(ax, ax.get_legend_handles_labels()[0], name)


def change(ax, inflection: pd.Series, metric: str, mark: Mapping[str, str]) -> None:
    """Marks the inflection point of the `metric` that a heat map shows: a line, and its place above the panel.

    Args:
        inflection: a row of the phases. If it was not found, there is no line, and the title says `none`.
        mark: `colour` and `line`, a key of `theme.LINES`.
    """
    colour, line = mark["colour"], LINES[mark["line"]]
    if inflection["found"]:
        ax.axvline(inflection["value"], color=colour, ls=line, lw=1.2, zorder=3)
    place = f"{inflection['value']:.0f}" if inflection["found"] else "none"
    ax.set_title(f"$t^*$ of ${metric}$: {place}", loc="right", color=colour, fontsize=7.5)


def inflections(ax, phases: pd.DataFrame, marks: Mapping[str, Mapping[str, str]]) -> None:
    """Marks inflection points: each has a line, its interval as a band, and its place in the legend.

    Args:
        phases: rows of the phases. Those that were not found have no line, and the legend says `none`.
        marks: name of an inflection point -> how it is marked, as in `change`; others are left out.
    """
    limits = ax.get_xlim()
    handles = []
    for row in phases[phases["quantity"] == "inflection"].itertuples():
        if row.estimator not in marks:
            continue
        colour, line = marks[row.estimator]["colour"], LINES[marks[row.estimator]["line"]]
        text = f"{row.value:.0f}" if row.found else "none"
        if row.found:
            ax.axvline(row.value, color=colour, ls=line, lw=1.2, zorder=3)
            ax.axvspan(row.low, row.high, color=colour, alpha=0.12, lw=0, zorder=0)
        label = f"inflection ({row.estimator}): {text}"
        handles.append(Line2D([], [], color=colour, ls=line if row.found else "none", label=label))
    ax.set_xlim(limits)
    shown = ax.get_legend()
    if handles and shown is not None:
        legend(ax, [*shown.legend_handles, *handles], shown.get_title().get_text())


def drops(ax, times: Sequence[int], diagonal: bool = False) -> None:
    """Thin lines where the learning rate drops; with `diagonal` on both axes, for square panels."""
    for t in times:
        ax.axvline(t, color=INK, lw=0.6, ls=":", zorder=2)
        if diagonal:
            ax.axhline(t, color=INK, lw=0.6, ls=":", zorder=2)


def steps(ax, grid: pd.DataFrame, dts: Sequence[int]) -> None:
    """S(t, t + dt) over t, a curve for each dt (iterations), from a grid of pairs."""
    curves(ax, pair_steps(grid, dts), "t", "value", "dt", r"$\Delta t$")
    ax.set(xlabel="$t$ (iterations)", ylabel=r"$S(t, t+\Delta t)$", ylim=(0, None))


def velocity(ax, grid: pd.DataFrame, dts: Sequence[int]) -> None:
    """Kernel velocity v(t) = S(t, t + dt) / dt over t, a curve for each dt (iterations), from a grid of pairs."""
    pairs = pair_steps(grid, dts)
    curves(ax, pairs.assign(velocity=pairs["value"] / pairs["dt"]), "t", "velocity", "dt", r"$\Delta t$")
    ax.set(xlabel="$t$ (iterations)", ylabel=r"$v(t) = S(t, t+\Delta t)/\Delta t$ (1/iteration)", yscale="log")
    headroom(ax, 0.75)


def since(ax, grid: pd.DataFrame, taus: Sequence[int]) -> None:
    """S(t, tau) over t, before and after tau, a curve for each tau (iterations), from a grid of pairs."""
    mirror = grid[grid["i"] < grid["j"]].rename(columns={"i": "j", "j": "i"})
    full = pd.concat([grid, mirror])
    curves(ax, full[full["i"].isin(taus)].rename(columns={"i": "tau"}), "j", "value", "tau", r"$\tau$")
    ax.set(xlabel="$t$ (iterations)", ylabel=r"$S(t, \tau)$", ylim=(0, None))


def switching(ax, switches: pd.DataFrame, standard: pd.DataFrame, end: int, value: str, label: str) -> None:
    """The score `value` at the `end` of linearized training over the switch, with that of standard training."""
    last = switches[switches["iteration"] == end]
    colours = sns.color_palette(TIME, 3)
    at = standard[standard["iteration"].isin(last["switch"].unique())]
    style = {"errorbar": ("pi", 100), "marker": "o", "ms": 4, "lw": 1.2, "ax": ax}
    sns.lineplot(last, x="switch", y=value, color=colours[0], label=f"linearized from $t$ to {end}", **style)
    sns.lineplot(at, x="iteration", y=value, color=colours[1], label="standard, at $t$", **style)
    final = standard.loc[standard["iteration"] == end, value]
    if len(final):
        ax.axhline(final.mean(), color=INK, lw=1, ls="--", label=f"standard, at {end}")
    ax.set(xlabel="switch $t$ (iterations)", ylabel=label)
    there = last[value].dropna()  # nothing, where all runs diverged
    if value == "test_loss" and len(there) and there.max() > 100 * max(there.min(), 1e-12):
        ax.set_yscale("log")
    ax.legend()


def learning_curves(ax, switches: pd.DataFrame, standard: pd.DataFrame) -> None:
    """Test accuracy during linearized training, a curve for each switch, and during standard training, dashed."""
    curves(ax, switches, "iteration", "test_accuracy", "switch", "switch $t$")
    mean = standard.groupby("iteration")["test_accuracy"].mean()
    ax.plot(mean.index, mean, color=INK, lw=1, ls="--", label="standard")
    time_axis(ax, "x", mean.index)
    legend(ax, ax.get_legend_handles_labels()[0], "switch $t$", room=0)
    ax.set(xlabel="iteration", ylabel="test accuracy")


def first_seed(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """The rows of an experiment's first seed, for pictures of a single run."""
    mine = frame[frame["experiment"] == experiment]
    return mine[mine["seed"] == mine["seed"].min()]


def cone(ax, frame: pd.DataFrame) -> None:
    """The cone: kernels as unit vectors, along the first three principal axes of their scatter about the first.

    The kernel at initialisation is the apex, at the origin; rays lead from it to the others.

    Args:
        frame: columns iteration, x, y, z.
    """
    frame = frame.sort_values("iteration")
    colours = plt.get_cmap(TIME)(frame["iteration"] / max(frame["iteration"].max(), 1))
    for point, colour in zip(frame[["x", "y", "z"]].to_numpy(), colours, strict=True):
        ax.plot(*zip((0, 0, 0), point, strict=True), color=colour, lw=0.6, alpha=0.5)
    ax.plot(frame["x"], frame["y"], frame["z"], color=INK, lw=0.8)
    dots = ax.scatter(frame["x"], frame["y"], frame["z"], c=frame["iteration"], cmap=TIME, s=14, depthshade=False)
    ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
    for set_label, name in ((ax.set_xlabel, "PC 1"), (ax.set_ylabel, "PC 2"), (ax.set_zlabel, "PC 3")):
        set_label(name, labelpad=-12)
    ax.figure.colorbar(dots, ax=ax, label="iteration", shrink=0.7, pad=0.05)


def plane(ax, frame: pd.DataFrame, inflection: float) -> None:
    """Base run and forks in the plane of their principal components; forks before the inflection point in red.

    Args:
        frame: columns t0, draw, iteration, x, y; t0 of the base run is -1.
        inflection: iterations; NaN if none was found, so that all forks look alike.
    """
    early, late = sns.color_palette("Reds_r", 6)[1], sns.color_palette("Blues_r", 6)[1]
    kinds = {"forks before the inflection": early, "forks after it": late} if np.isfinite(inflection) else {}
    kinds = kinds or {"forks (no inflection found)": late}
    base = frame[frame["t0"] < 0].sort_values("iteration")
    ax.plot(base["x"], base["y"], color=INK, lw=1.6, zorder=3, label="base run")
    for (t0, _), fork in frame[frame["t0"] >= 0].groupby(["t0", "draw"]):
        start = base[base["iteration"] == t0]
        path = pd.concat([start, fork.sort_values("iteration")])
        chaotic = t0 < inflection
        colour = early if chaotic else late
        ax.plot(path["x"], path["y"], color=colour, lw=0.9, alpha=0.8, zorder=2 if chaotic else 4)
        ax.plot(path["x"].iloc[-1], path["y"].iloc[-1], marker="o", ms=3.5, color=colour, zorder=5)
    ax.plot(base["x"].iloc[-1], base["y"].iloc[-1], marker="*", ms=9, color=INK, zorder=4)
    handles = [Line2D([], [], color=INK, lw=1.6, marker="*", label="base run and its end")]
    handles += [Line2D([], [], color=colour, marker="o", ms=3.5, label=kind) for kind, colour in kinds.items()]
    headroom(ax, 0.4)
    ax.legend(handles=handles, loc="upper left")
    ax.set(xlabel="PC 1 of the parameters", ylabel="PC 2 of the parameters")


def divergence(ax, distances: pd.DataFrame, perturbations: pd.DataFrame) -> None:
    """The perturbation scheme: the distance of forks to the base run over time, starting at (t0, |epsilon|)."""
    starts = (
        perturbations[perturbations["draw"] >= 0]
        .rename(columns={"t0": "t1", "realised": "l2"})
        .assign(t0=lambda f: f["t1"])
    )
    both = pd.concat([starts[["t0", "t1", "draw", "l2"]], distances[["t0", "t1", "draw", "l2"]]])
    t0s = sorted(both["t0"].unique())
    for t0, colour in zip(t0s, sns.color_palette(TIME, len(t0s) + 1), strict=False):
        mean = np.exp(np.log(both[both["t0"] == t0].set_index("t1")["l2"]).groupby(level=0).mean())
        ax.plot(mean.index, mean, color=colour, lw=1.2, marker=".", ms=4, label=f"{t0}")
        ax.plot(mean.index[0], mean.iloc[0], marker="v", ms=6, color=colour)
    ax.set(yscale="log", xlabel="$t_1$ (iterations)", ylabel=r"$|\theta'_{t_1}-\theta_{t_1}|_2$")
    time_axis(ax, "x", both["t1"], linear=True)
    legend(ax, ax.get_legend_handles_labels()[0], "perturbed\nat $t_0$", room=0)


def exponents(ax, chaos: pd.DataFrame, phases: pd.DataFrame) -> None:
    """Lyapunov exponents over t0, a curve for each t1 or lag (mean and range of seeds and draws); their sign change."""
    chaos, by, words = compared_by(chaos.assign(exponent=lyapunov(chaos)))
    curves(ax, chaos, "t0", "exponent", by, words)
    ax.axhline(0.0, color=INK, lw=0.8)
    handles = ax.get_legend().legend_handles
    for row in phases[phases["quantity"] == "sign change"].itertuples():  # none of checkpoints
        if row.found:
            error = [[row.value - row.low], [row.high - row.value]] if np.isfinite(row.low) else None
            ax.errorbar(row.value, 0.0, xerr=error, fmt="D", ms=5, color=INK, capsize=3, zorder=5)
        place = f"{row.value:.0f}" if row.found else "none"
        marker = "D" if row.found else ""
        handles.append(Line2D([], [], color=INK, marker=marker, ms=5, ls="none", label=f"sign change: {place}"))
    legend(ax, handles, words)
    label = r"$\log(|\theta'_{t_1}-\theta_{t_1}| / |\varepsilon|)\,/\,(t_1-t_0)$ (1/iteration)"
    ax.set(xlabel="$t_0$ (iterations)", ylabel=label)


# Time ---------------------------------------------------------------------------------------------------------------


def growth(ax, frame: pd.DataFrame, label: str):
    """Seconds of each stage over a size that grows, both logarithmic, with the fitted power laws.

    Args:
        frame: columns stage, x, seconds, exponent.
    """
    for k, (stage, rows) in enumerate(frame.groupby("stage", sort=False)):
        power = rows["exponent"].iloc[0]
        colour = sns.color_palette("deep")[k]
        ax.plot(rows["x"], rows["seconds"], "o", ms=3, color=colour, label=f"{stage}: {power:.2f}")
        middle = np.exp(np.log(rows[["x", "seconds"]]).mean())  # a fitted line goes through the mean of the logarithms
        ax.plot(rows["x"], middle["seconds"] * (rows["x"] / middle["x"]) ** power, "-", lw=0.8, color=colour)
    ax.set(xscale="log", yscale="log", xlabel=label, ylabel="time (s)")
    marks = sorted(frame["x"].unique())
    ax.set_xticks(marks, [f"{x:,.0f}" if x < 1e4 else f"{x / 1e3:,.0f}k" for x in marks])
    ax.minorticks_off()
    headroom(ax, 0.6)
    ax.legend(title="stage: exponent", loc="upper left", fontsize=6.5, title_fontsize=6.5)
