"""No word of English is left on the page in another language, in any view, nor in what is not seen at once.

A word counts as English where the English page has it and the language's own catalogue has not.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from psmooth import views
from psmooth.views.locale import LANGUAGES, translations
from psmooth.views.words import GRADIO_WORDS
from tests.browser.conftest import OVER
from tests.browser.test_compare_and_learn import go_to
from tests.catalogue import said_templates
from tests.serving import Server

TEXTS = (Path(__file__).parent / "texts.js").read_text("utf-8")
WORD = re.compile(r"[A-Za-z]{3,}")
HEXADECIMAL = re.compile(r"\b[0-9a-f]{8,}\b")
NAMES = {  # of persons, programs, papers, licences, and of the models that this test serves
    "psmooth", "pocket", "noisy", "apache", "promptsmooth", "hussein", "shamshad", "naseer", "nandakumar", "miccai",
    "python", "numpy", "scipy", "timm", "torch", "open", "clip", "denoised", "diffusion", "smoothing", "plip", "gradio",
    "coop", "sha", "tiny", "slow", "local", "dir", "table", "chrome", "model", "one", "safetensors",
}  # fmt: skip
OTHERS = [code for code in LANGUAGES if code != "en"]


def words_of(texts: "set[str] | list[str]") -> set[str]:
    plain = (re.sub(r"\{[^}]*\}", " ", HEXADECIMAL.sub(" ", text)) for text in texts)
    return {word.lower() for text in plain for word in WORD.findall(text)}


ENGLISH = words_of(said_templates() | set(GRADIO_WORDS))


def left_over(page: Page, language: str) -> dict[str, str]:
    """English words, each with a text that it stands in; in Chinese any word in Latin letters."""
    own = words_of(list(translations(language).values())) | NAMES
    found: dict[str, str] = {}
    for text in page.evaluate(TEXTS):
        for word in words_of([text]) - own:
            if word in ENGLISH or language == "zh":
                found[word] = text
    return found


def look(page: Page, language: str) -> None:
    assert left_over(page, language) == {}


def visit_everything(page: Page, language: str) -> None:
    look(page, language)
    page.click(".ps-teach")
    for _ in views.LECTURE:
        page.keyboard.press("ArrowRight")
        look(page, language)
    page.keyboard.press("Escape")
    for view in ("compare", "attack", "learn", "results", "understand"):
        go_to(page, view)
        look(page, language)
    expect(page.locator("#understand-tuned [data-show=steps]")).not_to_be_empty()
    for card in ("votes", "plane", "looks", "tuned"):
        page.locator(f"#understand-{card}").scroll_into_view_if_needed()
        page.wait_for_timeout(2_500)  # it has played
        look(page, language)


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_is_left_over_in_the_language_of_a_link(browser: Browser, server: Server, language: str) -> None:
    page = browser.new_page(locale="en-US", viewport={"width": 1320, "height": 900})
    page.set_default_timeout(180_000)
    page.goto(f"{server.url}/?lang={language}")
    page.wait_for_selector(OVER)
    visit_everything(page, language)
    page.close()


def test_none_is_left_over_where_the_language_is_changed(page: Page) -> None:
    go_to(page, "compare")
    expect(page.locator(".ps-recorded")).to_be_visible()
    go_to(page, "understand")
    expect(page.locator("#understand-tuned [data-show=steps]")).to_contain_text("of size")
    page.select_option(".ps-language", "de")
    expect(page.locator("#understand-tuned [data-show=steps]")).not_to_contain_text("of size")
    expect(page.locator("#understand-votes [role=status]")).to_contain_text("Stimmen")
    go_to(page, "certify")
    visit_everything(page, "de")


def test_the_recording_that_the_walkthrough_shows_is_in_the_language(browser: Browser, server: Server) -> None:
    page = browser.new_page(locale="en-US", reduced_motion="reduce")
    page.set_default_timeout(180_000)
    page.goto(f"{server.url}/?lang=zh&lecture=5&example=99&scan=own")
    source = page.locator(".ps-lecture-source")
    expect(source).to_have_text(translations("zh")[views.PAGE_WORDS["lecture_recorded"]])
    expect(page.locator(".ps-scene-radius small")).not_to_be_empty()
    shown = page.inner_text(".ps-scene")
    assert translations("zh")["monocyte"] in shown
    assert "monocyte" not in shown
    look(page, "zh")
    page.close()
