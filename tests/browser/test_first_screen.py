"""The first minute: what a stranger sees, reads and passes on, light and dark, on a phone and on a laptop."""

import io
import re
import urllib.request

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from psmooth import views
from tests.browser.conftest import OVER
from tests.serving import Server

IS_DARK = "document.body.classList.contains('dark')"


def test_light_or_dark_is_remembered_and_a_link_wins_over_that_and_both_over_the_system(
    browser: Browser, server: Server
) -> None:
    visitor = browser.new_context(color_scheme="light")
    page = visitor.new_page()
    page.goto(server.url)
    page.wait_for_selector("#ps-first", state="detached")
    page.click(".ps-theme")
    page.wait_for_function("location.search.includes('theme=dark')")
    for address, dark in (("", True), ("?theme=light", False), ("?__theme=light", False)):
        page.route("**/assets/*.js", lambda _: None)  # before Gradio, the first picture
        page.goto(f"{server.url}/{address}", wait_until="commit")
        page.wait_for_selector("#ps-first .ps-picker button")
        assert page.evaluate(IS_DARK) == dark
        page.unroute("**/assets/*.js")
        page.reload()
        page.wait_for_selector("#ps-first", state="detached")
        assert page.evaluate(IS_DARK) == dark
        page.emulate_media(color_scheme="dark")
        page.emulate_media(color_scheme="light")
        assert page.evaluate(IS_DARK) == dark
    visitor.close()


def test_a_link_that_is_passed_on_shows_psmooth_s_own_words_and_picture(server: Server) -> None:
    asked = urllib.request.Request(f"{server.url}/?lang=de", headers={"host": "localhost:8080"})
    answer = urllib.request.urlopen(asked)
    assert answer.headers["cache-control"] == "private", "no cache passes on what one request made of these tags"
    page = answer.read().decode()
    tags = dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):[\w:]+)" content="([^"]*)"', page))
    assert len(re.findall(r"(?:og|twitter):title", page)) == 1
    assert "gradio" not in "".join(tags.values()).lower()
    assert tags["og:url"] == "http://localhost:8080/"
    assert tags["og:description"].startswith("Änderungen")
    address = tags["og:image"].replace("http://localhost:8080", server.url)
    picture = urllib.request.urlopen(address).read()
    assert len(picture) <= 200_000
    width, height = int(tags["og:image:width"]), int(tags["og:image:height"])
    assert Image.open(io.BytesIO(picture)).size == (width, height) == (1200, 630)


def test_the_sentence_is_short_enough_in_every_language_and_the_chart_is_whole(page: Page) -> None:
    sentence = (
        "(e => e.offsetHeight / parseFloat(getComputedStyle(e).lineHeight))(document.querySelector('.ps-title p'))"
    )
    for width, height in ((1280, 720), (1280, 860)):
        page.set_viewport_size({"width": width, "height": height})
        expect(page.locator(".ps-chart")).to_be_in_viewport(ratio=1)
    for language in ("de", "fr", "es", "zh", "en"):
        page.select_option(".ps-language", language)
        page.wait_for_function("lang => document.documentElement.lang === lang", arg=language)
        page.set_viewport_size({"width": 1280, "height": 860})
        page.wait_for_function(f"{sentence} <= 2")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_function(f"{sentence} <= 3")


def test_about_names_paper_code_documents_licence_and_how_to_cite(page: Page) -> None:
    page.click(".ps-project-open")
    about = page.locator(".ps-project")
    for name in ("about_method", "about_code", "about_docs", "about_licence", "about_cite"):
        expect(about).to_contain_text(views.PAGE_WORDS[name])
    for link in about.locator("a").all():
        assert "noopener" in (link.get_attribute("rel") or "")
    assert "2408.16769" in (about.locator("a").first.get_attribute("href") or "")
    for _ in ("light", "dark"):
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
        page.evaluate("document.querySelector('.ps-theme').click()")
    page.keyboard.press("Escape")
    expect(about).to_be_hidden()


def test_a_phone_shows_one_view_at_a_time_its_button_at_hand_and_nothing_sideways(
    browser: Browser, server: Server
) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(server.url)
    page.wait_for_selector(OVER, timeout=180_000)
    own = {"certify": ".ps-verdict", "compare": ".ps-compare", "learn": ".ps-learn"}
    for view, button in (("certify", "#ps-certify"), ("compare", "#ps-compare"), ("learn", None)):
        page.click(f".ps-nav [data-view={view}]")
        for name, card in own.items():
            expect(page.locator(card)).to_be_visible(visible=name == view)
        for place in (0, 10_000):
            page.evaluate("top => scrollTo(0, top)", place)
            if button:
                expect(page.locator(button)).to_be_in_viewport(ratio=1)
        for part in (".ps-header", ".ps-nav"):
            assert page.evaluate("part => (e => e.scrollWidth <= e.clientWidth)(document.querySelector(part))", part)
        page.evaluate("scrollTo(0, 0)")
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.close()
