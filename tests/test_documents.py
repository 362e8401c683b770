"""The documents: their links lead somewhere, what is generated in them is fresh, and they name every column."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import readme

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ["", "config", "docs", "results", "results/reference"]
PAGES = sorted(page for folder in FOLDERS for page in (REPOSITORY / folder).glob("*.md"))
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What links to a page may have behind the #: its headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_there(page):
    wrong = []
    for target, heading in LINK.findall(text_of(page)):
        if re.match(r"\w+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (heading and heading not in anchors(path)):
            wrong.append(f"{target}#{heading}")
    assert not wrong


def test_first_page_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 170


def test_first_page_lists_all_others():
    linked = {target for target, _ in LINK.findall(text_of(REPOSITORY / "README.md"))}
    assert {name(page) for page in PAGES if page.parent.name == "docs"} <= linked


@pytest.mark.parametrize("table", readme.TABLES)
def test_tables_of_the_pages_are_those_of_the_published_runs(table):
    there = [found for page in readme.PAGES for found in readme.between(table).findall(page.read_text("utf-8"))]
    assert there == [readme.TABLES[table]()], "run: make readme"


@pytest.mark.parametrize("path", readme.FILES, ids=name)
def test_generated_files_are_those_of_today(path):
    assert path.read_text(encoding="utf-8") == readme.FILES[path](), "run: make readme"


def test_page_of_outputs_has_every_column_of_the_published_tables():
    page = (REPOSITORY / "docs" / "outputs.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)$(.*?)(?=^### |\Z)", page, re.MULTILINE | re.DOTALL))
    for path in sorted(readme.REFERENCE.rglob("*.parquet")):
        table = path.parent.name if path.parent.name == "fork_barriers" else path.stem
        documented = re.findall(r"^\| `(\w+)` \|", sections[table], re.MULTILINE)
        assert set(pq.read_schema(path).names) <= set(documented), path


def test_values_that_the_architecture_names_are_classes_of_the_library():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.search(r"^\| value \| holds \|\n.*?\n((?:\|.*\n)+)", page, re.MULTILINE)[1]
    library = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow/twophase").rglob("*.py"))
    names = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert all(re.search(rf"^class {name}\b", library, re.MULTILINE) for name in names)
