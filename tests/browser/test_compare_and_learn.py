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
from tests.browser.conftest import OVER, fits
from tests.serving import Server

COMPARED = ".ps-compare[data-state=done]"


def go_to(page: Page, view: str) -> None:
    page.click(f".ps-nav a[data-view={view}]")
    expect(page.locator(f".ps-nav a[data-view={view}]")).to_have_attribute("aria-current", "page")


def zip_of_scans(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, level in (("dark", 30), ("bright", 220)):
            for number in range(3):
                file = io.BytesIO()
                Image.fromarray(np.full((40, 40, 3), level + number, np.uint8)).save(file, "PNG")
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
    for view in ("compare", "learn", "understand", "certify"):
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
    assert len(traces) == 2
    for trace in traces:
        assert "%{y" not in trace["hovertemplate"]
        for told, radius in zip(trace["text"], trace["y"], strict=True):
            number = told.split(": ")[1].split(" · ")[0]
            assert number == ("–" if not radius else views.radius_text(radius))


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
    expect(page.locator(".ps-group").first).to_be_hidden()  # a comparison leaves with its scan


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
    page.click("#ps-certify")
    page.wait_for_selector(".ps-stage:not([data-state=certified], [data-state=abstained])")
    page.wait_for_selector(OVER)
    with page.expect_download() as waiting:
        page.click(".ps-stage .ps-download")
    waiting.value.save_as(tmp_path / "c.json")
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["method"] == "few_shot"
    assert record["class_names"] == ["dark", "bright"]
    assert not [path for path in server.uploads.rglob("*.zip") if path.stat().st_size]


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
    page.wait_for_selector(COMPARED, timeout=60_000)
    found = [violation["id"] for violation in Axe().run(page).response["violations"]]
    go_to(page, "learn")
    found += [violation["id"] for violation in Axe().run(page).response["violations"]]
    page.close()
    assert found == []


def test_no_width_needs_sideways_scrolling(page: Page) -> None:
    go_to(page, "compare")
    page.click("#ps-compare")
    page.wait_for_selector(COMPARED)
    for view in ("compare", "learn"):
        go_to(page, view)
        for width in (1920, 1280, 768, 360):
            fits(page, width)
