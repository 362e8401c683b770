"""The report in a real browser: opens without a network, and shows every figure, the tables and the explorer."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.workflow]


@pytest.fixture(scope="module")
def page(opened, results):
    page = opened(results / "report.html")
    page.wait_for_load_state("load")
    return page


def test_report_opens_with_the_description_of_the_workflow(page):
    page.wait_for_selector("text=Two-phase learning dynamics")
    page.get_by_text("Chaos effect").first.wait_for(state="visible")


def test_it_links_to_the_explorer_beside_it(page, results):
    address = page.get_by_role("link", name="explorer").first.evaluate("link => link.href")
    assert address == (results / "explorer.html").as_uri()


@pytest.fixture(scope="module")
def titles(page) -> list[str]:
    """The experiments' names in figures: the first column of the table of the workflow's description."""
    page.reload()
    page.wait_for_selector("table")
    names = page.locator("table tbody tr td:first-child").all_inner_texts()
    return [name.removesuffix(" (shows no two phases)") for name in names]


def open_first(page, category: str) -> None:
    page.reload()
    page.get_by_text(category, exact=True).first.click()
    page.locator("[iconname=eye]").first.click()


@pytest.mark.parametrize("category", ["Figures", "Figures of the workshop paper", "Beyond the papers"])
def test_figures_can_be_opened(page, category):
    open_first(page, category)
    page.wait_for_function("[...document.images].some((image) => image.naturalWidth > 600)")


def test_claims_can_be_opened(page):
    open_first(page, "Claims")
    table = page.frame_locator("iframe").get_by_role("table").first
    table.wait_for()
    assert "reproduced" in table.inner_text()


def test_every_experiment_has_a_category_with_its_page(page, titles):
    assert len(titles) == 2
    for title in titles:
        open_first(page, title)
        heading = page.frame_locator("iframe").get_by_role("heading", level=1)
        heading.wait_for()
        assert heading.inner_text().startswith(title)
