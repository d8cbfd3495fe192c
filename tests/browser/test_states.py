"""Every state of the page on every screen, light and dark: nothing sideways, no text over another one, axe clean.

One page goes from state to state in the order of this file, so that few pages are opened. What happens in a state is
tested elsewhere.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from psmooth.phantoms import draw_phantom
from tests.browser.conftest import OVER, STILL, Watched, fits
from tests.browser.test_compare_and_learn import go_to, own_classes, zip_of_scans
from tests.browser.test_question import bring, stranger
from tests.serving import Server

SCREENS = ((360, 740), (768, 1024), (1280, 720), (1920, 1080))
THEMES = {"light": (1280, 720), "dark": (360, 740)}  # and the screen on which axe looks at it

OVERPRINTED = (Path(__file__).parent / "overprinted.js").read_text("utf-8")


@pytest.fixture(scope="module")
def travelling(browser: Browser, server: Server) -> Iterator[Page]:
    watched = Watched(browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light"), server.url)
    page = watched.open()
    page.wait_for_selector(OVER)
    yield page
    page.close()
    assert watched.wrong == []


@pytest.fixture
def page(travelling: Page) -> Page:
    """The one page, on a laptop, light, with nothing open, however the state before has ended."""
    travelling.set_viewport_size({"width": 1280, "height": 720})
    travelling.evaluate("document.documentElement.dataset.theme = 'light'; document.body.classList.remove('dark')")
    travelling.keyboard.press("Escape")
    return travelling


def wrong(page: Page, _: Path) -> None:
    expect(page.locator(".ps-stage[data-truth=wrong]")).to_be_visible()


def explained(page: Page, _: Path) -> None:
    page.click(".ps-unit")
    expect(page.locator("#ps-about-radius")).to_be_visible()


def moved(page: Page, _: Path) -> None:
    page.click(".ps-ticks button[data-value='0.1']")
    expect(page.locator(".ps-stage.ps-stale .ps-moved")).to_be_visible()


def about(page: Page, _: Path) -> None:
    page.click(".ps-project-open")
    expect(page.locator(".ps-project")).to_be_visible()


def checked(page: Page, folder: Path) -> None:
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    waiting.value.save_as(folder / "certificate.json")
    page.set_input_files("#ps-stage-column input[type=file]", folder / "certificate.json")
    expect(page.locator(".ps-checked tbody tr").first).to_be_visible()


def walkthrough(page: Page, __: Path) -> None:
    page.click(".ps-teach")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".ps-lecture .ps-scene-radius")).to_be_visible()


def told_to_the_end(page: Page, __: Path) -> None:
    page.click(".ps-teach")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".ps-lecture.ps-told .ps-lecture-on")).to_be_visible()


def asked(page: Page, _: Path) -> None:
    bring(page, stranger())
    expect(page.locator(".ps-question[data-state=asked]")).to_be_visible()


def said(page: Page, _: Path) -> None:
    bring(page, draw_phantom("chest_xray", "bacterial_pneumonia", 1).pixels)
    expect(page.locator(".ps-question[data-state=said]")).to_be_visible()
    page.wait_for_selector(OVER)


def unknown(page: Page, _: Path) -> None:
    """What these weights answer at σ = .1 they certify; nobody knows whether it is right."""
    page.click(".ps-ticks button[data-value='0.1']")
    page.click("#ps-certify")
    page.wait_for_selector(".ps-stage[data-truth=unknown]:not(.ps-stale)")
    expect(page.locator(".ps-unknown")).to_be_visible()


def recording(page: Page, _: Path) -> None:
    go_to(page, "compare")
    expect(page.locator(".ps-recorded")).to_be_visible()
    expect(page.locator(".ps-curve .main-svg").first).to_be_visible()


def scored(page: Page, folder: Path) -> None:
    go_to(page, "learn")
    own_classes(page, "dark; bright")
    page.set_input_files("#ps-learn-controls input[type=file]", zip_of_scans(folder / "scans.zip", each=8))
    expect(page.locator(".ps-learn[data-state=done] .ps-score")).to_have_count(4)


def booth(page: Page, _: Path) -> None:
    page.goto(f"{page.url.split('?')[0]}?kiosk=1")
    page.wait_for_selector(f".ps-alone {OVER}")
    expect(page.locator(".ps-story")).to_be_visible()


STATES = (
    wrong, explained, moved, about, checked, walkthrough, told_to_the_end, asked, said, unknown, recording, scored,
    booth,
)  # fmt: skip


@pytest.mark.parametrize("enter", STATES)
def test_a_state_fits_every_screen_light_and_dark(
    page: Page, enter: Callable[[Page, Path], None], tmp_path: Path
) -> None:
    enter(page, tmp_path)
    for width, height in SCREENS:
        fits(page, width, height)
        page.wait_for_function(f"({OVERPRINTED})().length === 0", timeout=10_000)
    for theme, (width, height) in THEMES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
        page.wait_for_function(STILL)
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
