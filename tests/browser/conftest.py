"""Chromium without a network, and pages of the workflow in it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

WIDTHS = (1280, 400)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; skips where there is none, or no Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install -r envs/browser.lock")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("needs Chromium: on Debian, apt-get install chromium; elsewhere, its path in $CHROMIUM")
    arguments = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card
    if sys.platform == "linux" and os.geteuid() == 0:
        arguments.append("--no-sandbox")  # which Chromium refuses root
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def results(tmp_path_factory, request) -> Path:
    """Results of a run with its report: those in $TWOPHASE_RESULTS, or of `whole_run`."""
    if "TWOPHASE_RESULTS" in os.environ:
        return Path(os.environ["TWOPHASE_RESULTS"]).resolve()
    workflow = request.getfixturevalue("whole_run").copied(tmp_path_factory.mktemp("pages"))
    workflow.snakemake("--report", "results/report.html")
    return workflow.folder / "results"


@pytest.fixture(scope="module", params=WIDTHS)
def width(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def opened(browser, width):
    """`opened(path)`: the file as a page. An error in its console or a request to a network is an error in the end."""
    context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
    context.set_default_timeout(120_000)  # ms: WebGL is computed by a CPU that others use as well
    page, troubles = context.new_page(), []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    context.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else troubles.append(request.url),
    )

    def open_file(path: Path):
        page.goto(path.as_uri())
        return page

    yield open_file
    context.close()
    assert troubles == []
