"""Several runs on one scan are listed, and a certificate that is brought to the page is checked there."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from psmooth import views
from psmooth.interface.assets import imported
from psmooth.views.locale import translations
from tests.browser.conftest import OVER, next_run
from tests.records import a_progress, a_result


def certify_again(page: Page) -> None:
    with next_run(page):
        page.click("#ps-certify")


def test_runs_on_one_scan_are_listed_with_their_joint_alpha_and_are_there_when_it_comes_back(page: Page) -> None:
    expect(page.locator(".ps-runs")).to_be_hidden()
    certify_again(page)
    expect(page.locator(".ps-runs summary")).to_contain_text("2 runs on this scan")
    expect(page.locator(".ps-runs summary")).to_contain_text("0.002")
    page.click(".ps-runs summary")
    expect(page.locator(".ps-runs tbody tr")).to_have_count(2)
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.click(".ps-picker button:nth-child(3)")
    expect(page.locator(".ps-runs")).to_be_hidden()
    page.wait_for_selector(OVER)
    page.click(".ps-picker button:nth-child(1)")
    expect(page.locator(".ps-runs summary")).to_contain_text("3 runs on this scan")
    page.click("#ps-clear")
    page.click(".ps-picker button:nth-child(1)")
    page.wait_for_selector(OVER)
    expect(page.locator(".ps-runs")).to_be_hidden()


# Mounts the stage a second time, on a copy, and keeps what shows a step.
MOUNT = """async ([step, words, budget]) => {
  const certify = await CERTIFY;
  const copy = document.createElement("div");
  copy.id = "again";
  copy.append(document.querySelector("#ps-stage-column .ps-stage").cloneNode(true));
  document.querySelector("#ps-stage-column").append(copy);
  const props = { value: step, words, budget };
  certify.mount(copy, props, (_, told) => { window.next = (value) => { props.value = value; told(); }; }, () => {});
}""".replace("CERTIFY", imported("page/certify"))


def test_a_run_has_begun_however_fast_it_is_over(page: Page) -> None:
    step = views.stage(a_progress(a_result((900, 60, 40), "complete"), "done"), "template", 128, [])
    page.evaluate(MOUNT, [step, views.PAGE_WORDS, views.BUDGET_WORDS])
    begun = """async (step) => {
      const { onLoading } = await STAGE;
      let begun = 0;
      onLoading(() => (begun += 1));
      window.next({ ...step, state: "loading" });
      window.next(step);
      return begun;
    }""".replace("STAGE", imported("page/stage"))
    assert page.evaluate(begun, step) == 1
    expect(page.locator("#again .ps-stage")).to_have_attribute("data-state", step["state"])


def test_that_a_run_began_again_stays_in_sight_to_its_end(page: Page) -> None:
    steps = [
        views.stage(a_progress(a_result((900, 60, 40), ended), phase), "template", 128, [])
        for phase, ended in (("selection", "running"), ("estimation", "running"), ("done", "complete"))
    ]
    notice = page.locator("#again .ps-verdict .ps-restart")
    said = views.restart_notice(16, True)
    page.evaluate(MOUNT, [{**steps[0], "notice": said}, views.PAGE_WORDS, views.BUDGET_WORDS])
    expect(notice).to_be_visible()
    for step in steps:
        page.evaluate("(step) => window.next(step)", {**step, "notice": said})
        expect(page.locator("#again .ps-stage")).to_have_attribute("data-state", step["state"])
        expect(notice).to_be_visible()
        expect(notice).to_have_text(said)
    page.evaluate("(step) => window.next(step)", steps[0])
    expect(notice).to_be_hidden()
    page.evaluate("(step) => window.next(step)", {**steps[2], "reach": 0.01})  # stopped early: not one value by ± 9
    for figure in page.locator("#again .ps-budget figure").all()[:2]:
        expect(figure).to_contain_text("not covered")
    expect(page.locator("#again .ps-budget figcaption").first).to_have_text("1 value by ± 9")


def test_a_certificate_is_checked_by_button_and_by_dropping_it(page: Page, tmp_path: Path) -> None:
    page.wait_for_selector(".ps-download:not([disabled])")
    with page.expect_download() as download:
        page.click(".ps-stage .ps-download")
    file = tmp_path / "certificate.json"
    download.value.save_as(file)
    with page.expect_file_chooser() as chooser:
        page.click(".ps-check")
    chooser.value.set_files(file)
    before, checked = page.inner_text(".ps-verdict"), page.locator(".ps-checked")
    expect(checked.locator("h3")).to_have_text("This certificate holds together.")
    expect(checked).to_be_in_viewport()
    expect(checked.locator("strong")).to_have_text(views.PAGE_WORDS["check_same"])
    counts = checked.locator("tbody td:nth-child(3)").all_inner_texts()
    assert sum(int(count.replace(",", "")) for count in counts) == 1_000
    altered = file.read_text("utf-8").replace('"noise_level": 0.25', '"noise_level": 0.75')
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.items.add(new File([text], "altered.json", { type: "application/json" }));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        altered,
    )
    expect(checked.locator("h3")).to_have_text("This certificate does not hold together.")
    expect(checked.locator("table")).to_be_hidden()
    page.select_option(".ps-language", "de")
    words = translations("de")
    for size in (100, 1_000_001):
        strange: FilePayload = {"name": "jane-doe.png", "mimeType": "image/png", "buffer": b"x" * size}
        page.set_input_files("#ps-stage-column input[type=file]", strange)
        expect(checked.locator("h3")).to_have_text(words["This file is no certificate."])
        page.evaluate("document.querySelector('.ps-checked h3').textContent = ''")
    expect(checked.locator("p")).to_have_text(words[views.PAGE_WORDS["check_large"]])
    assert "jane" not in page.inner_text("body")
    page.select_option(".ps-language", "en")
    expect(page.locator(".ps-verdict .ps-status")).to_have_text("after 1,000 votes")
    assert page.inner_text(".ps-verdict") == before, "the run that is shown stays"
    with next_run(page):
        page.click(".ps-picker button:nth-child(2)")
    page.set_input_files("#ps-stage-column input[type=file]", file)
    expect(checked.locator("strong")).to_have_text(views.PAGE_WORDS["check_other"])
    page.click(".ps-checked-close")
    with page.expect_file_chooser() as chooser:
        page.click(".ps-check")
    chooser.value.set_files(file)
    expect(checked).to_be_visible()  # once more
    page.click("#ps-clear")
    expect(checked.locator("strong")).to_be_hidden()  # no crop is shown


def test_the_frame_of_a_certificate_that_holds_has_not_the_colour_of_a_wrong_answer(page: Page, tmp_path: Path) -> None:
    expect(page.locator(".ps-stage")).to_have_attribute("data-truth", "wrong")
    page.wait_for_selector(".ps-download:not([disabled])")
    with page.expect_download() as download:
        page.click(".ps-stage .ps-download")
    download.value.save_as(tmp_path / "certificate.json")
    page.set_input_files("#ps-stage-column input[type=file]", tmp_path / "certificate.json")
    expect(page.locator(".ps-checked h3")).to_be_visible()
    colour = "([name, side]) => getComputedStyle(document.querySelector(name))[side]"
    assert page.evaluate(colour, [".ps-checked", "borderLeftColor"]) != page.evaluate(colour, [".ps-radius b", "color"])
