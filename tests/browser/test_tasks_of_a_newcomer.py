"""Ten things a new user wants to do, or runs into, done with the names that the page shows, and no documentation.

The page is served with the models that ship, as a visitor has it. What was hard is told in docs/newcomer.md.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from psmooth.certificate import verify
from psmooth.phantoms import draw_phantom
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


def bring(page: Page, file: Path) -> None:
    """A file is chosen behind the button."""
    with page.expect_file_chooser() as choosing:
        button(page, "Upload a scan").click()
    choosing.value.set_files(file)


def copied_link(page: Page) -> str:
    button(page, "Copy link").click()
    expect(button(page, "Link copied")).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def holiday(folder: Path) -> Path:
    """No scan at all: a sun above the sea, and a red sail."""
    rows, columns = np.mgrid[0:1:240j, 0:1:320j]
    sky = np.stack([90 + 120 * rows, 150 + 60 * rows, 235 - 20 * rows], -1)
    sea = np.stack([20 + 0 * rows, 90 + 30 * np.sin(90 * rows), 140 + 40 * np.sin(60 * (rows + columns))], -1)
    picture = np.where((rows > 0.6)[..., None], sea, sky)
    picture[(rows - 0.25) ** 2 + (columns - 0.75) ** 2 < 0.008] = (255, 220, 90)
    picture[(rows > 0.3) & (rows < 0.62) & (abs(columns - 0.35) < (rows - 0.3) / 2)] = (210, 40, 40)
    path = folder / "holiday.png"
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
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
    bring(newcomer, my_scan(tmp_path))
    button(newcomer, "blood cells").click()
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
    address = copied_link(newcomer)
    context = browser.new_context(viewport={"width": 1320, "height": 860})
    friend = context.new_page()
    friend.set_default_timeout(180_000)
    friend.goto(address)
    wait_for_the_verdict(friend)
    assert noise_of(friend) == noise_of(newcomer) == "0.5"
    for name in ("Task", "Med-VLM", "Prompts"):
        assert value_of(friend, name) == value_of(newcomer, name), name
    seen = friend.get_by_role("img", name="The crop that is certified, pixel by pixel.")
    assert seen.screenshot() == newcomer.get_by_role("img", name="The crop that is certified").screenshot()
    context.close()


def test_a_scan_of_another_task_than_the_chosen_one(newcomer: Page, tmp_path: Path) -> None:
    newcomer.get_by_role("button", name=re.compile("monocyte")).click()
    wait_for_another_verdict(newcomer)
    assert value_of(newcomer, "Task") == "blood cells"
    film = tmp_path / "film.png"
    Image.fromarray(draw_phantom("chest_xray", "bacterial_pneumonia", 1).pixels).save(film)
    bring(newcomer, film)
    expect(newcomer.get_by_role("heading", name="Looks like: chest X-ray")).to_be_in_viewport()
    wait_for_another_verdict(newcomer)
    assert value_of(newcomer, "Task") == "chest X-ray"
    answers = newcomer.get_by_role("table", name="Votes by class")
    expect(answers).to_contain_text("bacterial pneumonia")
    button(newcomer, "Change").click()
    button(newcomer, "blood cells").click()
    wait_for_another_verdict(newcomer)
    expect(newcomer.get_by_text("The task “blood cells” is about others.")).to_be_visible()


def test_a_picture_that_is_no_scan(newcomer: Page, tmp_path: Path) -> None:
    bring(newcomer, holiday(tmp_path))
    expect(newcomer.get_by_role("heading", name="What does this scan show?")).to_be_in_viewport()
    expect(newcomer.get_by_text("It looks like no kind of scan that has classes here.")).to_be_visible()
    button(newcomer, "dermoscopy").click()
    wait_for_another_verdict(newcomer)
    expect(newcomer.get_by_text(re.compile("unlike any that the model was made for|none of the kinds"))).to_be_visible()
    with newcomer.expect_download() as waiting:
        button(newcomer, "Certificate").click()
    path = tmp_path / "certificate.json"
    waiting.value.save_as(path)
    found = json.loads(path.read_text("utf-8"))["scan_check"]
    assert False in (found["known"], found["fits"])


def test_a_setting_changed_after_the_verdict(newcomer: Page) -> None:
    newcomer.get_by_role("button", name=re.compile("monocyte")).click()
    wait_for_another_verdict(newcomer)
    before = noise_of(newcomer)
    button(newcomer, "σ = 0.1").click()
    again = button(newcomer, "Settings changed: certify again")
    expect(again).to_be_visible()
    expect(button(newcomer, "Certificate")).to_be_enabled()  # what was found still holds
    assert f"noise={before}&" in copied_link(newcomer)
    again.click()
    wait_for_another_verdict(newcomer)
    expect(again).to_be_hidden()
    button(newcomer, "Link copied").wait_for(state="hidden")
    assert "noise=0.1&" in copied_link(newcomer)
    newcomer.go_back()
    wait_for_another_verdict(newcomer)
    assert noise_of(newcomer) == before


def test_a_certified_answer_that_is_wrong(newcomer: Page) -> None:
    """The first example of its row that these weights answer wrongly, and with a certificate."""
    wrong = newcomer.get_by_role("heading", name="Certified, and wrong")
    button(newcomer, "σ = 0.25").click()
    for example in newcomer.get_by_role("button", name=re.compile("drawn by psmooth")).all():
        example.click()
        wait_for_another_verdict(newcomer)
        if wrong.count():
            break
    expect(wrong).to_be_in_viewport()
    expect(newcomer.get_by_text("not that it is right").first).to_be_in_viewport()


def test_a_phone_from_the_first_look_to_a_shared_link(browser: Browser, shipped: Server) -> None:
    addresses = []
    for address in (shipped.url, ""):
        phone = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
        phone.grant_permissions(["clipboard-read", "clipboard-write"], origin=shipped.url)
        page = phone.new_page()
        page.set_default_timeout(180_000)
        page.goto(address or addresses[0])
        wait_for_the_verdict(page)
        if address:
            expect(button(page, "Certify")).to_be_in_viewport()
            page.get_by_role("button", name=re.compile("bacterial pneumonia")).tap()
            wait_for_another_verdict(page)
        expect(page.get_by_role("button", name=re.compile("bacterial pneumonia"))).to_have_attribute(
            "aria-pressed", "true"
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        addresses.append(copied_link(page))
        phone.close()
    assert addresses[0] == addresses[1]


def value_of(page: Page, name: str) -> str:
    return page.get_by_label(name, exact=True).locator("visible=true").first.input_value()


def noise_of(page: Page) -> str:
    """Gradio names the two fields of a slider after what they are; another view has a slider of the same name."""
    return page.get_by_label("number input for Noise level σ").input_value()
