"""Pages made from tables and configs of somebody else: whatever their texts are, they are shown, and nothing runs."""

import numpy as np
import pandas as pd
import pytest

import made_up
from twophase.config import estimators, plan, resolve
from twophase.files import storage, tables
from twophase.report import explorer, pages, sentences
from workflow_runner import WHOLE

pytestmark = pytest.mark.browser

EVIL = (
    "'\"><img src=x onerror=\"window.ran=1\"><svg onload='window.ran=1'></title></style></script>"
    "<script>window.ran=1</script>"
)
CLAIM = {
    **dict.fromkeys(["claim", "text", "definition", "bound", "paper", "unit", "verdict", "reason", "figure"], EVIL),
    **dict.fromkeys(["value", "low", "high", "holds_from", "holds_to"], 1.0),
    **dict.fromkeys(["lower_from", "lower_to", "upper_from", "upper_to"], 1.0),
    "experiment": "tiny",
    "seeds": 2,
}
PLOTS = ("ends", "grid", "training", "path", "history", "since", "steps", "cone")


@pytest.fixture(scope="module")
def described():
    experiments = resolve.resolve(WHOLE)["experiments"]
    settings = {name: plan.described(experiment) | {"title": EVIL} for name, experiment in experiments.items()}
    phases = made_up.estimates(experiments)
    phases = phases[(phases["experiment"] == "tiny") | (phases["estimator"] != "chaos C")]  # lazy has no forks
    for column in ("reason", "definition", "unit"):
        phases[column] = EVIL
    strange = phases.assign(estimator=EVIL), phases.assign(quantity=EVIL), phases.assign(found=False)
    return experiments, settings, pd.concat([phases, *strange], ignore_index=True)


def write_explorer(path, experiments, settings, phases):
    style = {"colormap": "rocket_r", "scale": "claims", "marks": estimators.marks(), "points": estimators.point_names()}
    shown = explorer.gather(made_up.runs(experiments), phases, pd.DataFrame([CLAIM]), settings)
    explorer.write(path, shown, style, {"commit": EVIL, "twophase": EVIL})


def write_page(path, experiments, settings, phases):
    said = sentences.end_of_chaos(settings["lazy"], None, None)
    own = {EVIL: EVIL, "cone": {"tau": [8], EVIL: [EVIL]}, "phases": {"level": 0.9}}
    shown = {"phases": phases, "claims": pd.DataFrame([CLAIM]), "forks": tables.of_experiments([])}
    storage.write_text(path, pages.of_experiment(said, shown, own, {"chaos C": EVIL}))


def write_claims(path, experiments, settings, phases):
    table = pd.DataFrame([CLAIM, CLAIM | {"value": np.nan}])
    storage.write_text(path, pages.of_claims(table, {"tiny": {"title": EVIL, "level": 0.9}}))


@pytest.mark.parametrize("write", [write_explorer, write_page, write_claims])
def test_texts_are_shown_and_do_not_run(opened, described, tmp_path, write):
    write(tmp_path / "page.html", *described)
    page = opened(tmp_path / "page.html")
    if write is write_explorer:
        drawn = set()
        for k in range(2):
            page.select_option("#experiment", index=k)
            for plot in filter(lambda plot: page.locator(f"#{plot}").is_visible(), PLOTS):
                page.locator(f"#{plot}").scroll_into_view_if_needed()
                page.wait_for_selector(f"#{plot} :is(.main-svg, .empty)", state="attached")
                drawn.add(plot)
        assert drawn == {*PLOTS}
    assert page.evaluate("window.ran") is None
    assert page.locator("img, svg[onload]").count() == 0
    assert EVIL in page.locator("body").evaluate("body => body.textContent")
