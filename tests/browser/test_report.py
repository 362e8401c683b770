"""The report in a real browser: opens without a network, and shows every figure, the tables and the explorer."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.workflow]


@pytest.fixture(scope="module")
def page(opened, results):
    page = opened(results / "report.html")
    page.wait_for_load_state("load")
    return page


def test_report_opens_with_the_description_of_the_workflow(page):
    page.wait_for_selector("text=Two-phase learning dynamics", timeout=20_000)
    assert page.get_by_text("Chaos effect").first.is_visible()


def test_it_links_to_the_explorer_beside_it(page, results):
    address = page.get_by_role("link", name="explorer").first.evaluate("link => link.href")
    assert address == (results / "explorer.html").as_uri()


@pytest.mark.parametrize(
    "category", ["Claims", "Figures", "Figures of the workshop paper", "Beyond the papers", "Tables"]
)
def test_what_is_listed_can_be_opened(page, category):
    page.reload()
    page.get_by_text(category, exact=True).first.click()
    page.locator("[iconname=eye]").first.click()
    words = {"Claims": "reproduced", "Tables": "Inflection points"}.get(category)
    if words:
        page.wait_for_selector("iframe", timeout=20_000)
        table = page.frame_locator("iframe").get_by_role("table").first
        table.wait_for(timeout=20_000)
        assert words in table.inner_text()
    else:
        page.wait_for_function("[...document.images].some((image) => image.naturalWidth > 600)", timeout=20_000)
