"""Panels of the figures: each function draws one of them, from tables. Nothing but means is computed here."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D

from twophase.analysis.curves import steps as pair_steps
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
    table = grid.pivot_table(index=y, columns=x, values="value", aggfunc="mean")
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
    if value == "test_loss" and np.nanmax(last[value]) > 100 * max(np.nanmin(last[value]), 1e-12):
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
    colours = plt.get_cmap(TIME)(frame["iteration"] / frame["iteration"].max())
    for point, colour in zip(frame[["x", "y", "z"]].to_numpy(), colours, strict=True):
        ax.plot(*zip((0, 0, 0), point, strict=True), color=colour, lw=0.6, alpha=0.5)
    ax.plot(frame["x"], frame["y"], frame["z"], color=INK, lw=0.8)
    dots = ax.scatter(frame["x"], frame["y"], frame["z"], c=frame["iteration"], cmap=TIME, s=14, depthshade=False)
    ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
    for set_label, name in ((ax.set_xlabel, "PC 1"), (ax.set_ylabel, "PC 2"), (ax.set_zlabel, "PC 3")):
        set_label(name, labelpad=-12)
    ax.figure.colorbar(dots, ax=ax, label="iteration", shrink=0.7, pad=0.05)


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
