"""Verdicts in figures: all of them side by side, and those on one panel."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Patch, Rectangle

from twophase.report.theme import legible, set_theme

# Of the five verdicts, in the order of `scorecard`; distinct in grey and with any kind of colour blindness.
COLOURS = ("#3a9099", "#ea9a55", "#eec37a", "#e6e3ef", "white")
SYMBOLS = "✓✗?–·"
NOT_RUN = "0.75"


def matrix(claims: pd.DataFrame, titles: Mapping[str, str], kinds: Sequence[str], style: Mapping):
    """A figure of all verdicts: a row for each experiment, a column for each claim that one of them can decide.

    A cell has the colour of its verdict, and shows its symbol in a PNG file and the value in a PDF file. Verdicts that
    differ from the first row's are framed, and their claims are in bold. Rows whose titles begin alike, up to a colon,
    stand together.

    Args:
        claims: columns experiment, claim, value, verdict, and ran (whether the experiment has the parts that it takes).
        titles: of experiments by name, in the order of the rows.
        kinds: the five verdicts; the last one says that the experiment cannot decide the claim.
        style: `panel`, the width of a panel in inches.
    """
    *_, outside = kinds
    colours, symbols = (dict(zip(kinds, looks, strict=True)) for looks in (COLOURS, SYMBOLS))
    names = claims.loc[claims["verdict"] != outside, "claim"]
    names = [name for name in claims["claim"].unique() if name in set(names)]
    cells = claims.set_index(["experiment", "claim"])
    first = cells.loc[next(iter(titles))]["verdict"]

    groups = [title.rpartition(":")[0] for title in titles.values()]
    gaps = np.cumsum([0, *(0.4 * (a != b) for a, b in pairwise(groups))])
    places = np.arange(len(titles)) + gaps
    set_theme()
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
                middle = {"ha": "center", "va": "center", "color": "black"}
                ax.text(x + 0.5, y + 0.52, text, fontsize=6.5, gid="pdf", **middle)
                if cell["ran"]:
                    ax.text(x + 0.5, y + 0.5, symbols[cell["verdict"]], fontsize=10, gid="png", **middle)
            if decided and first[name] not in (outside, cell["verdict"]):
                differ.add(name)
                frame = Rectangle((x + 0.05, y + 0.09), 0.9, 0.82, fill=False, edgecolor="black", lw=1.3, zorder=3)
                ax.add_patch(frame)
    ax.set(xlim=(0, len(names)), ylim=(places[-1] + 1, 0))
    ax.set_yticks(places + 0.5, [legible(title) for title in titles.values()])
    ax.xaxis.tick_top()
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=60, ha="left", rotation_mode="anchor")
    for label, name in zip(ax.get_xticklabels(), names, strict=True):
        label.set_fontweight("bold" if name in differ else "normal")
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)
    handles = [Patch(facecolor=colours[kind], edgecolor="0.8", label=f"{symbols[kind]} {kind}") for kind in kinds]
    handles.append(Patch(facecolor=NOT_RUN, edgecolor="0.8", label="not run"))
    handles.append(Patch(fill=False, edgecolor="black", lw=1.3, label="unlike the first row"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.5 / (places[-1] + 1)), ncols=len(handles))
    return figure


def said(ax, verdict: str, kinds: Sequence[str], claim: str) -> None:
    """The verdict on the claim that a panel is about, above what stands beside it.

    Args:
        kinds: the five verdicts.
        claim: in a few words.
    """
    k = kinds.index(verdict)
    box = {"facecolor": COLOURS[k], "edgecolor": "none", "pad": 2}
    text = f"{claim}? {SYMBOLS[k]} {verdict}"
    style = {"ha": "left", "va": "bottom", "fontsize": 6.5, "color": "black", "bbox": box}
    ax.text(0.93, 1.06, text, transform=ax.transAxes, **style)


def short(value: float) -> str:
    """A number with two significant digits, as short as possible: 0.24, 7.7, 175, 4e-12."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-")
    return f"{value:.2g}"
