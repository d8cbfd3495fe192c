"""Prompts and probes: gradients, what is computed once, banks on disk, and the two kinds of guarantee."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from psmooth.certificate import Plan, verify
from psmooth.denoise import find_denoiser
from psmooth.errors import BankError
from psmooth.learning import TrainingConfig, TrainingSet, fit_discriminants, learn_bank, noisy_training_set, tune
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank, load_bank, write_manifest
from psmooth.scans import Crop
from psmooth.smoothing import certify, replay
from psmooth.smoothing.evaluation import EvaluationPlan, evaluate
from psmooth.smoothing.records import whole_records
from psmooth.smoothing.summary import write_summary
from psmooth.tasks import Task, own_task

METHODS = ("few_shot", "label_free", "linear_probe", "label_free_probe")


@pytest.fixture(scope="module")
def task() -> Task:
    return own_task("round cell; long cell; no cell", "a picture of a {}.")


@pytest.fixture(scope="module")
def crops(tiny_model: MedVLM) -> torch.Tensor:
    size = tiny_model.input_size
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (24, 3, size, size), generator=generator, dtype=torch.uint8)


def learned(model: MedVLM, task: Task, crops: torch.Tensor, method: str, steps: int = 20) -> PromptBank:
    config = TrainingConfig(method, find_denoiser("none"), copies=1, steps=steps, shots=4)
    *_, (_, bank) = learn_bank(model, task, config, crops, torch.arange(24) % 3)
    assert bank is not None
    return bank


def test_the_words_of_a_template_as_context_give_its_own_vectors(tiny_model: MedVLM, task: Task) -> None:
    context = tiny_model.context_of(task.templates[0])
    with torch.no_grad():
        found = tiny_model.embed_context(context, task.templates[0], task.class_names)
    assert torch.allclose(found, tiny_model.embed_prompts(task.templates, task.class_names), atol=1e-5)


def test_context_gradients_agree_with_finite_differences(tiny_model: MedVLM, task: Task) -> None:
    torch.manual_seed(0)
    context = tiny_model.context_of(task.templates[0]).requires_grad_()
    weights = torch.randn(3, tiny_model.embed_texts(["a"]).shape[1])

    def value(context: torch.Tensor) -> torch.Tensor:
        return (tiny_model.embed_context(context, task.templates[0], task.class_names) * weights).sum()

    value(context).backward()
    direction = torch.randn_like(context)
    step = 1e-2 / direction.norm()
    with torch.no_grad():
        slope = (value(context + step * direction) - value(context - step * direction)) / (2 * step)
    assert context.grad is not None
    assert float((context.grad * direction).sum()) == pytest.approx(float(slope), rel=0.02, abs=1e-4)


def test_the_encoder_runs_once_a_noisy_copy(tiny_model: MedVLM, task: Task, crops: torch.Tensor) -> None:
    seen = []

    def counted(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(len(pixels))
        return tiny_model.encode(pixels)

    learned(replace(tiny_model, encode=counted), task, crops, "few_shot")
    assert sum(seen) == 3 * 4 * 5  # classes × shots × noise levels, one copy each; twenty steps add none


@pytest.mark.parametrize("method", METHODS)
def test_learning_lowers_the_loss(tiny_model: MedVLM, task: Task, crops: torch.Tensor, method: str) -> None:
    late, early = (learned(tiny_model, task, crops, method, steps).facts.final_loss for steps in (80, 1))
    assert late is not None
    assert early is not None
    assert late < early


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_bank_votes_bit_equally(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor, crop: Crop, method: str, tmp_path: Path
) -> None:
    bank = learned(tiny_model, task, crops, method).save(tmp_path / "bank.safetensors")
    again = load_bank(tmp_path / "bank.safetensors", bank.sha256)
    results = []
    for one in (bank, again):
        *_, last = certify(
            tiny_model, crop, task=task, methods=[method], banks=[one], plan=Plan(max_votes=100), seed=1, batch_size=8
        )
        results.append(last.results[method])
    assert results[0].votes == results[1].votes
    assert results[0].run.bank == {
        "id": "bank",
        "revision": None,
        "sha256": bank.sha256,
        "licence": "Apache-2.0",
        "learned_on_scan": False,
    }
    assert results[0].guarantee == "unconditional"


def test_discriminants_decide_as_gaussians_of_one_covariance_do() -> None:
    """Clouds on a cap, as noisy embeddings are: the likeliest class is named, biases included."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.tensor([[8.0, 0, 0, 0], [8, 1, 0, 0], [8, 2.5, 1, 0]]).double()
    labels = torch.arange(3).repeat(4_000)
    spread = torch.tensor([0.1, 0.4, 0.5, 0.6]).double()
    points = centers[labels] + spread * torch.randn(len(labels), 4, generator=generator).double()
    points = (points / points.norm(dim=1, keepdim=True)).float()
    (vectors,), loss = fit_discriminants(TrainingSet(points, torch.eye(3)[labels]), 1)
    found = (points @ vectors.T).argmax(1)
    means = torch.stack([points[labels == number].mean(0) for number in range(3)])
    spread = torch.cov((points - means[labels]).T, correction=0)
    spread = 0.95 * spread + 0.05 * spread.diagonal().mean() * torch.eye(4)
    distances = [((points - mean) @ torch.linalg.inv(spread) * (points - mean)).sum(1) for mean in means]
    expected = torch.stack(distances).argmin(0)
    assert (found == expected).float().mean() > 0.98
    assert (found == labels).float().mean() > 0.85
    assert loss < 0.5
    assert float(vectors.norm(dim=1).mean()) == pytest.approx(1)


def test_a_closed_form_without_examples_of_a_class_is_refused(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor
) -> None:
    config = TrainingConfig("linear_probe", find_denoiser("none"), (0.5,), copies=1, shots=4, closed_form=True)
    with pytest.raises(BankError, match="examples of every class"):
        list(learn_bank(tiny_model, task, config, crops, torch.arange(24) % 2))


@pytest.mark.parametrize("method", ["linear_probe", "label_free_probe"])
def test_a_bank_in_closed_form_holds_vectors_for_every_noise_level(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor, crop: Crop, method: str, tmp_path: Path
) -> None:
    config = TrainingConfig(method, find_denoiser("none-mirror"), (0.25, 0.5), copies=3, shots=4, closed_form=True)
    (step, learned_bank), *more = learn_bank(tiny_model, task, config, crops, torch.arange(24) % 3)
    assert not more
    assert (step.done, step.planned) == (1, 1)
    assert learned_bank is not None
    bank = learned_bank.save(tmp_path / "bank.safetensors")
    assert (bank.facts.steps, bank.facts.denoiser) == (0, "none")
    assert bank.facts.pool == (12 if method == "linear_probe" else 24)
    low, high = bank.vectors
    for level, expected in ((0.25, low), (0.5, high), (0, low), (1.0, high), (0.125**0.5, (low + high) / 2)):
        assert torch.allclose(bank.class_vectors(tiny_model, level), expected, atol=1e-6)
    assert torch.equal(bank.class_vectors(tiny_model, 0.5), high)
    found = []
    for denoiser in ("none", "none-mirror"):  # one bank serves both
        options = {"banks": [bank], "plan": Plan(max_votes=100), "seed": 1, "batch_size": 8, "denoiser": denoiser}
        *_, last = certify(tiny_model, crop, task=task, methods=[method], noise_level=0.3, **options)  # type: ignore[arg-type]
        found.append(last.results[method])
        assert (found[-1].run.denoiser, found[-1].guarantee) == (denoiser, "unconditional")
        assert verify(found[-1].to_dict()).ok
        assert replay(found[-1], crop, banks=[bank]).differing == 0
    assert found[0].votes != found[1].votes
    assert replay(replace(found[1], run=found[0].run), crop, banks=[bank]).differing > 0


def test_vectors_of_much_noise_do_not_speak_for_the_clean_scan(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor, crop: Crop, tmp_path: Path
) -> None:
    config = TrainingConfig("label_free_probe", find_denoiser("none"), (0.25, 0.5), copies=1, closed_form=True)
    ((_, bank),) = learn_bank(tiny_model, task, config, crops, None)
    assert bank is not None
    opposite = replace(bank, vectors=torch.stack([bank.vectors[0], -bank.vectors[0]]))
    opposite = opposite.save(tmp_path / "opposite.safetensors")
    said = []
    for level in (0.25, 0.5):
        options = {"banks": [opposite], "plan": Plan(max_votes=32), "batch_size": 8, "noise_level": level}
        *_, last = certify(tiny_model, crop, task=task, methods=["label_free_probe"], **options)  # type: ignore[arg-type]
        said.append(last)
    assert said[0].clean == said[1].clean
    assert said[0].results["label_free_probe"].votes != said[1].results["label_free_probe"].votes


def test_prompts_have_no_closed_form_and_odd_sets_of_vectors_are_refused(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor, tmp_path: Path
) -> None:
    with pytest.raises(BankError, match="only probes have a closed form"):
        next(
            learn_bank(
                tiny_model, task, TrainingConfig("label_free", find_denoiser("none"), closed_form=True), crops, None
            )
        )
    config = TrainingConfig("label_free_probe", find_denoiser("none"), (0.25, 0.5), copies=1, closed_form=True)
    ((_, bank),) = learn_bank(tiny_model, task, config, crops, None)
    assert bank is not None
    assert bank.save(tmp_path / "whole.safetensors").vectors.shape == (2, 3, bank.vectors.shape[-1])
    changes = [
        replace(bank, vectors=bank.vectors[:1]),
        replace(bank, vectors=bank.vectors[:, :2]),
        replace(bank, facts=replace(bank.facts, noise_levels=(0.5, 0.25))),
        replace(bank, facts=replace(bank.facts, noise_levels=(0.0, 0.25))),
        replace(bank, facts=replace(bank.facts, method="label_free")),
    ]
    for number, changed in enumerate(changes):
        with pytest.raises(BankError, match="wrong"):
            changed.save(tmp_path / f"{number}.safetensors")


def test_per_scan_prompts_are_frozen_ones_and_can_be_replayed(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor, crop: Crop, tmp_path: Path
) -> None:
    bank = learned(tiny_model, task, crops, "few_shot").save(tmp_path / "bank.safetensors")
    *_, last = certify(
        tiny_model, crop, task=task, methods=["template", "zero_shot", "combined"], banks=[bank],
        plan=Plan(max_votes=100), batch_size=8,
    )  # fmt: skip
    kinds = {key: result.guarantee for key, result in last.results.items()}
    assert kinds == {"template": "unconditional", "zero_shot": "frozen_prompt", "combined": "frozen_prompt"}
    assert any("frozen" in caveat for caveat in last.results["combined"].to_dict()["caveats"])
    assert not any("frozen" in caveat for caveat in last.results["template"].to_dict()["caveats"])
    assert replay(last.results["combined"], crop, banks=[bank]).differing == 0


def test_one_step_lowers_the_entropy_of_the_mean(tiny_model: MedVLM, task: Task, crops: torch.Tensor) -> None:
    examples = noisy_training_set(
        tiny_model, crops[:1], torch.eye(3)[:1], find_denoiser("none"), copies=20, noise_levels=[0.2]
    )
    start = tiny_model.context_of(task.templates[0])

    def entropy(context: torch.Tensor) -> float:
        with torch.no_grad():
            vectors = tiny_model.embed_context(context, task.templates[0], task.class_names)
        mean = (tiny_model.logit_scale * examples.embeddings @ vectors.T).softmax(1).mean(0)
        return float(-(mean * mean.log()).sum())

    tuned = tune(tiny_model, task, start, examples.embeddings)
    assert entropy(tuned) < entropy(start)
    assert torch.allclose((tuned - start).abs().median(), torch.tensor(5e-3), atol=1e-3)


def test_banks_are_refused_in_words(
    tiny_model: MedVLM, task: Task, crops: torch.Tensor, crop: Crop, tmp_path: Path
) -> None:
    file = tmp_path / "bank.safetensors"
    bank = learned(tiny_model, task, crops, "few_shot", 2).save(file)
    write_manifest(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["banks"][0]["sha256"] == bank.sha256
    with pytest.raises(BankError, match="altered"):
        load_bank(file, "0" * 64)
    with pytest.raises(BankError, match="its class names"):
        bank.check(tiny_model, own_task("a; b"), "none")
    with pytest.raises(BankError, match="behind the denoiser 'none'"):
        bank.check(tiny_model, task, "gaussian")
    with pytest.raises(BankError, match="not for this one"):
        bank.check(replace(tiny_model, revision="f" * 64), task, "none")
    with pytest.raises(BankError, match="this model needs"):
        replace(bank, vectors=torch.zeros(4, 7)).check(tiny_model, task, "none")
    with pytest.raises(BankError, match="No 'label_free' bank ships"):
        certify(tiny_model, crop, task=task, methods=["label_free"], batch_size=8)
    with pytest.raises(BankError, match="needs labels"):
        next(learn_bank(tiny_model, task, TrainingConfig("few_shot", find_denoiser("none")), crops, None))
    (tmp_path / "code.pt").write_bytes(b"x")
    with pytest.raises(BankError, match="not a safetensors"):
        load_bank(tmp_path / "code.pt")
    file.write_bytes(b"nonsense")
    with pytest.raises(BankError, match="not a prompt bank"):
        load_bank(file)


def test_an_evaluation_cut_short_ends_with_the_undisturbed_records(
    tiny_model: MedVLM, tmp_path: Path, scan_files: list[tuple[Path, str]]
) -> None:
    study = EvaluationPlan(
        own_task("round; long"), ("template", "zero_shot"), ("none", "gaussian"), (0.25,), Plan(max_votes=64), seed=3
    )
    for _ in evaluate(tiny_model, scan_files, study, tmp_path / "whole"):
        pass
    for done, _ in evaluate(tiny_model, scan_files, study, tmp_path / "cut"):
        if done == 3:
            break
    with (tmp_path / "cut" / "records.jsonl").open("a") as lines:
        lines.write('{"scan": "torn')
    for _ in evaluate(tiny_model, scan_files, study, tmp_path / "cut"):
        pass
    whole, cut = (whole_records(tmp_path / name / "records.jsonl") for name in ("whole", "cut"))
    assert whole == cut
    assert len(whole) == len(scan_files) * 4
    rows = write_summary(tmp_path / "cut")
    assert rows == write_summary(tmp_path / "whole")
    hits = [record["predicted"] == record["label"] for record in whole if record["method"] == "template"]
    assert rows[0]["certified"]["0"][0] == pytest.approx(sum(hits[::2]) / len(hits[::2]), abs=1e-4)


@pytest.fixture
def scan_files(tmp_path: Path, crops: torch.Tensor) -> list[tuple[Path, str]]:
    from PIL import Image

    files = []
    for number, crop in enumerate(crops[:4]):
        file = tmp_path / f"{number}.png"
        Image.fromarray(crop.permute(1, 2, 0).numpy()).save(file)
        files.append((file, ("round", "long")[number % 2]))
    return files
