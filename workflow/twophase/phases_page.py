"""The table of estimates as a page for people: a sentence and two tables for each experiment. No torch."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

TEMPLATE = Path(__file__).parent / "templates" / "phases.html"


def page(phases: pd.DataFrame, experiments: Mapping) -> str:
    """The HTML page of a table of estimates.

    Args:
        phases: columns experiment, quantity, estimator, value, low, high, p, found, definition.
        experiments: name -> title and level, in the order of the page.
    """
    parts = []
    for name, settings in experiments.items():
        mine = phases[phases["experiment"] == name]
        if mine.empty:
            continue
        points, widths = (mine[mine["quantity"] == quantity] for quantity in ("inflection", "cone width"))
        interval = f"{100 * settings['level']:.0f} % interval"
        parts.append(f"<h2>{escape(settings['title'])}</h2>")
        if len(points):
            rows = [[r.estimator, *_point(r), f"{r.p:.2g}", r.definition] for r in points.itertuples()]
            heads = ["estimated from", "iteration", interval, "p", "how"]
            parts.append(_table("Inflection points", heads, rows))
        if len(widths):
            rows = [[r.estimator, f"{r.value:.3g}°", _range(r, "°"), r.definition] for r in widths.itertuples()]
            parts.append(_table("Width of the cone", ["from", "angle", interval, "how"], rows))
    return TEMPLATE.read_text(encoding="utf-8").replace("<!--TABLES-->", "\n".join(parts))


def _point(row) -> tuple[str, str]:
    return (f"{row.value:.0f}", _range(row)) if row.found else ("none found", "–")


def _range(row, unit: str = "") -> str:
    return f"{row.low:.3g}{unit} to {row.high:.3g}{unit}" if np.isfinite(row.low) else "one seed: none"


def _table(caption: str, heads: list[str], rows: list[list[str]]) -> str:
    """All columns but the first and the last hold numbers."""

    def line(kind, cells):
        classes = ["", *[' class="number"'] * (len(cells) - 2), ""]
        return "".join(f"<{kind}{c}>{escape(cell)}</{kind}>" for c, cell in zip(classes, cells, strict=True))

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{line('th', heads)}</tr></thead>"
    return f'<div class="scroll"><table><caption>{caption}</caption>{head}\n<tbody>{body}</tbody></table></div>'
