"""A static site: documents, figures, and the explorers of all published runs under one index; `make site`.

    python tools/website.py FOLDER

Everything is made from what is published, without training, and in files that any host can serve. Logs of training are
not published, so explorers show none.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from snakemake.common.configfile import load_configfile

from twophase.config import estimators, figures, plan
from twophase.config.resolve import resolve, settings_of
from twophase.files import storage, tables
from twophase.report import captions, explorer, markup, pages, sentences
from twophase.report.markup import Html, filled

REPOSITORY = Path(__file__).parents[1]
PUBLISHED = REPOSITORY / "results" / "reference"
SHOWN = ("C", "S", "B", "D", "cone", "chaos", "perturbations", "linearized")


DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "config/README.md", "results/*.md")
SHOWN_THERE = ("results/reference/README.md", "results/reference/*.md", "results/reference/**/*.png")
LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
BUILDER = """\
site_name: Two-phase learning dynamics
docs_dir: documents
use_directory_urls: false
theme: {name: readthedocs, highlightjs: false}
plugins: []
validation: {links: {not_found: warn, anchors: warn}}
nav:
  - Overview: README.md
  - Explorers and figures of all published runs: published/index.html
  - Results: docs/results.md
  - Run by run: results/reference/README.md
  - Figures: docs/figures.md
  - Method: docs/method.md
  - Running: docs/running.md
  - Writing a config: config/README.md
  - Every key: docs/configuration.md
  - A network of your own: docs/your-own-network.md
  - Cluster: docs/cluster.md
  - Outputs: docs/outputs.md
  - Cost and speed: docs/cost-and-speed.md
  - Reliability: docs/reliability.md
  - Architecture: docs/architecture.md
  - Adding a figure: docs/adding-a-figure.md
  - Contributing: CONTRIBUTING.md
  - Changes: CHANGELOG.md
"""


def main(folder: Path) -> None:
    """Writes the site, and nothing outside the folder."""
    with tempfile.TemporaryDirectory() as work:
        stage(Path(work) / "documents")
        (Path(work) / "mkdocs.yml").write_text(BUILDER, encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder.resolve()], cwd=work, check=True
        )
    published(folder / "published")


def stage(folder: Path) -> None:
    """Copies the documents and their pictures; a link to what is not among them becomes its words."""
    paths = {path for pattern in (*DOCUMENTS, *SHOWN_THERE) for path in REPOSITORY.glob(pattern)}

    def kept(page: Path, link: re.Match) -> str:
        target = link[3]
        whole = not target or re.match(r"\w+:", target) or (page.parent / target).resolve() in paths
        return link[0] if whole else link[2]

    for path in paths:
        copy = folder / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            copy.write_text(LINK.sub(lambda link, page=path: kept(page, link), text), encoding="utf-8")
        else:
            shutil.copy(path, copy)


def published(folder: Path) -> None:
    """Writes the pages of all published runs and their index."""
    parts = []
    for path in sorted(PUBLISHED.glob("*/claims.parquet")):
        name = path.parent.name
        print(f"{name}: explorer, claims, pages, figures", flush=True)
        parts.append(one_run(name, folder / name))
    page = pages.page("Two-phase learning dynamics: the published runs", [INTRODUCTION, *parts])
    storage.write_text(folder / "index.html", page)


UP = Html('<p><a href="../index.html">All published runs</a></p>')
INTRODUCTION = Html(
    '<p><a href="../index.html">Documents</a></p>'
    "<p>Each run has an explorer, in which every number can be pointed at, a page of claims with intervals and "
    "verdicts, and its figures. The tables are in the repository, below <code>results/reference</code>.</p>"
)


def one_run(name: str, folder: Path) -> Html:
    """Writes the pages of one published run; returns its part of the index."""
    source = PUBLISHED / name
    config = resolve(load_configfile(REPOSITORY / "config" / f"{name}.yaml"))
    claims, phases = (storage.read_table(source / f"{table}.parquet") for table in ("claims", "phases"))
    experiments = {e: s for e, s in config["experiments"].items() if kept(source / e, s)}
    claims, phases = (table[table["experiment"].isin(list(experiments))] for table in (claims, phases))
    described = {e: plan.described(s) for e, s in experiments.items()}
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source / "figures", folder / "figures", dirs_exist_ok=True)

    runs = tables_of(source, experiments)
    style = {"colormap": config["figures"]["colormap"], "scale": config["figures"]["scale"]}
    style |= {"marks": estimators.marks(), "points": estimators.point_names()}
    shown = explorer.gather(runs, phases, claims, described)
    explorer.write(folder / "explorer.html", shown, style, storage.provenance("explorer"))
    judged = {e: plan.judged(s, config["datasets"]) for e, s in experiments.items()}
    storage.write_text(folder / "claims.html", pages.of_claims(claims, judged))
    parts = []
    for e in experiments:
        own = {"phases": phases[phases["experiment"] == e], "claims": claims[claims["experiment"] == e]}
        chaos = [t["chaos"] for (of, _), t in runs.items() if of == e and "chaos" in t]
        own["forks"] = tables.joined(chaos) if chaos else tables.of_experiments([])
        said = next(one["texts"] for one in shown if one["name"] == e)
        (folder / e).mkdir(exist_ok=True)
        text = pages.of_experiment(said, own, settings_of(config, e), estimators.point_names())
        storage.write_text(folder / e / "overview.html", text)
        headline = sentences.headline(described[e], own["phases"], own["claims"])
        parts.append(filled('<li><a href="{}/explorer.html#experiment={}">{}</a></li>', name, e, headline))
    drawn = [figure for figure in figures.FIGURES if (folder / "figures" / f"{figure}.png").exists()]
    shown = {figure: with_caption(figure, config) for figure in drawn}
    storage.write_text(folder / "figures.html", captions.page(shown, UP))
    link = '<a href="{}/figures.html#{}">{}: {}</a>'
    links = Html(" · ".join(filled(link, name, f, f, figures.FIGURES[f].shows) for f in drawn))
    return filled(
        '<h2>{name}</h2><ul>{parts}</ul><p><a href="{name}/explorer.html">Explorer</a> · '
        '<a href="{name}/claims.html">claims</a></p><p class="small">{links}</p>',
        name=name,
        parts=Html("".join(parts)),
        links=links,
    )


def with_caption(name: str, config: Mapping) -> dict:
    """What the page of figures says of one."""
    template = (REPOSITORY / "workflow" / "report" / f"{name}.rst").read_text(encoding="utf-8")
    experiments = config["experiments"]
    config = config | {"captions": markup.captions(experiments)}
    caption = captions.source(template, figures.params(experiments, name), config)
    return {"shows": figures.FIGURES[name].shows, "caption": caption}


def kept(folder: Path, experiment: Mapping) -> bool:
    """Whether the tables that its explorer shows are published; those of some readings are the first one's."""
    needed = "chaos" if experiment["chaos"]["t0"] and not experiment["counterexample"] else "S"
    return all((folder / f"seed{seed}" / f"{needed}.parquet").exists() for seed in experiment["seeds"])


def tables_of(source: Path, experiments: Mapping[str, Mapping]) -> dict:
    """What an explorer shows of each (experiment, seed)."""
    runs = {}
    for e, settings in experiments.items():
        for seed in settings["seeds"]:
            run = source / e / f"seed{seed}"
            found = {table: run / f"{table}.parquet" for table in SHOWN}
            runs[e, seed] = {table: storage.read_table(path) for table, path in found.items() if path.exists()}
            blocks = sorted((run / "fork_barriers").glob("*.parquet"))
            if blocks:
                runs[e, seed]["barriers"] = tables.joined([storage.read_table(path) for path in blocks])
            elif "chaos" in runs[e, seed]:
                runs[e, seed]["barriers"] = runs[e, seed]["chaos"].head(0)
            scores = run / "predictions" / "trajectory.safetensors"
            if scores.exists():
                runs[e, seed]["scores"] = tables.standard_scores([str(scores)]).sort_values("iteration")
    return runs


if __name__ == "__main__":
    main(Path(sys.argv[1]))
