"""Text of configs and tables inside HTML and reStructuredText: shown as it is, whatever it contains. No torch."""

import re
from collections.abc import Mapping
from html import escape


class Html(str):
    """Text that is HTML already."""


def html(value) -> Html:
    """A value as HTML that shows it; what is HTML already stays."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def filled(template: str, *values, **named) -> Html:
    """HTML with values in the places of a template, as `str.format` has them; they are escaped unless they are HTML."""
    return Html(template.format(*map(html, values), **{name: html(value) for name, value in named.items()}))


def rst(text: str) -> str:
    """A text in one line as reStructuredText that shows it: none of its signs is markup, no line of it a directive."""
    return re.sub(r"([^\w ]|_)", r"\\\1", " ".join(text.split()))


def captions(experiments: Mapping[str, Mapping]) -> dict[str, str]:
    """What captions call each experiment: with its title as it is, a title could be a directive that reads a file."""
    return {name: rst(settings["title"]) for name, settings in experiments.items()}
