"""Panels about forks after equal times, whenever they left the base run."""

import numpy as np
import pandas as pd
import seaborn as sns

from twophase.report.panels import curves
from twophase.report.theme import TIME, headroom, time_axis

STATISTICS = {"running": "running statistics", "recalibrate": "computed anew"}  # of batch norms, in a legend's words


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
