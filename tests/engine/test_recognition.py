"""Recognition: distances against SciPy's own, alarms for what is no scan, and the check in a certificate."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import mahalanobis

from psmooth import views
from psmooth.certificate import Certificate, Plan, read_certificate, verify
from psmooth.errors import ModelError, ScanError
from psmooth.files import resource
from psmooth.models import MODELS, MedVLM, load_model
from psmooth.phantoms import draw_phantom
from psmooth.recognition import KINDS, Finding, recognise
from psmooth.recognition.description import NUMBERS, describe
from psmooth.recognition.kinds import Kind
from psmooth.recognition.statistics import ENDING, MATRICES, Statistics, read_statistics, statistics_of
from psmooth.scans import Crop, CropRule, check_contrast, crop_scan, open_scan
from psmooth.smoothing import certify, replay
from psmooth.tasks import TASKS, own_task


@pytest.fixture(scope="module")
def pocket() -> MedVLM:
    return load_model("pocket", device="cpu")


def crop_of(values: np.ndarray) -> Crop:
    return crop_scan(open_scan(values))


def small_statistics(rng: np.random.Generator, dim: int) -> Statistics:
    return Statistics(
        ("chest_xray", "brain_mri"),
        np.array([0, 0, 1]),
        rng.normal(size=(3, dim)),
        rng.normal(size=(dim, dim)),
        rng.normal(size=(2, NUMBERS)),
        rng.normal(size=(2, NUMBERS, NUMBERS)) / NUMBERS,
        rng.uniform(1, 2, size=(2, 2)),
        3.0,
    )


# --- distances


def test_a_distance_is_the_sum_of_two_squared_mahalanobis_distances():
    rng = np.random.default_rng(0)
    known, embedding, description = small_statistics(rng, 6), rng.normal(size=(4, 6)), rng.normal(size=(4, NUMBERS))
    found = known.distances(embedding, description)
    precision = known.class_whitening.T @ known.class_whitening
    for row in range(4):
        by_class = [mahalanobis(embedding[row], mean, precision) ** 2 for mean in known.class_means]
        nearest = min(by_class[0], by_class[1]), by_class[2]
        for place, own in enumerate(known.task_whitening):
            ours, own_unit = known.units[:, place]
            described = mahalanobis(description[row], known.task_means[place], own.T @ own) ** 2
            assert found[row, place] == pytest.approx((nearest[place] / ours + described / own_unit) / 3.0)


@pytest.mark.parametrize("change", [lambda x: x[..., ::-1], lambda x: x[:, ::-1], lambda x: np.rot90(x, axes=(1, 2))])
def test_a_description_stays_as_it_is_when_the_crop_is_turned_or_mirrored(change):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    np.testing.assert_allclose(describe(np.ascontiguousarray(change(pixels))), describe(pixels), atol=1e-9)


def test_a_description_knows_levels_and_energy():
    pixels = np.random.default_rng(2).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    grey = pixels.mean(0) / 255
    np.testing.assert_allclose(describe(pixels)[:7], np.quantile(grey, (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)))
    assert len(describe(pixels)) == NUMBERS
    assert describe(pixels)[21:23] == pytest.approx([grey.mean(), grey.std()])


# --- the files that ship


@pytest.mark.parametrize("name", ["pocket", "pocket-noisy"])
def test_statistics_ship_for_every_task_and_class_of_a_pocket_model(name):
    known = statistics_of(load_model(name, device="cpu"))
    assert known is not None
    assert set(known.tasks) == set(MODELS[name].task_ids)
    counts = [int((known.class_tasks == place).sum()) for place in range(len(known.tasks))]
    assert counts == [len(TASKS[task].class_ids) for task in known.tasks]


def test_statistics_of_other_weights_are_refused():
    with pytest.raises(ModelError, match="other weights"):
        read_statistics(resource("assets", "pocket", "pocket" + ENDING), "0" * 64)


@pytest.mark.parametrize("left_out", [*MATRICES, "class_tasks", "facts"])
def test_damaged_statistics_are_refused(tmp_path: Path, left_out: str):
    tensors = load_file(resource("assets", "pocket", "pocket" + ENDING))
    facts = {} if left_out == "facts" else {"facts": json.dumps({"tasks": ["a"], "revision": "x", "threshold": 1})}
    save_file({name: one for name, one in tensors.items() if name != left_out}, tmp_path / "x", facts or None)
    with pytest.raises(ModelError, match="damaged"):
        read_statistics(tmp_path / "x", "x")
    (tmp_path / "y").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="damaged"):
        read_statistics(tmp_path / "y", "x")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("class_means", lambda values: np.full_like(values, np.nan)),
        ("task_whitening", lambda values: np.full_like(values, np.inf)),
        ("class_whitening", lambda values: values[:, :-1]),
        ("task_means", lambda values: values[:, :-1]),
        ("class_tasks", lambda values: np.zeros_like(values)),
        ("class_tasks", lambda values: values[:-1]),
    ],
)
def test_statistics_of_no_numbers_or_of_sizes_that_do_not_match_are_refused(tmp_path: Path, name: str, change):
    path = resource("assets", "pocket", "pocket" + ENDING)
    tensors, facts = load_file(path), safe_open(path, "np").metadata()
    assert read_statistics(path, json.loads(facts["facts"])["revision"])
    save_file({**tensors, name: np.ascontiguousarray(change(tensors[name]))}, tmp_path / "x", facts)
    with pytest.raises(ModelError, match="damaged"):
        read_statistics(tmp_path / "x", json.loads(facts["facts"])["revision"])


@pytest.mark.parametrize("threshold", [0, -1, float("nan"), float("inf")])
def test_a_threshold_that_is_no_distance_is_refused(tmp_path: Path, threshold: float):
    path = resource("assets", "pocket", "pocket" + ENDING)
    facts = json.loads(safe_open(path, "np").metadata()["facts"])
    save_file(load_file(path), tmp_path / "x", {"facts": json.dumps({**facts, "threshold": threshold})})
    with pytest.raises(ModelError, match="damaged"):
        read_statistics(tmp_path / "x", facts["revision"])


def test_a_model_that_answers_with_no_numbers_finds_nothing(tiny_model: MedVLM, crop: Crop, pocket: MedVLM):
    for model, seen in ((tiny_model, crop), (pocket, picture())):
        blind = replace(model, shift=torch.full_like(model.shift, float("nan")))
        assert recognise(blind, seen, "chest_xray") is None


def test_a_model_without_statistics_is_asked_by_prompts(tiny_model: MedVLM, crop: Crop):
    found = recognise(tiny_model, crop, "chest_xray")
    assert found is not None
    embedding = tiny_model.embed_images(torch.from_numpy(crop.pixels[None]).float() / 255)[0]
    means = [tiny_model.embed_texts(kind.prompts).mean(0) for kind in KINDS.values()]
    nearest = max(range(len(means)), key=lambda place: float(embedding @ means[place] / means[place].norm()))
    assert (found.basis, found.kind) == ("prompts", list(KINDS)[nearest])
    assert (found.distance, found.confident) == (None, False)
    assert found.known is None, "nobody says what that model was made for"


def test_a_model_that_reads_no_long_sentences_is_not_asked(
    tiny_model: MedVLM, crop: Crop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(KINDS, "ct", Kind(("a CT slice " * 50,)))
    monkeypatch.setattr("psmooth.recognition.kinds._VECTORS", {})
    assert recognise(tiny_model, crop, "chest_xray") is None


# --- what is recognised


def shuffled(crop: Crop, rng: np.random.Generator) -> Crop:
    """The pixels of a crop in another order."""
    order = rng.permutation(crop.pixels[0].size)
    return replace(crop, pixels=crop.pixels.reshape(3, -1)[:, order].reshape(crop.pixels.shape))


def test_what_is_no_scan_raises_an_alarm(pocket: MedVLM):
    rng = np.random.default_rng(3)
    drawn = crop_of(draw_phantom("chest_xray", "normal", 1).pixels)
    noise = crop_of(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8))
    squares = crop_of(np.kron(rng.integers(0, 2, (8, 8, 1)) * 255, np.ones((16, 16, 3))).astype(np.uint8))
    for picture in (shuffled(drawn, rng), noise, squares):
        found = recognise(pocket, picture, "chest_xray")
        assert found is not None
        assert (found.known, found.likely_task, found.fits, found.confident) == (False, None, False, False)
        assert found.distance is not None
        assert found.distance > 1


def placed(monkeypatch: pytest.MonkeyPatch, **distances: float) -> None:
    every = dict.fromkeys(MODELS["pocket"].task_ids, 9.0) | distances
    monkeypatch.setattr(Statistics, "distances_of", lambda *_: every)


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ("oral_histology", True),
        ("lung_colon_histology", False),
        ("kather_colon", True),
        ("covid", False),
        (own_task("a; b"), None),
        (None, None),
    ],
)
def test_a_scan_fits_its_own_task_and_others_of_its_modality_that_have_no_statistics(
    pocket: MedVLM, monkeypatch: pytest.MonkeyPatch, asked, fits
):
    placed(monkeypatch, oral_histology=0.5)
    found = recognise(pocket, crop_of(draw_phantom("blood_cells", "monocyte", 1).pixels), asked)
    assert found == Finding("statistics", "oral_histology", "oral_histology", True, 0.5, True, fits)


def test_two_tasks_within_the_threshold_have_to_be_asked_for(pocket: MedVLM, monkeypatch: pytest.MonkeyPatch):
    placed(monkeypatch, oral_histology=0.5, lung_colon_histology=0.9)
    found = recognise(pocket, crop_of(draw_phantom("blood_cells", "monocyte", 1).pixels))
    assert found is not None
    assert (found.likely_task, found.known, found.confident) == ("oral_histology", True, False)


# --- nearly constant crops


def test_an_empty_crop_is_refused_and_a_dark_one_with_something_on_it_is_not():
    film = np.random.default_rng(4).integers(0, 4_096, (64, 64)).astype(np.uint16)
    full = CropRule(size=32, window=open_scan(film).window_of(32_767.5, 65_535))
    for rule, values in ((full, film), (CropRule(size=32), np.full((64, 64, 3), (200, 30, 90), np.uint8))):
        with pytest.raises(ScanError, match="next to nothing"):
            check_contrast(crop_scan(open_scan(values), rule))
    dark = np.zeros((32, 32, 3), np.uint8)
    dark[10:14, 10:14] = 40  # 16 in 1,024 pixels
    check_contrast(crop_scan(open_scan(dark), CropRule(size=32)))


# --- the certificate


@pytest.fixture(scope="module")
def result(pocket: MedVLM) -> Certificate:
    picture = crop_of(draw_phantom("blood_cells", "lymphocyte", 3).pixels)
    plan, finding = Plan(max_votes=64), recognise(pocket, picture, "chest_xray")
    *_, last = certify(pocket, picture, task="chest_xray", noise_level=0.12, plan=plan, seed=5, finding=finding)
    return last.results["template"]  # type: ignore[return-value]


def picture() -> Crop:
    return crop_of(draw_phantom("blood_cells", "lymphocyte", 3).pixels)


def test_a_certificate_says_what_was_found_and_a_replay_finds_the_same(pocket: MedVLM, result: Certificate):
    recorded = read_certificate(result.to_json()).run.scan_check
    assert recorded is not None
    assert Finding(**recorded) == recognise(pocket, picture(), "chest_xray")
    assert replay(result, picture(), device="cpu").ok


FORGED = {
    "basis": "prompts", "kind": "chest_xray", "likely_task": "chest_xray", "distance": 0.001, "known": None,
    "confident": None, "fits": True,
}  # fmt: skip


@pytest.mark.parametrize("field", FORGED)
def test_every_forged_field_of_a_check_is_found_by_the_replay_alone(result: Certificate, field: str):
    recorded = result.run.scan_check
    assert recorded is not None
    assert set(recorded) == set(FORGED)
    forged = not recorded[field] if FORGED[field] is None else FORGED[field]
    altered = replace(result, run=replace(result.run, scan_check={**recorded, field: forged}))
    assert verify(altered.to_dict()).ok
    assert [field for field, _ in replay(altered, picture(), device="cpu").problems] == ["scan_check"]


def test_a_certificate_of_before_has_no_check_and_verifies(result: Certificate):
    facts = {name: value for name, value in result.to_dict().items() if name != "scan_check"}
    found = verify(facts).certificate
    assert found is not None
    assert found.run.scan_check is None
    assert replay(found, picture(), device="cpu").ok


# --- the sentence


def test_every_kind_has_words_and_a_sentence_says_what_does_not_fit():
    assert set(views.KIND_WORDS) == set(KINDS) | set(MODELS["pocket"].task_ids)
    found = Finding("statistics", "breast_ultrasound", "breast_ultrasound", True, 0.4, True, False)
    assert views.finding_sentence(found.to_dict(), "blood_cells") == (
        "Looks like a breast ultrasound. The task “blood cells” is about others."
    )
    assert (
        views.finding_sentence(replace(found, fits=True).to_dict(), "breast_ultrasound")
        == "Looks like a breast ultrasound."
    )
    strange = Finding("statistics", None, None, False, 7.5, False, False)
    assert "unlike any" in views.finding_sentence(strange.to_dict(), "blood_cells")
    guess = Finding("prompts", "ct", None, False, None, False, False)
    assert views.finding_sentence(guess.to_dict(), "blood_cells") == (
        "Looks like a CT slice: a guess of the model itself. It is none of the kinds of scan that this model is "
        "listed for here."
    )


def test_the_page_warns_where_a_scan_is_none_for_its_model_or_its_task_and_nowhere_else(tiny_model: MedVLM, crop: Crop):
    fitting = Finding("statistics", "blood_cells", "blood_cells", True, 0.4, True, True)
    for finding, said in (
        (None, ""),
        (fitting, ""),
        (replace(fitting, fits=False), "is about others"),
        (Finding("statistics", None, None, False, 7.5, False, False), "unlike any"),
        (Finding("prompts", "ct", None, None, None, False, None), ""),
    ):
        *_, end = certify(tiny_model, crop, task="blood_cells", plan=Plan(max_votes=32), seed=1, finding=finding)
        shown = views.stage(end, "template", 32, [])["doubt"]
        assert said in shown if said else not shown
