"""The pages of a published run, made from its tables alone, in a real browser at both widths."""

import pytest

import website

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    website.one_run("demo", folder / "demo")
    return folder


@pytest.mark.parametrize(
    "page", ["explorer.html#experiment=lazy", "claims.html", "resnet8/overview.html", "figures.html"]
)
def test_a_page_opens_and_is_no_wider_than_the_screen(opened, site, width, page):
    path, _, place = page.partition("#")
    opened_page = opened(site / "demo" / path)
    if place:
        opened_page.evaluate("place => { location.hash = place; }", place)
        opened_page.wait_for_function("document.getElementById('headline').innerText.startsWith('LeNet-5')")
    assert opened_page.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter((image) => image.complete && !image.naturalWidth).length"
    assert opened_page.evaluate(broken) == 0
