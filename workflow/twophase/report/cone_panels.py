"""Panels about the cone: its picture, and the angles that the picture cannot show. As in `panels`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns

from twophase.report.panels import curves, from_times
from twophase.report.theme import INK, LATER, label_times


def cone(ax, frame: pd.DataFrame) -> None:
    """The cone: kernels as unit vectors, along the first three principal axes of their scatter about the first.

    The kernel at initialisation is the apex, at the origin, a black dot; rays lead from it to the others, and
    those to later ones are darker.

    Args:
        frame: columns iteration, x, y, z.
    """
    frame = frame.sort_values("iteration")
    start, later = frame[frame["iteration"] == 0], frame[frame["iteration"] > 0]
    colormap = sns.color_palette(LATER, as_cmap=True)
    last = max(frame["iteration"].max(), 1)
    colours = colormap(later["iteration"] / last)
    for point, colour in zip(later[["x", "y", "z"]].to_numpy(), colours, strict=True):
        ax.plot(*zip((0, 0, 0), point, strict=True), color=colour, lw=0.7, alpha=0.7)
    ax.plot(frame["x"], frame["y"], frame["z"], color=INK, lw=0.5)
    dots = ax.scatter(
        *(later[name] for name in "xyz"), c=later["iteration"], cmap=colormap, vmin=0, vmax=last, s=14, depthshade=False
    )
    ax.scatter(*(start[name] for name in "xyz"), color="black", s=26, depthshade=False)
    ax.text2D(0.02, 0.98, r"● $H_0$", transform=ax.transAxes, fontsize=7.5, va="top", color="black")
    ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
    for set_label, name in ((ax.set_xlabel, "PC 1"), (ax.set_ylabel, "PC 2"), (ax.set_zlabel, "PC 3")):
        set_label(name, labelpad=-12)
    ax.figure.colorbar(dots, ax=ax, label="iteration", shrink=0.7, pad=0.05)


def angles(ax, grid: pd.DataFrame, taus: Sequence[int]) -> None:
    """The angle of the kernel at t from that at 0 and from those at each tau, in degrees over t: arccos(1 - S).

    Mean and range over seeds, with a gap at tau itself.

    Args:
        grid: of pairs, S.
        taus: iterations.
    """
    found = from_times(grid, [0, *taus])
    found = found.assign(angle=np.degrees(np.arccos(np.clip(1 - found["value"], -1, 1))))
    curves(ax, found, "t", "angle", "tau", "angle from\nthe kernel at")
    label_times(ax, x="$t$")
    ax.set(ylabel="angle (degrees)", ylim=(0, None))
