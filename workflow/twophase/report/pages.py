"""HTML pages: one of every experiment, and the scorecard of all. No torch."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.analysis import lags
from twophase.analysis.scorecard import VERDICTS

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
    parts = [_picture(tables["forks"]), f"<p>{escape(said[1])}</p>"]
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


def of_claims(table: pd.DataFrame, experiments: Mapping, verdicts: Sequence[str]) -> str:
    """The HTML page of the scorecard: a summary of all verdicts, and a table for each experiment.

    Args:
        table: of `scorecard.of_experiment`, with a column experiment.
        experiments: name -> title and level, in the order of the page.
        verdicts: all possible ones, in the order of the summary.
    """
    titles = {name: settings["title"] for name, settings in experiments.items()}
    parts = [_summary(table, titles, verdicts), _chooser(verdicts)]
    for name, settings in experiments.items():
        mine = table[table["experiment"] == name]
        seeds = int(mine["seeds"].max())
        parts.append(f"<h2>{escape(settings['title'])}, {seeds} seed{'s' * (seeds > 1)}</h2>")
        parts.append(_claims(mine, settings["level"]))
    return page("The papers' claims, one by one", parts)


def _picture(forks: pd.DataFrame) -> str:
    """How far each fork ends from the base run, over when it was perturbed, as SVG; nothing without forks."""
    ends = forks[lags.last(forks["t0"], forks["t1"])] if len(forks) else forks
    ends = ends[ends["C"] > 0] if len(ends) else ends
    if not len(ends):
        return ""
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
    return (
        f'<svg viewBox="0 0 600 225" role="img" aria-label="C at the end over t0">{dots}{marks}'
        '<text x="320" y="220" text-anchor="middle">t0, iteration of the perturbation (log)</text>'
        '<text x="8" y="14">C between fork and base run at the end</text></svg>'
    )


def _claims(table: pd.DataFrame, level: float, caption: str = "", results: str = ".") -> str:
    """The scorecard of one experiment; `results` is the path from the page to the folder of results."""
    order, rows = list(VERDICTS), []
    for r in table.itertuples():
        claim = f'{escape(r.text)}<div class="small">{escape(r.definition)}; papers: {escape(r.paper)}</div>'
        verdict = f'{_verdict(r.verdict)}<div class="small">{escape(r.reason)}</div>'
        figure = f'<a class="small" href="{results}/figures/{r.figure}.png">{r.figure}</a>'
        value = measured(r) if np.isnan(r.value) else f"{measured(r)} {r.unit}".rstrip()
        cells = [f"{verdict} {figure}", claim, escape(value), escape(bounds(r))]
        names = ["", "", "measured", "holds if"]
        body = "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in zip(names, cells, strict=True))
        rows.append(f'<tr data-verdict="{order.index(r.verdict)}">{body}</tr>')
    heads = ["verdict", "claim", f"measured ({_interval(level)})", "holds if"]
    head = "".join(f"<th>{name}</th>" for name in heads)
    caption = f"<caption>{caption}</caption>" if caption else ""
    body = "\n".join(rows)
    return f'<table class="claims">{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'


def _chooser(verdicts: Sequence[str]) -> str:
    """Controls that show only some verdicts, and that put the claims in their order."""
    boxes = "".join(
        f'<label><input type="checkbox" name="verdict" value="{k}" checked> {_verdict(v)}</label>'
        for k, v in enumerate(verdicts)
    )
    order = '<label><input type="checkbox" id="order"> in order of verdicts</label>'
    return f'<div class="chooser" role="group" aria-label="Verdicts shown">{boxes}{order}</div>'


def _summary(table: pd.DataFrame, titles: Mapping[str, str], verdicts: Sequence[str]) -> str:
    """How often each experiment has each verdict."""
    counts = table.groupby(["experiment", "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=list(titles), columns=verdicts, fill_value=0)
    rows = [[escape(titles[name]), *map(str, row)] for name, row in zip(counts.index, counts.to_numpy(), strict=True)]
    return _rows(["experiment", *map(_verdict, verdicts)], rows)


def _verdict(verdict: str) -> str:
    return f'<span class="{verdict.split()[0]}">{escape(verdict)}</span>'


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


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _point(row) -> tuple[str, str]:
    return (f"{row.value:.0f}", _range(row)) if row.found else ("none found", "–")


def _range(row, unit: str = "") -> str:
    return f"{row.low:.3g}{unit} to {row.high:.3g}{unit}" if np.isfinite(row.low) else "none: one seed"


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


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page: its title, and its parts in HTML."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("<!--TITLE-->", escape(title))
    return text.replace("<!--BODY-->", "\n".join(parts))
