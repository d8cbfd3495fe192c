"""The views Compare and Learn prompts as a visitor has them."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from psmooth import views
from psmooth.views.compare import IDLE
from psmooth.views.locale import translations
from tests.browser.conftest import OVER, fits, next_run
from tests.serving import Server

COMPARED = ".ps-compare[data-state=done]"


def go_to(page: Page, view: str) -> None:
    page.click(f".ps-nav a[data-view={view}]")
    expect(page.locator(f".ps-nav a[data-view={view}]")).to_have_attribute("aria-current", "page")


def zip_of_scans(path: Path, each: int = 3) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, level in (("dark", 30), ("bright", 220)):
            for number in range(each):
                file = io.BytesIO()
                pixels = np.full((40, 40, 3), level + number, np.uint8)
                pixels[:2] = 0  # what shows one level alone is certified nowhere
                Image.fromarray(pixels).save(file, "PNG")
                archive.writestr(f"{name}/{number}.png", file.getvalue())
    return path


def own_classes(page: Page, names: str) -> None:
    page.click("#ps-question-card input[aria-label='Task']")
    page.get_by_role("option", name="my own class names").click()
    page.get_by_role("textbox", name="Class names").fill(names)
    page.get_by_role("textbox", name="Class names").blur()


@pytest.mark.parametrize("width", [390, 1320])
def test_a_view_shows_nothing_of_another_one_on_a_phone_either(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    roots = {"certify": ".ps-stage", "compare": ".ps-compare", "learn": ".ps-learn", "understand": ".ps-understand"}
    roots |= {"results": ".ps-results", "attack": ".ps-attack"}
    for view in ("compare", "attack", "learn", "understand", "results", "certify"):
        go_to(page, view)
        assert [name for name, root in roots.items() if page.locator(root).is_visible()] == [view]


def test_compare_shows_both_guarantees_apart_and_the_curve(page: Page, tmp_path: Path) -> None:
    go_to(page, "compare")
    assert not page.locator("#ps-certify").is_visible()
    page.click("#ps-compare")
    page.wait_for_selector(COMPARED)
    groups = page.locator(".ps-group")
    assert groups.evaluate_all("all => all.map(one => one.dataset.kind)") == ["unconditional", "frozen_prompt"]
    assert "With this prompt frozen" in groups.nth(1).inner_text()
    assert page.locator(".ps-group[data-kind=unconditional] .ps-method h4").all_inner_texts() == ["hand-written"]
    assert "No bank here for" in page.inner_text(".ps-compare .ps-sentence")
    assert "8 runs stand side by side here" in page.inner_text(".ps-compare .ps-sentence")
    bodies = page.locator(".ps-curve-card table tbody").evaluate_all(
        "all => all.map(body => [...body.rows].map(row => row.cells[0].textContent))"
    )
    assert bodies == [["Unconditional", "hand-written"], ["With this prompt frozen", "zero-shot"]]
    expect(page.locator(".ps-curve-note")).to_be_hidden()
    expect(page.locator(".ps-curve .main-svg").first).to_be_visible()
    with page.expect_download() as waiting:
        page.click(".ps-compare .ps-download")
    waiting.value.save_as(tmp_path / "all.json")
    records = json.loads((tmp_path / "all.json").read_text())
    assert {record["guarantee"] for record in records} == {"unconditional", "frozen_prompt"}
    go_to(page, "certify")
    expect(page.locator(".ps-runs summary")).to_contain_text("9 runs on this scan")
    expect(page.locator(".ps-runs summary")).to_contain_text("0.009")
    page.click(".ps-runs summary")
    heads = page.locator(".ps-runs thead th").all_inner_texts()
    assert heads[-2:] == ["certified radius", "radius with this prompt frozen"]


def test_a_point_of_the_curve_tells_its_radius_as_it_is_certified(page: Page) -> None:
    """Plotly rounds a number to the nearest; what it shows on hovering is text of ours."""
    go_to(page, "compare")
    page.click("#ps-compare")
    page.wait_for_selector(COMPARED)
    traces = page.evaluate(
        "document.querySelector('.ps-curve').data.map(({ text, y, hovertemplate }) => ({ text, y, hovertemplate }))"
    )
    radii = [trace for trace in traces if trace["y"] != [0] * len(trace["y"])]
    assert 1 <= len(radii) <= 2
    for trace in radii:
        assert "%{y" not in trace["hovertemplate"]
        for told, radius in zip(trace["text"], trace["y"], strict=True):
            number = told.split(": ")[1].split(" · ")[0]
            assert number == ("abstained" if radius is None else views.radius_text(radius))


def test_before_a_run_a_recording_stands_there_and_is_called_one(page: Page) -> None:
    go_to(page, "compare")
    expect(page.locator(".ps-recorded")).to_contain_text("Recording")
    expect(page.locator(".ps-method")).to_have_count(7)
    expect(page.locator(".ps-compare .ps-download")).to_be_disabled()
    for width in (1320, 390):
        page.set_viewport_size({"width": width, "height": 800})
        cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
        assert page.locator(".ps-method :is(h4, .ps-answer, .ps-small-name)").evaluate_all(cut) == []
    page.click("#ps-compare")
    page.wait_for_selector(COMPARED)
    expect(page.locator(".ps-recorded")).to_be_hidden()
    expect(page.locator(".ps-method")).to_have_count(2)


def test_compare_stops(page: Page) -> None:
    go_to(page, "compare")
    page.click("#ps-precision label:has-text('publication')")
    page.click("#ps-compare")
    page.wait_for_selector(".ps-group")
    page.click(".ps-compare .ps-stop")
    page.wait_for_selector(".ps-compare[data-state=stopped]")
    go_to(page, "certify")
    page.click("#ps-precision label:has-text('quick')")
    page.click("#ps-certify")
    page.wait_for_selector(OVER)
    page.click("#ps-clear")
    page.wait_for_selector(".ps-compare[data-state=idle]", state="attached")
    go_to(page, "compare")
    expect(page.locator(".ps-recorded")).to_be_visible()  # a comparison leaves with its scan: this is a recording
    for language in ("de", "fr"):
        page.select_option(".ps-language", language)
        expect(page.locator(".ps-compare .ps-sentence")).to_have_text(translations(language)[IDLE])


def test_a_zip_becomes_a_bank_in_the_menu_that_certifies(page: Page, tmp_path: Path, server: Server) -> None:
    go_to(page, "learn")
    own_classes(page, "dark; bright")
    page.set_input_files("#ps-learn-controls input[type=file]", zip_of_scans(tmp_path / "scans.zip"))
    page.wait_for_selector(".ps-learn[data-state=done]")
    assert "mine: few-shot, 6 scans" in page.inner_text(".ps-learn .ps-sentence")
    with page.expect_download() as waiting:
        page.click(".ps-learn .ps-download")
    waiting.value.save_as(tmp_path / "mine.safetensors")
    from psmooth.prompts import load_bank

    assert load_bank(tmp_path / "mine.safetensors").facts.class_names == ("dark", "bright")
    go_to(page, "certify")
    with next_run(page):
        page.click("#ps-certify")
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    waiting.value.save_as(tmp_path / "c.json")
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["method"] == "few_shot"
    assert record["class_names"] == ["dark", "bright"]
    assert not [path for path in server.uploads.rglob("*.zip") if path.stat().st_size]


DROPPED = """([name, bytes]) => { const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); }"""


def test_what_is_dropped_goes_to_the_view_that_shows_it(page: Page, tmp_path: Path) -> None:
    scans = [*zip_of_scans(tmp_path / "scans.zip").read_bytes()]
    with zipfile.ZipFile(tmp_path / "scans.zip") as archive:
        scan = [*archive.read("bright/0.png")]
    go_to(page, "learn")
    own_classes(page, "dark; bright")
    page.evaluate(DROPPED, ["scans.zip", scans])
    page.wait_for_selector(".ps-learn[data-state=done]")
    expect(page.locator("body")).to_have_attribute("data-view", "learn")
    for view in ("learn", "understand", "results"):
        go_to(page, view)
        page.evaluate(DROPPED, ["scan.png", scan])
        expect(page.locator("body")).to_have_attribute("data-view", "certify")
        expect(page.locator(".ps-picker button[aria-pressed=true]")).to_have_count(0)
        page.wait_for_selector(OVER)


def test_what_was_learned_is_scored_and_certified_with(page: Page, tmp_path: Path) -> None:
    go_to(page, "learn")
    own_classes(page, "dark; bright")
    file = zip_of_scans(tmp_path / "scans.zip", each=8)
    page.set_input_files("#ps-learn-controls input[type=file]", file)
    page.wait_for_selector(".ps-learn[data-state=done]")
    assert "never learned from: 4 scans" in page.inner_text(".ps-scores h3")
    expect(page.locator(".ps-score")).to_have_count(4)
    ticks = page.locator(".ps-loss text").all_text_contents()
    assert {"0", "300", "Loss", "Step"} <= {*ticks}
    page.click(".ps-use")
    expect(page.locator("body")).to_have_attribute("data-view", "certify")
    expect(page.locator("#ps-method input")).to_have_value("mine: few-shot, 12 scans")


def test_a_zip_with_other_folders_is_answered_with_a_sentence(page: Page, tmp_path: Path) -> None:
    go_to(page, "learn")
    page.set_input_files("#ps-learn-controls input[type=file]", zip_of_scans(tmp_path / "scans.zip"))
    page.wait_for_selector(".ps-learn[data-state=failed]")
    assert "is no class of this task" in page.inner_text(".ps-learn .ps-sentence")


def test_the_view_stands_in_the_address_and_back_goes_back(page: Page) -> None:
    go_to(page, "learn")
    assert "view=learn" in page.url
    go_to(page, "compare")
    page.go_back()
    expect(page.locator(".ps-learn")).to_be_visible()
    page.reload()
    expect(page.locator(".ps-learn")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, server: Server, scheme: Any) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 900}, color_scheme=scheme)
    page.goto(f"{server.url}/?view=compare")
    page.wait_for_selector(".ps-stage[data-state]", state="attached")
    page.click("#ps-compare")
    page.wait_for_selector(COMPARED, timeout=180_000)
    found = [violation["id"] for violation in Axe().run(page).response["violations"]]
    go_to(page, "learn")
    found += [violation["id"] for violation in Axe().run(page).response["violations"]]
    page.close()
    assert found == []


def test_no_width_needs_sideways_scrolling(page: Page) -> None:
    go_to(page, "compare")
    page.click("#ps-compare")
    page.wait_for_selector(COMPARED)
    for view in ("compare", "attack", "learn"):
        go_to(page, view)
        for width in (1920, 1280, 768, 360):
            fits(page, width)
    go_to(page, "compare")
    names = page.locator(".ps-small-name")
    assert names.evaluate_all("all => all.filter((one) => one.scrollWidth > one.clientWidth).length") == 0, "whole"
    legend, curve, title = (
        page.locator(f".ps-curve {part}").bounding_box() for part in (".legend", ".gridlayer", ".xtitle")
    )
    assert legend
    assert curve
    assert title
    assert legend["y"] + legend["height"] < curve["y"], "the legend leaves the curve its place"
    assert curve["y"] + curve["height"] < title["y"]
