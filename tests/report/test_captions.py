"""The captions of the report: they name keys that the config has, and are reStructuredText without a fault."""

import pytest
from docutils.core import publish_parts

from twophase.config import figures
from twophase.config.resolve import resolve
from twophase.report import captions, markup
from workflow_runner import REPOSITORY, WHOLE


def caption(name: str, params: dict, config: dict) -> str:
    template = (REPOSITORY / "workflow" / "report" / f"{name}.rst").read_text(encoding="utf-8")
    return captions.source(template, params, config)


@pytest.fixture(scope="module")
def config() -> dict:
    whole = resolve(WHOLE)
    return whole | {"captions": markup.captions(whole["experiments"])}


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_caption_has_all_that_it_names(name, config):
    wanted = {setting: figures.SETTINGS[setting] for setting in figures.FIGURES[name].settings}
    shown = {"titles": {e: config["experiments"][e]["title"] for e in ["tiny"]}}
    params = shown | {s: {e: value(config["experiments"][e]) for e in ["tiny"]} for s, value in wanted.items()}
    publish_parts(caption(name, params, config), writer="html5", settings_overrides={"halt_level": 1})


def test_the_description_has_all_that_it_names(config):
    publish_parts(caption("workflow", {}, config), writer="html5", settings_overrides={"halt_level": 1})
