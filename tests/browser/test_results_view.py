"""The view Results as a visitor has it: curves, table, link, CSV, records of one's own."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from psmooth.files import resource
from psmooth.views.locale import translations
from tests.browser.conftest import OVER, Watched, fits
from tests.serving import Server

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = ROOT / "docs" / "evaluation"
FOUR = ("blood_cells", "chest_xray", "lung_colon_histology", "brain_mri")
RECORDS = "#ps-results-column input[type=file]"
MEASURED = ".ps-results-measured"
DRAWN = f"{MEASURED} .ps-results-plot .main-svg"
NAMES = "all => all.map(one => one.querySelector('span').textContent)"


def rows(page: Page, kind: str) -> dict[str, list[str]]:
    """The rows of the table of one kind of guarantee: what stands in each, by its name."""
    body = page.locator(f"{MEASURED} tbody[data-kind={kind}] tr:has(td)")
    found = body.evaluate_all(
        "all => all.map(row => [row.cells[0].querySelector('span').textContent, "
        "...[...row.cells].slice(1).map(cell => cell.firstChild.textContent)])"
    )
    return {name: cells for name, *cells in found}


def open_view(watched: Watched, query: str = "") -> Page:
    page = watched.page
    page.goto(f"{watched.url}/?view=results&{query}")
    page.wait_for_selector(DRAWN)
    return page


def summary(folder: str, method: str, denoiser: str, noise: float) -> dict[str, Any]:
    told = json.loads((EVALUATION / folder / "summary.json").read_text("utf-8"))
    return next(
        one for one in told if (one["method"], one["denoiser"], one["noise_level"]) == (method, denoiser, noise)
    )


def test_the_table_says_what_the_summary_says_and_keeps_the_kinds_apart(watched: Watched) -> None:
    page = open_view(watched)
    plain, frozen = rows(page, "unconditional"), rows(page, "frozen_prompt")
    assert [*frozen] == ["zero-shot", "combined"]
    assert [*plain][:5] == ["hand-written", "few-shot", "label-free", "linear probe", "label-free probe"]
    told = summary("blood_cells", "linear_probe", "none", 0.5)
    shares = [100 * told["certified"][radius][0] for radius in ("0", "0.1", "0.25", "0.5", "0.75", "1")]
    assert [float(cell) for cell in plain["linear probe"][:6]] == pytest.approx(shares, abs=0.051)
    assert plain["linear probe"][7:] == [f"{100 * told['abstained']:.1f}", f"{100 * told['clean']:.1f}", "56"]
    retrained = summary("blood_cells-noisy", "template", "none", 0.5)["certified"]["0.5"][0]
    assert float(plain["hand-written, model retrained with noise"][3]) == pytest.approx(100 * retrained, abs=0.051)
    panels = page.locator(f"{MEASURED} .ps-results-panel")
    assert panels.evaluate_all("all => all.map(one => one.dataset.kind)") == ["unconditional", "frozen_prompt"]
    assert panels.nth(1).locator(".ps-results-chip").evaluate_all(NAMES) == [*frozen]
    printed = json.loads(resource("assets", "printed.json").read_text("utf-8"))
    cells = page.locator(".ps-results-printed td").all_text_contents()
    assert [float(cell) for cell in cells] == [share for row in printed["rows"] for share in row["percent"]]
    asides = page.locator(".ps-results-printed tbody tr:has(small)")
    expect(asides).to_have_count(1)
    expect(asides).to_contain_text("Diffusion Smoothing100 images, it seems")
    assert "MICCAI 2024, Table 2" in page.inner_text(".ps-results-printed a")
    page.locator(f"{MEASURED} .ps-results-plot .nsewdrag").first.hover(position={"x": 60, "y": 60})
    expect(page.locator(f"{MEASURED} .hoverlayer .hovertext")).to_contain_text("56 scans · clean")


def test_a_choice_is_drawn_at_once_and_restored_by_its_link(watched: Watched) -> None:
    page = open_view(watched)
    page.wait_for_selector(OVER, state="attached")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.select_option(".ps-results select[data-part=task]", "chest_xray")
    page.select_option(".ps-results select[data-part=by]", "denoiser")
    page.locator(f"{MEASURED} .ps-results-chip", has_text="wavelet").click()
    assert [*rows(page, "unconditional")][:2] == ["none", "Gaussian blur"]
    assert "wavelet threshold" not in rows(page, "unconditional")
    page.wait_for_function("location.search.includes('results-off=wavelet')")
    assert asked == [], "drawn from what the page has"
    before, link = rows(page, "unconditional"), page.url
    page.goto(link)
    page.wait_for_selector(DRAWN)
    expect(page.locator(".ps-results select[data-part=by]")).to_have_value("denoiser")
    assert rows(page, "unconditional") == before
    page.wait_for_selector(OVER, state="attached")
    page.goto(f"{watched.url}/?view=results&results-task=<b>&results-noise=NaN&results-by=scan&results-off=%22")
    page.wait_for_selector(DRAWN)
    expect(page.locator(".ps-results select[data-part=task]")).to_have_value("blood_cells")
    page.select_option(".ps-results select[data-part=denoiser]", "wiener")
    page.select_option(".ps-results select[data-part=noise]", "1")
    expect(page.locator(".ps-results select[data-part=denoiser]")).not_to_have_value("wiener")
    assert rows(page, "unconditional"), "what a part does not go with gives way"
    page.select_option(".ps-results select[data-part=model]", "pocket-noisy")
    assert [*rows(page, "unconditional")] == ["hand-written"]
    expect(page.locator(f"{MEASURED} .ps-results-panel")).to_have_count(1)


def test_the_mean_of_four_tasks_is_a_choice_that_says_which(watched: Watched) -> None:
    page = open_view(watched)
    page.select_option(".ps-results select[data-part=task]", label="Mean of four tasks")
    made = page.locator(".ps-results-made")
    expect(made).to_contain_text("Mean of blood cells, chest X-ray, lung and colon tissue, brain MRI; tasks weigh")
    plain = rows(page, "unconditional")
    told = [summary(task, "linear_probe", "none", 0.5)["certified"]["0.25"][0] for task in FOUR]
    assert float(plain["linear probe"][2]) == pytest.approx(25 * sum(told), abs=0.06)
    assert "hand-written, model retrained with noise" in plain
    expect(page.locator(".ps-results-commands")).to_contain_text("--task TASK")
    page.wait_for_function("location.search.includes('results-task=mean')")
    page.select_option(".ps-results select[data-part=task]", "chest_xray")
    expect(made).not_to_contain_text("Mean")


def test_what_curves_were_made_with_is_a_range_where_they_differ(watched: Watched) -> None:
    page = open_view(watched)
    made = page.locator(".ps-results-made")
    expect(made).to_have_text("56 real scans, 1,000 votes each, α = 0.001.")
    page.select_option(".ps-results select[data-part=by]", "task")
    scans = [int(cells[-1]) for cells in rows(page, "unconditional").values()]
    assert min(scans) < max(scans)
    expect(made).to_contain_text(f"{min(scans)}–{max(scans)} real scans, 1,000 votes each, α = 0.001.")
    kept = (EVALUATION / "dermoscopy-noisy" / "records.jsonl").read_text("utf-8").splitlines()
    other = {**json.loads(kept[0]), "run": "0" * 16, "noise_level": 10, "total": 2_000}
    page.evaluate(DROPPED, ["a.jsonl", "\n".join([*kept, json.dumps(other)]) + "\n"])
    page.wait_for_selector(".ps-results[data-state=own]")
    page.select_option(".ps-results select[data-part=by]", "noise")
    most = max(int(cells[-1]) for cells in rows(page, "unconditional").values())
    expect(made).to_have_text(f"Your records: 1–{most} scans, 1,000–2,000 votes each.")


STEPS = """async (row) => {
    const scripts = [...document.querySelectorAll("script")].map((one) => one.src);
    const address = scripts.find((one) => one.endsWith("/page/page.js")).replace("page.js", "results_lines.js");
    const { at, points } = await import(address);
    const found = points(row, { results_point: "", results_point_facts: "" });
    const drawn = (place) => ["y", "low", "high"].map((part) => found[part][place] * 1e4);
    return found.x.map((x, place) => [x, drawn(place), at(row, x)]); }"""


def test_points_of_a_curve_are_those_that_its_table_would_say(page: Page) -> None:
    radii = [0, 0, 3, 10, 10, 10, 11, 250_000, 250_001, 999_999]
    shares = [9_000 - 700 * step for step in range(len(radii))]
    row = {
        "radii": radii,
        "shares": shares,
        "lows": [one - 50 for one in shares],
        "highs": [one + 50 for one in shares],
    }
    told = page.evaluate(STEPS, {**row, "scans": 9, "clean": 9_000})
    assert len(told) > 60
    for x, drawn, said in told:
        assert drawn == pytest.approx(said), x
    assert {round(1e6 * x) for x, *_ in told} >= set(radii)


def test_csv_and_command_are_one_click_away(watched: Watched, tmp_path: Path) -> None:
    page = open_view(watched, "results-noise=0.25&results-task=brain_mri")
    with page.expect_download() as waiting:
        page.click(".ps-results-csv")
    waiting.value.save_as(tmp_path / "table.csv")
    lines = [*csv.DictReader((tmp_path / "table.csv").read_text("utf-8").splitlines())]
    assert {line["guarantee"] for line in lines} == {"unconditional", "frozen_prompt"}
    told = summary("brain_mri", "few_shot", "none", 0.25)
    (line,) = [line for line in lines if line["method"] == "few_shot"]
    values = [float(line[f"{name}_at_0.25"]) for name in ("accuracy", "low", "high")]
    assert values == told["certified"]["0.25"]
    page.evaluate("window.copied = ''; navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.locator(".ps-results-commands button").last.click()
    page.wait_for_function("window.copied")
    words = page.evaluate("window.copied").split()
    assert words[:3] == ["psmooth", "evaluate", "FOLDER"]
    assert words[words.index("--task") + 1] == "brain_mri"
    assert words[words.index("--noise") + 1] == "0.25"
    assert (ROOT / page.locator(".ps-results-commands code").first.inner_text().split()[1]).is_file()


DROPPED = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); }"""


def test_records_of_ones_own_are_dropped_drawn_and_left_again(page: Page) -> None:
    text = (EVALUATION / "dermoscopy-noisy" / "records.jsonl").read_text("utf-8")
    page.evaluate(DROPPED, ["our hospital.jsonl", text])
    page.wait_for_selector(".ps-results[data-state=own]")
    expect(page.locator("body")).to_have_attribute("data-view", "results")
    told = summary("dermoscopy-noisy", "template", "none", 0.5)["certified"]["0.25"][0]
    page.select_option(".ps-results select[data-part=by]", "noise")
    assert [*rows(page, "unconditional")] == ["σ = 0.25", "σ = 0.5"]
    assert float(rows(page, "unconditional")["σ = 0.5"][2]) == pytest.approx(100 * told, abs=0.051)
    expect(page.locator(".ps-results-made")).to_contain_text("scans, 1,000 votes each.")
    assert "our hospital" not in page.content()
    assert "results-" not in page.url
    page.set_input_files(RECORDS, {"name": "a.jsonl", "mimeType": "text/plain", "buffer": b"<b>no</b>\n"})
    page.wait_for_selector(".ps-results[data-state=failed]")
    expect(page.locator(".ps-results-said")).to_contain_text("Line 1 is no record of an evaluation")
    assert [*rows(page, "unconditional")] == ["σ = 0.25", "σ = 0.5"], "what was drawn stays"
    page.set_input_files(RECORDS, {"name": "a.jsonl", "mimeType": "text/plain", "buffer": b" " * 16_000_001})
    expect(page.locator(".ps-results-said")).to_contain_text("larger than 16 MB")
    page.click(".ps-results-back")
    page.wait_for_selector(".ps-results[data-state=shipped]")
    assert len(rows(page, "unconditional")) == 6


def test_it_is_used_by_keys_fits_every_width_and_speaks_another_language(watched: Watched) -> None:
    page = open_view(watched)
    page.focus(".ps-results select[data-part=noise]")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.locator(f"{MEASURED} .ps-results-chip").first).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(f"{MEASURED} .ps-results-note")).to_contain_text("the 95 % interval of few-shot")
    page.keyboard.press("Space")
    expect(page.locator(f"{MEASURED} .ps-results-chip").nth(1)).to_have_attribute("aria-pressed", "false")
    expect(page.locator(f"{MEASURED} .ps-results-chip").nth(1)).to_be_focused()
    page.keyboard.press("Space")
    for width in (1920, 1320, 1000, 760, 390, 360):
        fits(page, width)
    page.select_option(".ps-language", "de")
    said = translations("de")
    expect(page.locator(f"{MEASURED} h2")).to_have_text(said["Certified accuracy against radius"])
    expect(page.locator(f"{MEASURED} .ps-results-chip").first).to_have_text(said["hand-written"])
    expect(page.locator(f"{MEASURED} thead")).to_contain_text("r = 0,25")
    assert rows(page, "unconditional")[said["hand-written"]][6] == "0,090", "a radius is no count"


def test_axe_finds_nothing(browser: Browser, server: Server) -> None:
    page = browser.new_page(viewport={"width": 1320, "height": 900}, color_scheme="light")
    page.goto(f"{server.url}/?view=results&results-off=few_shot")
    page.wait_for_selector(DRAWN)
    for dark in (False, True):
        if dark:
            page.click(".ps-theme")
            page.wait_for_function("document.body.classList.contains('dark')")
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    page.close()
