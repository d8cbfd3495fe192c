"""A result says what it is: whose settings it has, whether it is right, and what its words mean."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.conftest import OVER, start_long_run

NOISE = ".ps-ticks button[data-value='{}']"


def copied(page: Page) -> dict[str, list[str]]:
    """What the copied link asks for."""
    page.evaluate("window.copied = ''; navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.click(".ps-share")
    page.wait_for_function("window.copied")
    return parse_qs(urlsplit(page.evaluate("window.copied")).query)


def test_a_result_keeps_its_settings_and_says_when_they_were_left(page: Page) -> None:
    expect(page.locator(".ps-moved")).to_be_hidden()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.click(NOISE.format(0.5))
    expect(page.locator(".ps-moved")).to_have_text("Settings changed: certify again")
    expect(page.locator(".ps-stage")).to_have_class(re.compile("ps-stale"))
    assert page.evaluate("getComputedStyle(document.querySelector('.ps-crop')).opacity") != "1"
    assert asked == [], "the page says so by itself"
    page.wait_for_function("location.search.includes('noise=0.5')")
    assert copied(page)["noise"] == ["0.25"], "a link of what is shown"
    expect(page.locator(".ps-stage .ps-download")).to_be_enabled()
    page.click(NOISE.format(0.25))
    expect(page.locator(".ps-moved")).to_be_hidden()
    page.click(NOISE.format(0.5))
    page.click(".ps-moved")
    expect(page.locator(".ps-moved")).to_be_hidden()
    page.wait_for_selector(OVER)
    assert copied(page)["noise"] == ["0.5"]
    page.click("#ps-precision label:has-text('standard')")
    expect(page.locator(".ps-moved")).to_be_visible()


def test_nothing_of_a_run_is_left_where_there_is_none(page: Page) -> None:
    page.click("#ps-certify")  # a second run on the scan, so that there is a list of them
    page.wait_for_selector(".ps-runs:not([hidden])", state="attached")
    page.wait_for_selector(OVER)
    page.set_input_files(
        "#ps-scan-card input[type=file]", {"name": "a.png", "mimeType": "image/png", "buffer": b"no scan"}
    )
    page.wait_for_selector(".ps-stage[data-state=failed]")
    for part in (".ps-chart", ".ps-ruler", ".ps-runs", ".ps-budget", ".ps-moved"):
        expect(page.locator(part)).to_be_hidden()
    for button in (".ps-download", ".ps-print", ".ps-how"):
        expect(page.locator(f".ps-stage {button}")).to_be_disabled()
    assert page.locator("#ps-stage-column .ps-report").text_content() == ""
    assert page.inner_text(".ps-radius b") == "–"
    page.wait_for_function("!/example|scan/.test(location.search)")


def test_certified_and_wrong_is_a_state_of_its_own_and_its_words_explain_themselves(page: Page) -> None:
    stage = page.locator(".ps-stage")
    expect(stage).to_have_attribute("data-state", "certified")
    assert page.inner_text(".ps-headline em") != "monocyte", "what these weights answer"
    expect(stage).to_have_attribute("data-truth", "wrong")
    expect(page.locator("h2.ps-headline")).to_contain_text("Certified, and wrong")
    expect(page.locator(".ps-verdict p.ps-sentence")).to_contain_text("not that it is right")
    colour = "name => getComputedStyle(document.querySelector(name)).color"
    accents = [page.evaluate(colour, name) for name in ("h2.ps-headline", ".ps-radius b", ".ps-kind", ".ps-least")]
    assert len(set(accents)) == 1
    assert accents[0] != page.evaluate(colour, ".ps-share")
    for term in (".ps-kind", ".ps-unit", ".ps-sentence .ps-term", ".ps-what"):
        box = page.locator(f"#{page.get_attribute(term, 'popovertarget')}")
        expect(box).to_be_hidden()
        page.focus(term)
        page.keyboard.press("Enter")
        expect(box).to_be_visible()
        expect(box).to_be_in_viewport(ratio=1)
        assert len(box.inner_text()) > 60
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()
        page.click(term)
        expect(box).to_be_visible()
        page.keyboard.press("Escape")


def test_the_pattern_of_the_winner_stays_when_the_address_changes(page: Page) -> None:
    page.evaluate("history.replaceState(null, '', '?changed=1')")
    pattern = "[...document.querySelectorAll('.ps-plot .bars path')].map((one) => one.style.fill).filter(Boolean)"
    fills = [fill for fill in page.evaluate(pattern) if "url" in fill]
    assert len(fills) == 1
    assert re.fullmatch(r"""url\(["']?#[\w-]+["']?\)""", fills[0])


def test_while_the_next_run_counts_no_radius_of_the_last_one_stands(page: Page) -> None:
    expect(page.locator(".ps-ruler-title")).to_contain_text("0.6")
    start_long_run(page)
    expect(page.locator(".ps-budget")).to_be_hidden()
    page.click(".ps-stage .ps-stop")
    page.wait_for_selector(".ps-stage[data-state=stopped]")
    page.click("#ps-clear")
    expect(page.locator(".ps-columns")).to_be_hidden()
