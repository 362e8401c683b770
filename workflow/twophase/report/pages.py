"""HTML pages: one of every experiment, and the scorecard of all. No torch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.analysis import lags
from twophase.analysis.scorecard import VERDICTS
from twophase.report.markup import Html, filled, html

MANY = 12  # a longer list is abridged
TEMPLATE = Path(__file__).parent / "templates" / "page.html"


def of_experiment(said: Sequence[str], tables: Mapping[str, pd.DataFrame], settings: Mapping, points: Mapping) -> str:
    """The HTML page of one experiment: what was found, a picture of it, inflection points, claims and settings.

    Args:
        said: the headline, and what it is based on.
        tables: its rows of `phases` (columns quantity, estimator, value, low, high, gain, found, reason, definition),
            of `claims` (the scorecard), and of `forks` (chaos tables of all seeds; none without forks).
        settings: of `config.settings_of`. Widths of the cone are shown after its `cone.tau`.
        points: what each inflection point is called, by its name, as in the explorer.
    """
    phases, claims = tables["phases"], tables["claims"]
    turns = phases[phases["quantity"] != "cone width"]
    widths = phases[phases["estimator"].isin([f"after {tau}" for tau in settings["cone"]["tau"]])]
    level = settings["phases"]["level"]
    parts = [_picture(tables["forks"]), filled("<p>{}</p>", said[1])]
    if len(turns):
        names = [points.get(name, name) for name in turns["estimator"]]
        rows = [
            [name, *_point(r), _number(r.gain), r.reason, r.definition]
            for name, r in zip(names, turns.itertuples(), strict=True)
        ]
        heads = ["estimated from", "iteration", _interval(level), "gain", "why not", "definition"]
        parts.append(_table("Inflection points", heads, rows))
    if len(widths):
        rows = [[r.estimator, f"{r.value:.3g}°", _range(r, "°"), r.definition] for r in widths.itertuples()]
        parts.append(_table("Width of the cone", ["from", "angle", _interval(level), "definition"], rows))
    parts.append(_claims(claims, level, "The papers' claims", ".."))
    parts.append(_table("Settings", ["config key", "value"], _settings(settings)))
    return page(said[0], parts)


def of_claims(table: pd.DataFrame, experiments: Mapping) -> str:
    """The HTML page of the scorecard: a summary of all verdicts, and a table for each experiment.

    Args:
        table: of `scorecard.of_experiment`, with a column experiment.
        experiments: name -> title and level, in the order of the page.
    """
    titles = {name: settings["title"] for name, settings in experiments.items()}
    parts = [_summary(table, titles), _chooser()]
    for name, settings in experiments.items():
        mine = table[table["experiment"] == name]
        seeds = int(mine["seeds"].max())
        parts.append(filled("<h2>{}, {} seed{}</h2>", settings["title"], seeds, "s" * (seeds > 1)))
        parts.append(_claims(mine, settings["level"]))
    return page("The papers' claims, one by one", parts)


def _picture(forks: pd.DataFrame) -> Html:
    """How far each fork ends from the base run, over when it was perturbed, as SVG; nothing without forks."""
    ends = forks[lags.last(forks["t0"], forks["t1"])] if len(forks) else forks
    ends = ends[ends["C"] > 0] if len(ends) else ends
    if not len(ends):
        return Html("")
    first = ends.loc[ends["t0"] > 0, "t0"].min()
    x, y = np.arcsinh(ends["t0"] / (first if first > 0 else 1)).to_numpy(), np.log10(ends["C"].to_numpy())
    low, high = np.floor(y.min()), max(np.ceil(y.max()), np.floor(y.min()) + 1)
    place = lambda v, a, b, start, end: start + (v - a) / max(b - a, 1e-9) * (end - start)  # noqa: E731
    dots = "".join(
        f'<circle cx="{place(a, x.min(), x.max(), 60, 580):.0f}" cy="{place(b, low, high, 180, 32):.0f}" r="4"/>'
        for a, b in zip(x, y, strict=True)
    )
    marks = "".join(
        f'<text x="{place(a, x.min(), x.max(), 60, 580):.0f}" y="200" text-anchor="middle">{t:.0f}</text>'
        for t, a in sorted({t: a for t, a in zip(ends["t0"], x, strict=True)}.items())[
            :: max(1, ends["t0"].nunique() // 6)
        ]
    )
    marks += "".join(
        f'<text x="50" y="{place(b, low, high, 184, 36):.0f}" text-anchor="end">1e{b:.0f}</text>' for b in (low, high)
    )
    return Html(
        f'<svg viewBox="0 0 600 225" role="img" aria-label="C at the end over t0">{dots}{marks}'
        '<text x="320" y="220" text-anchor="middle">t0, iteration of the perturbation (log)</text>'
        '<text x="8" y="14">C between fork and base run at the end</text></svg>'
    )


def _claims(table: pd.DataFrame, level: float, caption: str = "", results: str = ".") -> Html:
    """The scorecard of one experiment; `results` is the path from the page to the folder of results."""
    order, rows = {verdict: k for k, verdict in enumerate(VERDICTS)}, []
    for r in table.itertuples():
        claim = filled('{}<div class="small">{}; papers: {}</div>', r.text, r.definition, r.paper)
        figure = filled('<a class="small" href="{}/figures.html#{figure}">{figure}</a>', results, figure=r.figure)
        why, whose = "; ".join(filter(None, [r.reason, tolerance(r)])), f"ours: {r.bound}" if r.bound else "the papers'"
        verdict = filled('{}<div class="small">{}</div> {}', _verdict(r.verdict), why, figure)
        limit = filled('{}<div class="small">{}</div>', bounds(r), whose)
        value = measured(r) if np.isnan(r.value) else f"{measured(r)} {r.unit}".rstrip()
        cells = zip(["", "", "measured", "holds if"], [verdict, claim, value, limit], strict=True)
        body = Html("".join(filled('<td data-name="{}">{}</td>', name, cell) for name, cell in cells))
        rows.append(filled('<tr data-verdict="{}">{}</tr>', order.get(r.verdict, len(order)), body))
    heads = ["verdict", "claim", f"measured ({_interval(level)})", "holds if"]
    head = "".join(filled("<th>{}</th>", name) for name in heads)
    caption = filled("<caption>{}</caption>", caption) if caption else ""
    body = "\n".join(rows)
    return Html(f'<table class="claims">{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>')


def _chooser() -> Html:
    """Controls that show only some verdicts, and that put the claims in their order."""
    box = '<label><input type="checkbox" name="verdict" value="{}" checked> {}</label>'
    boxes = "".join(filled(box, k, _verdict(v)) for k, v in enumerate(VERDICTS))
    order = '<label><input type="checkbox" id="order"> in order of verdicts</label>'
    return Html(f'<div class="chooser" role="group" aria-label="Verdicts shown">{boxes}{order}</div>')


def _summary(table: pd.DataFrame, titles: Mapping[str, str]) -> Html:
    """How often each experiment has each verdict."""
    counts = table.groupby(["experiment", "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=list(titles), columns=list(VERDICTS), fill_value=0)
    rows = [[titles[name], *row] for name, row in zip(counts.index, counts.to_numpy(), strict=True)]
    return _rows(["experiment", *map(_verdict, VERDICTS)], rows)


def _verdict(verdict: str) -> Html:
    return filled('<span class="{}">{}</span>', verdict.split()[0], verdict)


def _interval(level: float) -> str:
    return f"{100 * level:.0f} % interval"


def _settings(part: Mapping, prefix: str = "") -> list[list[str]]:
    """Keys as in docs/configuration.md, and values as in YAML; long lists as their ends and length."""
    rows = []
    for key, value in part.items():
        if isinstance(value, Mapping):
            rows += _settings(value, f"{prefix}{key}.")
        else:
            rows.append([f"{prefix}{key}", _yaml(value)])
    return rows


def _yaml(value) -> str:
    if isinstance(value, list) and value:
        shown = value if len(value) <= MANY else [*value[:4], "…", value[-1]]
        return ", ".join(map(_yaml, shown)) + (f" ({len(value)})" if len(value) > MANY else "")
    return value if isinstance(value, str) else json.dumps(value)


def measured(row) -> str:
    """The value of a row of claims, with its interval."""
    if np.isnan(row.value):
        return "–"
    interval = f" ({_number(row.low)} to {_number(row.high)})" if np.isfinite(row.low) else ""
    return f"{_number(row.value)}{interval}"


def bounds(row) -> str:
    """The range of values in which the claim of a row holds."""
    low, high = row.holds_from, row.holds_to
    if low == high:
        return f"= {_number(low)}"
    if np.isinf(high):
        return f"≥ {_number(low)}"
    return f"≤ {_number(high)}" if low in (0, -np.inf) else f"{_number(low)} to {_number(high)}"


def tolerance(row) -> str:
    """For which other bounds the verdict of a row would be the same, in words; empty where it does not rest on one."""
    ranges = {"lower bound": (row.lower_from, row.lower_to), "upper bound": (row.upper_from, row.upper_to)}
    ranges = {name: _words(*ends) for name, ends in ranges.items() if not np.isnan(ends[0])}
    if len(ranges) > 1:
        return "the same with " + " and ".join(f"{name} {words}" for name, words in ranges.items())
    return "".join(f"the same with {name[6:]}s {words}" for name, words in ranges.items())


def _words(low: float, high: float) -> str:
    """Where a bound may lie between two ends, of which either may be infinite."""
    if np.isinf(low):
        return "anywhere" if np.isinf(high) else f"up to {_number(high)}"
    return f"above {_number(low)}" if np.isinf(high) else f"from {_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _point(row) -> tuple[str, str]:
    return (f"{row.value:.0f}", _range(row)) if row.found else ("none found", "–")


def _range(row, unit: str = "") -> str:
    return f"{_number(row.low)}{unit} to {_number(row.high)}{unit}" if np.isfinite(row.low) else "none: one seed"


def _table(caption: str, heads: list[str], rows: list[list[str]]) -> Html:
    """All columns but the first and the last hold numbers."""
    return _rows(heads, rows, caption, len(heads) - 1)


def _rows(heads: Sequence, rows: Sequence[Sequence], caption: str = "", numbers: int | None = None) -> Html:
    """A table of cells; columns 1 to `numbers` - 1 hold numbers, by default all but the first."""
    numbers = len(heads) if numbers is None else numbers

    def line(kind, cells):
        classes = [' class="number"' if 1 <= k < numbers else "" for k in range(len(cells))]
        return "".join(f"<{kind}{c}>{html(cell)}</{kind}>" for c, cell in zip(classes, cells, strict=True))

    head = f"<thead><tr>{line('th', heads)}</tr></thead>"
    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    caption = filled("<caption>{}</caption>", caption) if caption else ""
    return Html(f'<div class="scroll"><table>{caption}{head}\n<tbody>{body}</tbody></table></div>')


def page(title: str, parts: Sequence[Html]) -> str:
    """A whole page: its title, and its parts in HTML."""
    head, foot = TEMPLATE.read_text(encoding="utf-8").split("<!--BODY-->")
    return "\n".join([head.replace("<!--TITLE-->", html(title)), *map(html, parts), foot])
