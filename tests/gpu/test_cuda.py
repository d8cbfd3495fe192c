"""On an NVIDIA card: the noise is the same, the votes are those of the processor but for one in a thousand, and a
certificate that was made on the one holds on the other, as `docs/certificates.md` says.

Nothing is skipped: without a card these tests fail and say so.
"""

from typing import Any

import pytest
import torch

from psmooth.certificate import Abstention, Certificate, Plan, verify
from psmooth.denoise import find_denoiser
from psmooth.learning import TrainingConfig, learn_bank
from psmooth.models import HALF, MedVLM, denoiser_of, load_model, on_runtime
from psmooth.phantoms import draw_phantom
from psmooth.runtime import best_batch_size
from psmooth.sampling import batch_copies, batch_copies_on, noisy_embeddings
from psmooth.scans import Crop, Scan, crop_scan, open_scan
from psmooth.smoothing import certify, replay
from psmooth.smoothing.contender import answers_of
from psmooth.smoothing.provenance import use_whole_float32
from psmooth.smoothing.replaying import TOLERATED
from psmooth.tasks import own_task

TASK, NOISE_LEVEL, SEED = "blood_cells", 0.25, 7
VOTES = 4_000
METHODS = ("template", "few_shot", "combined")


@pytest.fixture(scope="module", params=["pocket-noisy", "pocket"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def on_card(name: str) -> MedVLM:
    """Raises ModelError where there is no card."""
    return load_model(name, "cuda")


@pytest.fixture(scope="module")
def on_processor(name: str) -> MedVLM:
    return load_model(name, "cpu")


@pytest.fixture(scope="module")
def scan() -> Scan:
    return open_scan(draw_phantom(TASK, "monocyte", 2).pixels)


@pytest.fixture(scope="module")
def crop(scan: Scan, on_processor: MedVLM) -> Crop:
    return crop_scan(scan, on_processor.crop_rule)


def embeddings(model: MedVLM, crop: Crop, batch_size: int, count: int = 512) -> torch.Tensor:
    options: dict[str, Any] = {"seed": "0" * 32, "phase": "estimate", "count": count, "batch_size": batch_size}
    use_whole_float32(model.device)
    return torch.cat(list(noisy_embeddings(model, crop, NOISE_LEVEL, **options))).cpu()


def run(model: MedVLM, scan: Scan, method: str = "template", **options: Any) -> Certificate | Abstention:
    options = {"plan": Plan(max_votes=VOTES), "seed": SEED, "batch_size": 128} | options
    *_, last = certify(model, scan, task=TASK, methods=(method,), noise_level=NOISE_LEVEL, **options)
    return last.results[method]


# --- batches


def test_batches_of_the_usual_size_are_encoded_as_on_the_processor(
    on_card: MedVLM, on_processor: MedVLM, crop: Crop
) -> None:
    assert on_card.device.type == "cuda"
    assert best_batch_size(on_card) == 256
    here, there = embeddings(on_card, crop, 256), embeddings(on_processor, crop, 32)
    assert here.shape == there.shape == (512, here.shape[1])
    assert (here - there).abs().max() < 1e-4, "in whole float32, not in TF32"


@pytest.mark.parametrize("noise_level", [0.02, 0.25, 10.0])
def test_the_card_draws_the_noise_of_the_processor_bit_for_bit(crop: Crop, noise_level: float) -> None:
    there = batch_copies_on(torch.device("cuda"), crop, noise_level, "0" * 32, "estimate", 20, 256)
    assert there.device.type == "cuda"
    assert torch.equal(there.cpu(), batch_copies(crop, noise_level, "0" * 32, "estimate", 20, 256))


def test_nothing_waits_for_the_card_while_votes_are_cast(name: str, on_card: MedVLM, crop: Crop) -> None:
    options: dict[str, Any] = {"seed": "0" * 32, "phase": "estimate", "count": 1_024, "batch_size": 256}
    options["denoise"] = denoiser_of(on_card, "learned" if name == "pocket" else "none")
    votes = noisy_embeddings(on_card, crop, NOISE_LEVEL, **options)
    vectors = next(votes)[:2].clone()  # tables and weights are on the card by now
    torch.cuda.set_sync_debug_mode("error")
    try:
        counted = [(answers_of(part, vectors, 256) == 0).sum() for part in votes]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(counted) == 3


def test_the_copies_past_the_last_vote_are_thrown_away(on_card: MedVLM, crop: Crop) -> None:
    assert torch.equal(embeddings(on_card, crop, 64, 100), embeddings(on_card, crop, 64, 128)[:100])


# --- half precision


def test_half_precision_is_another_classifier_whose_copies_are_strangers_to_each_other(on_card: MedVLM) -> None:
    half = on_runtime(on_card, HALF)
    pixels = torch.rand(64, 3, on_card.input_size, on_card.input_size, device="cuda")
    others = torch.cat([pixels[:1], torch.rand_like(pixels[1:])])
    with torch.inference_mode():
        assert torch.equal(half.embed_images(pixels)[0], half.embed_images(others)[0])
        apart = (half.embed_images(pixels) - on_card.embed_images(pixels)).abs().max()
    assert 0 < apart < 0.05


def test_a_certificate_in_half_precision_is_replayed_in_it(on_card: MedVLM, scan: Scan) -> None:
    record = run(on_runtime(on_card, HALF), scan)
    assert record.run.precision == HALF
    assert replay(record, scan).ok


# --- votes and certificates


def test_the_same_seed_gives_the_same_votes_on_the_card(on_card: MedVLM, scan: Scan) -> None:
    first, second = run(on_card, scan), run(on_card, scan)
    counted = [(one.votes.selection, one.votes.counts, one.votes.invalid) for one in (first, second)]
    assert counted[0] == counted[1]
    assert sum(first.votes.counts) == VOTES
    assert (first.run.device, first.run.precision) == ("cuda", "float32")


def test_no_more_than_one_vote_in_a_thousand_is_another_than_on_the_processor(
    on_card: MedVLM, on_processor: MedVLM, scan: Scan
) -> None:
    here, there = run(on_card, scan), run(on_processor, scan)
    moved = sum(abs(one - other) for one, other in zip(here.votes.counts, there.votes.counts, strict=True)) / 2
    assert moved <= TOLERATED * VOTES
    assert here.leader == there.leader


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_certificate_of_the_card_is_confirmed_on_either(on_card: MedVLM, scan: Scan, device: str) -> None:
    record = run(on_card, scan)
    assert verify(record.to_json()).ok
    again = replay(record, scan, device=device)
    assert again.differing <= (0 if device == "cuda" else TOLERATED * again.compared)
    assert {field for field, _ in again.problems} <= {"radius"}, "a vote that differs may lower what is confirmed"
    assert again.ok or device == "cpu"


def test_a_certificate_of_the_processor_is_confirmed_on_the_card(on_processor: MedVLM, scan: Scan) -> None:
    record = run(on_processor, scan)
    again = replay(record, scan, device="cuda")
    assert again.differing <= TOLERATED * again.compared
    assert {field for field, _ in again.problems} <= {"radius"}


def test_every_kind_of_method_votes_and_verifies_on_the_card(scan: Scan) -> None:
    model = load_model("pocket", "cuda")
    for method in METHODS:
        record = run(model, scan, method, plan=Plan(max_votes=500))
        assert verify(record.to_json()).ok, method
        assert replay(record, scan, device="cuda").ok, method


def test_the_learned_denoiser_runs_in_front_of_the_model_on_the_card(scan: Scan) -> None:
    record = run(load_model("pocket", "cuda"), scan, denoiser="learned-mirror", plan=Plan(max_votes=500))
    assert replay(record, scan, device="cuda").ok


def test_a_bank_is_learned_on_the_card(on_card: MedVLM) -> None:
    crops = torch.randint(0, 256, (8, 3, on_card.input_size, on_card.input_size), dtype=torch.uint8)
    config = TrainingConfig("label_free_probe", find_denoiser("none"), steps=3, copies=1)
    *_, (_, bank) = learn_bank(on_card, own_task("disc; ring"), config, crops, None)
    assert bank is not None
    assert torch.isfinite(bank.vectors).all()
