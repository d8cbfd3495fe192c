"""Attacks: held against half-spaces, finite differences and foolbox; what is drawn, stopped, written and added up."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import sqrt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import beta

from psmooth import sampling
from psmooth.attack import (
    QUICK,
    attack,
    attack_folder,
    attack_plain,
    attack_smallest,
    attack_smoothed,
    find_target,
    points_between,
)
from psmooth.attack import pipeline as pipelines
from psmooth.attack.grid import changed_crop, fitted_levels, levels_of
from psmooth.attack.reading import check_attack, whole_attacks
from psmooth.attack.smoothed import JUDGE, Climb, outcome_of
from psmooth.attack.summary import summarise_attacks
from psmooth.certificate import Abstention, Plan, Votes, advance, conclude
from psmooth.command_line.run import main
from psmooth.denoise import Denoiser, LearnedDenoiser, gaussian, wavelet, wiener
from psmooth.errors import CertificateError, PlanError
from psmooth.models import MedVLM
from psmooth.phantoms import PHANTOMS, draw_phantom
from psmooth.scans import Crop, CropRule, crop_scan, crop_sha256, open_scan
from psmooth.smoothing import certification
from psmooth.smoothing.evaluation import EvaluationPlan
from psmooth.smoothing.labelled import labelled_files
from psmooth.smoothing.records import RECORDS, key_of
from psmooth.tasks import TASKS, Task
from tests.records import a_run

SIZE = 16
TWO = Task("two", "two", "none", ("inside", "outside"), ("inside", "outside"), ("{}",))


class Field:
    """A model whose first class loses to the second where a function of the pixels is above 0."""

    spec = SimpleNamespace(id="field", name="field", weights="local-dir:field", licence="none")
    revision = "0" * 64
    input_size = SIZE
    crop_rule = CropRule(size=SIZE)
    device = torch.device("cpu")
    logit_scale = 10.0
    precision = "float32"

    def __init__(self, ahead: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.ahead, self.looks = ahead, 0

    @torch.inference_mode()
    def embed_images(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.embed_images_with_gradients(pixels)

    def embed_images_with_gradients(self, pixels: torch.Tensor) -> torch.Tensor:
        self.looks += 1
        ahead = self.ahead(pixels.flatten(1)).float()
        return torch.stack([-ahead, ahead], 1)

    def embed_prompts(self, _templates: object, class_names: tuple[str, ...]) -> torch.Tensor:
        return torch.eye(len(class_names))


def half_space(distance: float, normal: torch.Tensor, crop: Crop) -> Any:
    """A crop lies inside, at that distance from the plane."""
    unit = normal / normal.norm()
    place = float(levels_of(crop, torch.device("cpu")).flatten().double() @ unit.double()) / 255
    return Field(lambda pixels: pixels.double() @ unit.double() - place - distance)


@pytest.fixture
def grey() -> Crop:
    pixels = np.full((3, SIZE, SIZE), 128, np.uint8)
    return Crop(pixels, CropRule(size=SIZE, box=(0, 0, SIZE, SIZE)), crop_sha256(pixels))


def normal_vector(seed: int) -> torch.Tensor:
    return torch.randn(3 * SIZE * SIZE, generator=torch.Generator().manual_seed(seed))


# --- the grid


@pytest.mark.parametrize("radius", [0.01, 0.1, 0.5, 2.0, 8.0])
@pytest.mark.parametrize("seed", range(3))
def test_levels_along_a_direction_fill_the_radius_and_stay_pixels(radius: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (3, SIZE, SIZE), generator=generator).float()
    direction = torch.randn(3, SIZE, SIZE, generator=generator)
    found = fitted_levels(levels, direction, radius)
    size = float(found.norm()) / 255
    assert torch.equal(found, found.round())
    assert float((levels + found).min()) >= 0
    assert float((levels + found).max()) <= 255
    assert size <= radius
    assert ((found == 0) | (found.sign() == direction.sign())).all()
    dearest = 2 * found.abs().max() + 1  # the square that one level more would cost
    assert (255 * radius) ** 2 - (255 * size) ** 2 < 2 * dearest, "hardly anything more would have fitted"


def test_what_is_flat_is_filled_as_far_as_there_is_room() -> None:
    """Where all values would be rounded up at one scale, none or all of them would be far from the radius."""
    found = fitted_levels(torch.full((3, SIZE, SIZE), 128.0), torch.ones(3, SIZE, SIZE), 10 / 255)
    assert int(found.sum()) == 100
    assert set(found.flatten().tolist()) == {0.0, 1.0}


def test_the_largest_entries_are_kept() -> None:
    direction = normal_vector(1).view(3, SIZE, SIZE)
    found = fitted_levels(torch.full_like(direction, 128), direction, 5 / 255)
    kept = found != 0
    assert int(kept.sum()) == 25
    assert direction[kept].abs().min() >= direction[~kept].abs().max()


# --- half-spaces


@pytest.mark.parametrize(("distance", "seed"), [(0.3, 1), (0.5, 2), (1.0, 3)])
def test_the_plain_attack_finds_the_distance_to_a_plane(grey: Crop, distance: float, seed: int) -> None:
    target = find_target(half_space(distance, normal_vector(seed), grey), grey, task=TWO, batch_size=4)
    *_, last = attack_plain(target)
    assert (last.answer, last.named) == ("inside", "outside")
    assert last.found is not None
    assert distance < last.found.distance < 1.02 * distance
    assert last.found.crop.pixels.dtype == np.uint8
    difference = last.found.crop.pixels.astype(float) - grey.pixels
    assert last.found.distance == pytest.approx(np.linalg.norm(difference) / 255, rel=1e-12)
    assert last.found.largest == np.abs(difference).max()
    assert last.found.crop.sha256 == crop_sha256(last.found.crop.pixels)


def test_the_smoothed_attack_finds_the_distance_to_a_plane(grey: Crop) -> None:
    """The vote of noisy copies turns at the very plane; the judge's votes must see a lead of a hundredth of it."""
    distance, level = 1.5, 0.25
    target = find_target(
        half_space(distance, normal_vector(4), grey), grey, task=TWO, noise_level=level, seed=1, batch_size=512
    )
    judge = Plan(max_votes=4_000, target_radius=1e-6, selection_votes=2_000)
    options = {"steps": 8, "draws": 32, "halvings": 10, "judge": judge}
    *_, last = attack_smallest(target, "inside", 0.6, **options)  # type: ignore[arg-type]
    assert last.done
    assert last.smallest is not None
    assert last.smallest.judged.predicted == "outside"
    assert distance < last.smallest.change.distance < 1.02 * distance
    assert {one.outcome for one in last.attempts if one.change.distance < 0.98 * distance} <= {"held"}


def test_an_attack_at_a_radius_stays_within_it_and_is_judged(grey: Crop) -> None:
    target = find_target(half_space(0.4, normal_vector(5), grey), grey, task=TWO, seed=1, batch_size=64)
    for radius, outcome in ((0.2, "held"), (0.8, "turned")):
        *_, last = attack_smoothed(target, "inside", radius, steps=6, draws=16)
        assert len(last.attempts) == 2
        for one in last.attempts:
            assert 0 < one.change.distance <= radius
            assert one.outcome == outcome
            assert one.judged.run.crop_sha256 == one.change.crop.sha256


def test_a_model_that_never_changes_its_answer_is_not_made_to_fall(grey: Crop) -> None:
    constant: Any = Field(lambda pixels: pixels.sum(1) * 0 - 1)
    *_, last = attack_plain(find_target(constant, grey, task=TWO, batch_size=4), steps=5)
    assert last.done
    assert last.found is None


# --- gradients


def spectrum(size: int) -> torch.Tensor:
    return torch.linspace(1, 0.01, size).outer(torch.linspace(1, 0.01, size)).expand(3, size, size).contiguous()


def learned() -> Callable[[torch.Tensor, float], torch.Tensor]:
    torch.manual_seed(0)
    network = LearnedDenoiser(width=8).requires_grad_(False)
    torch.nn.init.normal_(network.layers[-1].weight, std=0.05)  # type: ignore[arg-type]
    return lambda copies, level: network(copies, torch.tensor([level]))


DENOISERS = {
    "none": lambda copies, _: copies,
    "gaussian": gaussian,
    "wavelet": wavelet,
    "wiener": lambda copies, level: wiener(copies, level, spectrum(copies.shape[-1])),
    "learned": learned(),
}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", DENOISERS)
def test_gradients_through_denoiser_and_mirror_are_finite_differences(
    tiny_model: MedVLM, crop: Crop, name: str, mirrored: bool
) -> None:
    target = find_target(tiny_model, crop, task=TWO, method="template", seed=1, batch_size=8)
    denoiser = Denoiser(name, None, DENOISERS[name], mirrored)
    denoiser(torch.rand(2, 3, 32, 32), 0.25)  # what a run keeps must not stop a gradient afterwards
    target = replace(target, request=replace(target.request, denoiser=denoiser))
    climb = Climb(target, "inside", 8)
    _, gradient = climb.descent()
    direction = 255 * gradient / gradient.norm()
    shares = []
    for step in (0.02, -0.02):
        moved = Climb(target, "inside", 8)
        moved.at = step * direction
        shares.append(moved.descent()[0])
    slope = (shares[0] - shares[1]) / 0.04
    assert slope == pytest.approx(float(gradient.norm()) / 8, rel=0.02)


def test_gradients_through_the_tuning_step_are_finite_differences(
    tiny_model: MedVLM, crop: Crop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With AdamW's step replaced by the one that is differentiated: a gradient step of the same length.

    A long one, so that the way through the prompt counts beside the direct one.
    """

    def step(model: MedVLM, task: Task, start: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        context = start.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(pipelines.entropy_of(model, task, context, seen), context)
        return (context - pipelines.RATE * sqrt(gradient.numel()) * gradient / gradient.norm()).detach()

    monkeypatch.setattr(pipelines, "tune", step)
    monkeypatch.setattr(pipelines, "RATE", 20 * pipelines.RATE)
    target = find_target(tiny_model, crop, task="blood_cells", method="zero_shot", seed=1, batch_size=8)

    def descent(move: torch.Tensor) -> tuple[float, torch.Tensor]:
        climb = pipelines.ThroughTuning(target, target.classes[0], 8)
        climb.at = move
        return climb.descent()

    _, gradient = descent(torch.zeros(3, 32, 32))
    direct = Climb(target, target.classes[0], 8).descent()[1]
    assert torch.cosine_similarity(gradient.flatten(), direct.flatten(), 0) < 0.99, "the prompt's way counts"
    direction = 255 * gradient / gradient.norm()
    slope = (descent(0.02 * direction)[0] - descent(-0.02 * direction)[0]) / 0.04
    assert slope == pytest.approx(float(gradient.norm()) / 8, rel=0.05)


# --- another implementation


def test_the_plain_attack_is_as_good_as_that_of_foolbox() -> None:
    """DDN on 50 phantoms against a small network of random weights, by median distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        foolbox = pytest.importorskip("foolbox")
    torch.manual_seed(3)
    layers = torch.nn.Sequential(torch.nn.Linear(3 * SIZE * SIZE, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)).double()
    layers.requires_grad_(False)
    kinds = [(task, kind) for task, found in PHANTOMS.items() for kind in found.class_ids]
    chosen = [(*kinds[seed % len(kinds)], seed) for seed in range(50)]
    crops = [crop_scan(open_scan(draw_phantom(*one).pixels), CropRule(size=SIZE)) for one in chosen]
    pixels = torch.stack([levels_of(crop, torch.device("cpu")) for crop in crops]).double() / 255
    most = layers(pixels.flatten(1)).max() + 0.2  # so far that the grid, on which theirs is not, takes little
    model: Any = Field(lambda seen: (layers(seen.double()) - most)[:, 0])
    labels = model.embed_images(pixels).argmax(1).clone()
    bounded = foolbox.PyTorchModel(Logits(model).eval(), bounds=(0, 1), device="cpu")
    _, found, fell = foolbox.attacks.DDNAttack(steps=100)(bounded, pixels.float(), labels, epsilons=None)
    theirs = (found - pixels).flatten(1).norm(dim=1)[fell]
    ours = []
    for crop in crops:
        *_, last = attack_plain(find_target(model, crop, task=TWO, batch_size=1))
        assert last.found is not None
        ours.append(last.found.distance)
    assert len(theirs) == len(ours) == 50
    assert np.median(ours) < 1.05 * float(theirs.median())


class Logits(torch.nn.Module):
    """A model as foolbox wants one: scores of a batch."""

    def __init__(self, field: Any) -> None:
        super().__init__()
        self.field = field

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.field.embed_images_with_gradients(pixels)


# --- what is drawn, and stopped


def small(**options: Any) -> Any:
    return replace(QUICK, plain_steps=3, steps=2, draws=4, halvings=1, smallest_steps=2, points=5, votes=32, **options)


@pytest.mark.parametrize("method", ["template", "zero_shot"])
def test_attack_and_judge_draw_no_noise_that_certifies(
    tiny_model: MedVLM, crop: Crop, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, str, str]] = []
    original = sampling.noise_block

    def noise_block(level: float, seed: str, seen: Crop, phase: Any, block: int, *scheme: Any) -> np.ndarray:
        drawn.append((seed, seen.sha256, phase))
        return original(level, seed, seen, phase, block, *scheme)

    monkeypatch.setattr(sampling, "noise_block", noise_block)
    target = find_target(tiny_model, crop, task="blood_cells", method=method, batch_size=16, plan=Plan(max_votes=200))
    steps = list(attack(target, small(inside=0.9)))
    assert steps[-1].part == "done"
    assert steps[-1].radius > 0
    seed = target.request.seed
    certifying = {one for one in drawn if one[2] in ("tune", "select", "estimate")}
    assert {one for one in certifying if one[0] == seed} == {
        (seed, crop.sha256, phase) for phase in ("select", "estimate", *(("tune",) if method == "zero_shot" else ()))
    }
    assert {one[2] for one in drawn if one[0] == seed} - {"tune", "select", "estimate"} == {"attack", "judge"}
    inside, smallest = steps[-1].inside, steps[-1].smallest
    assert inside is not None
    assert smallest is not None
    judges = [one.judged.run.seed for one in (*inside.attempts, *smallest.attempts)]
    assert seed not in judges
    assert len(set(judges)) == len(judges)
    assert {one[0] for one in drawn} == {seed, *judges}


def test_an_attack_that_is_closed_ends_at_once_and_what_it_found_is_true(tiny_model: MedVLM, crop: Crop) -> None:
    looks = 0

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal looks
        looks += 1
        return tiny_model.encode(pixels)

    model = replace(tiny_model, encode=encode)
    target = find_target(model, crop, task="blood_cells", batch_size=16, plan=Plan(max_votes=200), seed=3)
    for part in ("certify", "plain", "inside", "smallest", "points"):
        stream = attack(target, small(inside=0.9))
        step = next(one for one in stream if one.part == part)
        stream.close()
        at_end = looks
        assert next(stream, None) is None
        assert looks == at_end
        if step.plain is not None and step.plain.found is not None:
            assert target.answer(step.plain.found.crop) == step.plain.named != step.answer


def test_all_crops_on_the_way_are_looked_at_once_without_noise(tiny_model: MedVLM, crop: Crop) -> None:
    looks = 0

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal looks
        looks += 1
        return tiny_model.encode(pixels)

    target = find_target(replace(tiny_model, encode=encode), crop, task="blood_cells", batch_size=16, seed=3)
    beyond = changed_crop(crop, torch.full((3, *crop.pixels.shape[1:]), 9))
    looks = 0
    points = list(points_between(target, target.classes[0], beyond, None, count=7, votes=32))
    assert looks == 1 + 7 * 2, "one batch without noise, and two of votes a crop"
    assert len(points) == 7
    for point in points:
        assert point.named == target.answer(point.change.crop)
        seen = torch.from_numpy(point.change.crop.pixels.copy()).float()[None] / 255
        with torch.no_grad():
            logits = tiny_model.logit_scale * target.plain_scores(seen)[0].double()
        assert point.probabilities == pytest.approx(logits.softmax(0).tolist(), abs=1e-5)


def test_only_a_method_that_tunes_is_attacked_through_its_tuning(tiny_model: MedVLM, crop: Crop) -> None:
    target = find_target(tiny_model, crop, task="blood_cells", batch_size=16)
    with pytest.raises(PlanError):
        list(pipelines.attack_pipeline(target, target.classes[0], 0.1, steps=1, draws=2))


# --- a folder, and what is written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scans of two classes; what they show does not matter here."""
    folder = tmp_path_factory.mktemp("scans")
    for place, class_id in enumerate(("normal_oral_epithelium", "oral_squamous_cell_carcinoma")):
        (folder / class_id).mkdir()
        for seed in range(2):
            pixels = draw_phantom("blood_cells", ("monocyte", "platelet")[place], seed).pixels
            Image.fromarray(pixels).save(folder / class_id / f"{seed}.png")
    return folder


def test_an_attacked_folder_cut_short_ends_with_the_undisturbed_records(
    tiny_model: MedVLM, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certification, "_SECONDS_BETWEEN_LOOKS", 0.0)  # else the clock says when a judge ends

    task = TASKS["oral_histology"]
    asked = EvaluationPlan(task, ("template", "zero_shot"), ("none",), (0.1, 0.25), Plan(max_votes=100))
    files, effort = labelled_files(folder, task, most=2, seed=0), replace(small(inside=0.9), halvings=None)

    def run(out: Path) -> Iterator[tuple[int, int]]:
        return attack_folder(tiny_model, files, asked, effort, out)

    *_, last = run(tmp_path / "whole")
    assert last == (4, 4)
    cut = run(tmp_path / "cut")
    for _ in range(3):
        next(cut)
    cut.close()  # type: ignore[attr-defined]
    lines = tmp_path / "cut" / RECORDS
    lines.write_bytes(lines.read_bytes()[:-40])
    *_, last = run(tmp_path / "cut")
    whole, resumed = (whole_attacks(tmp_path / name / RECORDS) for name in ("whole", "cut"))
    assert sorted(whole, key=key_of) == sorted(resumed, key=key_of)
    assert len(whole) == 2 * 2 * 2
    attempts = [one for record in whole for one in record["inside"] or ()]
    assert attempts
    assert all(0 < one["distance"] < record["radius"] for record in whole for one in record["inside"] or ())


def test_the_command_writes_what_was_found(
    tiny_model_folder: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = next(folder.rglob("*.png"))
    options = ["--model", f"local-dir:{tiny_model_folder}", "--task", "blood_cells", "--votes", "200", "--seed", "1"]
    options += ["--quick", "--plain-steps", "8", "--halvings", "1", "--out", str(tmp_path / "found"), "--json"]
    main_ended(["attack", str(scan), *options])
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((tmp_path / "found" / "attack.json").read_text("utf-8"))
    check_attack(record, record["certificate"], record["certificate"]["preprocessing"]["size"], "attack.json")
    pixels = np.asarray(Image.open(tmp_path / "found" / "plain.png")).transpose(2, 0, 1)
    original = crop_scan(open_scan(scan), CropRule(size=32)).pixels
    assert record["plain"]["crop"] == crop_sha256(pixels)
    assert record["plain"]["distance"] == pytest.approx(np.linalg.norm(pixels.astype(float) - original) / 255)
    assert record["plain"]["named"] != record["clean"]
    assert str(scan) not in json.dumps(record)


def test_several_ways_to_attack_one_scan_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = str(next(folder.rglob("*.png")))
    for option, given in (
        ("--methods", "template,zero_shot"),
        ("--denoisers", "none,gaussian"),
        ("--noise", "0.1,0.2"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["attack", scan, "--task", "oral_histology", option, given])
        assert ended.value.code
        assert f"{option} names 2" in " ".join(capsys.readouterr().err.split())


def test_what_a_folder_leaves_out_is_named(
    tiny_model_folder: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = tmp_path / "scans"
    shutil.copytree(folder, scans)
    first = next(scans.rglob("0.png"))
    (first.parent / "again.png").symlink_to(first)
    (first.parent / "broken.png").write_bytes(b"no picture")
    options = ["--model", f"local-dir:{tiny_model_folder}", "--task", "oral_histology", "--votes", "100", "--quick"]
    options += ["--plain-steps", "1", "--halvings", "0", "--out", str(tmp_path / "out"), "--json"]
    main_ended(["attack", str(scans), *options])
    printed = capsys.readouterr()
    assert sum(row["scans"] for row in json.loads(printed.out)["plain"]) == 4
    passed, counted = printed.err.split("Counted once")
    assert f"{first.parent.name}/broken.png" in passed
    repeated = [line.strip() for line in counted.splitlines()[1:] if line.strip()]
    assert repeated in ([f"{first.parent.name}/again.png"], [f"{first.parent.name}/0.png"])


def main_ended(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0


def a_line(**changed: Any) -> dict[str, Any]:
    """A line whose judge certified the second class, on a crop one value of which is 51 levels lighter."""
    one = {
        "way": "smoothadv", "asked": 0.3, "distance": 0.2, "largest_level": 51, "rms_levels": 51 / sqrt(3 * SIZE**2),
        "changed_share": 1 / (3 * SIZE**2), "crop": "0" * 64, "outcome": "turned", "certified": "outside",
        "judged_counts": {"inside": 1, "outside": 99}, "judged_total": 100, "judge_seed": "0" * 32, **changed,
    }  # fmt: skip
    counts = {"inside": 90, "outside": 10}
    return {
        "predicted": "inside",
        "clean": "inside",
        "counts": counts,
        "method": "template",
        "radius": 0.31,
        "plain": None,
        "inside": [one],
        "smallest": None,
    }


@pytest.mark.parametrize(
    "forged",
    [
        {"outcome": "held"},
        {"outcome": "abstained"},
        {"certified": None},
        {"certified": "inside"},
        {"certified": "elsewhere"},
        {"judged_counts": {"inside": 1, "elsewhere": 99}},
        {"judged_counts": {"outside": 99}},
        {"judged_total": 99},
        {"judged_total": 1_001},
        {"certified": None, "outcome": "abstained"},
        {"certified": "inside", "outcome": "held"},
        {"judged_counts": {"inside": 50, "outside": 50}},
        {"judged_counts": {"inside": 40, "outside": 60}},
        {"judged_counts": {"inside": 0, "outside": 5}, "judged_total": 5},
        {"judged_counts": {"inside": 0, "outside": 0}, "judged_total": 0},
        {"distance": 0.1},
        {"rms_levels": 0.1},
        {"largest_level": 0},
        {"largest_level": 50},
        {"changed_share": 0.0},
        {"changed_share": 1 / (6 * SIZE**2)},
        {"asked": 0.19},
        {"asked": 0.31},
        {"way": "transfer"},
    ],
)
def test_a_line_that_contradicts_itself_is_refused(forged: dict[str, Any]) -> None:
    line = a_line()
    check_attack(line, line, SIZE, "right")
    line = a_line(**forged)
    with pytest.raises(CertificateError):
        check_attack(line, line, SIZE, "forged")


@pytest.mark.parametrize("counts", [(480, 520), (1000, 0), (0, 1000)])
def test_a_judge_that_certifies_nothing_has_cast_all_its_votes(counts: tuple[int, int]) -> None:
    """Which class it was about is not recorded; the votes of another may lead, and that is not refused."""
    judged = dict(zip(("inside", "outside"), counts, strict=True))
    fields = {"certified": None, "outcome": "abstained", "judged_counts": judged, "judged_total": 1_000}
    line = a_line(**fields)
    check_attack(line, line, SIZE, "right")
    line = {**line, "inside": None, "smallest": line["inside"]}
    with pytest.raises(CertificateError):
        check_attack(line, line, SIZE, "of a search, whose judges cast 300")


def test_no_judge_is_refused_for_what_it_certified() -> None:
    """Judges of two to five classes, looked at after every batch: what they certify, their last counts bear out."""
    generator, certified = np.random.default_rng(0), 0
    for number in range(60):
        names = tuple("abcde"[: 2 + number % 4])
        shares = generator.dirichlet(np.full(len(names), 2.0))
        run = a_run(names, class_ids=names, plan=JUDGE)
        votes = Votes(tuple(generator.multinomial(64, shares).tolist()), (0,) * len(names))
        result = conclude(run, votes)
        while isinstance(result, Abstention) and votes.total < JUDGE.max_votes:
            cast = min(50, JUDGE.max_votes - votes.total)
            votes = advance(votes, generator.multinomial(cast, shares).tolist(), 0, run)
            result = conclude(run, votes)
        facts = {
            "certified": result.predicted, "outcome": outcome_of(names[0], result.predicted),
            "judged_counts": dict(zip(names, votes.counts, strict=True)), "judged_total": votes.total,
        }  # fmt: skip
        certified += result.predicted is not None
        line = {**a_line(**facts), "predicted": names[0], "clean": names[0], "counts": facts["judged_counts"]}
        check_attack(line, line, SIZE, "right")
    assert 30 < certified < 60


@pytest.mark.parametrize("forged", [{"named": "inside"}, {"named": "elsewhere"}, {"distance": 0.1}])
def test_a_fall_that_contradicts_its_line_is_refused(forged: dict[str, Any]) -> None:
    names = ("distance", "largest_level", "rms_levels", "changed_share", "crop")
    line = a_line()
    line["plain"] = {**{name: line["inside"][0][name] for name in names}, "named": "outside"}
    check_attack(line, line, SIZE, "right")
    line["plain"].update(forged)
    with pytest.raises(CertificateError):
        check_attack(line, line, SIZE, "forged")


def test_where_a_prompt_is_tuned_the_plain_model_falls_from_its_start() -> None:
    """What the tuned prompt names without noise may be what the start prompt falls to."""
    line = a_line()
    names = ("distance", "largest_level", "rms_levels", "changed_share", "crop")
    fall = {**{name: line["inside"][0][name] for name in names}, "named": line["clean"]}
    line |= {"method": "combined", "guarantee": "frozen_prompt", "inside": None, "plain": fall}
    check_attack(line, line, SIZE, "right")
    with pytest.raises(CertificateError, match=r"plain\.named"):
        check_attack({**line, "method": "template"}, {**line, "method": "template"}, SIZE, "forged")
    line["plain"]["named"] = "elsewhere"
    with pytest.raises(CertificateError, match=r"plain\.named"):
        check_attack(line, line, SIZE, "forged")


def test_nothing_was_attacked_inside_where_nothing_was_certified() -> None:
    line = {**a_line(), "predicted": None}
    with pytest.raises(CertificateError):
        check_attack(line, line, SIZE, "forged")


# --- tables


def attempt(distance: float, outcome: str, way: str = "smoothadv") -> dict[str, Any]:
    return {"distance": distance, "outcome": outcome, "way": way}


def record(radius: float, guarantee: str = "unconditional", **found: Any) -> dict[str, Any]:
    facts = {"method": "template", "denoiser": "none", "noise_level": 0.25, "run": "r", "scan": str(radius)}
    return {**facts, "radius": radius, "guarantee": guarantee, "plain": None, "inside": None, "smallest": None, **found}


def runs(*names: str) -> dict[str, Any]:
    facts = {"task": "two", "method": "template", "denoiser": "none", "noise_level": 0.25, "max_votes": 100}
    return {name: {**facts, "model": f"model of {name}"} for name in names}


def test_tables_count_scans_that_turned_strictly_inside_and_their_interval() -> None:
    turned = [attempt(0.19, "turned"), attempt(0.19, "turned"), attempt(0.19, "held")]
    records = [
        record(0.2, inside=turned),
        record(0.3, inside=[attempt(0.1, "held"), attempt(0.3, "turned")]),
        record(0.4, inside=[attempt(0.4, "turned")]),
        record(0.0),
    ]
    records[0]["smallest"] = [attempt(0.9, "turned"), attempt(0.6, "turned"), attempt(0.4, "held")]
    records[1]["plain"] = {"distance": 0.1, "largest_level": 3}
    records[3]["plain"] = {"distance": 0.5, "largest_level": 5}
    tables = summarise_attacks(records, runs("r"))
    (inside,) = tables["inside"]
    assert (inside["scans"], inside["attacked"]) == (4, 2), "what is as far as the radius is not inside"
    ends = [beta.ppf(0.025, 1, 2), beta.ppf(0.975, 2, 1)]
    assert inside["turned"] == pytest.approx([1 / 2, *ends], abs=1e-4)
    assert inside["median_ratio"] == pytest.approx(3)
    assert (inside["smallest_tried"], inside["smallest_found"]) == (1, 1)
    (plain,) = tables["plain"]
    assert plain["median_distance"] == pytest.approx(0.3)
    assert plain["inside_radius"][0] == pytest.approx(1 / 3, abs=1e-4)
    assert plain["largest_level"] == 5


def test_a_frozen_radius_counts_a_scan_that_either_attack_turned() -> None:
    way = "through_tuning"
    tuned = [
        record(0.2, "frozen_prompt", inside=[attempt(0.1, "held", "transfer"), attempt(0.1, "turned", way)]),
        record(0.3, "frozen_prompt", inside=[attempt(0.1, "held", "transfer")]),
    ]
    (frozen,) = summarise_attacks(tuned, runs("r"))["frozen"]
    assert frozen["turned"][0] == 0.5
    assert (frozen["transfer"], frozen["through_tuning"]) == (0, 1)


def test_no_row_adds_up_lines_of_two_runs() -> None:
    records = [record(0.2, guarantee, run=run) for run in "rs" for guarantee in ("unconditional", "frozen_prompt")]
    for rows in summarise_attacks(records, runs("r", "s")).values():
        assert [(row["run"], row["model"]) for row in rows] == [("r", "model of r"), ("s", "model of s")]
