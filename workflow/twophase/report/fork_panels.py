"""Panels about forks: where they end, how far from the base run, and after which time. As in `panels`."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D

from twophase.analysis.inflection import exponents as lyapunov
from twophase.report.panels import curves, heat
from twophase.report.theme import INK, TIME, headroom, legend, time_axis

STATISTICS = {"running": "running statistics", "recalibrate": "computed anew"}  # of batch norms, in a legend's words


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


def compared_by(frame: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """What the comparisons of forks have in common: their t1, or their lag t1 - t0 where that is by design.

    Returns:
        the frame with a column `lag`, the column in common, and what a figure calls it.
    """
    frame = frame.assign(lag=frame["t1"] - frame["t0"])
    if frame["lag"].nunique() < frame["t1"].nunique():
        return frame, "lag", "$t_1 - t_0$"
    return frame, "t1", "$t_1$"


def chaos_heat(ax, frame: pd.DataFrame, metric: str, norm, colormap: str, label: str):
    """Heat map over t0 and t1, or t1 - t0, of a distance between fork and base run, the column `metric`."""
    frame, by, words = compared_by(frame)
    image = heat(ax, frame, "t0", by, metric, norm, colormap)
    ax.set(xlabel="$t_0$ (iterations)", ylabel=f"{words} (iterations)")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.85)


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


# After equal times, whenever they left the base run ------------------------------------------------------------------


def dissimilarity(ax, distances: pd.DataFrame, lags: list[int]) -> None:
    """log10 C over t0, a curve for each lag (iterations): mean and range over seeds and draws.

    Args:
        distances: columns t0, t1, C.
    """
    frame = distances.assign(lag=distances["t1"] - distances["t0"])
    frame = frame[frame["lag"].isin(lags) & (frame["C"] > 0)]
    curves(ax, frame.assign(magnitude=np.log10(frame["C"])), "t0", "magnitude", "lag", "lag")
    ax.set(xlabel="$t_0$ (iterations)", ylabel=r"$\log_{10} C(t_0, t_0 + \mathrm{lag})$")


def under_either(ax, chaos: pd.DataFrame, lag: int, metrics: dict[str, str], label: str) -> None:
    """Measures over t0 at one lag, under either statistics of batch norms: mean and range over seeds and draws.

    Args:
        chaos: columns t0, t1 and `<metric>_<statistics>`.
        metrics: by the line's style, solid and dashed: name of a column without its statistics -> what a legend says.
    """
    last = chaos[chaos["t1"] - chaos["t0"] == lag]
    colours = dict(zip(STATISTICS, sns.color_palette(TIME, 3), strict=False))
    for (metric, name), line in zip(metrics.items(), ("-", "--"), strict=False):
        for bn, words in STATISTICS.items():
            style = {"errorbar": ("pi", 100), "marker": "o", "ms": 3, "lw": 1.2, "ls": line, "err_kws": {"alpha": 0.12}}
            said = ", ".join(filter(None, (name, words)))
            sns.lineplot(last, x="t0", y=f"{metric}_{bn}", color=colours[bn], label=said, ax=ax, **style)
    time_axis(ax, "x", last["t0"])
    ax.set(xlabel="$t_0$ (iterations)", ylabel=label, ylim=(0, None))
    headroom(ax, 0.25)
    ax.legend()
