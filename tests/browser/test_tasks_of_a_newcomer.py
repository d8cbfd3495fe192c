"""Five things a new user wants to do, done with nothing but the names that the page shows, and no documentation.

The page is served with the models that ship, as a visitor has it. What was hard is told in docs/newcomer.md.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from psmooth.certificate import verify
from tests.browser.conftest import Watched
from tests.serving import Server, serve

HOLDS = re.compile(r"The answer .+ holds within \d\.\d+\.")
OVER = re.compile(r"^(Certified|Abstained) · [\d,]+ votes, all votes drawn")


@pytest.fixture(scope="module")
def shipped() -> Server:
    return serve("")


@pytest.fixture(scope="module")
def opened(browser: Browser, shipped: Server) -> Iterator[Page]:
    """Opens the page and waits for nothing more than the first verdict."""
    context = browser.new_context(viewport={"width": 1320, "height": 860}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shipped.url)
    page = context.new_page()
    watched = Watched(page, shipped.url)
    page.set_default_timeout(180_000)
    page.goto(shipped.url)
    wait_for_the_verdict(page)
    yield page
    context.close()
    assert watched.wrong == []


@pytest.fixture
def newcomer(opened: Page) -> Page:
    """The page with the last verdict that came; nothing lies over it."""
    opened.keyboard.press("Escape")
    opened.get_by_role("link", name="Certify").click()
    return opened


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def wait_for_the_verdict(page: Page) -> None:
    page.get_by_text(OVER).wait_for()


def wait_for_another_verdict(page: Page) -> None:
    page.get_by_text(OVER).wait_for(state="hidden")
    wait_for_the_verdict(page)


def my_scan(folder: Path) -> Path:
    """A picture of the visitor's own: a bright disc on a dark ground."""
    rows, columns = np.mgrid[-1:1:96j, -1:1:120j]
    disc = (rows**2 + columns**2 < 0.3)[..., None]
    path = folder / "my scan.png"
    Image.fromarray(np.where(disc, (170, 90, 160), (235, 205, 195)).astype(np.uint8)).save(path)
    return path


def test_find_out_what_the_number_means(newcomer: Page) -> None:
    verdict = newcomer.get_by_role("heading", name=HOLDS)
    radius = (re.findall(r"\d\.\d+", verdict.inner_text()))[-1]
    button(newcomer, "How big is that?").click()
    panel = newcomer.get_by_role("heading", name=re.compile("How big is that?"))
    expect(panel).to_be_in_viewport()
    expect(newcomer.get_by_text(f"{radius} on this crop")).to_be_in_viewport()
    levels = newcomer.get_by_label("Grey levels a value may move")
    expect(levels).to_be_focused()
    before = newcomer.get_by_text(re.compile(r"^± \d+: up to")).inner_text()
    newcomer.keyboard.press("Home")
    expect(newcomer.get_by_text(re.compile("^± 1: up to"))).to_be_visible()
    assert newcomer.get_by_text(re.compile(r"^± \d+: up to")).inner_text() != before
    expect(newcomer.get_by_text("a shift by one pixel")).to_be_visible()
    button(newcomer, "Explain this in six steps").click()
    for _ in range(5):
        newcomer.keyboard.press("ArrowRight")
    expect(newcomer.get_by_role("dialog").get_by_role("heading")).to_have_text("What it does not promise")
    expect(newcomer.get_by_text("It does not say that the answer is right. Compression")).to_be_visible()


def test_teach_it_in_five_minutes(newcomer: Page) -> None:
    newcomer.get_by_role("link", name="Understand").click()
    card = newcomer.get_by_role("region", name="From votes to a radius")
    share = card.get_by_label("True share of votes p")
    before = card.inner_text()
    share.press("PageDown")
    expect(share).not_to_have_value("0.9")
    expect(card).not_to_contain_text(before)
    for title in ("A boundary, smoothed", "Why an ordinary bound may not be re-read"):
        newcomer.get_by_role("region", name=title).scroll_into_view_if_needed()
        expect(newcomer.get_by_role("heading", name=title)).to_be_in_viewport()
    newcomer.get_by_role("link", name="Certify").click()
    button(newcomer, "Explain this in six steps").click()
    told = newcomer.get_by_role("dialog")
    for title in ("A scan", "Noise", "Votes", "A bound", "A radius", "What it does not promise"):
        expect(told.get_by_role("heading")).to_have_text(title)
        newcomer.keyboard.press("ArrowRight")
    button(newcomer, "End").click()
    expect(told).to_be_hidden()


def test_certify_my_scan(newcomer: Page, tmp_path: Path) -> None:
    with newcomer.expect_file_chooser() as choosing:
        button(newcomer, "Upload a scan").click()
    choosing.value.set_files(my_scan(tmp_path))
    wait_for_another_verdict(newcomer)
    expect(newcomer.get_by_text("120 × 96, 8-bit RGB")).to_be_visible()
    with newcomer.expect_download() as waiting:
        button(newcomer, "Certificate").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    checked = verify(path)
    assert checked.ok, checked.problems
    assert "my scan" not in path.read_text("utf-8")


def test_compare_methods(newcomer: Page) -> None:
    newcomer.get_by_role("link", name="Compare").click()
    button(newcomer, "Compare").click()
    newcomer.get_by_text(re.compile("^Done · 1,000 votes for each method")).wait_for()
    for name in ("hand-written", "few-shot", "label-free", "linear probe", "zero-shot"):
        expect(newcomer.get_by_role("heading", name=name, exact=True)).to_be_visible()
    for kind in ("Unconditional", "With this prompt frozen"):
        expect(newcomer.get_by_role("heading", name=re.compile(kind))).to_be_visible()


def test_share_what_i_see(newcomer: Page, browser: Browser) -> None:
    button(newcomer, "σ = 0.5").click()
    newcomer.get_by_role("button", name=re.compile("bacterial pneumonia")).click()
    wait_for_another_verdict(newcomer)
    button(newcomer, "Copy link").click()
    expect(button(newcomer, "Link copied")).to_be_visible()
    address = newcomer.evaluate("navigator.clipboard.readText()")
    context = browser.new_context(viewport={"width": 1320, "height": 860})
    friend = context.new_page()
    friend.set_default_timeout(180_000)
    friend.goto(address)
    wait_for_the_verdict(friend)
    for name in ("Noise level σ", "Task", "Med-VLM", "Prompts"):
        assert value_of(friend, name) == value_of(newcomer, name), name
    seen = friend.get_by_role("img", name="The crop that is certified, pixel by pixel.")
    assert seen.screenshot() == newcomer.get_by_role("img", name="The crop that is certified").screenshot()
    context.close()


def value_of(page: Page, name: str) -> str:
    return page.get_by_label(name, exact=True).first.input_value()
