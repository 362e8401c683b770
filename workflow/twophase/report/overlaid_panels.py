"""Panels with a curve for each experiment, of one colour and marker throughout a figure. As in `panels`."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from twophase.files.predicted import STATISTICS
from twophase.report.panels import BAND, averaged
from twophase.report.scales import SHARE, Quantity
from twophase.report.theme import INK, MARKERS, label_times, legend, legible, time_axis

Frames = Mapping[str, pd.DataFrame]  # the rows of a table, by experiment


def looks(names: list[str]) -> dict[str, dict]:
    """Colour and marker of each experiment."""
    colours = sns.color_palette("colorblind", len(names))
    return {
        name: {"color": colour, "marker": MARKERS[k % len(MARKERS)]}
        for k, (name, colour) in enumerate(zip(names, colours, strict=True))
    }


def dissimilarity(ax, forks: Frames) -> None:
    """C of forks and base run over t0: geometric mean and range over seeds and draws.

    Args:
        forks: columns t0, C, after one lag.
    """
    for look, frame in _each(forks):
        frame = frame[frame["C"] > 0]
        averaged(ax, frame.assign(magnitude=np.log10(frame["C"])), "t0", "magnitude", **look)
    _over(ax, forks, "t0", "$t_0$")
    ax.set(ylabel=r"$\log_{10} C(t_0, t_0 + \mathrm{lag})$")


def humps(ax, forks: Frames, measured: Collection[Quantity]) -> None:
    """B+ between forks and base run over t0, with statistics of batch norms computed anew where there are any, dashed.

    The axis reaches the value from which the claims call a barrier large, dotted, so that none looks like one.

    Args:
        forks: columns t0, hump_running, hump_recalibrate, after one lag.
        measured: what barriers are of, loss or error.
    """
    running, anew = (f"hump_{bn}" for bn in STATISTICS)
    for look, frame in _each(forks):
        averaged(ax, frame, "t0", running, **look)
        if not frame[running].equals(frame[anew]):
            averaged(ax, frame, "t0", anew, ls="--", **look)
    for quantity in measured:
        ax.axhline(quantity.line, color=INK, lw=0.8, ls=":")
    top = max(ax.get_ylim()[1], *(1.1 * quantity.line for quantity in measured))
    _over(ax, forks, "t0", "$t_0$")
    units = {"share of the test set" if quantity.unit == SHARE else quantity.unit for quantity in measured}
    ax.set(ylabel=f"$B_+$ ({' or '.join(sorted(units))})", ylim=(-0.02 * top, top))


def widths(ax, phases: Frames) -> None:
    """The width of the cone after t over t, with its interval over seeds.

    Args:
        phases: rows of the phases, of which those called `cone width` are drawn.
    """
    found = {}
    for name, rows in phases.items():
        rows = rows[rows["quantity"] == "cone width"]
        found[name] = rows.assign(t=rows["estimator"].str.removeprefix("after ").astype(int)).sort_values("t")
    for look, rows in _each(found):
        ax.plot(rows["t"], rows["value"], ms=3, lw=1.2, **look)
        ax.fill_between(rows["t"], rows["low"], rows["high"], color=look["color"], alpha=0.18, lw=0)
    _over(ax, found, "t", "$t$")
    ax.set(ylabel="cone width after $t$ (degrees)", ylim=(0, None))


def gains(ax, switches: Frames, standard: Frames, ends: Mapping[str, int]) -> None:
    """How much more accurate standard training is than linearized training from t on, at its end: over t.

    Mean and range over seeds; none where a run diverged.

    Args:
        switches: columns seed, switch, iteration, test_accuracy.
        standard: columns seed, iteration, test_accuracy.
        ends: iteration at which linearized training ends.
    """
    for name, (look, frame) in zip(switches, _each(switches), strict=True):
        last = frame[frame["iteration"] == ends[name]]
        final = standard[name][standard[name]["iteration"] == ends[name]].set_index("seed")["test_accuracy"]
        averaged(
            ax, last.assign(gain=100 * (last["seed"].map(final) - last["test_accuracy"])), "switch", "gain", **look
        )
    ax.axhline(0.0, color=INK, lw=0.8)
    _over(ax, switches, "switch", "switch $t$")
    ax.set(ylabel="gain in accuracy (points)")


def key(ax, titles: Mapping[str, str]) -> None:
    """The legend of all panels, beside the last one."""
    handles = [
        Line2D([], [], ms=3, lw=1.2, label=legible(titles[name]), **look) for name, look in looks([*titles]).items()
    ]
    handles.append(Line2D([], [], color=INK, lw=1.2, ls="--", label="$B_+$, statistics\ncomputed anew"))
    legend(ax, [*handles, Patch(color=INK, alpha=0.18, label=BAND)], "")


def _each(frames: Frames) -> Iterator[tuple[dict, pd.DataFrame]]:
    return zip(looks([*frames]).values(), frames.values(), strict=True)


def _over(ax, frames: Frames, x: str, words: str) -> None:
    time_axis(ax, "x", pd.concat([frame[x] for frame in frames.values()]))
    label_times(ax, x=words)
