"""The generated parts of the documents: tables of the published runs, and what is made from the schema of a config.

`make readme` writes them anew. Tables of runs stand between two comments with their name; what is made from the schema
is a file of its own.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import configuration
from configuration import markdown
from twophase.analysis import claims, scorecard
from twophase.config.figures import FIGURES
from twophase.config.papers import CAPTIONS
from twophase.config.resolve import resolve
from twophase.files import storage, tables
from twophase.report import pages

REPOSITORY = Path(__file__).parents[1]
REFERENCE = REPOSITORY / "results" / "reference"
PAGES = [
    REPOSITORY / page
    for page in ("README.md", "config/README.md", "docs/figures.md", "docs/results.md", "results/reference/README.md")
]
FILES = {  # that are generated as a whole
    REPOSITORY / "docs" / "configuration.md": configuration.page,
    REPOSITORY / "config" / "schema.json": configuration.for_editors,
}
RUNS = {  # the config, and its experiment
    "ResNet-20 / CIFAR-10, batch 128": ("decisive", "resnet20"),
    "ResNet-20 / CIFAR-10, batch 64": ("cifar10-cpu", "resnet20"),
    "VGG-16, width ¼ / CIFAR-10": ("cifar10-cpu", "vgg16"),
    "LeNet-5 / MNIST": ("mnist", "lenet5"),
    "ResNet-8 / digits": ("digits", "resnet8"),
    "Transformer / text": ("text", "transformer"),
}
HEADLINES = {  # claim: in a few words
    "inflection point": "There is an inflection point: forks from before it end up elsewhere, later ones do not",
    "one peak of C": "*C* is largest at one *t*₁ for every *t*₀ (Finding I)",
    "barrier as between seeds": "Forks from the start end behind a barrier as high as between two seeds",
    "kernel slows down": "The kernel moves fast at first and slowly later",
    "cone": "Then it stays in a narrow cone",
    "cone beats linearized": "Training in the cone still beats linearized training",
}
MARKS = dict(zip(scorecard.VERDICTS, "✓✗?–·", strict=True))


def headlines() -> str:
    """A row for each of the claims that matter most and a column for each run, with marks alone."""
    columns = _claims_of_runs()
    rows = []
    for claim, text in HEADLINES.items():
        rows.append([text, *(MARKS[table.loc[claim, "verdict"]] for table in columns.values())])
    return markdown(["", *columns], rows)


def inflection_points() -> str:
    """A row for each run and a column for each estimator."""
    heads = ["run", "*C*, logarithmic", "*C*, linear", "barrier *B*", "disagreement *D*", "the kernel bends"]
    rows = []
    for title, (run, name) in RUNS.items():
        phases = storage.read_table(REFERENCE / run / "phases.parquet")
        mine = phases[(phases["experiment"] == name) & (phases["quantity"] == "inflection")].set_index("estimator")
        settings = _experiment(run, name)
        own, other = "chaos C", {"log": "chaos C, linear", "linear": "chaos C, log"}[settings["phases"]["scale"]]
        keys = [own, other] if settings["phases"]["scale"] == "log" else [other, own]
        points = [_point(mine.loc[key], settings["phases"]["level"]) for key in [*keys, "chaos B", "chaos D", "kernel"]]
        size = f"*T* = {settings['training']['iterations']}, {_times(mine, 'seed')}, {_times(mine, 'draw')}"
        rows.append([f"[{title}](../results/reference/{run}/phases.parquet): {size}", *points])
    return markdown(heads, rows)


def all_claims() -> str:
    """A row for each claim that is about two phases, in today's words, and a column for each run."""
    words = {claim.name: claim.text for claim in claims.CLAIMS}
    columns = _claims_of_runs()
    rows = []
    for row in next(iter(columns.values())).itertuples():
        limit = f"{pages.bounds(row)} {row.unit}".rstrip()
        rows.append([words[row.Index], limit, *(_verdict(table.loc[row.Index]) for table in columns.values())])
    return markdown(["claim", "holds if", *columns], rows)


def forks(run: str, name: str) -> str:
    """A row for each t0: C, B and D between forks and base run at the end."""
    table = _all_seeds(run, name, "chaos")
    end = table["t1"].max()
    rows = []
    for t0, part in table[table["t1"] == end].groupby("t0"):
        shown = [(part["C"], ".2g"), (part["B"].clip(lower=0), ".3f"), (100 * part["D"], ".1f")]
        rows.append([str(t0), *(_range(values, form) for values, form in shown)])
    return markdown(["*t*₀", f"*C* at {end}", "*B* (nats)", "*D* (% of test images)"], rows)


def linearized(run: str, name: str) -> str:
    """A row for each switch: test accuracy there, and where linearized training ends; standard training last."""
    table = _all_seeds(run, name, "linearized")
    end = table["iteration"].max()
    rows = []
    for switch, part in table.groupby("switch"):
        points = [part.loc[part["iteration"] == iteration, "test_accuracy"] for iteration in (switch, end)]
        rows.append([str(switch), *(_range(100 * values, ".1f") for values in points)])
    standard = tables.standard_scores(sorted((REFERENCE / run / name).glob("seed*/predictions/trajectory.safetensors")))
    standard = standard.loc[standard["iteration"] == end, "test_accuracy"]
    rows.append(["never", "", _range(100 * standard, ".1f")])
    return markdown(["linearized from", "test accuracy there (%)", f"at {end} (%)"], rows)


def figures() -> str:
    """A row for each figure: what it needs of an experiment, and what it shows."""
    rows = []
    for name, figure in FIGURES.items():
        needs = [f"`{key}`" for key in figure.needs]
        if figure.counterexamples:
            needs.insert(0, "`counterexample: true`")
        if figure.least > 1:
            needs.append(f"at least {figure.least} experiments")
        rows.append([f"`{name}`", ", ".join(needs), figure.description.replace("|", r"\|")])
    return markdown(["figure", "needs", "shows"], rows)


def panels() -> str:
    """A row for each panel of both papers: what its caption says there, and which panels of ours answer it."""
    ours = {place: [] for place in CAPTIONS}
    for name, figure in FIGURES.items():
        for panel in figure.panels:
            if panel.answers:
                ours[panel.answers].append(f"`{name}` {panel.letter}".strip())
    return markdown(["the papers' panel", "shows", "ours"], [[p, CAPTIONS[p], ", ".join(ours[p])] for p in CAPTIONS])


TABLES = {  # by the names of their marks in the pages
    "headlines": headlines,
    "inflection points": inflection_points,
    "scorecard": all_claims,
    "figures": figures,
    "panels": panels,
}
for run, name in RUNS.values():
    TABLES |= {f"{name} forks": partial(forks, run, name), f"{name} linearized": partial(linearized, run, name)}


def _claims_of_runs() -> dict[str, pd.DataFrame]:
    """The scorecard of each run, by title, with the names of the claims as index."""
    columns = {}
    for title, (run, name) in RUNS.items():
        table = storage.read_table(REFERENCE / run / "claims.parquet")
        columns[title] = table[table["experiment"] == name].set_index("claim")
    return columns


def _experiment(run: str, name: str) -> dict:
    return resolve(yaml.safe_load((REPOSITORY / "config" / f"{run}.yaml").read_text()))["experiments"][name]


def _all_seeds(run: str, name: str, table: str) -> pd.DataFrame:
    return tables.joined([storage.read_table(path) for path in (REFERENCE / run / name).glob(f"seed*/{table}.parquet")])


def _times(rows: pd.DataFrame, what: str) -> str:
    count = rows[f"{what}s"].max()
    return f"{count} {what}{'s' if count > 1 else ''}"


def _point(row, level: float) -> str:
    if row.found:
        return f"{row.value:.0f} ({row.low:.0f} to {row.high:.0f})"
    return "none (one seed)" if np.isnan(row.gain) else f"none (gain {row.gain:.1f})"


def _range(values, form: str) -> str:
    """Of all seeds and draws."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _verdict(row) -> str:
    """As a mark, with the value where one was measured."""
    mark = MARKS[row.verdict]
    return mark if np.isnan(row.value) else f"{mark} {pages.measured(row)}"


def between(name: str) -> re.Pattern:
    """What a page has between the marks of the table of that name."""
    return re.compile(rf"(?<=<!-- {name} -->\n)(.*?)(?=<!-- end of {name} -->)", re.DOTALL)


def write(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        text = between(name).sub(lambda _, table=table: table(), text)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for page in PAGES:
        write(page)
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
