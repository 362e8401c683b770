"""What figures call a quantity, and how they colour it: alike in every run, from where the claims draw their lines."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize, to_hex

DECADES = 2.0  # the colours of a run alone are logarithmic from this span on
GREYS = 0.94, 0.7  # of the lowest value, and of what just misses the line
FIRST = 0.15  # colours begin at this share of a colour map, whose first ones look like the greys
SHARE = "% of the test set"


@dataclass(frozen=True)
class Quantity:
    """A distance of two networks, and the range in which figures show it.

    Attributes:
        words: what it is.
        unit: of its values as figures write them; those in % are shares.
        lowest: value of the lightest grey; all below have it, too.
        line: that of the claims: below it a value is grey.
        highest: value of the last colour.
    """

    words: str
    unit: str
    lowest: float
    line: float
    highest: float

    @property
    def label(self) -> str:
        """With its unit, in two lines."""
        return f"{self.words}\n({self.unit})"

    def text(self, value: float) -> str:
        """A value as an axis writes it."""
        value = 100 * value if self.unit == SHARE else value
        if 0 < value < 1e-2:
            return f"$10^{{{round(np.log10(value))}}}$"
        return f"{value:.3g}"

    @property
    def ticks(self) -> list[float]:
        """Decades from the line on, in both directions, and the end."""
        first = np.ceil(np.log10(self.lowest / self.line) - 1e-9)
        decades = self.line * 10.0 ** np.arange(first, np.log10(self.highest / self.line) + 1e-9)
        return [*decades, *([self.highest] if decades[-1] < 0.99 * self.highest else [])]


# The lines are those of the claims, to which a test holds them: figures should not be drawn anew with every claim.
QUANTITIES = {
    "C": Quantity("parameter dissimilarity $C$", "1 − cos", 1e-6, 1e-3, 1.0),
    "B": Quantity("barrier $B$", "nats", 1e-4, 0.1, 10.0),
    "D": Quantity("disagreement $D$", SHARE, 2e-3, 0.02, 1.0),
    "S": Quantity("kernel distance $S$", "1 − cos", 1e-3, 0.1, 1.0),
}
ERROR = Quantity("barrier $B$", SHARE, 2e-3, 0.02, 1.0)  # of error in place of loss; `inflection.STABLE` is its line


def quantity(metric: str, barrier: str = "loss") -> Quantity:
    """What is measured: C, B, D or S; B of loss or error, as the config's `barrier.metric` says."""
    return ERROR if (metric, barrier) == ("B", "error") else QUANTITIES[metric]


@dataclass(frozen=True)
class Colours:
    """How a heat map colours values.

    Attributes:
        norm, map: of Matplotlib.
        shown: what it shows; its label and ticks are those of the colour bar.
        anchored: whether colours begin at the claims' line.
    """

    norm: Normalize
    map: Colormap
    shown: Quantity
    anchored: bool


def colours(shown: Quantity, values: pd.Series, style: Mapping) -> Colours:
    """The colours of all panels that show `values`.

    Args:
        style: `colormap`; `scale`, which is `claims` for the same colours in every run, or `run` for colours that span
            the `values`.
    """
    if style["scale"] == "run":
        return _of_run(shown, own(values), style)
    return Colours(LogNorm(shown.lowest, shown.highest), anchored(shown, style["colormap"]), shown, anchored=True)


def spanned(words: str, unit: str, values: pd.Series, style: Mapping) -> Colours:
    """The colours of a quantity of which no claim is made: `values` span them.

    Args:
        words, unit: as of `Quantity`.
        style: as of `colours`.
    """
    norm = own(values)
    return _of_run(Quantity(words, unit, norm.vmin, norm.vmin, norm.vmax), norm, style)


def _of_run(shown: Quantity, norm: Normalize, style: Mapping) -> Colours:
    return Colours(norm, sns.color_palette(style["colormap"], as_cmap=True), shown, anchored=False)


def own(values: pd.Series) -> Normalize:
    """A scale that `values` span; logarithmic if the positive ones span over two decades."""
    positive = values[values > 0]
    if positive.empty:
        return Normalize(0.0, 1.0)
    low, high = positive.min(), positive.max()
    return LogNorm(low, high) if np.log10(high / low) > DECADES else Normalize(0.0, high)


def anchored(shown: Quantity, colormap: str, count: int = 256) -> ListedColormap:
    """`count` colours, evenly spaced in log from the lowest value to the highest: grey up to the line."""
    grey = round(count * np.log(shown.line / shown.lowest) / np.log(shown.highest / shown.lowest))
    greys = np.repeat(np.linspace(*GREYS, grey)[:, None], 3, axis=1)
    bright = sns.color_palette(colormap, as_cmap=True)(np.linspace(FIRST, 1.0, count - grey))[:, :3]
    return ListedColormap(np.concatenate([greys, bright]))


def described(colormap: str, count: int = 128) -> dict[str, dict]:
    """The scale of each quantity in plain values, for pages: low, line, high, and `count` colours in between."""
    return {
        metric: {
            "low": shown.lowest,
            "line": shown.line,
            "high": shown.highest,
            "colours": [to_hex(colour) for colour in anchored(shown, colormap, count).colors],
        }
        for metric, shown in QUANTITIES.items()
    }
