"""Galleries: a folder or a data set in the Hub's ImageFolder form, with licence and source."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from psmooth.certificate import verify
from psmooth.errors import HubError, ScanError
from psmooth.hub import Hub
from psmooth.interface import requests
from psmooth.interface import steps as run_steps
from psmooth.interface.gallery import MOST, PHANTOMS, read_gallery
from psmooth.interface.requests import ChosenScan, RunRequest
from psmooth.interface.settings import Settings
from psmooth.interface.steps import RunStep
from psmooth.models import MODELS
from psmooth.scans import MAX_FILE_BYTES, Scan
from psmooth.smoothing import Comparison
from psmooth.tasks import TASKS
from tests.hub.server import serving


def gallery(folder: Path, rows: str, *names: str) -> Path:
    folder.mkdir()
    (folder / "metadata.csv").write_bytes(rows.encode("utf-8", "surrogatepass"))
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(80))
    return folder


def test_labels_become_tasks_and_classes_where_one_task_knows_them(tmp_path: Path) -> None:
    rows = "file_name,label,source,license\na/1.png,Monocyte,A hospital,CC BY 4.0\n2.png,something else,,\n"
    found = read_gallery(str(gallery(tmp_path / "mine", rows, "a/1.png", "2.png")))
    first, second = found.items
    assert (first.task, first.class_id, first.truth) == ("blood_cells", "monocyte", "monocyte")
    assert (first.source, first.licence) == ("A hospital", "CC BY 4.0")
    assert (second.task, second.truth) == ("", "something else")
    assert first.open().values.shape == (20, 30, 3)


def test_a_label_that_two_tasks_have_needs_the_task(tmp_path: Path) -> None:
    rows = "file_name,label,task\n1.png,normal,\n2.png,normal,chest_xray\n3.png,,chest_xray\n"
    first, second, third = read_gallery(str(gallery(tmp_path / "mine", rows, "1.png", "2.png", "3.png"))).items
    assert (first.task, first.truth) == ("", "normal")
    assert (second.task, second.truth) == ("chest_xray", TASKS["chest_xray"].class_names[0])
    assert (third.task, third.class_id) == ("chest_xray", "")


def test_no_more_are_shown_than_fit(tmp_path: Path) -> None:
    rows = "file_name\n" + "1.png\n" * (MOST + 5)
    assert len(read_gallery(str(gallery(tmp_path / "mine", rows, "1.png"))).items) == MOST


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("picture\n1.png\n", "column file_name"),
        ("file_name\n", "column file_name"),
        ("file_name\n../1.png\n", "outside of its folder"),
        ("file_name\n/etc/passwd\n", "outside of its folder"),
        ("file_name\n..\\\\1.png\n", "outside of its folder"),
        ("file_name\nC:1.png\n", "outside of its folder"),
        ("file_name\n[1].png\n", "rename"),
        ("file_name\n9.png\n", "not there"),
        ("file_name,label\n1.png,\ud800\n", "cannot be read"),
        ("file_name\n" + "x" * 200_000 + "\n", "cannot be read"),
    ],
)
def test_what_is_no_gallery_is_refused_in_a_sentence(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(ScanError, match=words):
        read_gallery(str(gallery(tmp_path / "mine", rows, "1.png")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError, match="no gallery"):
        read_gallery(str(tmp_path / "empty"))


def test_a_row_with_more_cells_than_columns_is_read_without_them(tmp_path: Path) -> None:
    (item,) = read_gallery(
        str(gallery(tmp_path / "mine", "file_name,label\n1.png,a nevus,more,still\n", "1.png"))
    ).items
    assert item.truth == "a nevus"


def test_sizes_are_limited(tmp_path: Path) -> None:
    folder = gallery(tmp_path / "mine", "file_name,label\n1.png," + "x" * 500 + "\n", "1.png")
    assert len(read_gallery(str(folder)).items[0].truth) == 200
    with (folder / "1.png").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ScanError, match="larger than 64 MB"):
        read_gallery(str(folder))
    with (folder / "metadata.csv").open("r+b") as file:
        file.truncate(16_000_001)
    with pytest.raises(ScanError, match="larger than 16 MB"):
        read_gallery(str(folder))


def test_where_a_row_has_no_licence_the_card_holds(tmp_path: Path) -> None:
    folder = gallery(tmp_path / "mine", "file_name,licence\n1.png,\n2.png,CC0\n", "1.png", "2.png")
    for card, licence in {
        "---\nlicense: cc-by-nc-nd-4.0\n---\n# Slides\nlicense: mit\n": "cc-by-nc-nd-4.0",
        '---\ntags:\n- x\nlicense: other\nlicense_name: "look, no copies"\n---\n': "look, no copies",
        "# A card without a head\nlicense: mit\n": "",
    }.items():
        (folder / "README.md").write_text(card, encoding="utf-8")
        assert [item.licence for item in read_gallery(str(folder)).items] == [licence, "CC0"]


def picture(grey: int) -> bytes:
    file = io.BytesIO()
    pixels = np.full((20, 30, 3), grey, np.uint8)
    pixels[0] = 0  # a crop of one level is refused
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_data_set_is_shown_at_its_commit_from_the_cache_and_only_what_is_shown_is_fetched(tmp_path: Path) -> None:
    rows = b"file_name,label,source\nimages/1.png,melanoma,A clinic\nimages/2.png,nevus,\n"
    files = {f"images/{number}.png": picture(number) for number in (1, 2, 3)}
    card = b"---\nlicense: cc-by-nc-nd-4.0\n---\n"
    with serving() as server:
        commit = server.add("somebody/skin", {"metadata.csv": rows, "README.md": card, **files}, "dataset")
        hub = Hub(endpoint=server.url, cache=tmp_path / "cache")
        first = read_gallery("somebody/skin", hub)
        assert not [path for _, path, _ in server.asked if "3.png" in path]
        server.asked.clear()
        assert read_gallery(f"somebody/skin@{commit}", hub) == first
        assert server.asked == []
        server.add("somebody/skin", {"metadata.csv": b"file_name\n1.png\n", "1.png": picture(9)}, "dataset")
        assert read_gallery(f"somebody/skin@{commit}", hub) == first
        with pytest.raises(HubError, match="no repository somebody/nothing"):
            read_gallery("somebody/nothing", hub)
        server.add("somebody/bare", {"README.md": card}, "dataset")
        with pytest.raises(ScanError, match="somebody/bare is no gallery"):
            read_gallery("somebody/bare", hub)
    assert (first.name, first.revision, first.source) == ("somebody/skin", commit, f"somebody/skin @ {commit}")
    melanoma, nevus = first.items
    assert (melanoma.task, melanoma.class_id, melanoma.source) == ("dermoscopy", "melanoma", "A clinic")
    assert (nevus.source, nevus.licence) == ("somebody/skin on the Hub", "cc-by-nc-nd-4.0")
    assert melanoma.file is not None
    assert melanoma.file.is_relative_to(tmp_path / "cache")
    assert melanoma.open().values.max() == 1
    assert (
        read_gallery(f"somebody/skin@{commit}", Hub(endpoint="http://127.0.0.1:9", cache=tmp_path / "cache")) == first
    )


def test_drawn_examples_are_a_gallery_like_any_other() -> None:
    assert {item.task for item in PHANTOMS.items} == set(MODELS["pocket"].task_ids)
    for item in PHANTOMS.items:
        assert item.truth == TASKS[item.task].class_name(item.class_id)
        assert item.licence == "Apache-2.0"
    assert PHANTOMS.revision is None
    assert PHANTOMS.source == "drawn examples"
    assert PHANTOMS.items[0].open().values.ndim == 3


# --- in the certificate


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch, tiny_model_folder: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """What the page shows at the end of a short run on a specimen of a gallery, or on any other one."""
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)

    def certify(place: str = "", chosen: ChosenScan | None = None) -> Any:
        monkeypatch.setenv("PSMOOTH_GALLERY", place)
        requests.gallery.cache_clear()
        requests.example_scan.cache_clear()
        chosen = chosen or requests.example_scan(0)
        *_, last = run_steps.certify_steps(RunRequest(chosen, Settings(weights, "dermoscopy", votes=100)))
        assert isinstance(last, RunStep)
        return last.stage()

    yield certify
    requests.gallery.cache_clear()
    requests.example_scan.cache_clear()


def test_a_scan_of_a_gallery_carries_it_into_page_and_certificate_without_its_file_name(
    certified: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    rows = "file_name,label,source,licence\nJane_Doe.png,melanoma,A clinic,CC BY 4.0\n"
    stage = certified(str(gallery(tmp_path / "mine", rows, "Jane_Doe.png")))
    assert verify(stage["certificate"]).ok
    told = {"id": "mine", "revision": None, "licence": "CC BY 4.0", "source": "A clinic"}
    assert json.loads(stage["certificate"])["gallery"] == told
    assert dict(stage["facts"])["Gallery"] == "mine · CC BY 4.0"
    assert "melanoma" in dict(stage["facts"])["Labelled as"]
    assert "Jane" not in stage["certificate"] + str(stage["facts"]) + str(stage["report"])
    drawn = certified()
    assert json.loads(drawn["certificate"])["gallery"]["id"] == PHANTOMS.name
    assert "monocyte" in dict(drawn["facts"])["Drawn as"]


def test_a_data_set_is_named_with_its_commit(certified: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    files = {"metadata.csv": b"file_name,label\n1.png,nevus\n", "1.png": picture(90), "README.md": b"# No licence\n"}
    with serving() as server:
        commit = server.add("somebody/skin", files, "dataset")
        found = read_gallery("somebody/skin", Hub(endpoint=server.url, cache=tmp_path / "cache"))
    example = found.items[0]
    stage = certified(chosen=ChosenScan(example.open(), example.truth, found.origin_of(example)))
    told = {"id": "somebody/skin", "revision": commit, "licence": None, "source": "somebody/skin on the Hub"}
    assert json.loads(stage["certificate"])["gallery"] == told
    assert dict(stage["facts"])["Gallery"] == f"somebody/skin @ {commit[:8]} · no licence stated"


def test_a_visitor_s_own_scan_names_no_gallery(certified: Callable[..., dict[str, Any]], scan: Scan) -> None:
    stage = certified(chosen=ChosenScan(scan))
    assert json.loads(stage["certificate"])["gallery"] is None
    assert "Gallery" not in dict(stage["facts"])


def test_a_comparison_carries_the_gallery_too(
    certified: Callable[..., dict[str, Any]], tiny_model_folder: Path
) -> None:
    certified()
    chosen, weights = requests.example_scan(1), f"local-dir:{tiny_model_folder}"
    request = RunRequest(chosen, Settings(weights, "blood_cells", votes=64), every_method=True)
    *_, last = run_steps.compare_steps(request)
    assert isinstance(last, Comparison)
    named = [result.run.gallery for results in last.sweep.values() for result in results.values()]
    assert named
    assert all(one == PHANTOMS.origin_of(PHANTOMS.items[1]) for one in named)


def test_a_folder_without_a_name_of_its_own_is_still_a_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(gallery(tmp_path / "mine", "file_name\n1.png\n", "1.png"))
    found = read_gallery(".")
    assert found.origin_of(found.items[0]) == {"id": "mine", "revision": None, "licence": None, "source": None}
