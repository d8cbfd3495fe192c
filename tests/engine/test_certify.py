"""The run: phases, looks, endings, and radii held against a classifier whose true radius is known."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm

from psmooth.certificate import BEGAN_AGAIN, Abstention, Certificate, Plan, verify
from psmooth.errors import ModelError, PlanError, TaskError
from psmooth.scans import Crop, CropRule, crop_sha256
from psmooth.smoothing import certification as engine
from psmooth.smoothing import certify, stopped
from psmooth.tasks import Task

TWO = Task("two", "two", "none", ("inside", "outside"), ("inside", "outside"), ("{}",))
THREE = Task("three", "three", "none", ("left", "middle", "right"), ("left", "middle", "right"), ("{}",))
SIZE = 8


@dataclass
class Oracle:
    """A model of known geometry on crops of 8 × 8: it votes by where w·x lies among cuts, ‖w‖ = 1."""

    cuts: tuple[float, ...]
    batches: list[int] | None = None
    broken: float = np.inf  # copies beyond here get an answer that is not a number
    too_large: int = 10**9  # batches from here up do not fit into memory

    spec = SimpleNamespace(id="oracle", name="oracle", weights="local-dir:oracle", licence="none")
    revision = "0" * 64
    input_size = SIZE
    crop_rule = CropRule(size=SIZE)
    device = torch.device("cpu")
    precision = "float32"

    def embed_images(self, pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) >= self.too_large:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if self.batches is not None:
            self.batches.append(len(pixels))
        place = pixels.double().flatten(1).sum(1) / np.sqrt(3 * SIZE * SIZE)
        cell = sum((place > cut).long() for cut in self.cuts)
        vectors = torch.eye(len(self.cuts) + 1)[cell]
        vectors[place > self.broken] = float("nan")
        return vectors

    def embed_prompts(self, _templates, class_names):
        return torch.eye(len(class_names))


@pytest.fixture
def grey() -> Crop:
    pixels = np.full((3, SIZE, SIZE), 128, np.uint8)
    return Crop(pixels, CropRule(size=SIZE, box=(0, 0, SIZE, SIZE)), crop_sha256(pixels))


PLACE = 128 / 255 * np.sqrt(3 * SIZE * SIZE)  # w·x of that crop


def model_of(cuts: tuple[float, ...]) -> Any:
    """An oracle where a model is expected; it has all that a run asks for."""
    return Oracle(cuts)


def run(model: Any, crop, task=TWO, **options):
    options.setdefault("batch_size", 32)
    return list(certify(model, crop, task=task, **options))


def last(*args, **options):
    return run(*args, **options)[-1].results["template"]


@pytest.mark.parametrize("distance", [0.05, 0.2, 0.4])
def test_a_half_space_is_certified_up_to_its_true_radius_and_close_to_it(grey, distance):
    result = last(Oracle((PLACE + distance,)), grey, plan=Plan(max_votes=4_000), seed=5)
    assert isinstance(result, Certificate)
    assert result.predicted == "inside"
    assert 0.5 * distance < result.radius <= distance


def test_at_most_alpha_of_many_runs_overstate_the_radius_whenever_they_are_stopped(grey):
    runs, alpha, distance = 300, 0.1, 0.2
    false = 0
    for _ in range(runs):
        looks = run(Oracle((PLACE + distance,)), grey, plan=Plan(max_votes=256, failure_probability=alpha))
        results = [look.results["template"] for look in looks]
        false += max(result.radius for result in results if isinstance(result, Certificate)) > distance
    assert false <= binom.ppf(0.9999, runs, alpha)


def test_three_slabs_are_certified_up_to_the_nearer_true_radius(grey):
    left, right = 0.25, 0.32
    model = Oracle((PLACE - left, PLACE + right))
    inside = norm.cdf(right / 0.25) - norm.cdf(-left / 0.25)
    result = last(model, grey, task=THREE, plan=Plan(max_votes=4_000))
    assert isinstance(result, Certificate)
    assert result.predicted == "middle"
    # The smoothed answer changes where both neighbours' shares are equal: solved on a fine line.
    steps = np.linspace(0, 1, 100_001)
    middle = norm.cdf((right - steps) / 0.25) - norm.cdf((-left - steps) / 0.25)
    truth = steps[np.argmax(1 - norm.cdf((right - steps) / 0.25) > middle)]
    assert inside > 0.5
    assert 0 < result.radius <= truth


def test_phases_follow_each_other_and_the_radius_only_climbs(grey):
    looks = run(Oracle((PLACE + 0.3,)), grey, plan=Plan(max_votes=6_400))
    assert [look.phase for look in looks] == sorted(
        (look.phase for look in looks), key=["selection", "estimation", "done"].index
    )
    assert (looks[0].votes, looks[0].planned) == (0, 64)
    assert (looks[-1].phase, looks[-1].votes, looks[-1].seconds_left) == ("done", 6_400, 0.0)
    radii = [getattr(look.results["template"], "radius", 0.0) for look in looks]
    assert radii == sorted(radii)
    assert looks[-1].clean == {"template": "inside"}
    votes = looks[-1].results["template"].votes
    assert (sum(votes.selection), votes.total, votes.ended) == (64, 6_400, "complete")


def test_selection_votes_are_never_counted(grey):
    model = Oracle((PLACE + 0.1,))
    result = last(model, grey, plan=Plan(max_votes=100, selection_votes=40))
    assert (sum(result.votes.selection), result.votes.total) == (40, 100)


def test_an_even_split_abstains(grey):
    result = last(Oracle((PLACE,)), grey, plan=Plan(max_votes=500))
    assert isinstance(result, Abstention)
    assert (result.predicted, result.reason) == (None, "no_clear_winner")


def test_a_target_radius_ends_the_run_early_with_a_valid_certificate(grey):
    result = last(Oracle((PLACE + 0.4,)), grey, plan=Plan(max_votes=100_000, target_radius=0.2))
    assert isinstance(result, Certificate)
    assert result.votes.ended == "target_radius"
    assert 0.2 <= result.radius <= 0.4
    assert result.votes.total < 100_000
    assert verify(result.to_json()).ok


def test_a_tolerance_ends_the_run_once_it_is_settled(grey):
    """One selection vote names the wrong class a third of the time, and such a run does not go on to its end either."""
    plan = Plan(max_votes=100_000, tolerance=0.2, selection_votes=1)
    results = [last(Oracle((PLACE + 0.1,)), grey, plan=plan, seed=seed) for seed in range(8)]
    assert {result.predicted for result in results} == {"inside", None}
    for result in results:
        assert result.votes.ended == "settled"
        assert isinstance(result, Abstention) or result.radius <= 0.1
        assert verify(result.to_json()).ok


def test_closing_the_run_keeps_the_certificate_so_far(grey):
    stream = certify(model_of((PLACE + 0.4,)), grey, task=TWO, plan=Plan(max_votes=1_000_000), batch_size=32)
    look = next(look for look in stream if isinstance(look.results["template"], Certificate))
    stream.close()
    result = stopped(look)["template"]
    assert isinstance(result, Certificate)
    assert result.votes.ended == "stopped"
    assert verify(result.to_json()).ok


def test_the_papers_plan_speaks_only_at_its_end(grey):
    looks = run(Oracle((PLACE + 0.3,)), grey, plan=Plan(max_votes=3_000, name="paper"))
    assert all(isinstance(look.results["template"], Abstention) for look in looks[:-1])
    result = looks[-1].results["template"]
    assert isinstance(result, Certificate)
    assert sum(result.votes.selection) == 100
    assert result.bound == "clopper_pearson"
    assert isinstance(stopped(looks[-2])["template"], Abstention)


def test_votes_do_not_depend_on_the_batch_size(grey):
    plan, model = Plan(max_votes=333), Oracle((PLACE + 0.1,))
    counts = [last(model, grey, plan=plan, seed=7, batch_size=size).votes.counts for size in (1, 32, 50)]
    assert counts[0] == counts[1] == counts[2]


def test_every_batch_has_the_same_shape(grey):
    batches: list[int] = []
    run(Oracle((PLACE + 0.1,), batches), grey, plan=Plan(max_votes=77, selection_votes=5), batch_size=16)
    assert set(batches) == {16}


def test_fresh_runs_differ_and_given_seeds_repeat(grey):
    def seeded(seed):
        return last(Oracle((PLACE + 0.01,)), grey, plan=Plan(max_votes=320), seed=seed)

    assert seeded(5).votes == seeded("5").votes == seeded(f"{5:032x}").votes
    assert seeded(5).run.seed_origin == "given"
    first, second = seeded(None), seeded(None)
    assert first.run.seed != second.run.seed
    assert first.run.seed_origin == "fresh"


def test_a_vote_that_is_not_a_number_counts_against_the_leader_and_for_every_rival(grey):
    result = last(Oracle((PLACE + 9,), broken=PLACE + 0.3), grey, plan=Plan(max_votes=1_000))
    votes = result.votes
    assert (votes.counts[1], votes.counts[0] + votes.invalid, votes.total) == (0, 1_000, 1_000)
    assert abs(votes.invalid - 1_000 * norm.sf(0.3 / 0.25)) < 60, "their share is that of the half-space"
    assert result.lower_bound < votes.counts[0] / 1_000
    assert (votes.selected, sum(votes.selection)) == (64, 64 - votes.invalid_selection)
    assert verify(result.to_json()).ok


def test_a_last_batch_of_one_copy_is_voted_on_in_the_usual_shape(grey, monkeypatch):
    """The last bits of a product may depend on its number of rows, so a short batch is filled up."""
    rows = []
    product = torch.Tensor.__matmul__

    def noted(one, other):
        rows.append(len(one))
        return product(one, other)

    monkeypatch.setattr(torch.Tensor, "__matmul__", noted)
    result = last(Oracle((PLACE + 0.1,)), grey, plan=Plan(max_votes=33, selection_votes=1))
    assert (result.votes.total, set(rows)) == (33, {32})


@pytest.fixture
def products():
    """What torch does with a card's products, put back afterwards."""
    backends: Any = torch.backends
    parts = (backends.cuda.matmul, backends.cudnn.conv)
    before = [part.fp32_precision for part in parts]
    yield parts
    for part, setting in zip(parts, before, strict=True):
        part.fp32_precision = setting


@pytest.mark.parametrize(("setting", "precision"), [("tf32", "tf32"), ("ieee", "float32")])
def test_the_precision_that_is_recorded_is_the_one_in_use(grey, monkeypatch, products, setting, precision):
    monkeypatch.setattr(Oracle, "device", SimpleNamespace(type="cuda"))
    monkeypatch.setattr(engine, "noisy_embeddings", lambda *_, **__: iter(()))
    stream = certify(model_of((PLACE,)), grey, task=TWO, batch_size=8)
    for part in products:
        part.fp32_precision = setting
    assert next(stream).results["template"].run.precision == precision


def test_certified_runs_turn_tf32_off(grey, monkeypatch, products):
    for part in products:
        part.fp32_precision = "tf32"
    certify(model_of((PLACE,)), grey, task=TWO, batch_size=8)
    assert [part.fp32_precision for part in products] == ["tf32", "tf32"], "the processor has none"
    monkeypatch.setattr(Oracle, "device", SimpleNamespace(type="cuda"))
    certify(model_of((PLACE,)), grey, task=TWO, batch_size=8)
    assert [part.fp32_precision for part in products] == ["ieee", "ieee"]


@pytest.mark.parametrize("seed", [None, 5])
def test_out_of_memory_begins_afresh_with_half_the_batch_and_says_so_to_the_end(grey, seed):
    looks = run(Oracle((PLACE + 0.3,), too_large=32), grey, plan=Plan(max_votes=200), batch_size=64, seed=seed)
    results = [look.results["template"] for look in looks]
    restarts = [look.restarted for look in looks]
    assert restarts == sorted(restarts, key=[None, 32, 16].index)
    assert set(restarts) == {None, 32, 16}
    first, final = results[0].run, results[-1].run
    assert (final.batch_size, looks[-1].restarted, results[-1].votes.total) == (16, 16, 200)
    assert final.seed != first.seed, "fresh noise"
    assert (first.first_seed, final.first_seed) == (None, first.seed)
    assert (first.attempts_before, final.attempts_before) == (0, 2)
    assert {look.lost for look in looks} == {frozenset()}, "it failed at once, so no radius was shown"
    assert final.seed_origin == ("fresh" if seed is None else "given")
    assert (BEGAN_AGAIN in first.caveats, BEGAN_AGAIN in final.caveats) == (False, True)
    assert verify(results[-1].to_json()).ok


def test_a_radius_that_went_away_with_a_restart_is_remembered_by_its_contender(grey, monkeypatch):
    def one_that_fails_late(request):
        steps = whole(request)
        for look in steps:
            yield look
            if request.restarted is None and look.phase == "estimation":
                raise MemoryError

    whole = engine._run
    monkeypatch.setattr(engine, "_run", one_that_fails_late)
    monkeypatch.setattr(engine, "_SECONDS_BETWEEN_LOOKS", 0)
    looks = run(Oracle((PLACE + 0.3,)), grey, plan=Plan(max_votes=400), batch_size=64, seed=1)
    shown = [isinstance(look.results["template"], Certificate) for look in looks if look.restarted is None]
    assert any(shown)
    assert {look.lost for look in looks if look.restarted is None} == {frozenset()}
    assert {look.lost for look in looks if look.restarted == 32} == {frozenset({"template"})}


def test_memory_for_not_even_one_copy_is_told_in_words(grey):
    with pytest.raises(ModelError, match="Not even one"):
        run(Oracle((PLACE,), too_large=1), grey, batch_size=2)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"noise_level": 0}, PlanError, "noise_level"),
        ({"noise_level": -0.1}, PlanError, "noise_level"),
        ({"noise_level": 0.0001}, PlanError, "noise_level is 0.0001; it must lie from 0.001 to 10"),
        ({"task": "nosuch"}, TaskError, "nosuch"),
        ({"methods": ("nosuch",)}, PlanError, "nosuch"),
        ({"methods": ()}, PlanError, "No method"),
        ({"denoiser": "nosuch"}, PlanError, "nosuch"),
        ({"seed": "xyz"}, PlanError, "seed"),
        ({"seed": -1}, PlanError, "seed"),
        ({"batch_size": -1}, PlanError, "batch_size"),
    ],
)
def test_bad_numbers_are_refused_by_name_before_the_first_vote(grey, options, error, word):
    with pytest.raises(error, match=word):
        certify(model_of((PLACE,)), grey, **{"task": TWO, "batch_size": 8, **options})


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"max_votes": 0}, "max_votes"),
        ({"max_votes": -5}, "max_votes"),
        ({"failure_probability": 0}, "failure_probability"),
        ({"failure_probability": 1}, "failure_probability"),
        ({"failure_probability": float("nan")}, "failure_probability"),
        ({"selection_votes": 0}, "selection_votes"),
    ],
)
def test_bad_plans_are_refused_by_name(options, word):
    with pytest.raises(PlanError, match=word):
        Plan(**options)


def test_a_crop_of_the_wrong_size_is_refused(crop):
    with pytest.raises(PlanError, match="32 pixels wide"):
        certify(model_of((PLACE,)), crop, task=TWO)
