"""The page in other languages and in symbols: everything is said, and nothing is lost when the voice changes."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from psmooth import views
from psmooth.interface.assets import imported
from psmooth.views.locale import LANGUAGES, translations
from tests.browser.conftest import OVER, fits
from tests.serving import Server

OTHERS = [code for code in LANGUAGES if code != "en"]


def opened(browser: Browser, url: str, locale: str = "en-US") -> Page:
    page = browser.new_page(locale=locale, viewport={"width": 1320, "height": 900})
    page.goto(url)
    page.wait_for_selector(OVER, timeout=180_000)
    return page


@pytest.mark.parametrize("language", OTHERS)
def test_the_whole_page_speaks_the_language_of_the_link_and_fits(
    browser: Browser, server: Server, language: str
) -> None:
    page = opened(browser, f"{server.url}/?lang={language}")
    words = translations(language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator(".ps-notice")).to_have_text(words[views.NOTICE])
    expect(page.locator("#ps-certify")).to_have_text(words["Certify"])
    expect(page.locator("#ps-noise label, #ps-noise .block-title").first).to_contain_text(words["Noise level σ"])
    expect(page.locator(".ps-stage .ps-stop")).to_have_text(words["Stop"])
    assert page.get_attribute(".ps-theme", "aria-label") == words["Light or dark"]
    english = set(words) - set(words.values())
    shown = [line.strip() for line in page.inner_text("body").splitlines() if line.strip()]
    assert [line for line in shown if line in english] == []
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    for width in (1280, 768, 360):
        fits(page, width)
    page.close()


def test_the_browsers_language_is_taken_where_the_link_names_none(browser: Browser, server: Server) -> None:
    page = opened(browser, server.url, locale="fr-CH")
    expect(page.locator("#ps-certify")).to_have_text(translations("fr")["Certify"])
    expect(page.locator(".ps-language")).to_have_value("fr")
    page.close()


def test_another_voice_says_the_same_result_again_and_back(page: Page) -> None:
    before = page.inner_text(".ps-verdict p.ps-sentence")
    radius, leader = page.inner_text(".ps-radius b"), page.inner_text(".ps-headline em")
    page.select_option(".ps-language", "de")
    expect(page.locator(".ps-verdict p.ps-sentence span").first).not_to_have_text(re.compile("^(With|After|The run)"))
    page.wait_for_function("location.search.includes('lang=de')")
    assert page.inner_text(".ps-radius b") == radius.replace(".", ",")
    assert page.inner_text(".ps-headline em") == translations("de")[leader]
    page.click(".ps-symbols")
    expect(page.locator("h2.ps-headline")).to_contain_text("ĉ")
    page.wait_for_function("location.search.includes('words=symbols')")
    page.click(".ps-symbols")
    page.select_option(".ps-language", "en")
    expect(page.locator(".ps-verdict p.ps-sentence")).to_have_text(before)
    expect(page.locator("#ps-certify")).to_have_text("Certify")


def test_a_radius_with_a_comma_is_never_taken_for_a_count(page: Page) -> None:
    """0,580 is a radius in German; read as an English count it would stand there as 580."""
    shown = float(page.inner_text(".ps-radius b"))
    for language in ("de", "fr", "es"):
        page.select_option(".ps-language", language)
        expect(page.locator(".ps-radius b")).to_have_text(f"{shown:.3f}".replace(".", ","))
        said = f"async () => (await {imported('page/words')}).translate('1,211')"
        assert page.evaluate(said) == "1,211"
    page.click(".ps-nav [data-view=compare]")
    expect(page.locator(".ps-recorded")).to_be_visible()
    expect(page.locator(".ps-small-count").filter(has_text="\u202f000").first).to_be_visible()


def test_of_choices_made_while_the_server_still_answers_the_last_one_wins(page: Page) -> None:
    """The first answer is held back until two more choices were made."""
    before = page.inner_text(".ps-verdict p.ps-sentence")
    voices: list[tuple[Route, str]] = []

    def hold(route: Route) -> None:
        told = (route.request.post_data_json or {}).get("event_data") or {}
        if "lang" not in told:
            return route.continue_()
        voices.append((route, told["lang"]))
        return None if len(voices) == 1 else route.continue_()

    page.route("**/run/*", hold)
    with page.expect_request("**/run/*"):
        page.select_option(".ps-language", "de")
    for language in ("fr", "en"):
        page.select_option(".ps-language", language)
        page.wait_for_function("language => document.documentElement.lang === language", arg=language)
    expect(page.locator("#ps-certify")).to_have_text("Certify")
    with page.expect_response("**/run/*"):
        voices[0][0].continue_()
    page.wait_for_function("document.querySelector('.ps-verdict p.ps-sentence').innerText.length > 0")
    expect(page.get_by_role("combobox", name="Prompts", exact=True)).to_have_value("hand-written")
    expect(page.locator(".ps-verdict p.ps-sentence")).to_have_text(before)
    assert [language for _, language in voices] == ["de", "en"]


def test_menus_and_errors_follow_the_language(page: Page) -> None:
    page.select_option(".ps-language", "es")
    words = translations("es")
    expect(page.get_by_role("combobox", name=words["Prompts"], exact=True)).to_have_value(words["hand-written"])
    expect(page.locator("#ps-precision")).to_contain_text(words["quick"])
    page.click("#ps-clear")
    expect(page.locator("h2.ps-headline")).to_have_text(words["No scan yet."])
    page.set_input_files("#ps-scan-card input[type=file]", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    expect(page.locator("h2.ps-headline")).to_have_text(words["That did not work."])
