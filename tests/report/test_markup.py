"""Any text, as HTML or reStructuredText, reads as it was written and is no markup."""

import re
from html.parser import HTMLParser

import pytest
from docutils.core import publish_parts
from hypothesis import given
from hypothesis import strategies as st

from twophase.report.explorer import TEMPLATES
from twophase.report.markup import Html, filled, html, rst

LINES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=30)
SIGNS = st.lists(st.sampled_from([*r""".:_-*`|<>[]{}()\#+=~^'"!?/&%$@,; a1""", "include::", ".. "]), max_size=12).map(
    "".join
)


class Reader(HTMLParser):
    """What a page shows, and the names of its elements."""

    def __init__(self, page: str):
        super().__init__()
        self.text, self.elements = "", set()
        self.feed(page)
        self.close()

    def handle_data(self, data):
        self.text += data

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)


@given(LINES | SIGNS)
def test_a_text_in_html_is_shown_and_has_no_elements(text):
    read = Reader(html(text))
    assert (read.text, read.elements) == (text, set())
    read = Reader(filled('<b title="{}">{}</b>', text, text))
    assert (read.text, read.elements) == (text, {"b"})


def test_html_is_escaped_once():
    assert html(html("<")) == "&lt;"
    assert filled("<p>{}</p>", Html("<i>")) == "<p><i></p>"


@given(LINES | SIGNS)
def test_a_title_in_a_caption_is_shown_as_it_is(text):
    shown = " ".join(text.split())
    if not shown:
        return
    for source, elements in ((f"- **{rst(text)}**: x", {"ul", "li", "strong"}), (f"- {rst(text)}", {"ul", "li"})):
        read = Reader(publish_parts(source, writer="html5", settings_overrides={"report_level": 1})["fragment"])
        assert read.elements - {"p"} == elements
        assert read.text.strip().removesuffix(": x") == shown


def test_a_title_includes_no_file(tmp_path):
    (tmp_path / "secret").write_text("not for others")
    title = f".. include:: {tmp_path}/secret"
    assert "not for others" in publish_parts(f"- {title}", writer="html5")["body"]  # what it would do
    assert "not for others" not in publish_parts(f"- {rst(title)}", writer="html5")["body"]


@pytest.mark.parametrize("way", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"])
def test_the_explorer_writes_html_in_one_place_which_escapes(way):
    script = (TEMPLATES / "explorer.js").read_text(encoding="utf-8")
    places = [line for line in script.splitlines() if way in line]
    assert places == (
        ["const fill = (id, content) => { $(id).innerHTML = escaped(content); };"] if way == "innerHTML" else []
    )
    assert not re.search(r"[^l]`<", script)  # HTML that is no html`...`
