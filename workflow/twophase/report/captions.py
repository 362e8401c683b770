"""Captions of figures, templates in workflow/report that Snakemake fills in for its report, on a page of their own."""

from collections.abc import Mapping
from types import SimpleNamespace

from twophase.report.markup import Html, filled


def source(template: str, params: Mapping, config: Mapping) -> str:
    """A caption in reStructuredText.

    Args:
        params: of the figure's rule.
        config: what the caption names of it, with `captions` (`markup.captions`).

    Raises:
        jinja2.UndefinedError: the caption names what is in neither.
    """
    import jinja2  # here, as the imports below: every start of Snakemake imports this module, and few need them

    templates = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return templates.from_string(template).render(snakemake=SimpleNamespace(params=params, config=config))


def page(shown: Mapping[str, Mapping], top: str = "") -> str:
    """The HTML page of all figures, from the folder in which `figures` is.

    Args:
        shown: of each figure, in order, what it `shows`, and its `caption` in reStructuredText.
        top: HTML before the first one.
    """
    from twophase.report import pages

    parts = [
        filled(
            '<h2 id="{name}">{name}: {shows}</h2>\n'
            '<p><a href="{png}"><img src="{png}" alt="{name}: {shows}" loading="lazy"></a></p>\n{caption}',
            name=name,
            png=f"figures/{name}.png",
            shows=figure["shows"],
            caption=_html(figure["caption"]),
        )
        for name, figure in shown.items()
    ]
    return pages.page("Figures", [Html(top), *parts])


def _html(text: str) -> Html:
    from docutils.core import publish_parts

    return Html(publish_parts(text, writer="html5", settings_overrides={"report_level": 5})["body"])
