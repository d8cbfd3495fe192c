"""Galleries: a folder or a data set in the Hub's ImageFolder form, with licence and source."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from psmooth.errors import ScanError
from psmooth.galleries import MOST, PHANTOMS, read_gallery
from psmooth.tasks import TASKS


def gallery(folder: Path, rows: str, *names: str) -> Path:
    folder.mkdir()
    (folder / "metadata.csv").write_text(rows, encoding="utf-8")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30, 3), 80, np.uint8)).save(folder / name)
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
        ("file_name\n9.png\n", "not there"),
    ],
)
def test_what_is_no_gallery_is_refused_in_a_sentence(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(ScanError, match=words):
        read_gallery(str(gallery(tmp_path / "mine", rows, "1.png")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError, match="no gallery"):
        read_gallery(str(tmp_path / "empty"))


def test_drawn_examples_are_a_gallery_like_any_other() -> None:
    assert len(PHANTOMS.items) == 8
    for item in PHANTOMS.items:
        assert item.truth == TASKS[item.task].class_name(item.class_id)
        assert item.licence == "Apache-2.0"
    assert PHANTOMS.items[0].open().values.ndim == 3
