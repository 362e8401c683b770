"""Panels of the figures: each function draws one, from one table, onto one axes. Nothing is computed here but means."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator

from twophase import storage
from twophase.phases import exponents as lyapunov

DECADES = 2.0  # a colour scale is logarithmic from this span on
SQUEEZED = 0.2  # an axis of iterations is logarithmic where most points lie within this share of it
LONG = 8  # entries of a legend that a panel has room for
ESTIMATORS = {  # how each estimate of the inflection point is marked, in every figure
    "chaos C": ("#d1495b", "--"),
    "kernel": ("#00798c", "-."),
    "parameters": ("#8d6a9f", (0, (1, 1))),
}
TIME = "viridis"  # colours of iterations; of tau and dt as well
INK = "0.25"
NOTE = 23  # characters of the small print in an inch
# Of the four verdicts, in the order of `scorecard`: tell apart in every kind of colour blindness, and in grey.
VERDICTS = ("#3a9099", "#f2a65a", "#fbe9a9", "white")
NOT_RUN = "0.88"


def canvas(rows: Sequence[str], columns: int, style: Mapping, projections: Mapping[int, str] | None = None):
    """A figure with one row of panels for each experiment, its title on the left.

    Args:
        rows: titles.
        projections: projection of a column, by its index, where it is not the plain one.

    Returns:
        the figure and its axes [rows][columns].
    """
    _set_theme()
    side = style["panel"]
    figure = plt.figure(figsize=(columns * side * 1.25 + 0.3, len(rows) * side + 0.3))
    axes = [
        [
            figure.add_subplot(len(rows), columns, r * columns + c + 1, projection=(projections or {}).get(c))
            for c in range(columns)
        ]
        for r in range(len(rows))
    ]
    for title, row in zip(rows, axes, strict=True):
        row[0].annotate(
            title if "$" in title else textwrap.fill(title, max(8, int(9 * side))),  # what fits beside the panel
            xy=(0, 0.5),
            xycoords="axes fraction",
            xytext=(-58, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="center",
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
        )
    return figure, axes


def _set_theme() -> None:
    sns.set_theme(
        style="ticks",
        context="paper",
        rc={
            "pdf.fonttype": 42,
            "axes.titlesize": 9,
            "axes.labelsize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 7.5,
            "legend.title_fontsize": 7.5,
            "legend.edgecolor": "none",  # a white ground keeps words apart from lines
            "legend.framealpha": 0.85,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
        },
    )


def letter(axes: Sequence[Sequence], names: Sequence[str]) -> None:
    """Headings of the columns, above the first row."""
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name, loc="left", fontweight="bold")


def save(figure, paths: Sequence[str], style: Mapping) -> None:
    """Writes the figure to each path, without a date so that equal figures are equal files.

    Under it stand the style's `note`, experiments and seeds, and the commit.
    """
    if style.get("note"):
        note = f"{style['note']} · commit {storage.versions()['commit']}"
        note = textwrap.fill(note, round(NOTE * figure.get_figwidth()))
        figure.text(0.0, -0.01, note, ha="left", va="top", fontsize=5.5, color="0.55")
    plain = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}
    for path in paths:
        with storage.atomic(path) as temporary:
            kind = temporary.suffix.lstrip(".")
            figure.savefig(temporary, dpi=style["dpi"], bbox_inches="tight", metadata=plain[kind])
        figure.set_layout_engine("none")  # the first file's layout is that of all: it takes longer than drawing
    plt.close(figure)


def time_axis(ax, name: str, times: Iterable[int], limits: Sequence[float] | None = None) -> None:
    """Ticks of the axis `name`, x or y, of iterations: few, and none beyond the `times` that it shows.

    Where a linear axis would squeeze most of them, it is logarithmic, and linear up to the first time after 0.

    Args:
        limits: of a logarithmic axis, where they are not just those of the times.
    """
    times = np.unique(np.fromiter(times, dtype=float))
    first, last = times[times > 0][:1], times[-1]
    axis = ax.xaxis if name == "x" else ax.yaxis
    if len(first) and np.median(times) < SQUEEZED * last:
        getattr(ax, f"set_{name}scale")("symlog", linthresh=first[0])
        low, high = limits if limits is not None else (times[0] - 0.3 * first[0], 1.2 * last)
        getattr(ax, f"set_{name}lim")(low, high)
        ticks = [0.0, *10.0 ** np.arange(np.ceil(np.log10(first[0])), np.log10(last) + 1e-9)]
    else:
        ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=True).tick_values(times[0], last)
    ticks = [tick for tick in ticks if times[0] <= tick <= last]
    axis.set_ticks(ticks, [f"{tick / 1000:g}k" if tick >= 1000 else f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def legend(ax, handles: Sequence, title: str, columns: int = 1) -> None:
    """A legend in the panel, or beside it where it is so long that it would hide the curves."""
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(handles) > LONG else {}
    ax.legend(handles=handles, title=title, ncols=columns + len(handles) // 18, **beside)


# Heat maps ----------------------------------------------------------------------------------------------------------


def scale(values: pd.Series):
    """One colour scale for all panels that show `values`: logarithmic where the positive ones span decades."""
    positive = values[values > 0]
    if positive.empty:
        return Normalize(0.0, 1.0)
    low, high = positive.min(), positive.max()
    return LogNorm(low, high) if np.log10(high / low) > DECADES else Normalize(0.0, high)


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells around grid points: halfway between neighbours."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], middle, [1.5 * centres[-1] - 0.5 * centres[-2]]])


def heat(ax, frame: pd.DataFrame, x: str, y: str, value: str, norm, colormap: str):
    """Heat map of the mean over seeds and draws, in iterations on both axes; zeros take the scale's lowest colour.

    The mean is geometric on a logarithmic scale. Returns what a colour bar needs.
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
    """Heat map of a grid of pairs i <= j, mirrored to the full square."""
    mirror = frame[frame["i"] < frame["j"]].rename(columns={"i": "j", "j": "i"})
    image = heat(ax, pd.concat([frame, mirror]), "i", "j", "value", norm, colormap)
    ax.set(xlabel="$t_i$ (iterations)", ylabel="$t_j$ (iterations)", aspect="equal")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.85)


def chaos_heat(ax, frame: pd.DataFrame, metric: str, norm, colormap: str, label: str):
    """Heat map of a distance between fork and base run over (t0, t1)."""
    image = heat(ax, frame, "t0", "t1", metric, norm, colormap)
    ax.set(xlabel="$t_0$ (iterations)", ylabel="$t_1$ (iterations)")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.85)


# Curves -------------------------------------------------------------------------------------------------------------


def curves(ax, frame: pd.DataFrame, x: str, y: str, hue: str, name: str):
    """One curve for each value of `hue`: mean over seeds (and draws) with their full range as a band."""
    values = sorted(frame[hue].unique())
    palette = dict(zip(values, sns.color_palette(TIME, len(values) + 1), strict=False))
    style = {"errorbar": ("pi", 100), "marker": "o", "ms": 3, "lw": 1.2}
    sns.lineplot(frame, x=x, y=y, hue=hue, palette=palette, hue_order=values, ax=ax, **style)
    time_axis(ax, "x", frame[x])
    legend(ax, ax.get_legend_handles_labels()[0], name)


def inflections(ax, phases: pd.DataFrame, heading: bool = False) -> None:
    """Marks inflection points: a line each, its interval as a band, its place in the legend or a `heading`.

    A curve without a significant change has no line; the words say so.
    """
    limits = ax.get_xlim()
    handles = []
    for row in phases[phases["quantity"] == "inflection"].itertuples():
        if row.estimator not in ESTIMATORS:
            continue
        colour, line = ESTIMATORS[row.estimator]
        text = f"{row.value:.0f}" if row.found else "none"
        if row.found:
            ax.axvline(row.value, color=colour, ls=line, lw=1.2, zorder=3)
        if heading:
            ax.set_title(f"$t^*$: {text}", loc="right", color=colour, fontsize=7.5)
        else:
            if row.found:
                ax.axvspan(row.low, row.high, color=colour, alpha=0.12, lw=0, zorder=0)
            label = f"inflection ({row.estimator}): {text}"
            handles.append(Line2D([], [], color=colour, ls=line if row.found else "none", label=label))
    ax.set_xlim(limits)
    shown = ax.get_legend()
    if handles and shown is not None:
        legend(ax, [*shown.legend_handles, *handles], shown.get_title().get_text())


def drops(ax, times: Sequence[int], diagonal: bool = False) -> None:
    """Thin lines where the learning rate drops; on both axes of a square panel."""
    for t in times:
        ax.axvline(t, color=INK, lw=0.6, ls=":", zorder=2)
        if diagonal:
            ax.axhline(t, color=INK, lw=0.6, ls=":", zorder=2)


def steps(ax, grid: pd.DataFrame, dts: Sequence[int]) -> None:
    """S(t, t + dt) over t, a curve for each dt."""
    part = grid.assign(dt=grid["j"] - grid["i"])
    curves(ax, part[part["dt"].isin(dts)], "i", "value", "dt", r"$\Delta t$")
    ax.set(xlabel="$t$ (iterations)", ylabel=r"$S(t, t+\Delta t)$", ylim=(0, None))


def velocity(ax, grid: pd.DataFrame, dts: Sequence[int]) -> None:
    """Kernel velocity v(t) = S(t, t + dt) / dt over t, a curve for each dt."""
    part = grid.assign(dt=grid["j"] - grid["i"])
    part = part[part["dt"].isin(dts)]
    curves(ax, part.assign(velocity=part["value"] / part["dt"]), "i", "velocity", "dt", r"$\Delta t$")
    ax.set(xlabel="$t$ (iterations)", ylabel=r"$v(t) = S(t, t+\Delta t)/\Delta t$ (1/iteration)", yscale="log")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend, which would hide curves


def since(ax, grid: pd.DataFrame, taus: Sequence[int]) -> None:
    """S(t, tau) over t, before and after tau, a curve for each tau."""
    mirror = grid[grid["i"] < grid["j"]].rename(columns={"i": "j", "j": "i"})
    full = pd.concat([grid, mirror])
    curves(ax, full[full["i"].isin(taus)].rename(columns={"i": "tau"}), "j", "value", "tau", r"$\tau$")
    ax.set(xlabel="$t$ (iterations)", ylabel=r"$S(t, \tau)$", ylim=(0, None))


def switching(ax, switches: pd.DataFrame, standard: pd.DataFrame, end: int, value: str, label: str) -> None:
    """A score at the end of linearized training against the switch, beside standard training's."""
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
    """Test accuracy over training after each switch, and of standard training in grey."""
    curves(ax, switches, "iteration", "test_accuracy", "switch", "switch $t$")
    mean = standard.groupby("iteration")["test_accuracy"].mean()
    ax.plot(mean.index, mean, color=INK, lw=1, ls="--", label="standard")
    legend(ax, ax.get_legend_handles_labels()[0], "switch $t$", columns=2)
    ax.set(xlabel="iteration", ylabel="test accuracy")


def first_seed(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """The rows of an experiment's first seed: pictures of one run."""
    mine = frame[frame["experiment"] == experiment]
    return mine[mine["seed"] == mine["seed"].min()]


def cone(ax, frame: pd.DataFrame) -> None:
    """Unit kernels as points on the sphere, in the frame of their principal axes about the first: the cone's picture.

    The apex is the origin of that frame, the kernel at initialisation; rays lead from it to the kernels.
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


def plane(ax, frame: pd.DataFrame, inflection: float) -> None:
    """Base run and forks in the plane of their principal components; forks before the inflection point in red.

    Args:
        inflection: iterations; NaN where none was found, and all forks look alike.
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
    ax.legend(handles=handles)
    ax.set(xlabel="PC 1 of the parameters", ylabel="PC 2 of the parameters")


def divergence(ax, chaos: pd.DataFrame, perturbations: pd.DataFrame) -> None:
    """The perturbation scheme: distance of each fork from the base run, from its start at (t0, |epsilon|) on."""
    starts = (
        perturbations[perturbations["draw"] >= 0]
        .rename(columns={"t0": "t1", "realised": "l2"})
        .assign(t0=lambda f: f["t1"])
    )
    both = pd.concat([starts[["t0", "t1", "draw", "l2"]], chaos[["t0", "t1", "draw", "l2"]]])
    t0s = sorted(both["t0"].unique())
    for t0, colour in zip(t0s, sns.color_palette(TIME, len(t0s) + 1), strict=False):
        mean = np.exp(np.log(both[both["t0"] == t0].set_index("t1")["l2"]).groupby(level=0).mean())
        ax.plot(mean.index, mean, color=colour, lw=1.2, marker=".", ms=4, label=f"{t0}")
        ax.plot(mean.index[0], mean.iloc[0], marker="v", ms=6, color=colour)
    ax.set(yscale="log", xlabel="$t_1$ (iterations)", ylabel=r"$|\theta'_{t_1}-\theta_{t_1}|_2$")
    time_axis(ax, "x", both["t1"])
    ax.legend(title="perturbed\nat $t_0$", loc="center left", bbox_to_anchor=(1.0, 0.5))


def exponents(ax, chaos: pd.DataFrame, phases: pd.DataFrame) -> None:
    """Lyapunov exponents over t0, a curve for each t1: mean and range over seeds and draws; 0, the sign change."""
    curves(ax, chaos.assign(exponent=lyapunov(chaos)), "t0", "exponent", "t1", "$t_1$")
    ax.axhline(0.0, color=INK, lw=0.8)
    handles = ax.get_legend().legend_handles
    for row in phases[phases["quantity"] == "sign change"].itertuples():  # none where estimates are not about forks
        if row.found:
            error = [[row.value - row.low], [row.high - row.value]] if np.isfinite(row.low) else None
            ax.errorbar(row.value, 0.0, xerr=error, fmt="D", ms=5, color=INK, capsize=3, zorder=5)
        place = f"{row.value:.0f}" if row.found else "none"
        marker = "D" if row.found else ""
        handles.append(Line2D([], [], color=INK, marker=marker, ms=5, ls="none", label=f"sign change: {place}"))
    legend(ax, handles, "$t_1$")
    label = r"$\log(|\theta'_{t_1}-\theta_{t_1}| / |\varepsilon|)\,/\,(t_1-t_0)$ (1/iteration)"
    ax.set(xlabel="$t_0$ (iterations)", ylabel=label)


# Verdicts -----------------------------------------------------------------------------------------------------------


def verdicts(claims: pd.DataFrame, titles: Mapping[str, str], kinds: Sequence[str], style: Mapping):
    """A figure of all verdicts: a row for each experiment, a column for each claim that one of them decides.

    A cell has the colour of its verdict, and the value. Where a verdict is not that of the first row it is framed, and
    the claim's name is bold. Rows whose titles begin alike, up to a colon, stand together.

    Args:
        claims: columns experiment, claim, value, verdict; `ran`, whether the experiment has the parts that it takes.
        titles: of experiments by name, in the order of the rows.
        kinds: the four verdicts; the last says that nothing was decided.
    """
    *_, outside = kinds
    colours = dict(zip(kinds, VERDICTS, strict=True))
    names = claims.loc[claims["verdict"] != outside, "claim"]
    names = [name for name in claims["claim"].unique() if name in set(names)]
    cells = claims.set_index(["experiment", "claim"])
    first = cells.loc[next(iter(titles))]["verdict"]

    groups = [title.rpartition(":")[0] for title in titles.values()]
    gaps = np.cumsum([0, *(0.4 * (a != b) for a, b in pairwise(groups))])
    places = np.arange(len(titles)) + gaps
    _set_theme()
    width, height = style["panel"] / 6, style["panel"] / 13
    longest = [0.07 * max(map(len, texts), default=0) for texts in (titles.values(), names)]
    size = (len(names) * width + longest[0] + 0.4, (places[-1] + 1) * height + longest[1] + 0.7)
    figure, ax = plt.subplots(figsize=size)
    differ = set()
    for y, experiment in zip(places, titles, strict=True):
        for x, name in enumerate(names):
            cell = cells.loc[experiment, name]
            colour = colours[cell["verdict"]] if cell["ran"] else NOT_RUN
            ax.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="0.8", lw=0.4))
            decided = cell["verdict"] != outside
            if decided:
                text = short(cell["value"]) if np.isfinite(cell["value"]) else "no t*"
                ax.text(x + 0.5, y + 0.52, text, ha="center", va="center", fontsize=6.5, color="black")
            if decided and first[name] not in (outside, cell["verdict"]):
                differ.add(name)
                frame = Rectangle((x + 0.05, y + 0.09), 0.9, 0.82, fill=False, edgecolor="black", lw=1.3, zorder=3)
                ax.add_patch(frame)
    ax.set(xlim=(0, len(names)), ylim=(places[-1] + 1, 0))
    ax.set_yticks(places + 0.5, titles.values())
    ax.xaxis.tick_top()
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=60, ha="left", rotation_mode="anchor")
    for label, name in zip(ax.get_xticklabels(), names, strict=True):
        label.set_fontweight("bold" if name in differ else "normal")
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)
    handles = [Patch(facecolor=colour, edgecolor="0.8", label=kind) for kind, colour in colours.items()]
    handles.append(Patch(facecolor=NOT_RUN, edgecolor="0.8", label="not run"))
    handles.append(Patch(fill=False, edgecolor="black", lw=1.3, label="unlike the first row"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.5 / (places[-1] + 1)), ncols=len(handles))
    return figure


def short(value: float) -> str:
    """A number in as few characters as two digits take: 0.24, 7.7, 175, 4e-12."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-")
    return f"{value:.2g}"


# Time ---------------------------------------------------------------------------------------------------------------


def growth(ax, frame: pd.DataFrame, label: str):
    """Seconds of each stage over what grows, both logarithmic, with the power law fitted to it.

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
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.6)  # room for the legend
    ax.legend(title="stage: exponent", loc="upper left", fontsize=6.5, title_fontsize=6.5)
