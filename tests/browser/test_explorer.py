"""The explorer in a real browser does what its labels say, at both widths; numbers are compared with the tables'."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twophase import load
from twophase.files import storage

PLOTS = ("ends", "grid", "training", "path", "history", "since", "steps", "cone", "angles", "linearized")
pytestmark = [pytest.mark.browser, pytest.mark.workflow]


@pytest.fixture(scope="module")
def explorer(opened, results):
    page = opened(results / "explorer.html")
    for plot in PLOTS:  # each is drawn when it comes near the screen
        page.locator(f"#{plot}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#{plot} :is(.main-svg, .empty)", state="attached")
    return page


@pytest.fixture
def page(explorer):
    """The page as it opens: choosing an experiment takes everything else back."""
    explorer.mouse.move(2, 2)
    explorer.select_option("#experiment", index=0)
    return explorer


@pytest.fixture(scope="module")
def experiment(results) -> str:
    """The first experiment of the page: the one whose forks the chosen cells are of."""
    return next(path.parents[1].name for path in sorted(results.glob("*/seed0/chaos.parquet")))


def sketch(page, plot: str, expression: str):
    """`expression` of the plot's div `d`, as Plotly keeps it."""
    return page.evaluate(f"(() => {{ const d = document.getElementById('{plot}'); return {expression}; }})()")


def pixel(page, x: float, y: float) -> list[float]:
    """Where the cell (x, y) of the grid is on the screen."""
    place = f"b.x + f.xaxis._offset + f.xaxis.d2p({x}), b.y + f.yaxis._offset + f.yaxis.d2p({y})"
    return sketch(page, "grid", f"((b, f) => [{place}])(d.getBoundingClientRect(), d._fullLayout)")


def saved(page, what: str) -> Path:
    with page.expect_download() as download:
        page.click(f"[data-save='{what}']")
    return download.value


def table(page, plot: str) -> pd.DataFrame:
    """What the CSV button of a panel saves."""
    return pd.read_csv(io.StringIO(Path(saved(page, f"{plot}.csv").path()).read_text()))


def shown(page, metric: str) -> float:
    """A metric's value in panel 4."""
    text = page.inner_text("#readout")
    return float(re.search(rf"^{metric} (\S+)$", text, re.MULTILINE)[1].replace("−", "-"))


def test_first_line_says_what_the_phases_say(page, results, experiment):
    phases = storage.read_table(results / "phases.parquet")
    row = phases[(phases["experiment"] == experiment) & (phases["estimator"] == "chaos C")].iloc[0]
    text = page.inner_text("#headline")
    if row["found"]:
        assert f"C changes level at {row['value']:.0f}" in text
    else:
        assert re.search(r": C\b.*: no transition", text)
    claims = storage.read_table(results / "claims.parquet")
    verdicts = claims.loc[claims["experiment"] == experiment, "verdict"]
    decided = (verdicts != "outside this run's scale").sum()
    assert f"{(verdicts == 'reproduced').sum()} of {decided} claims reproduced" in text


def test_nothing_is_wider_than_the_page(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_plot_is_drawn(page):
    for plot in PLOTS:
        assert sketch(page, plot, "d.data?.length > 0 || d.querySelector('.empty') !== null"), plot
    assert sketch(page, "cone", "d.querySelector('canvas') !== null")


@pytest.mark.parametrize("metric", ["C", "S", "B", "D"])
def test_fork_grid_has_the_values_of_the_table(page, results, experiment, metric):
    page.check(f"input[name=metric][value={metric}]")
    chaos = load(experiment, "chaos", results=results)
    expected = chaos[chaos["draw"] == chaos["draw"].min()].set_index(["t0", "t1"])[metric].astype(np.float32)
    found = table(page, "grid").set_index(["t0", "t1"])[metric]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_dtype=False, rtol=1e-6)


def test_pair_grid_is_the_square_matrix(page, results, experiment):
    page.check("input[name=view][value=pair]")
    page.check("input[name=metric][value=S]")
    found = table(page, "grid").pivot(index="i", columns="j", values="S")
    matrix = load(experiment, "S", square=True, results=results)
    assert list(found.index) == list(matrix.index)
    np.testing.assert_allclose(found, matrix, rtol=1e-6)


def test_hovering_a_cell_shows_its_values_and_both_times(page, results, experiment):
    chaos = load(experiment, "chaos", results=results)
    row = chaos[(chaos["draw"] == 0) & (chaos["t1"] == chaos["t1"].max())].sort_values("t0").iloc[1]
    page.locator("#grid").scroll_into_view_if_needed()
    at = pixel(page, row["t0"], row["t1"])
    before = page.inner_text("#readout")
    page.mouse.move(at[0] - 3, at[1] + 3)
    page.mouse.move(*at)
    page.wait_for_function(f"document.getElementById('readout').innerText.includes('t₀ = {row['t0']:.0f},')")
    for metric in ("C", "S", "B", "D"):
        assert shown(page, metric) == pytest.approx(row[metric], rel=6e-3)
    lines = sketch(page, "training", "d.layout.shapes.filter((s) => s.line.width === 2.5).map((s) => s.x0)")
    assert lines == [row["t0"], row["t1"]]
    page.mouse.move(2, 2)  # away from it, the chosen cell is shown again
    page.wait_for_function("text => document.getElementById('readout').innerText === text", arg=before)


def test_clicking_a_cell_keeps_it(page, results, experiment):
    t0s = sorted(load(experiment, "chaos", results=results)["t0"].unique())
    page.locator("#grid").scroll_into_view_if_needed()
    at = pixel(page, t0s[1], load(experiment, "chaos", results=results)["t1"].max())
    page.mouse.move(*at)
    page.mouse.click(*at)
    page.mouse.move(2, 2)
    page.wait_for_function(f"document.getElementById('pick-x').value === '{t0s[1]}'")


def test_arrow_keys_move_the_cell(page, results, experiment):
    t0s = sorted(load(experiment, "chaos", results=results)["t0"].unique())
    page.focus("#grid")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#pick-x") == str(t0s[1])
    assert f"t₀ = {t0s[1]}," in page.inner_text("#readout")


def test_loss_along_alpha_is_the_stored_one(page, results, experiment):
    blocks = [storage.read_table(path) for path in (results / experiment / "seed0/fork_barriers").glob("*.parquet")]
    barriers = pd.concat([block.set_index("state")["path"] for block in blocks])
    t0, t1 = page.input_value("#pick-x"), page.input_value("#pick-y")
    stored = barriers[f"t0-{t0}/draw-0/step-{t1}.safetensors"]  # from the fork, alpha = 0, to the base run
    np.testing.assert_allclose(table(page, "path")["loss"], stored[::-1], rtol=1e-6)
    assert sketch(page, "path", "d.layout.xaxis.ticktext") == ["base run", "fork"]


def test_tau_redraws(page, results, experiment):
    matrix = load(experiment, "S", square=True, results=results)
    page.focus("#tau")
    page.keyboard.press("Home")
    for tau in matrix.index[:2]:
        assert page.inner_text("#tau-value") == str(tau)
        found = table(page, "since")
        assert set(found["tau"]) == {tau}
        np.testing.assert_allclose(found["S"], matrix[tau], rtol=1e-6)
        page.focus("#tau")
        page.keyboard.press("ArrowRight")


def test_dt_redraws(page, results, experiment):
    grid = load(experiment, "S", results=results)
    seen = set()
    page.focus("#dt")
    for key in ("Home", "ArrowRight"):
        page.keyboard.press(key)
        dt = int(page.inner_text("#dt-value"))
        seen.add(dt)
        expected = grid[grid["j"] - grid["i"] == dt].sort_values("i")
        found = table(page, "steps")
        assert list(found["t"]) == list(expected["i"])
        np.testing.assert_allclose(found["S"], expected["value"], rtol=1e-6)
        page.focus("#dt")
    assert len(seen) == 2


def test_scale_is_linear_or_logarithmic(page):
    page.check("input[name=scale][value=log]")
    top = sketch(page, "grid", "d.data[0].zmax")
    largest = table(page, "grid")["C"].max()
    assert top == pytest.approx(np.log10(largest), rel=1e-4)
    page.check("input[name=scale][value=linear]")
    assert sketch(page, "grid", "d.data[0].zmax") == pytest.approx(largest, rel=1e-4)


def test_cone_turns(page):
    before = sketch(page, "cone", "d.layout.scene.camera.eye")
    page.click("[data-turn=left]")
    page.wait_for_function(f"document.getElementById('cone').layout.scene.camera.eye.x !== {before['x']}")
    after = sketch(page, "cone", "d.layout.scene.camera.eye")
    assert after["z"] == pytest.approx(before["z"])
    assert np.hypot(after["x"], after["y"]) == pytest.approx(np.hypot(before["x"], before["y"]))


def test_drops_and_inflections_are_marked_everywhere(page, results, experiment):
    phases = storage.read_table(results / "phases.parquet")
    mine = phases[(phases["experiment"] == experiment) & phases["found"]]
    times = set(mine[mine["estimator"].isin(["chaos C", "kernel", "parameters"])]["value"])
    drops = page.evaluate("experiment().drops")
    for plot in ("ends", "grid", "training", "history", "since", "steps"):
        lines = sketch(page, plot, "d.layout.shapes.filter((s) => s.type === 'line').map((s) => s.x0)")
        assert times | set(drops) <= set(lines), plot


@pytest.mark.parametrize("plot", ["grid", "since", "cone"])
def test_saved_picture_is_a_picture_of_the_panel(page, plot):
    from PIL import Image

    download = saved(page, f"{plot}.png")
    assert download.suggested_filename.endswith(".png")
    with Image.open(download.path()) as image:
        assert image.width == 2 * sketch(page, plot, "d.clientWidth")
        assert len(image.convert("RGB").getcolors(maxcolors=10**6)) > 20


def test_saved_names_say_what_they_hold(page, experiment):
    page.check("input[name=metric][value=D]")
    assert saved(page, "grid.csv").suggested_filename == f"{experiment}_seed0_fork_D_claims.csv"


def test_phases_are_saved_whole(page, results, experiment):
    phases = storage.read_table(results / "phases.parquet")
    text = Path(saved(page, "inflections.csv").path()).read_text()
    assert len(list(csv.reader(io.StringIO(text)))) == 1 + (phases["experiment"] == experiment).sum()


def test_counterexample_says_that_it_has_no_forks(page):
    page.select_option("#experiment", index=1)
    assert "counterexample" in page.inner_text("#grounds")
    assert page.is_disabled("input[name=view][value=fork]")
    for panel in ("ends", "linearized"):  # no card without a plot
        assert not page.is_visible(f"#p-{panel}")
    assert page.is_visible("#p-steps")


def test_every_control_has_a_name_and_can_be_reached(page):
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select")]
        .filter((control) => !(control.innerText || control.ariaLabel || control.labels?.length)).length""")
    assert unnamed == 0
    assert page.evaluate("[...document.querySelectorAll('[tabindex]')].every((c) => c.tabIndex >= 0)")


LIMITS = {"C": (1e-6, 1.0), "S": (1e-3, 1.0), "B": (1e-4, 10.0), "D": (2e-3, 1.0)}


@pytest.mark.parametrize("metric", LIMITS)
@pytest.mark.parametrize("view", ["fork", "pair"])
def test_colours_are_the_same_whatever_is_shown(page, metric, view):
    page.check(f"input[name=view][value={view}]")
    page.check(f"input[name=metric][value={metric}]")
    assert sketch(page, "grid", "[d.data[0].zmin, d.data[0].zmax]") == pytest.approx(np.log10(LIMITS[metric]))
    unit = {"B": "nats", "D": "% of the test set"}.get(metric, "1 − cos")
    assert f"({unit})" in sketch(page, "grid", "d.data[0].colorbar.title.text")


def test_the_address_brings_a_view_back(page, results, experiment, opened):
    t0s = sorted(load(experiment, "chaos", results=results)["t0"].unique())
    page.check("input[name=metric][value=B]")
    page.check("input[name=scale][value=log]")
    page.select_option("#pick-x", str(t0s[1]))
    before, address = page.inner_text("#readout"), page.evaluate("location.hash")
    assert f"experiment={experiment}" in address
    page.evaluate("location.hash = ''")
    page.wait_for_function("document.querySelector('input[name=metric][value=C]').checked")
    page.evaluate("hash => { location.hash = hash; }", address)
    page.wait_for_function("text => document.getElementById('readout').innerText === text", arg=before)
    assert page.is_checked("input[name=metric][value=B]")
    assert page.is_checked("input[name=scale][value=log]")
    assert page.input_value("#pick-x") == str(t0s[1])


def test_an_address_that_names_nothing_opens_the_page_as_it_is(page, experiment):
    page.evaluate("location.hash = 'experiment=nowhere&seed=99&metric=X&view=no&x=-1&tau=NaN'")
    page.wait_for_function("document.querySelector('input[name=metric][value=C]').checked")
    assert page.evaluate("experiment().name") == experiment


def test_controls_stay_where_they_are_while_the_page_scrolls(page):
    page.locator("#p-words").scroll_into_view_if_needed()
    box = page.locator("#experiment").bounding_box()
    assert 0 <= box["y"] < 100
    page.evaluate("window.scrollTo(0, 0)")


def test_selectors_follow_the_pointer(page, results, experiment):
    t0s = sorted(load(experiment, "chaos", results=results)["t0"].unique())
    page.locator("#grid").scroll_into_view_if_needed()
    at = pixel(page, t0s[1], load(experiment, "chaos", results=results)["t1"].max())
    page.mouse.move(at[0] - 3, at[1] + 3)
    page.mouse.move(*at)
    page.wait_for_function(f"document.getElementById('pick-x').value === '{t0s[1]}'")
    page.mouse.move(2, 2)
    page.wait_for_function(f"document.getElementById('pick-x').value === '{t0s[0]}'")


def test_a_path_says_whether_it_has_a_bump(page):
    loss = table(page, "path")["loss"].to_numpy()
    bump = loss.max() > max(loss[0], loss[-1]) + 1e-9
    assert page.inner_text("#path-notice").startswith("The loss rises" if bump else "No bump")


def test_claims_have_a_panel_with_their_verdicts_and_links_lead_on(page, results, experiment):
    claims = storage.read_table(results / "claims.parquet")
    mine = claims[(claims["experiment"] == experiment) & (claims["verdict"] != "outside this run's scale")]
    cells = page.locator("#claims tbody tr td:first-child").all_inner_texts()
    assert [cell.split(" ", 1)[1] for cell in cells] == mine["verdict"].tolist()
    for link in page.locator("#links a").evaluate_all("links => links.map((link) => link.getAttribute('href'))"):
        assert (results / link).exists(), link


def test_linearized_training_has_the_errors_of_the_table(page, results, experiment):
    switches = load(experiment, "linearized", results=results)
    found = table(page, "linearized").set_index("switch")
    until = page.evaluate("experiment().until")
    expected = switches[switches["iteration"] == until].set_index("switch")["test_accuracy"]
    np.testing.assert_allclose(found["error_percent"], 100 * (1 - expected[found.index]), rtol=1e-4, atol=1e-4)


def test_angles_are_those_of_the_table(page, results, experiment):
    found = table(page, "angles")
    matrix = load(experiment, "S", square=True, results=results)
    for start, rows in found.groupby("from"):
        rows = rows[rows["t"] != start].set_index("t")["degrees"]
        np.testing.assert_allclose(rows, np.degrees(np.arccos(1 - matrix.loc[start, rows.index])), rtol=1e-3)


def test_numbers_on_axes_are_written_as_people_write_them(page):
    ticks = page.locator(".ytick text, .xtick text").all_text_contents()
    assert ticks
    assert not [text for text in ticks if re.search(r"\d[µmnp]$", text)]


def test_words_come_with_the_first_picture_before_the_plotting_library(browser, results):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.route("**/*", lambda route: route.continue_())
    page.add_init_script("window.addEventListener('load', (event) => event.stopImmediatePropagation(), true)")
    page.goto((results / "explorer.html").as_uri())  # plots wait for the load
    assert page.evaluate("window.Plotly === undefined")
    assert page.locator("#ends svg.sketch circle").count() > 0
    assert "claims reproduced" in page.inner_text("#headline")
    context.close()
