"""Tables as pages for people. No torch."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

TEMPLATE = Path(__file__).parent / "templates" / "page.html"


def of_phases(phases: pd.DataFrame, experiments: Mapping) -> str:
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
        widths = mine[mine["quantity"] == "cone width"]
        points = mine.drop(widths.index)
        interval = f"{100 * settings['level']:.0f} % interval"
        parts.append(f"<h2>{escape(settings['title'])}</h2>")
        if len(points):
            rows = [[r.estimator, *_point(r), _number(r.p), r.definition] for r in points.itertuples()]
            heads = ["estimated from", "iteration", interval, "p", "how"]
            parts.append(_table("Inflection points", heads, rows))
        if len(widths):
            rows = [[r.estimator, f"{r.value:.3g}°", _range(r, "°"), r.definition] for r in widths.itertuples()]
            parts.append(_table("Width of the cone", ["from", "angle", interval, "how"], rows))
    return _page("Inflection points and cone widths", parts)


def of_claims(table: pd.DataFrame, experiments: Mapping, verdicts: Sequence[str]) -> str:
    """The HTML page of the scorecard: a summary of all verdicts, and a table for each experiment.

    Args:
        table: of `scorecard.of_experiment`, with a column experiment.
        experiments: name -> title and level, in the order of the page.
        verdicts: all there are, in the order of the summary.
    """
    titles = {name: settings["title"] for name, settings in experiments.items()}
    parts = [_summary(table, titles, verdicts)]
    for name, settings in experiments.items():
        mine = table[table["experiment"] == name]
        heads = ["claim", f"measured ({100 * settings['level']:.0f} % interval)", "holds if", "verdict"]
        rows = []
        for r in mine.itertuples():
            claim = f'{escape(r.text)}<div class="small">{escape(r.definition)}; papers: {escape(r.paper)}</div>'
            verdict = f'{_verdict(r.verdict)}<div class="small">{escape(r.reason)}</div>'
            rows.append([claim, escape(_measured(r)), escape(_bounds(r)), f"{verdict} {_figure(r.figure)}"])
        seeds = int(mine["seeds"].max())
        parts.append(f"<h2>{escape(settings['title'])}, {seeds} seed{'s' * (seeds > 1)}</h2>")
        parts.append(_rows(heads, rows, numbers=3))
    return _page("The papers' claims, one by one", parts)


def _summary(table: pd.DataFrame, titles: Mapping[str, str], verdicts: Sequence[str]) -> str:
    """How many claims of each experiment have which verdict."""
    counts = table.groupby(["experiment", "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=list(titles), columns=verdicts, fill_value=0)
    rows = [[escape(titles[name]), *map(str, row)] for name, row in zip(counts.index, counts.to_numpy(), strict=True)]
    return _rows(["experiment", *map(_verdict, verdicts)], rows)


def _verdict(verdict: str) -> str:
    return f'<span class="{verdict.split()[0]}">{escape(verdict)}</span>'


def _figure(name: str) -> str:
    return f'<a class="small" href="figures/{name}.png">{name}</a>'


def _measured(row) -> str:
    if np.isnan(row.value):
        return "–"
    interval = f" ({_number(row.low)} to {_number(row.high)})" if np.isfinite(row.low) else ""
    return f"{_number(row.value)}{interval} {row.unit}".rstrip()


def _bounds(row) -> str:
    low, high = row.holds_from, row.holds_to
    if low == high:
        return f"= {_number(low)}"
    if np.isinf(high):
        return f"≥ {_number(low)}"
    return f"≤ {_number(high)}" if low in (0, -np.inf) else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _point(row) -> tuple[str, str]:
    return (f"{row.value:.0f}", _range(row)) if row.found else ("none found", "–")


def _range(row, unit: str = "") -> str:
    return f"{row.low:.3g}{unit} to {row.high:.3g}{unit}" if np.isfinite(row.low) else "one seed: none"


def _table(caption: str, heads: list[str], rows: list[list[str]]) -> str:
    """All columns but the first and the last hold numbers."""
    return _rows(list(map(escape, heads)), [list(map(escape, row)) for row in rows], caption, len(heads) - 1)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", numbers: int | None = None) -> str:
    """A table of cells in HTML; columns 1 to `numbers` - 1 hold numbers, by default all but the first."""
    numbers = len(heads) if numbers is None else numbers

    def line(kind, cells):
        classes = [' class="number"' if 1 <= k < numbers else "" for k in range(len(cells))]
        return "".join(f"<{kind}{c}>{cell}</{kind}>" for c, cell in zip(classes, cells, strict=True))

    head = f"<thead><tr>{line('th', heads)}</tr></thead>"
    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    caption = f"<caption>{caption}</caption>" if caption else ""
    return f'<div class="scroll"><table>{caption}{head}\n<tbody>{body}</tbody></table></div>'


def _page(title: str, parts: Sequence[str]) -> str:
    page = TEMPLATE.read_text(encoding="utf-8").replace("<!--TITLE-->", title)
    return page.replace("<!--BODY-->", "\n".join(parts))
