"""From a zip of scans to a bank: what is read, what is refused, and that the bank certifies."""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
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
from psmooth.learning.from_folders import Gathered, TrainingProgress, drawn_scans, gather, hold_out, learn_from_scans
from psmooth.learning.held_out import MOST_HELD_OUT, HeldOut, Share, Shortage, held_out_rows
from psmooth.methods import WAYS, Way
from psmooth.models import MedVLM
from psmooth.prompts import load_bank
from psmooth.scans import Crop, crop_scan
from psmooth.scans.archive import MOST_SCANS, archive_folders, read_archive
from psmooth.scans.crop import crop_sha256
from psmooth.smoothing import certify
from psmooth.smoothing.held_out import PLAN, SEED, learn_and_score
from psmooth.smoothing.intervals import interval
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


def learn_from_zip(
    model: MedVLM, file: Path, task: Task | None, method: str, shots: int = 16
) -> Iterator[TrainingProgress]:
    """A whole course without a denoiser, from the zip to the bank."""
    *reading, gathered = gather(model, read_archive(file))
    yield from (step for step in reading if isinstance(step, TrainingProgress))
    assert isinstance(gathered, Gathered)
    yield from learn_from_scans(model, gathered, task, method, "none", shots)


@pytest.mark.parametrize("method", ["few_shot", "label_free", "linear_probe", "label_free_probe"])
def test_a_bank_is_learned_and_certifies(tiny_model: MedVLM, crop: Crop, tmp_path: Path, method: str) -> None:
    steps = list(learn_from_zip(tiny_model, two_classes(tmp_path / "a.zip"), TASK, method, shots=2))
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
    *_, last = learn_from_zip(tiny_model, two_classes(tmp_path / "a.zip"), None, "linear_probe", shots=1)
    assert last.bank is not None
    assert last.bank.facts.class_names == ("Bright-Disc", "dark_disc"), "as they are written"


@pytest.mark.parametrize(
    ("names", "words"),
    [(("dark_disc", "square"), "'square' is no class"), (("dark_disc", "dark-disc"), "no scans of bright disc")],
)
def test_folders_that_are_not_the_classes_are_refused(
    tiny_model: MedVLM, tmp_path: Path, names: tuple[str, str], words: str
) -> None:
    with pytest.raises(TaskError, match=words):
        list(learn_from_zip(tiny_model, two_classes(tmp_path / "a.zip", *names), TASK, "few_shot"))


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
        "m", "own", class_names="a; b", template="an {}.", way="linear_probe_closed_form", denoiser="median", shots=3
    )
    training = TrainingRequest(None, settings).resolve()
    way = Way("linear_probe_closed_form", "linear_probe", closed_form=True)
    assert training == ResolvedTraining("m", own_task("a; b", "an {}."), way, "median", 3, 0.25)
    assert TrainingRequest(None, Settings("m", "own")).resolve().task is None, "the folders name the classes"


def test_scans_can_be_drawn_only_where_there_are_phantoms() -> None:
    found = list(drawn_scans("chest_xray", each=1))
    assert [folder for folder, _ in found] == ["normal", "bacterial_pneumonia", "viral_pneumonia"]
    with pytest.raises(PsmoothError, match="blood_cells"):
        list(drawn_scans("pannuke"))


# --- scans that are held out


def many(path: Path, each: int, copies: int = 1) -> Path:
    """Two classes of so many different pictures, every one several times over."""
    levels = [("dark_disc", 10), ("bright_disc", 150)]
    named = {
        f"{name}/{n}-{copy}.png": picture(start + n)
        for name, start in levels
        for n in range(each)
        for copy in range(copies)
    }
    return archive(path, named)


def scored(model: MedVLM, file: Path, task: Task | None, way: str) -> list[TrainingProgress]:
    *_, gathered = gather(model, read_archive(file))
    assert isinstance(gathered, Gathered)
    return list(learn_and_score(model, gathered, task, WAYS[way], "none", shots=2))


@pytest.mark.parametrize("way", ["few_shot", "label_free", "linear_probe_closed_form"])
def test_no_copy_of_a_picture_that_was_held_out_is_learned_from(tiny_model: MedVLM, tmp_path: Path, way: str) -> None:
    file = many(tmp_path / "a.zip", each=8, copies=2)
    steps = scored(tiny_model, file, TASK, way)
    *_, gathered = gather(tiny_model, read_archive(file))
    assert isinstance(gathered, Gathered)
    kept, held = hold_out(gathered, TASK, WAYS[way].method)
    assert isinstance(held, HeldOut)
    apart = {crop_sha256(one.numpy()) for one in held.crops}
    assert (len(apart), sorted(held.labels)) == (4, [0, 0, 1, 1])
    assert apart.isdisjoint(kept.pictures)
    assert {*gathered.pictures} == apart | {*kept.pictures}
    last = steps[-1]
    assert last.bank is not None
    assert last.bank.pool is not None
    assert apart.isdisjoint(last.bank.pool)
    assert "scoring" in {step.phase for step in steps}


def test_scores_are_what_certifying_each_scan_that_was_held_out_comes_to(tiny_model: MedVLM, tmp_path: Path) -> None:
    file = many(tmp_path / "a.zip", each=8)
    last = scored(tiny_model, file, TASK, "linear_probe")[-1]
    *_, gathered = gather(tiny_model, read_archive(file))
    assert isinstance(gathered, Gathered)
    _, held = hold_out(gathered, TASK, "linear_probe")
    assert isinstance(held, HeldOut)
    assert last.bank is not None
    assert last.scores is not None
    for place, (method, banks) in enumerate([("template", ()), ("linear_probe", (last.bank,))]):
        right = certified = 0
        for pixels, label in zip(held.crops, held.labels, strict=True):
            picture = Crop(pixels.numpy(), tiny_model.crop_rule, crop_sha256(pixels.numpy()))
            *_, end = certify(tiny_model, picture, task=TASK, methods=[method], banks=banks, plan=PLAN, seed=SEED)
            wanted, record = TASK.class_ids[label], end.results[method].to_dict()
            right += end.clean[method] == wanted
            certified += record["verdict"] == "certified" and record["predicted"] == wanted
        assert last.scores.right[place].hits == right
        assert last.scores.certified[place].hits == certified
        assert last.scores.right[place].low <= right / last.scores.scans <= last.scores.right[place].high


def test_the_ends_of_an_interval_are_rounded_outwards(tiny_model: MedVLM, tmp_path: Path) -> None:
    last = scored(tiny_model, many(tmp_path / "a.zip", each=4), TASK, "linear_probe")[-1]
    assert last.scores is not None
    for scans in (2, 7, 32):
        for hits in range(scans + 1):
            share = Share(hits, *interval(hits / scans, scans))
            told = replace(last, scores=replace(last.scores, scans=scans, right=(share, share)))
            shown = views_learn.learning(told)["scores"]
            assert shown is not None
            words = shown["measures"][0]["after"]["words"]
            low, high = map(int, re.findall(r"\d+", words)[-2:])
            assert low <= 100 * share.low < low + 1
            assert high - 1 < 100 * share.high <= high


def test_as_many_of_every_class_are_held_out_and_no_more_than_is_announced() -> None:
    pictures, labels = [str(n) for n in range(500)], [int(n >= 100) for n in range(500)]
    rows = held_out_rows(pictures, labels, 2, seed=0)
    assert [labels[row] for row in rows].count(0) == [labels[row] for row in rows].count(1) == MOST_HELD_OUT // 2
    assert held_out_rows(pictures, labels, 2, seed=0) == rows
    assert held_out_rows(pictures, labels, 2, seed=1) != rows


def test_a_picture_under_two_classes_is_never_held_out() -> None:
    pictures, labels = [*"abcdefgh", "a"], [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert held_out_rows(pictures, labels, 2, seed=0) == [], "three of the first class are left"
    pictures, labels = [*"abcdefghi", "a"], [0] * 5 + [1] * 5
    assert all(0 not in held_out_rows(pictures, labels, 2, seed) for seed in range(20))


def test_where_nothing_can_be_held_out_it_is_said_why(tiny_model: MedVLM, tmp_path: Path) -> None:
    last = scored(tiny_model, many(tmp_path / "a.zip", each=3), TASK, "few_shot")[-1]
    assert last.shortage == Shortage("dark disc", 3)
    assert "dark disc" in views_learn.learning(last)["sentence"]
    flat = archive(tmp_path / "flat.zip", {f"{n}.png": picture(10 * n) for n in range(9)})
    last = scored(tiny_model, flat, TASK, "label_free")[-1]
    assert last.shortage == Shortage()
    assert "do not name the classes" in views_learn.learning(last)["sentence"]


@pytest.mark.parametrize(
    ("entries", "classes", "words"),
    [
        ({"1.png": b"no picture"}, "a; b", "lie in no folder, and this way to learn needs labels"),
        ({"1.png": b"no picture"}, "", "so nothing names the classes"),
        ({"a/1.png": b"no picture", "c/1.png": b"no picture"}, "a; b", "'c' is no class"),
    ],
    ids=["flat", "flat, without class names", "another class"],
)
def test_folders_are_looked_at_before_a_scan_is_read(
    models_served: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    entries: dict[str, bytes],
    classes: str,
    words: str,
) -> None:
    weights = models_served.split(";")[0]
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    file = archive(tmp_path / "a.zip", entries)
    assert archive_folders(file) == [Path(name).parent.name for name in sorted(entries)]
    asked = TrainingRequest(Upload(file.open("rb")), Settings(weights, "own", class_names=classes, template="a {}."))
    with pytest.raises(TaskError, match=words):
        list(run_steps.training_steps(asked))
