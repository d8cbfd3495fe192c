"""What a radius buys, the walkthrough, the booth, and the page on paper."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from psmooth import views
from tests.browser.conftest import OVER, STILL, next_run
from tests.serving import Server


def certify_with_little_noise(page: Page) -> float:
    """A run that ends certified: the random model's answer hardly moves at σ = .1 on some example."""
    page.click(".ps-ticks button[data-value='0.1']")
    for place in range(1, 9):
        with next_run(page):
            page.click(f".ps-picker button:nth-child({place})")
        if page.get_attribute(".ps-stage", "data-state") == "certified":
            return float(page.inner_text(".ps-radius b"))
    raise AssertionError("No example was certified.")


def test_the_budget_is_never_more_than_the_radius(page: Page) -> None:
    radius = certify_with_little_noise(page)
    expect(page.locator(".ps-budget")).to_be_visible()
    size = page.evaluate("document.querySelector('.ps-crop').width")
    for share in (0, 20, 60, 100):
        page.locator(".ps-budget input").fill(str(share))
        levels, count = re.findall(r"[\d,]+", page.inner_text(".ps-budget output"))
        spent = float(count.replace(",", "")) ** 0.5 * float(levels) / 255
        assert spent < radius + 0.001
        one_more = (float(count.replace(",", "")) + 1) ** 0.5 * float(levels) / 255
        assert one_more >= radius or float(count.replace(",", "")) == 3 * size * size
    page.locator(".ps-budget input").fill("0")  # at its largest, one value alone may be more than the budget
    first = page.locator(".ps-budget figure").nth(0)
    expect(first).to_have_class("ps-covered")
    assert "not covered" in page.locator(".ps-budget figure").nth(3).inner_text()
    assert "change ×" in first.inner_text()


def told(page: Page) -> list[int]:
    """What the walkthrough's chart counts, class by class."""
    return [int(text.replace(",", "")) for text in page.locator(".ps-scene .ps-count").all_inner_texts()]


def test_the_walkthrough_plays_the_run_of_the_page_step_by_step_and_comes_to_an_end(page: Page) -> None:
    radius = certify_with_little_noise(page)
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.click(".ps-teach")
    panel = page.locator(".ps-lecture")
    for place, (title, _) in enumerate(views.LECTURE, 1):
        expect(panel.locator("h2")).to_have_text(title)
        page.wait_for_function("place => location.search.includes(`lecture=${place}`)", arg=place)
        whole, scene, card = (
            page.locator(name).bounding_box() for name in (".ps-lecture", ".ps-scene", ".ps-lecture-card")
        )
        assert whole
        assert scene
        assert card
        assert whole["width"] == 1920
        assert scene["y"] + scene["height"] <= card["y"]  # the card covers nothing of what it explains
        if title == "Votes":  # one by one
            page.wait_for_function("document.querySelectorAll('.ps-scene-copies span').length >= 3")
            assert 3 <= sum(told(page)) < 24  # of 24 that are shown alone
        if title == "A radius":
            page.wait_for_function(
                "radius => Number(document.querySelector('.ps-scene-radius b').textContent) === radius", arg=radius
            )
            assert [one["id"] for one in Axe().run(page).response["violations"]] == []
        page.keyboard.press("ArrowRight")
    expect(panel.locator("h2")).to_have_text(views.LECTURE[-1][0])
    counts = [int(text) for text in page.locator(".ps-votes tbody td:last-child").all_text_contents()]
    assert told(page) == counts
    page.keyboard.press("ArrowLeft")
    expect(panel.locator("h2")).to_have_text(views.LECTURE[-2][0])
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.wait_for_function("!location.search.includes('lecture')")


COLOURS = """() => ({
  scene: [".ps-scene-radius b", ".ps-lecture-wrong"].map(
    (name) => getComputedStyle(document.querySelector(name)).color),
  lines: [...document.querySelectorAll(".ps-scene .shapelayer path")].map((line) => line.style.stroke),
  page: getComputedStyle(document.querySelector("h2.ps-headline")).color,
})"""


def test_the_walkthrough_of_a_certified_answer_that_is_wrong_says_so_in_its_colour(page: Page) -> None:
    expect(page.locator(".ps-stage")).to_have_attribute("data-truth", "wrong")
    verdict, why = page.inner_text("h2.ps-headline"), page.inner_text(".ps-sentence span + span >> nth=-1")
    page.click(".ps-teach")
    said = page.locator(".ps-lecture-wrong")
    for title, _ in views.LECTURE:
        expect(page.locator(".ps-lecture h2")).to_have_text(title)
        if title in ("A scan", "Noise", "Votes"):
            expect(said).to_be_hidden()
        else:
            expect(said).to_contain_text(verdict)
            expect(said).to_contain_text(why)
            expect(page.locator(".ps-scene-radius b")).not_to_be_empty()
            colours = page.evaluate(COLOURS)
            assert set(colours["scene"]) == {colours["page"]}
            assert colours["page"] in colours["lines"], "the bound of the leading class"
        page.keyboard.press("ArrowRight")
    page.wait_for_function(STILL)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    for _ in views.LECTURE:
        page.keyboard.press("ArrowLeft")
    expect(said).to_be_hidden()  # back where nothing has been counted


def test_without_a_run_and_without_motion_the_walkthrough_shows_a_recording_on_a_phone(
    browser: Browser, server: Server
) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce", color_scheme="dark")
    page.goto(f"{server.url}/?lecture=5&example=99&scan=own")
    expect(page.locator(".ps-lecture-source")).to_have_text(views.PAGE_WORDS["lecture_recorded"], timeout=180_000)
    expect(page.locator(".ps-scene-radius b")).to_have_text(re.compile(r"0\.\d+"))
    shown = page.inner_text(".ps-scene-radius b")
    page.wait_for_timeout(700)
    assert page.inner_text(".ps-scene-radius b") == shown
    assert page.evaluate("document.querySelector('.ps-lecture').scrollWidth") <= 360
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.close()


def test_the_booth_is_a_stage_of_its_own_goes_on_by_itself_and_yields_to_a_visitor(
    browser: Browser, server: Server
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(f"{server.url}/?kiosk=1&pause=1&idle=4")
    page.wait_for_selector(f".ps-alone {OVER}", timeout=180_000)
    for name in ("#ps-side", ".ps-nav", ".ps-stage .ps-foot"):
        expect(page.locator(name)).to_be_hidden()
    for title, _ in views.LECTURE[3:6:2]:  # whether or not there is a radius
        expect(page.locator(".ps-story h2")).to_have_text(title, timeout=30_000)
    story, radius = (page.locator(name).bounding_box() for name in (".ps-story", ".ps-radius b"))
    assert story
    assert radius
    assert radius["y"] + radius["height"] <= story["y"]
    for place in (2, 3):
        expect(page.locator(f".ps-picker button:nth-child({place})")).to_have_attribute(
            "aria-pressed", "true", timeout=30_000
        )
    page.mouse.click(5, 300)
    expect(page.locator("#ps-upload")).to_be_hidden()
    page.click(".ps-picker button:nth-child(7)")
    page.wait_for_selector(OVER)
    page.wait_for_timeout(1_500)
    expect(page.locator(".ps-picker button:nth-child(7)")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".ps-picker button:nth-child(8)")).to_have_attribute("aria-pressed", "true", timeout=30_000)
    page.close()


def test_the_booth_loads_its_page_afresh_and_goes_on_where_it_was(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.route("**/*", lambda route: route.abort() if route.request.method == "HEAD" else route.continue_())
    page.goto(f"{server.url}/?kiosk=1&pause=1&idle=1&fresh=1")
    page.evaluate("window.old = true")
    for _ in range(2):  # nobody serves it: it stays, and asks again
        with page.expect_request(lambda request: request.method == "HEAD", timeout=180_000):
            pass
    assert page.evaluate("window.old")
    page.evaluate("history.replaceState(null, '', location.href.replace('fresh=1', 'fresh=600'))")  # once is enough
    page.unroute("**/*")
    page.wait_for_function("window.old === undefined", timeout=30_000)
    shown = page.url
    assert "kiosk=1" in shown
    page.wait_for_selector(OVER, timeout=180_000)
    page.wait_for_function("shown => location.href !== shown", arg=shown, timeout=30_000)
    page.close()


EDGES = """(() => {
  const box = (one) => one.getBoundingClientRect();
  const [card, chart] = [".ps-evidence", ".ps-chart .main-svg"].map((name) => box(document.querySelector(name)));
  const texts = [...document.querySelectorAll(".ps-strip figcaption")].map((one) => box(one).left + one.scrollWidth);
  return { card: [card.left, card.right], chart: [chart.left, chart.right], captions: texts };
})()"""


def test_the_report_is_one_page_and_says_what_was_computed(page: Page) -> None:
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) == 1
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 725, "height": 1000})  # of A4 between its margins
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    edges = page.evaluate(EDGES)
    assert edges["chart"][1] <= edges["card"][1], "whole"
    assert max(edges["captions"]) <= edges["chart"][0], "no caption lies over it"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    said = page.inner_text(".ps-report")
    for words in ("How this was computed", "Seed", "sha256", "Guarantee", "Not for clinical use"):
        assert words in said
    expect(page.locator("#ps-side")).to_be_hidden()
    expect(page.locator(".ps-print")).to_be_hidden()
