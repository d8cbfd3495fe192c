"""From a zip of scans to a bank: what is read, what is refused, and that the bank certifies."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from psmooth.certificate import Plan
from psmooth.errors import PsmoothError, ScanError, TaskError
from psmooth.interface import requests
from psmooth.interface import steps as run_steps
from psmooth.interface.places import Client, Queued
from psmooth.interface.requests import ResolvedTraining, RunRequest, TrainingRequest
from psmooth.interface.settings import Settings
from psmooth.interface.uploads import Upload
from psmooth.learning.from_folders import Gathered, TrainingProgress, drawn_scans, gather, learn_from_scans
from psmooth.models import MedVLM
from psmooth.prompts import load_bank
from psmooth.scans import Crop, crop_scan
from psmooth.scans.archive import MOST_SCANS, read_archive
from psmooth.smoothing import certify
from psmooth.tasks import Task, own_task
from psmooth.views import learn as views_learn

TASK = own_task("dark disc; bright disc", "a picture of a {}.")


def picture(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def archive(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def two_classes(path: Path, dark: str = "dark_disc", bright: str = "Bright-Disc") -> Path:
    levels = {f"scans/{dark}/{n}.png": picture(20 + n) for n in range(3)}
    levels |= {f"scans/{bright}/{n}.png": picture(220 + n) for n in range(3)}
    return archive(path, {**levels, "__MACOSX/scans/._1.png": b"x", "notes.txt": b"hello"})


def test_every_scan_comes_with_its_folder_and_nothing_else_is_read(tmp_path: Path) -> None:
    found = [(folder, int(scan.values[0, 0, 0])) for folder, scan in read_archive(two_classes(tmp_path / "a.zip"))]
    assert found == [("Bright-Disc", n) for n in (220, 221, 222)] + [("dark_disc", n) for n in (20, 21, 22)]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"readme.txt": b"hello"}, "no scan in the zip"),
        ({"a/1.png": b"not a picture"}, "'a/1.png' in the zip"),
        ({f"a/{n}.png": b"" for n in range(MOST_SCANS + 1)}, "at most 2,000"),
    ],
    ids=["no picture", "a broken picture", "too many"],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path, entries: dict[str, bytes], words: str) -> None:
    with pytest.raises(ScanError, match=words):
        list(read_archive(archive(tmp_path / "a.zip", entries)))


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(ScanError, match="not a zip"):
        list(read_archive(tmp_path / "a.zip"))


def course(model: MedVLM, file: Path, task: Task | None, method: str, shots: int = 16) -> Iterator[TrainingProgress]:
    """A whole course without a denoiser, from the zip to the bank."""
    *reading, gathered = gather(model, read_archive(file))
    yield from (step for step in reading if isinstance(step, TrainingProgress))
    assert isinstance(gathered, Gathered)
    yield from learn_from_scans(model, gathered, task, method, "none", shots)


@pytest.mark.parametrize("method", ["few_shot", "label_free", "linear_probe", "label_free_probe"])
def test_a_bank_is_learned_and_certifies(tiny_model: MedVLM, crop: Crop, tmp_path: Path, method: str) -> None:
    steps = list(course(tiny_model, two_classes(tmp_path / "a.zip"), TASK, method, shots=2))
    assert list(dict.fromkeys(step.phase for step in steps)) == ["reading", "encoding", "learning", "done"]
    bank = steps[-1].bank
    assert bank is not None
    assert bank.facts.pool == (4 if method in ("few_shot", "linear_probe") else 6)
    scans = [scan for _, scan in read_archive(tmp_path / "a.zip")]
    known = [bank.learned_on(crop_scan(scan, tiny_model.crop_rule).sha256) for scan in scans]
    assert (known.count(True), known.count(False)) == (bank.facts.pool, 6 - bank.facts.pool)
    (tmp_path / "mine.safetensors").write_bytes(steps[-1].file)
    assert load_bank(tmp_path / "mine.safetensors").pool == bank.pool
    assert bank.learned_on(crop.sha256) is False
    assert len(steps[-1].losses) == bank.facts.steps
    *_, last = certify(tiny_model, crop, task=TASK, methods=(method,), banks=(bank,), plan=Plan(max_votes=50))
    assert last.results[method].run.bank == {
        "id": bank.name,
        "revision": None,
        "sha256": bank.sha256,
        "licence": "see its folder",
        "learned_on_scan": False,
    }
    shown = views_learn.learning(steps[-1])
    assert shown["bank"] is not None
    assert shown["bank"]["name"].endswith(".safetensors")


def test_folder_names_become_the_classes_where_no_task_is_given(tiny_model: MedVLM, tmp_path: Path) -> None:
    *_, last = course(tiny_model, two_classes(tmp_path / "a.zip"), None, "linear_probe", shots=1)
    assert last.bank is not None
    assert last.bank.facts.class_names == ("bright disc", "dark disc")


@pytest.mark.parametrize(
    ("names", "words"),
    [(("dark_disc", "square"), "'square' is no class"), (("dark_disc", "dark-disc"), "no scans of bright_disc")],
)
def test_folders_that_are_not_the_classes_are_refused(
    tiny_model: MedVLM, tmp_path: Path, names: tuple[str, str], words: str
) -> None:
    with pytest.raises(TaskError, match=words):
        list(course(tiny_model, two_classes(tmp_path / "a.zip", *names), TASK, "few_shot"))


def test_while_scans_are_read_others_have_the_device(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    asked = TrainingRequest(None, Settings(weights, "chest_xray", way="linear_probe", shots=1))
    reading = run_steps.training_steps(asked, Client("10.0.0.1", "one"))
    assert next(step for step in reading if isinstance(step, TrainingProgress)).phase == "reading"
    request = RunRequest(requests.example_scan(0), Settings(weights, "blood_cells", votes=100))
    steps = list(run_steps.certify_steps(request, Client("10.0.0.2", "two")))
    assert not any(isinstance(step, Queued) for step in steps)
    phases = [step.phase for step in reading if isinstance(step, TrainingProgress)]
    assert phases[-1] == "done", "what was read is learned from in its turn"


def test_class_names_that_cannot_be_are_refused_before_a_scan_is_read(tmp_path: Path) -> None:
    file = two_classes(tmp_path / "a.zip").open("rb")
    asked = TrainingRequest(Upload(file), Settings("pocket", "own", class_names="only one"))
    with pytest.raises(TaskError):
        next(run_steps.training_steps(asked))
    assert file.closed, "nobody will read it any more"


def test_what_is_learned_is_resolved_once_from_the_settings() -> None:
    settings = Settings(
        "m", "own", class_names="a; b", template="an {}.", way="linear_probe", denoiser="median", shots=3
    )
    training = TrainingRequest(None, settings).resolve()
    assert training == ResolvedTraining("m", own_task("a; b", "an {}."), "linear_probe", "median", 3)
    assert TrainingRequest(None, Settings("m", "own")).resolve().task is None, "the folders name the classes"


def test_scans_can_be_drawn_only_where_there_are_phantoms() -> None:
    found = list(drawn_scans("chest_xray", each=1))
    assert [folder for folder, _ in found] == ["normal", "bacterial_pneumonia", "viral_pneumonia"]
    with pytest.raises(PsmoothError, match="blood_cells"):
        list(drawn_scans("brain_mri"))
