"""A zip, several files or a folder on the page: a list of series, of which one is chosen; its slices by the slider."""

import io
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import OVER, settle
from tests.dicoms import packed, series

PLANE = ["1", "0", "0", "0", "1", "0"]


def slices(levels: list[int], modality: str, number: str) -> list[bytes]:
    """Slices of one grey level each below a dark edge, the highest in the patient first."""
    places = [["0", "0", str(-at)] for at in range(len(levels))]
    return series(
        levels, modality, 2, SeriesNumber=number, ImagePositionPatient=places,
        ImageOrientationPatient=[PLANE] * len(levels), WindowCenter="500", WindowWidth="1000",
    )  # fmt: skip


def study() -> dict[str, bytes]:
    """Two series of CT and one of MR, under names that are nobody's business."""
    files = [*slices([900, 500, 100], "CT", "1"), *slices([200, 300], "CT", "2"), *slices([400], "MR", "3")]
    return {f"DOE_JANE/{number}": content for number, content in enumerate(files)}


def bring(page: Page, content: bytes) -> None:
    """As by the button, under a name that is nobody's business."""
    file = {"name": "DOE_JANE.zip", "mimeType": "application/zip", "buffer": content}
    page.set_input_files("#ps-scan-card input[type=file]", files=[file])  # type: ignore[list-item]


def grey(page: Page, level: int) -> None:
    """The crop has come to show that level, through the window of the file."""
    shown = "document.querySelector('.ps-crop').getContext('2d').getImageData(9, 9, 1, 1).data[0]"
    page.wait_for_function(f"Math.abs({shown} - 255 * {level} / 1000) < 3")


def test_a_series_is_chosen_from_a_zip_and_its_slices_by_the_slider(page: Page) -> None:
    bring(page, packed(study()))
    listed = page.locator("#ps-series label")
    expect(listed).to_have_text(["1 · CT · 3 pictures", "2 · CT · 2 pictures", "3 · MR · 1 picture"])
    expect(page.locator("h2.ps-headline")).to_contain_text("Which series?")
    expect(page.locator("#ps-scan-frame")).to_be_hidden()
    listed.nth(0).click()
    settle(page)
    facts = page.locator(".ps-scan-facts")
    expect(facts).to_contain_text("CT · frame 2 of 3")
    grey(page, 500)
    slider = page.locator("#ps-scan-frame input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    slider.dispatch_event("pointerup")
    expect(facts).to_contain_text("CT · frame 3 of 3")
    grey(page, 900)
    listed.nth(2).click()
    expect(facts).to_have_text("20 × 16, 16-bit grey, MR")
    grey(page, 400)
    expect(page.locator("#ps-scan-frame")).to_be_hidden()
    page.wait_for_selector(OVER)
    assert "DOE" not in page.inner_text("body")
    page.click("#ps-clear")
    expect(page.locator("#ps-series")).to_be_hidden()


def test_a_zip_without_a_picture_is_said_and_one_of_one_series_is_opened(page: Page) -> None:
    bring(page, packed({"DOE_JANE": b"text"}))
    expect(page.locator("p.ps-sentence").first).to_contain_text(
        "no picture in the folder or zip, but files of other kinds: 1"
    )
    bring(page, packed({f"{number}": content for number, content in enumerate(slices([100, 700, 900], "CT", "1"))}))
    settle(page)
    expect(page.locator(".ps-scan-facts")).to_contain_text("CT · frame 2 of 3")
    grey(page, 700)
    expect(page.locator("#ps-series")).to_be_hidden()
    assert "DOE" not in page.inner_text("body")


def test_several_files_of_the_button_come_together(page: Page, tmp_path: Path) -> None:
    paths = []
    for name, content in study().items():
        paths.append(tmp_path / name.replace("/", "_"))
        paths[-1].write_bytes(content)
    with page.expect_file_chooser() as chooser:
        page.click("#ps-upload")
    chooser.value.set_files(paths)
    expect(page.locator("#ps-series label").nth(1)).to_have_text("2 · CT · 2 pictures")


DROP = """(contents) => {
  const data = new DataTransfer();
  contents.forEach((bytes, at) => data.items.add(new File([new Uint8Array(bytes)], `DOE${at}`)));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def test_several_files_dropped_come_together(page: Page) -> None:
    page.evaluate(DROP, [list(content) for content in study().values()])
    expect(page.locator("#ps-series label").nth(1)).to_have_text("2 · CT · 2 pictures")


IMPORT = """
  const scripts = [...document.querySelectorAll("script")].map((one) => one.src);
  const address = scripts.find((one) => one.endsWith("/page/page.js"));
  const { filesOf, zipped } = await import(address.replace("page.js", "bundle.js"));
"""

BUNDLE = f"""async (contents) => {{ {IMPORT}
  const zip = await zipped(contents.map((bytes, at) => new File([new Uint8Array(bytes)], `DOE${{at}}`)));
  return [...new Uint8Array(await zip.arrayBuffer())];
}}"""


def test_a_bundle_is_a_zip_with_numbers_for_names(page: Page) -> None:
    contents = [b"", b"a" * 70_000, bytes(range(256)) * 9]
    made = bytes(page.evaluate(BUNDLE, [list(one) for one in contents]))
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["1", "2", "3"]
        assert [archive.read(name) for name in archive.namelist()] == contents
    assert b"DOE" not in made


FOLDER = f"""async () => {{ {IMPORT}
  const file = (path, name) => ({{
    isFile: true, name, fullPath: path + name, file: (done) => done(new File([name], name)),
  }});
  const folder = (path, name, inside) => ({{ name, fullPath: path + name, createReader: () => {{
    const told = [inside.slice(0, 2), inside.slice(2), []];
    return {{ readEntries: (done) => done(told.shift()) }};
  }} }});
  const inner = folder("/cd/", "a", [file("/cd/a/", "z"), file("/cd/a/", "y")]);
  const cd = folder("/", "cd", [file("/cd/", "IM10"), file("/cd/", "IM2"), file("/cd/", ".DS_Store"), inner]);
  return Promise.all((await filesOf([cd])).map((one) => one.text()));
}}"""


def test_the_files_of_a_folder_are_found_in_the_order_of_their_names(page: Page) -> None:
    """Its entries as a browser gives them: a few at a time, until there are none."""
    assert page.evaluate(FOLDER) == ["y", "z", "IM2", "IM10"]
