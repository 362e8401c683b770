"""The registry of figures is whole: what it names is there, and what it asks of experiments they can give."""

import copy
import inspect
import re
from pathlib import Path

import pytest
import yaml

from twophase.analysis import claims
from twophase.config import estimators, schema
from twophase.config.figures import BEYOND, FIGURES, SETTINGS, drops, shown, value
from twophase.config.papers import CAPTIONS
from twophase.config.plan import NAMES, jobs
from twophase.config.resolve import resolve
from twophase.report import figures as drawn
from workflow_runner import REPOSITORY, WHOLE

CAPTIONS_OF_OURS = REPOSITORY / "workflow" / "report"
EXPERIMENTS = resolve(WHOLE)["experiments"]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_function_that_takes_what_the_registry_gives_it(name):
    arguments = [*inspect.signature(getattr(drawn, name)).parameters]
    assert arguments == ["paths", "titles", "headings", "style", *FIGURES[name].settings]
    assert (CAPTIONS_OF_OURS / f"{name}.rst").exists()


def test_nothing_is_drawn_or_captioned_that_the_registry_lacks():
    functions = inspect.getmembers(drawn, inspect.isfunction)
    assert {name for name, _ in functions if not name.startswith("_")} == FIGURES.keys()
    others = {"claims", "experiment", "workflow"}
    assert {Path(path).stem for path in CAPTIONS_OF_OURS.glob("*.rst")} == FIGURES.keys() | others


@pytest.mark.parametrize("name", FIGURES)
def test_a_caption_speaks_of_params_that_its_figure_has(name):
    caption = (CAPTIONS_OF_OURS / f"{name}.rst").read_text(encoding="utf-8")
    for setting in SETTINGS:
        assert f'params["{setting}"]' not in caption or setting in FIGURES[name].settings


def test_every_panel_of_the_papers_is_answered_by_the_figure_of_its_number():
    answered = {panel.answers for figure in FIGURES.values() for panel in figure.panels} - {""}
    assert answered == CAPTIONS.keys()
    for name, figure in FIGURES.items():
        theirs = {panel.answers for panel in figure.panels} - {""}
        assert bool(theirs) == (figure.category != BEYOND)
        number = "workshop paper, Figure " if name.startswith("wfig") else "Figure "
        assert all(answer.startswith(number + name[-1]) for answer in theirs)
        for panel in figure.panels:
            if panel.answers[-1:] in {*"abc"}:
                assert panel.letter.removesuffix("'") == panel.answers[-1]


@pytest.mark.parametrize("name", FIGURES)
def test_a_caption_says_of_each_letter_what_the_papers_say_of_it(name):
    text = (CAPTIONS_OF_OURS / f"{name}.rst").read_text(encoding="utf-8")
    parts = re.split(r"\*([a-h]'?)\*", text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    panels = {panel.letter: panel for panel in FIGURES[name].panels if panel.letter}
    assert {*found} >= panels.keys()
    assert not {*found} - panels.keys()
    for letter, panel in panels.items():
        quantity = CAPTIONS.get(panel.answers, "").partition(", how")[0]
        if quantity.startswith("S("):
            assert quantity in found[letter]
    if name.startswith("wfig"):
        assert f"(workshop paper, Figure {name[-1]})" in text


def cited(text: str) -> list[str]:
    """The papers' figures that a claim cites: "Figures 1 and 3a; workshop paper, Figure 2" is three."""
    found = []
    for part in text.split(";"):
        paper = "workshop paper, " if "workshop paper" in part else ""
        if match := re.search(r"Figures? (\d[abc]?(?:(?:,| and) \d[abc]?)*)", part):
            found += [f"{paper}Figure {number}" for number in re.split(r",? and |, ", match[1])]
    return found


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.name)
def test_a_claim_cites_panels_that_the_papers_have_and_is_shown_by_a_figure_that_answers_one(claim):
    whole = {place for place in cited(claim.paper) if not any(caption.startswith(place) for caption in CAPTIONS)}
    assert not whole
    ours = {CAPTIONS[panel.answers] for panel in FIGURES[claim.figure].panels if panel.answers}
    theirs = {text for place, text in CAPTIONS.items() if place.startswith(tuple(cited(claim.paper)))}
    assert not ours or not theirs or ours & theirs  # fig6 and wfig2 show the same


def test_citations_are_read():
    assert cited("Figures 1 and 3a; workshop paper, Figure 2") == ["Figure 1", "Figure 3a", "workshop paper, Figure 2"]
    assert cited("Finding I, Figure 3a") == ["Figure 3a"]
    assert cited("2000") == []


@pytest.mark.parametrize(("name", "figure"), FIGURES.items())
def test_an_entry_names_what_there_is(name, figure):
    assert figure.shows
    assert figure.description
    assert figure.panels or figure.cost
    letters = [panel.letter for panel in figure.panels]
    assert (
        letters in ([], [""])
        or letters == [*"abcdefgh"[: len(letters)]]
        or letters == ["a", "b", "c", "a'", "b'", "c'"]
    )
    assert figure.estimates in {None, *estimators.ESTIMATORS}
    assert figure.results.keys() <= NAMES.keys()
    assert {*figure.settings} <= SETTINGS.keys()
    for experiment in EXPERIMENTS.values():
        for key in figure.needs:
            value(experiment, key)


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.needs])
def test_an_experiment_that_lacks_any_need_is_left_out(name):
    copies = {f"{experiment}{k}": part for experiment, part in EXPERIMENTS.items() for k in range(FIGURES[name].least)}
    assert len(shown(copies, name)) == FIGURES[name].least
    for key in FIGURES[name].needs:
        experiments = copy.deepcopy(copies)
        for experiment in experiments.values():
            part, last = key.split(".")
            experiment[part][last] = []
        assert shown(experiments, name) == []


def test_rows_are_experiments_in_the_order_of_the_config():
    expected = {name: ["tiny"] for name in FIGURES} | {"wfig3": ["lazy"], "readings": [], "side_by_side": []}
    assert {name: shown(EXPERIMENTS, name) for name in FIGURES} == expected
    again = {"second": EXPERIMENTS["tiny"], **EXPERIMENTS, "third": EXPERIMENTS["lazy"]}
    expected = {name: ["second", "tiny"] for name in FIGURES} | {"wfig3": ["lazy", "third"]}
    assert {name: shown(again, name) for name in FIGURES} == expected


def test_the_learning_rate_drops_at_milestones_of_a_step_schedule_only():
    assert [drops(EXPERIMENTS[name]) for name in ("tiny", "lazy")] == [[16], []]


def test_a_figure_waits_for_its_inputs():
    planned = {job.rule: job for job in jobs(resolve(WHOLE))}
    for name, figure in FIGURES.items():
        if figure.least == 1:
            (experiment,) = shown(EXPERIMENTS, name)
            needs = {f"{experiment}/seed0/grid/{table}" for table in figure.tables if table in "CSBD"}
            assert needs <= {*planned[name].needs}
    assert not {"readings", "side_by_side"} & planned.keys()
    twice = copy.deepcopy(WHOLE)
    twice["experiments"]["again"] = twice["experiments"]["tiny"] | {"title": "again"}
    (job,) = (job for job in jobs(resolve(twice)) if job.rule == "readings")
    assert job.needs == ("claims",)


def test_the_schema_s_file_allows_a_style_for_any_figure_and_twophase_for_those_there_are():
    """An editor, which checks against the file alone, accepts more."""
    on_disk = yaml.safe_load(schema.SCHEMA.read_text(encoding="utf-8"))["$defs"]["figures"]
    assert on_disk["additionalProperties"] == {"$ref": "#/$defs/style"}
    assert not FIGURES.keys() & on_disk["properties"].keys()
    part = schema.load()["$defs"]["figures"]
    assert part["properties"].keys() == on_disk["properties"].keys() | FIGURES.keys()
    assert part["additionalProperties"] is False
