"""Panels of the figures: each function draws one of them, from tables. Nothing but means is computed here."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from twophase.analysis.curves import steps as pair_steps
from twophase.report import scales
from twophase.report.scales import Colours
from twophase.report.theme import (
    CASING,
    INK,
    LINES,
    MARKERS,
    PAIR,
    decades,
    headroom,
    label_times,
    legend,
    time_axis,
    time_colours,
)

NAMES = 24  # of layers beside a panel: of more, every second, third, ...
BAND = "band: range of\nseeds and draws"

# Heat maps ----------------------------------------------------------------------------------------------------------


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders [points + 1] of cells around grid points: halfway between neighbours; a single cell has width 1."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], middle, [1.5 * centres[-1] - 0.5 * centres[-2]]])


def heat(ax, frame: pd.DataFrame, x: str, y: str, value: str, colours: Colours) -> None:
    """Heat map of the mean over seeds and draws, geometric on a logarithmic scale, in iterations on both axes.

    On a logarithmic scale, values below its lowest count as that one.

    Args:
        frame: columns `x`, `y` (iterations) and `value`.
    """
    ys = _cells(ax, frame, x, y, value, colours)
    time_axis(ax, "y", ys, edges(ys))


def layers_heat(ax, frame: pd.DataFrame, x: str, value: str, colours: Colours) -> None:
    """Heat map over iterations and layers, the first of the network on top; means as in `heat`.

    Args:
        frame: columns `x` (iterations), layer, place, and `value`.
    """
    names = frame.drop_duplicates("place").set_index("place")["layer"].sort_index()
    _cells(ax, frame, x, "place", value, colours)
    shown = names[:: -(-len(names) // NAMES)]
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(shown.index, shown, fontsize=min(6.5, 6.5 * NAMES / 2 / len(shown)))


def _cells(ax, frame: pd.DataFrame, x: str, y: str, value: str, colours: Colours) -> np.ndarray:
    """The cells of a heat map with iterations below and a colour bar; returns what stands along the y axis."""
    norm = colours.norm
    grid = frame[[x, y]].assign(value=frame[value].to_numpy(dtype=float))
    if isinstance(norm, LogNorm):
        grid["value"] = np.log(np.maximum(grid["value"], norm.vmin))
    table = grid.groupby([y, x])["value"].mean().unstack()  # a row without any value stays, white
    values = np.exp(table.to_numpy()) if isinstance(norm, LogNorm) else table.to_numpy()
    xs, ys = (np.asarray(axis, dtype=float) for axis in (table.columns, table.index))
    image = ax.pcolormesh(edges(xs), edges(ys), values, norm=norm, cmap=colours.map)
    time_axis(ax, "x", xs, edges(xs))
    shown = colours.shown
    bar = ax.figure.colorbar(image, ax=ax, label=shown.label, shrink=0.85)
    if colours.anchored:
        bar.set_ticks(shown.ticks, labels=[shown.text(tick) for tick in shown.ticks])
        bar.ax.minorticks_off()
        bar.ax.axhline(shown.line, color="black", lw=1)
    elif shown.unit == scales.SHARE:
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    return ys


def pairs_heat(ax, frame: pd.DataFrame, colours: Colours) -> None:
    """Heat map of a grid of pairs, columns i, j (i <= j) and value, mirrored to the full square."""
    mirror = frame[frame["i"] < frame["j"]].rename(columns={"i": "j", "j": "i"})
    heat(ax, pd.concat([frame, mirror]), "i", "j", "value", colours)
    label_times(ax, x="$t_i$", y="$t_j$")
    ax.set(aspect="equal")


# Curves -------------------------------------------------------------------------------------------------------------


def averaged(ax, frame: pd.DataFrame, x: str, y: str, **style) -> bool:
    """The mean of `y` over seeds and draws at each `x`, and its full range as a band.

    Where all values of a point are NaN, the curve has a gap.

    Returns:
        whether the band has a width anywhere.
    """
    points = frame.groupby(x)[y].agg(["mean", "min", "max"])
    ax.plot(points.index, points["mean"], **{"ms": 3, "lw": 1.2, **style})
    ax.fill_between(points.index, points["min"], points["max"], color=style["color"], alpha=0.18, lw=0)
    return bool((points["max"] > points["min"]).any())


def curves(ax, frame: pd.DataFrame, x: str, y: str, hue: str, name: str) -> None:
    """One curve for each value of `hue`: the mean over seeds and draws, with their full range as a band.

    The legend, called `name`, stands beside the panel.
    """
    values, banded = sorted(frame[hue].unique()), False
    for k, (value, colour) in enumerate(zip(values, time_colours(len(values)), strict=True)):
        style = {"color": colour, "marker": MARKERS[k % len(MARKERS)], "label": f"{value:g}"}
        banded |= averaged(ax, frame[frame[hue] == value], x, y, **style)
    time_axis(ax, "x", frame[x])
    handles = [*ax.get_legend_handles_labels()[0], *([Patch(color=INK, alpha=0.18, label=BAND)] if banded else [])]
    legend(ax, handles, name)


def change(ax, inflection: pd.Series, metric: str, mark: Mapping[str, str]) -> None:
    """Marks the inflection point of the `metric` that a heat map shows: a line, its interval, its place above.

    Args:
        inflection: a row of the phases. If it was not found, there is no line, and the title says `none`.
        mark: `colour` and `line`, a key of `theme.LINES`.
    """
    place = "none"
    if inflection["found"]:
        place = f"{inflection['value']:.0f}"
        at(ax, inflection, mark)
    ax.set_title(f"$t^*$ of ${metric}$: {place}", loc="right", color=mark["colour"], fontsize=7.5)


def at(ax, inflection, mark: Mapping[str, str]) -> None:
    """The line of an inflection point, with a light casing, and its interval, if it has one, as a band."""
    colour, limits = mark["colour"], ax.get_xlim()
    ax.axvline(inflection["value"], color=colour, ls=LINES[mark["line"]], lw=1.4, zorder=3, path_effects=CASING)
    if np.isfinite(inflection["low"]):
        ax.axvspan(inflection["low"], inflection["high"], facecolor=colour, alpha=0.16, lw=0, zorder=2)
    ax.set_xlim(limits)


def inflections(ax, phases: pd.DataFrame, marks: Mapping[str, Mapping[str, str]]) -> None:
    """Marks inflection points: each has a line, its interval as a band, and its place in the legend.

    Args:
        phases: rows of the phases. Those that were not found have no line, and the legend says `none`.
        marks: name of an inflection point -> how it is marked, as in `change`; others are left out.
    """
    handles = []
    for _, row in phases[phases["quantity"] == "inflection"].iterrows():
        if row["estimator"] not in marks:
            continue
        mark = marks[row["estimator"]]
        if row["found"]:
            at(ax, row, mark)
        text = f"{row['value']:.0f}" if row["found"] else "none"
        style = {"color": mark["colour"], "ls": LINES[mark["line"]] if row["found"] else "none"}
        handles.append(Line2D([], [], label=f"inflection\n({row['estimator']}): {text}", **style))
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
    label_times(ax, x="$t$")
    ax.set(ylabel=r"$S(t, t+\Delta t)$", ylim=(0, None))


def velocity(ax, grid: pd.DataFrame, dts: Sequence[int]) -> None:
    """Kernel velocity v(t) = S(t, t + dt) / dt over t, a curve for each dt (iterations), from a grid of pairs."""
    pairs = pair_steps(grid, dts)
    curves(ax, pairs.assign(velocity=pairs["value"] / pairs["dt"]), "t", "velocity", "dt", r"$\Delta t$")
    label_times(ax, x="$t$")
    ax.set(ylabel=r"$v(t) = S(t, t+\Delta t)/\Delta t$ (1/iteration)")
    if (pairs["value"] > 0).any() and np.isfinite(pairs["value"]).any():
        ax.set_yscale("log")


EDGES = {"edge": (r"$2(1+\beta)/$lr", "-"), "small_batch_edge": (r"$2(1-\beta)/$lr", "--")}
AMBER = "#c77d0a"  # of the edges: unlike curves and marks of inflection points


def measure(ax, frame: pd.DataFrame, column: str, label: str, logarithmic: bool) -> None:
    """A point-wise measure over t: mean over seeds, with their full range.

    Args:
        frame: columns t and `column`, of all seeds.
        logarithmic: where there is anything above 0 to show.
    """
    averaged(ax, frame, "t", column, color=INK, marker="o")
    time_axis(ax, "x", frame["t"])
    label_times(ax, x="$t$")
    ax.set(ylabel=label)
    if logarithmic and frame[column].between(0, np.inf, inclusive="neither").any():
        ax.set_yscale("log")


def edges_of_stability(ax, frame: pd.DataFrame) -> None:
    """Where SGD with momentum beta becomes unstable, higher at a lower learning rate; nothing for other optimizers.

    Args:
        frame: columns t and those of `EDGES`.
    """
    first = frame.groupby("t")[[*EDGES]].first()  # the same for every seed
    for column, (_, line) in EDGES.items():
        ax.plot(first.index, first[column], color=AMBER, ls=line, lw=1.2, drawstyle="steps-pre", zorder=1)


def key_of_measures(ax, frame: pd.DataFrame) -> None:
    """The legend of panels of measures and of edges of stability, beside the last one of a row."""
    handles = [Line2D([], [], color=AMBER, ls=line, lw=1.2, label=label) for label, line in EDGES.values()]
    handles = handles if frame["edge"].notna().any() else []
    if frame["seed"].nunique() > 1:
        handles.append(Patch(color=INK, alpha=0.18, label="band: range\nof seeds"))
    legend(ax, [Line2D([], [], color=INK, marker="o", ms=3, lw=1.2, label="mean over seeds"), *handles], "")


def from_times(grid: pd.DataFrame, taus: Sequence[int]) -> pd.DataFrame:
    """S(t, tau) of a grid of pairs before and after each tau: columns tau, t, value; NaN at tau itself."""
    mirror = grid[grid["i"] < grid["j"]].rename(columns={"i": "j", "j": "i"})
    full = pd.concat([grid, mirror])
    full = full[full["i"].isin(taus)].rename(columns={"i": "tau", "j": "t"})
    return full.assign(value=full["value"].where(full["t"] != full["tau"]))


def since(ax, grid: pd.DataFrame, taus: Sequence[int]) -> None:
    """S(t, tau) over t, before and after tau, with a gap there; a curve for each tau (iterations), from a grid."""
    curves(ax, from_times(grid, taus), "t", "value", "tau", r"$\tau$")
    label_times(ax, x="$t$")
    ax.set(ylabel=r"$S(t, \tau)$", ylim=(0, None))


def switching(ax, switches: pd.DataFrame, standard: pd.DataFrame, end: int, value: str, label: str) -> None:
    """The score `value` at the `end` of linearized training over the switch, with that of standard training.

    Logarithmic, so that losses and errors that are small differ as much as large ones do.
    """
    last = switches[switches["iteration"] == end]
    at_switch = standard[standard["iteration"].isin(last["switch"].unique())].rename(columns={"iteration": "switch"})
    names = {f"linearized from $t$ to {end}": last, "standard, at $t$": at_switch}
    for (name, scores), colour, marker in zip(names.items(), PAIR, MARKERS, strict=False):
        averaged(ax, scores, "switch", value, color=colour, marker=marker, label=name)
    final = standard.loc[standard["iteration"] == end, value]
    if len(final):
        ax.axhline(final.mean(), color=INK, lw=1, ls="--", label=f"standard, at {end}")
    time_axis(ax, "x", last["switch"])
    label_times(ax, x="switch $t$")
    ax.set(ylabel=label, yscale="log")
    decades(ax)
    legend(ax, ax.get_legend_handles_labels()[0], "")


def learning_curves(ax, switches: pd.DataFrame, standard: pd.DataFrame) -> None:
    """Test error (%) during linearized training, a curve for each switch, and during standard training, dashed."""
    curves(ax, switches, "iteration", "error", "switch", "switch $t$")
    mean = standard.groupby("iteration")["error"].mean()
    (line,) = ax.plot(mean.index, mean, color=INK, lw=1, ls="--", label="standard")
    time_axis(ax, "x", mean.index)
    legend(ax, [*ax.get_legend().legend_handles, line], "switch $t$")
    label_times(ax, x="$t$")
    ax.set(ylabel="test error (%)", yscale="log")
    decades(ax)


# Time ---------------------------------------------------------------------------------------------------------------

OFF = 1.25  # a power law whose line is off a point by more than this factor is none


def growth(ax, frame: pd.DataFrame, label: str):
    """Seconds of each stage over a size that grows, both logarithmic, with the power laws that fit.

    A fitted line goes through the mean of the logarithms. Where it misses a point by more than `OFF`, the points are
    joined in its place, and the legend has no exponent.

    Args:
        frame: columns stage, x, seconds, exponent.
    """
    for k, (stage, rows) in enumerate(frame.groupby("stage", sort=False)):
        power = rows["exponent"].iloc[0]
        colour = sns.color_palette("deep")[k]
        middle = np.exp(np.log(rows[["x", "seconds"]]).mean())
        fitted = middle["seconds"] * (rows["x"] / middle["x"]) ** power
        fits = np.abs(np.log(rows["seconds"] / fitted)).max() <= np.log(OFF)
        name = f"{stage}: {power:.2f}" if fits else f"{stage}: no power law"
        ax.plot(rows["x"], rows["seconds"], "o", ms=3, color=colour, label=name)
        ax.plot(rows["x"], fitted if fits else rows["seconds"], "-" if fits else ":", lw=0.8, color=colour)
    ax.set(xscale="log", yscale="log", xlabel=label, ylabel="time (s)")
    marks = sorted(frame["x"].unique())
    ax.set_xticks(marks, [f"{x:,.0f}" if x < 1e4 else f"{x / 1e3:,.0f}k" for x in marks])
    ax.minorticks_off()
    headroom(ax, 0.6)
    ax.legend(title="stage: exponent", loc="upper left", fontsize=6.5, title_fontsize=6.5)
