"""A run or an upload that does not come to its end clears what was shown before, and says what happened."""

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from psmooth import views
from psmooth.views.locale import Locale, translate, using_locale
from tests.browser.conftest import OVER

UPLOAD = re.compile(r"/upload($|\?)")


@pytest.fixture
def scan() -> FilePayload:
    content = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(content, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": content.getvalue()}


@pytest.fixture
def shown(page: Page) -> Page:
    """A page with a verdict; what it says to the console is about what the test breaks."""
    expect(page.locator(".ps-stage .ps-download")).to_be_enabled()
    return page


@pytest.fixture
def watched(watched: Any) -> Any:
    yield watched
    watched.wrong.clear()


def nothing_is_left(page: Page) -> None:
    page.wait_for_selector(".ps-stage[data-state=failed]")
    assert page.inner_text(".ps-radius b") == "–"
    assert page.locator(".ps-votes > .ps-chart").is_hidden()
    assert page.locator(".ps-ruler").is_hidden()
    assert page.inner_text(".ps-marks:not(.ps-ghost)").strip() == ""
    assert page.evaluate("document.querySelector('.ps-report dl').children.length") == 0
    for button in (".ps-download", ".ps-print", ".ps-stop", ".ps-how"):
        expect(page.locator(f".ps-stage {button}")).to_be_disabled()


def no_scan_is_shown(page: Page) -> None:
    page.wait_for_function("document.querySelector('.ps-crop').width === 0")
    assert page.get_attribute(".ps-scan", "src") is None


def test_an_upload_that_is_gone_before_it_is_read(shown: Page, scan: FilePayload) -> None:
    """As after it was displaced or swept: the word that the page was told leads to nothing."""
    shown.route(UPLOAD, lambda route: route.fulfill(json=["a-word-of-nothing"]))
    shown.set_input_files("#ps-scan-card input[type=file]", scan)
    nothing_is_left(shown)
    no_scan_is_shown(shown)
    expect(shown.locator("p.ps-sentence").first).to_contain_text("Upload it again")


@pytest.mark.parametrize("status", [413, 0], ids=["refused", "cut off"])
def test_an_upload_that_does_not_arrive(shown: Page, scan: FilePayload, status: int) -> None:
    shown.route(UPLOAD, lambda route: route.fulfill(status=status, json={}) if status else route.abort())
    shown.set_input_files("#ps-scan-card input[type=file]", scan)
    nothing_is_left(shown)
    no_scan_is_shown(shown)
    shown.click("#ps-certify")
    shown.wait_for_timeout(1_000)
    assert shown.get_attribute(".ps-stage", "data-state") == "failed", "the scan before it is not run again"


def test_a_run_that_a_full_server_does_not_take(shown: Page) -> None:
    shown.route("**/queue/join?*", lambda route: route.fulfill(status=503, json={"detail": "Queue is full."}))
    shown.click("#ps-certify")
    nothing_is_left(shown)
    assert views.PAGE_WORDS["lost"] in shown.inner_text("p.ps-sentence >> nth=0")
    shown.unroute("**/queue/join?*")
    shown.click("#ps-certify")
    shown.wait_for_selector(OVER)


def test_a_click_while_the_server_is_out_of_reach(shown: Page) -> None:
    shown.route("**/*", lambda route: route.abort())
    shown.click("#ps-certify")
    nothing_is_left(shown)


def test_a_run_whose_connection_breaks_is_not_shown_as_running_for_ever(shown: Page) -> None:
    """Gradio asks whether its server is there again; what has no end clears, and what was over stays."""
    shown.route("**/app_id", lambda route: route.abort())
    shown.evaluate("fetch('gradio_api/app_id').catch(() => new Promise(done => setTimeout(done, 500)))")
    assert shown.get_attribute(".ps-stage", "data-state") in ("certified", "abstained")
    shown.route("**/queue/data?*", lambda route: route.abort())
    shown.click("#ps-certify")
    nothing_is_left(shown)


def test_a_comparison_that_cannot_be_asked_for(shown: Page) -> None:
    shown.click(".ps-nav a[data-view=compare]")
    shown.route("**/queue/join?*", lambda route: route.fulfill(status=503, json={"detail": "Queue is full."}))
    shown.click("#ps-compare")
    shown.wait_for_selector(".ps-compare[data-state=failed]")
    expect(shown.locator(".ps-compare .ps-sentence")).to_contain_text("Try again")
    expect(shown.locator(".ps-compare .ps-download")).to_be_disabled()


@pytest.mark.parametrize("module", ["page/certify.js", "page/header.js", "page/svg.js"])
def test_a_module_that_never_comes(watched: Any, module: str) -> None:
    """The page says so above all else, in the visitor's language where its words have come."""
    watched.page.route(f"**/{module}", lambda route: route.abort())
    watched.page.goto(f"{watched.url}/?lang=de")
    missing = watched.page.locator(".ps-missing:visible").first
    with using_locale(Locale("de")):
        expect(missing).to_have_text(translate(views.PAGE_WORDS["missing"]))
    assert missing.evaluate("node => document.elementFromPoint(innerWidth / 2, 30) === node")


def test_a_view_whose_modules_wait_until_it_is_seen(watched: Any) -> None:
    """Understand asks for its own when it is opened; then one that never comes is said like any other."""
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    watched.page.goto(watched.url)
    watched.page.wait_for_selector(OVER)
    assert not [url for url in asked if "/understand/" in url]
    watched.page.route("**/understand/plane.js", lambda route: route.abort())
    watched.page.click(".ps-nav a[data-view=understand]")
    expect(watched.page.locator(".ps-missing:visible").first).to_have_text(views.PAGE_WORDS["missing"])
    assert [url for url in asked if "/understand/" in url]


def test_no_module_is_missed_where_all_came(shown: Page) -> None:
    expect(shown.locator(".ps-missing:visible")).to_have_count(0)
