"""Theme, canvas, axes of iterations, legends and colours of all figures, and the saving of them."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from PIL import Image

from twophase.files import storage

SQUEEZED = 0.2  # an axis of iterations is logarithmic if most points lie within this share of it
ZERO = 0.4  # decades that a logarithmic axis of iterations gives to the time from 0 to the first one after it
FEW = 3  # rows or columns of a heat map that have a tick each
LINES = {"dash": "--", "dashdot": "-.", "dot": (0, (1, 1))}  # of marks at inflection points, as Plotly calls them
TIME = "viridis"  # colours of iterations, tau and dt among them
STRETCH = 1.45  # width over height of a panel and what stands beside it
LATER = "crest"  # colours of the cone: darker is later
PAIR = ("#d1495b", "#00798c")  # of two curves
MARKERS = "os^Dvphx*"  # tell curves apart where colours do not
CASING = [withStroke(linewidth=3, foreground="white")]  # of lines on heat maps
INK = "0.25"
NO_LETTERS = ("Last Resort", "cm")  # fonts that come with Matplotlib and show boxes, or signs of formulas
NOTE = 23  # characters of the small print per inch


def canvas(rows: Sequence[str], columns: int, style: Mapping, projections: Mapping[int, str] | None = None):
    """A figure with one row of panels for each experiment, its title on the left.

    Args:
        rows: titles.
        columns: number of panels in a row.
        style: `panel`, the height of a panel in inches; `stretch`, its width with legend or colour bar over its height.
        projections: projections of columns, by index, other than the plain one.

    Returns:
        the figure and its axes [rows][columns].
    """
    set_theme()
    rows = [legible(title) for title in rows]
    side = style["panel"]
    figure = plt.figure(figsize=(columns * side * style.get("stretch", STRETCH) + 0.3, len(rows) * side + 0.3))
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
            xytext=(-66, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="center",
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
        )
    return figure, axes


def set_theme() -> None:
    """Sets fonts, lines and legends of all figures drawn from now on, whatever the user has Matplotlib do elsewhere."""
    matplotlib.rcdefaults()
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


def legible(text: str) -> str:
    """The text as it can be drawn, and a font that has all of it among those in use.

    Characters that no font of the machine has stand as their number: U+6F22 rather than a box.
    """
    family = matplotlib.rcParams["font.family"]
    missing = {*"".join(text.split())} - _characters(font_manager.findfont(FontProperties()))
    for font in sorted(font_manager.fontManager.ttflist, key=lambda font: (font.name, font.fname)) if missing else ():
        if missing & _characters(font.fname) and not font.name.startswith(NO_LETTERS):
            missing -= _characters(font.fname)
            family = [*family, font.name]
    matplotlib.rcParams["font.family"] = [*dict.fromkeys(family)]
    return "".join(f"U+{ord(sign):04X}" if sign in missing else sign for sign in text)


@cache
def _characters(path: str) -> frozenset[str]:
    """Those that a font has."""
    return frozenset(map(chr, font_manager.get_font(path).get_charmap()))


def letter(axes: Sequence[Sequence], names: Sequence[str]) -> None:
    """Headings of the panels, above those of every row."""
    for row in axes:
        for ax, name in zip(row, names, strict=True):
            ax.set_title(name, loc="left", fontweight="bold")


def save(figure, paths: Sequence[str], style: Mapping) -> None:
    """Writes the figure to each path, without a date, so that equal figures are equal files.

    Below the figure stand the style's `note` (experiments and seeds) and the commit. What has `png` or `pdf` as its gid
    is in files of that kind alone.

    Raises:
        UserError: a file cannot be written.
    """
    if style.get("note"):
        note = f"{style['note']} · commit {storage.versions()['commit']}"
        note = textwrap.fill(note, round(NOTE * figure.get_figwidth()))
        figure.text(0.0, -0.01, legible(note), ha="left", va="top", fontsize=5.5, color="0.55")
    plain = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}
    for path in paths:
        with storage.atomic(path) as temporary:
            kind = temporary.suffix.lstrip(".")
            for artist in figure.findobj(lambda artist: artist.get_gid() in plain):
                artist.set_visible(artist.get_gid() == kind)
            figure.savefig(temporary, dpi=style["dpi"], bbox_inches="tight", metadata=plain[kind])
            if kind == "png":
                _with_palette(temporary)
        figure.set_layout_engine("none")  # the first file's layout is that of all: it takes longer than drawing
    plt.close(figure)


def _with_palette(path: Path) -> None:
    """Gives a PNG file 256 colours, those of its areas among them: a third of the bytes, and the same to the eye."""
    with Image.open(path) as image:
        # Not the method of the least largest error, which tints areas for the sake of a few pixels.
        colours = image.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        dpi = image.info["dpi"]
    colours.save(path, "PNG", dpi=dpi, optimize=True)


def time_axis(ax, name: str, times: Iterable[int], cells: Sequence[float] = (), linear: bool = False) -> None:
    """Sets up an axis of iterations, with few ticks and none beyond the `times` that it shows.

    If a linear axis would squeeze most of them, it becomes logarithmic, but stays linear up to the first time after 0.
    `label_times` says so.

    Args:
        name: `x` or `y`.
        times: iterations.
        cells: borders of a heat map's cells around the times, which a logarithmic axis shows whole.
        linear: keeps it linear, for curves whose slope is a rate.
    """
    times = np.unique(np.fromiter(times, dtype=float))
    if not len(times):
        return
    first, last = times[times > 0][:1], times[-1]
    axis = ax.xaxis if name == "x" else ax.yaxis
    if len(first) and not linear and np.median(times) < SQUEEZED * last:
        getattr(ax, f"set_{name}scale")("symlog", linthresh=first[0], linscale=ZERO)
        low, high = (cells[0], cells[-1]) if len(cells) else (times[0] - 0.3 * first[0], 1.2 * last)
        getattr(ax, f"set_{name}lim")(low, high)
        ticks = [0.0, *10.0 ** np.arange(np.ceil(np.log10(first[0])), np.log10(last) + 1e-9)]
    elif len(cells) and len(times) <= FEW:
        ticks = times
    else:
        ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=True).tick_values(times[0], last)
    ticks = [tick for tick in ticks if times[0] <= tick <= last]
    axis.set_ticks(ticks, [f"{tick / 1000:g}k" if tick >= 1000 else f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def label_times(ax, **words: str) -> None:
    """Names axes of iterations, `x` and `y`, with their unit, and says which are logarithmic."""
    for name, word in words.items():
        unit = "iterations, log" if getattr(ax, f"get_{name}scale")() == "symlog" else "iterations"
        ax.set(**{f"{name}label": f"{word} ({unit})"})


def time_colours(count: int) -> np.ndarray:
    """Colours [count, 4] of so many times, early to late, as different as the colour map has them."""
    return plt.get_cmap(TIME)(np.linspace(0.0, 0.88, count))


class _Decades(LogLocator):
    """1, 2, 5 and 10; round numbers at equal distances where an axis has hardly any of these."""

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        ticks = super().tick_values(vmin, vmax)
        if np.count_nonzero((ticks >= vmin) & (ticks <= vmax)) < 3:
            ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(vmin, vmax)
        return ticks


def decades(ax) -> None:
    """Plain numbers on a logarithmic y axis: 1, 2, 5, 10."""
    ax.yaxis.set_major_locator(_Decades(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def headroom(ax, share: float) -> None:
    """Extends the y axis upwards by a share of its length on the page, as room for a legend that hides no curve."""
    scale = ax.yaxis.get_transform()
    low, high = scale.transform(ax.get_ylim())
    ax.set_ylim(top=scale.inverted().transform(high + share * (high - low)))


def legend(ax, handles: Sequence, title: str) -> None:
    """A legend beside the panel, where it hides no curve."""
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    ax.legend(handles=handles, title=title, ncols=1 + len(handles) // 18, **beside)
