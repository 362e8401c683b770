"""A page as large as that of the papers' settings, and an experiment with more checkpoints than it shows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import made_up
from twophase.config import estimators, plan, resolve
from twophase.report import explorer

PAPER = Path(__file__).parents[2] / "config" / "paper.yaml"
PLOTS = ("ends", "grid", "training", "path", "history", "since", "steps", "cone", "angles")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    written = yaml.safe_load(PAPER.read_text(encoding="utf-8"))
    dense = {"checkpoints": {"every": 250, "until": 62560}, "kernel": {"grid": None}, "seeds": [0]}
    written["experiments"]["dense"] = written["experiments"]["resnet20"] | dense | {"title": "Dense"}
    experiments = resolve.resolve(written)["experiments"]
    settings = {name: plan.described(experiment) for name, experiment in experiments.items()}
    no_claims = pd.DataFrame(columns=["experiment", "claim", "text", "verdict", "figure"])
    described = explorer.gather(made_up.runs(experiments), made_up.estimates(experiments), no_claims, settings)
    path = tmp_path_factory.mktemp("large") / "explorer.html"
    style = {"colormap": "rocket_r", "scale": "claims", "marks": estimators.marks(), "points": estimators.point_names()}
    explorer.write(path, described, style, {"commit": "c", "twophase": "v"})
    return path


@pytest.fixture(scope="module")
def page(opened, path):
    page = opened(path)
    for plot in PLOTS:
        page.locator(f"#{plot}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{plot} .main-svg", state="attached")
    return page


def test_every_experiment_and_seed_is_shown(page):
    options = page.locator("#experiment option").all_inner_texts()
    for k, option in enumerate(options):
        name, _ = option.split(" · ends at ")
        page.select_option("#experiment", index=k)
        assert page.inner_text("#headline").startswith(f"{name}: C changes level at ")
        page.select_option("#seed", index=page.locator("#seed option").count() - 1)
        assert page.locator("#readout").inner_text().count("–") == 0


def test_iterations_are_logarithmic_where_a_linear_axis_would_squeeze_them(page):
    page.select_option("#experiment", index=0)
    assert page.is_checked("input[name=time][value=log]")
    ends = "document.getElementById('ends')"
    t0s, shown = page.evaluate(f"[{ends}.data[0].customdata, {ends}.data[0].x]")
    np.testing.assert_allclose(shown, np.arcsinh(np.array(t0s) / 50))  # 50: the first t0 after 0
    lines = page.evaluate(f"{ends}.layout.shapes.filter((s) => s.type === 'line').map((s) => s.x0)")
    assert np.arcsinh(2502.4 / 50) == pytest.approx(max(x for x in lines if x < np.arcsinh(31000 / 50)))
    page.check("input[name=time][value=linear]")
    assert page.evaluate(f"{ends}.data[0].x") == t0s


def test_hovering_tells_the_iteration_on_a_logarithmic_axis(page):
    page.select_option("#experiment", index=0)
    page.locator("#grid").scroll_into_view_if_needed()
    at = page.evaluate("""(() => {
        const grid = document.getElementById("grid"), { xaxis, yaxis } = grid._fullLayout;
        const box = grid.getBoundingClientRect();
        const x = xaxis.d2p(Math.asinh(2000 / 50)), y = yaxis.d2p(Math.asinh(62560 / 50));
        return [box.x + xaxis._offset + x, box.y + yaxis._offset + y];
    })()""")
    page.mouse.move(at[0] - 2, at[1] + 2)
    page.mouse.move(*at)
    page.wait_for_function("document.getElementById('readout').innerText.includes('t₀ = 2000,')")
    page.mouse.move(2, 2)


def test_nothing_is_wider_than_the_page(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_left_out_is_said(page):
    page.select_option("#experiment", label="ResNet-20 / CIFAR-10 · ends at 2500")
    assert "means of 105 iterations" in page.inner_text("#log-notice")  # 62560 / 600
    page.check("input[name=view][value=pair]")
    assert "Shown are" not in page.inner_text("#grid-notice")
    page.select_option("#experiment", label="Dense · ends at 2500")
    page.check("input[name=view][value=pair]")
    for notice in ("grid-notice", "width", "steps-notice"):  # every other one, the last, and four tau
        assert "Shown are 133 of 256" in page.inner_text(f"#{notice}"), notice


def test_a_large_grid_follows_the_keyboard(page):
    page.select_option("#experiment", label="Dense · ends at 2500")
    page.check("input[name=view][value=pair]")
    page.focus("#grid")
    before = page.input_value("#pick-x")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    times = page.locator("#pick-x option").all_inner_texts()
    assert times.index(page.input_value("#pick-x")) == times.index(before) + 5
