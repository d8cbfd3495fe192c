"""The view Attack as a visitor has it: found so far, the hand on the axis, Stop, another model midway."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from psmooth.views.attack import IDLE
from psmooth.views.locale import translations
from tests.browser.conftest import choose_model, fits
from tests.serving import Server

DONE = ".ps-attack[data-state=done]"
HAND = ".ps-attack-hand"
RECORDED = ".ps-attack-recorded"
CUT = "of => [...document.querySelectorAll(of)].filter((one) => one.scrollWidth > one.clientWidth).length"


def go_to(page: Page, view: str = "attack") -> None:
    page.click(f".ps-nav a[data-view={view}]")
    expect(page.locator(f".ps-nav a[data-view={view}]")).to_have_attribute("aria-current", "page")


def attack(page: Page) -> None:
    go_to(page)
    page.click("#ps-attack")
    page.wait_for_selector(DONE)


def place(page: Page) -> int:
    return int(page.get_attribute(HAND, "aria-valuenow") or "-1")


def looks(page: Page) -> list[str | None]:
    """The attacked crop, the distance, and what the table says of that crop."""
    row = page.locator(".ps-attack-found tbody tr").nth(place(page))
    return [page.get_attribute(".ps-attack-attacked", "src"), page.inner_text(f"{HAND} output"), row.text_content()]


def test_before_an_attack_it_says_what_it_does_in_every_voice(page: Page) -> None:
    go_to(page)
    expect(page.locator(".ps-attack h2")).to_have_text(IDLE)
    expect(page.locator("#ps-method")).to_be_visible()
    page.select_option(".ps-language", "de")
    expect(page.locator(".ps-attack h2")).to_have_text(translations("de")[IDLE])


def test_before_an_attack_a_recording_stands_there_and_is_called_one(page: Page) -> None:
    go_to(page)
    expect(page.locator(RECORDED)).to_contain_text("Recording An earlier attack on a drawn scan")
    expect(page.locator(".ps-attack-told")).to_have_text(re.compile("^A change nobody sees turns the plain answer"))
    expect(page.locator(".ps-attack .ps-download")).to_be_disabled()
    last = int(page.get_attribute(HAND, "aria-valuemax") or "0")
    assert last >= 8
    page.focus(HAND)
    page.keyboard.press("Home")
    seen = [looks(page)]
    for _ in range(last):
        page.keyboard.press("ArrowRight")
        seen.append(looks(page))
    assert len({picture for picture, _, _ in seen}) == last + 1
    expect(page.locator(".ps-attack-scene small").nth(1)).to_contain_text("change ×")
    assert not page.evaluate(CUT, ".ps-attack-answer :is(b, .ps-small-name)")
    page.select_option(".ps-language", "de")
    expect(page.locator(f"{HAND} output")).to_have_text((seen[-1][1] or "").replace(".", ","))
    expect(page.locator(".ps-attack-told")).to_contain_text("Änderung, die niemand sieht")
    page.click("#ps-attack")
    expect(page.locator(RECORDED)).to_be_hidden()
    expect(page.locator(".ps-attack-told")).to_be_hidden()
    page.wait_for_selector(DONE)
    expect(page.locator(".ps-attack-found")).to_be_visible()


def test_the_hand_goes_from_crop_to_crop_and_all_follows(page: Page, tmp_path: Path) -> None:
    attack(page)
    assert "view=attack" in page.url
    last = int(page.get_attribute(HAND, "aria-valuemax") or "0")
    assert last >= 2
    page.focus(HAND)
    page.keyboard.press("Home")
    assert place(page) == 0
    first = looks(page)
    assert first[0] == page.get_attribute(".ps-attack-original", "src")
    expect(page.locator(".ps-attack-scene small").nth(1)).to_have_text("no change yet")
    seen = [first]
    for step in range(1, last + 1):
        page.keyboard.press("ArrowRight")
        assert place(page) == step
        seen.append(looks(page))
    assert len({picture for picture, _, _ in seen}) == last + 1
    distances = [float(distance or "") for _, distance, _ in seen]
    assert distances == sorted(distances)
    assert all((row or "").startswith(distance or "?") for _, distance, row in seen)
    expect(page.locator(".ps-attack-scene small").nth(1)).to_contain_text("change ×")
    page.keyboard.press("ArrowRight")
    assert place(page) == last
    box = page.locator(".ps-attack-plot").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert looks(page) == first
    with page.expect_download() as waiting:
        page.click(".ps-attack .ps-download")
    waiting.value.save_as(tmp_path / "attack.json")
    assert json.loads((tmp_path / "attack.json").read_text())["schema"] == "psmooth/attack/1"
    go_to(page, "certify")
    expect(page.locator(".ps-runs summary")).to_contain_text("2 runs on this scan")


def test_a_distance_and_its_words_are_in_the_language_of_the_page(page: Page) -> None:
    attack(page)
    english = page.inner_text(f"{HAND} output")
    assert float(english) > 0
    page.select_option(".ps-language", "de")
    expect(page.locator(f"{HAND} output")).to_have_text(english.replace(".", ","))
    expect(page.locator(".ps-attack-legend")).to_contain_text(translations("de")["Plain model"])
    expect(page.locator(".ps-attack-legend")).not_to_contain_text("Plain")


def test_stop_keeps_what_was_found_and_another_model_midway_begins_anew(page: Page) -> None:
    go_to(page)
    choose_model(page, "slow")
    page.click("#ps-precision label:has-text('publication')")  # so that it is still on when Stop is pressed
    page.click("#ps-attack")
    page.wait_for_selector(".ps-attack[data-state=running] .ps-attack-found:not([hidden])")
    page.click(".ps-attack .ps-stop")
    page.wait_for_selector(".ps-attack[data-state=stopped]")
    expect(page.locator(".ps-attack .ps-line")).to_contain_text("found so far")
    expect(page.locator(".ps-attack-found")).to_be_visible()
    page.click("#ps-attack")
    page.wait_for_selector(".ps-attack[data-state=running]")
    choose_model(page, "tiny")
    page.click("#ps-precision label:has-text('quick')")
    page.click("#ps-attack")
    page.wait_for_selector(DONE)
    page.click("#ps-clear")
    page.wait_for_selector(".ps-attack[data-state=idle]")
    expect(page.locator(RECORDED)).to_be_visible()  # an attack leaves with its scan


def test_it_prints_as_a_report_of_its_own_in_the_colours_of_paper(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 860}, color_scheme="dark")
    page.goto(f"{server.url}/?view=attack")
    page.wait_for_selector("#ps-first", state="detached")
    page.wait_for_selector(".ps-stage[data-state]", state="attached")
    page.click("#ps-attack")
    page.wait_for_selector(DONE, timeout=180_000)
    report = page.locator(".ps-attack .ps-report")
    expect(report).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("body")).not_to_have_class(re.compile(r"\bdark\b"))
    expect(page.locator("#ps-stage-column")).to_be_hidden()
    expect(report).to_contain_text("sha256")
    wide = page.locator(".ps-attack-found table").bounding_box()
    assert wide
    assert wide["width"] > 600, "those who print see the answers as a table, too"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
    expect(report).to_be_hidden()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_shows_all(browser: Browser, server: Server, scheme: str) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 860}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{server.url}/?view=attack")
    page.wait_for_selector("#ps-first", state="detached")
    page.wait_for_selector(".ps-stage[data-state]", state="attached")
    page.click("#ps-attack")
    page.wait_for_selector(DONE, timeout=180_000)
    found = [violation["id"] for violation in Axe().run(page).response["violations"]]
    fits(page, 360)
    expect(page.locator("#ps-attack")).to_be_in_viewport()
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    assert page.locator(".ps-attack-answer :is(b, .ps-small-name)").evaluate_all(cut) == []
    page.close()
    assert found == []
