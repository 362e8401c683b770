"""Snakemake's report: of what is there, and with titles that are no markup, whatever they are."""

import copy
import json
import re

import pytest

from workflow_runner import WHOLE

pytestmark = pytest.mark.workflow

INCLUDE = ".. include:: secret.txt"
TITLES = {"tiny": INCLUDE, "lazy": r"{braces} <b>, `code`_, $\eta_{max}$ | {{ 1 }} : a_"}


@pytest.fixture(scope="module")
def report(whole_run, tmp_path_factory) -> str:
    """The report of a run whose titles are hostile, with one figure of all."""
    workflow = whole_run.copied(tmp_path_factory.mktemp("report"))
    (workflow.folder / "secret.txt").write_text("not for others")
    config = copy.deepcopy(WHOLE)
    for name, title in TITLES.items():
        config["experiments"][name]["title"] = title
    workflow.write(config)
    for figure in (workflow.folder / "results/figures").iterdir():
        figure.unlink()
    workflow.snakemake("--cores", "2", "fig3", "wfig3", "claims_page", "experiment_pages")
    printed = workflow.snakemake("--report", "results/report.html")
    assert "Report created" in printed
    return (workflow.folder / "results/report.html").read_text(encoding="utf-8")


def part(report: str, name: str):
    """A value that the report has for its script."""
    return json.loads(re.search(rf'<script id="[\w-]+">\s*var {name} = (.*);\n', report)[1])


def test_what_is_not_there_is_left_out(report):
    names = {path.rpartition("results/")[2] for path in part(report, "results")}
    assert names == {"figures/fig3.png", "figures/wfig3.png", "claims.html", "tiny/overview.html", "lazy/overview.html"}


def test_titles_are_shown_and_include_no_file(report):
    assert "not for others" not in report
    captions = {path.rpartition("/")[2]: result["caption"] for path, result in part(report, "results").items()}
    assert f"<strong>{INCLUDE}</strong>" in captions["fig3.png"]
    shown = TITLES["lazy"].replace("<", "&lt;").replace(">", "&gt;")
    assert f"<strong>{shown}</strong>" in captions["wfig3.png"]
    assert f"<td>{INCLUDE}</td>" in part(report, "workflow_desc")
    assert f"<td>{shown} (shows no two phases)</td>" in part(report, "workflow_desc")
    assert "system-message" not in "".join([*captions.values(), part(report, "workflow_desc")])


def test_the_pages_lie_under_names_that_are_no_markup(report):
    assert {"tiny", "lazy"} <= part(report, "categories").keys()
