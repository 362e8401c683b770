"""The page of claims in a real browser: verdict beside the claim at any width, chosen and ordered by verdict."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.workflow]


@pytest.fixture
def page(opened, results):
    return opened(results / "claims.html")


def test_verdict_stands_beside_the_claim(page, width):
    verdict, claim = (page.locator(f".claims tbody tr >> nth=0 >> td >> nth={k}").bounding_box() for k in (0, 1))
    assert abs(verdict["y"] - claim["y"]) < 12
    assert verdict["x"] + verdict["width"] <= claim["x"] + 1
    assert claim["x"] + claim["width"] <= width


def test_nothing_is_wider_than_the_page(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_claims_are_chosen_by_verdict(page):
    rows = page.locator(".claims tbody tr:visible")
    before, outside = rows.count(), page.locator(".claims tbody tr[data-verdict='4']").count()
    assert outside
    page.uncheck("input[name=verdict][value='4']")
    assert rows.count() == before - outside


def test_claims_are_put_in_the_order_of_their_verdicts_and_back(page):
    def order():
        return page.locator(".claims >> nth=0 >> tbody tr").evaluate_all("rows => rows.map((r) => r.dataset.verdict)")

    before = order()
    page.check("#order")
    assert order() == sorted(before)
    page.uncheck("#order")
    assert order() == before
