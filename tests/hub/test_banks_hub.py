"""Banks on the Hub: published, pulled back, certified bit-equally; and everything that is refused."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from psmooth.banks_hub import bank_rows, import_coop, publish, pull
from psmooth.certificate import Plan
from psmooth.certify import certify
from psmooth.denoise import find_denoiser
from psmooth.errors import BankError, HubError
from psmooth.hub import Hub
from psmooth.learning import Course, learn_bank
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank, load_bank
from psmooth.scans import Crop
from psmooth.tasks import own_task
from tests.hub.bank_server import BankHub, bank_hub

TASK = own_task("disc; ring", "a picture of a {}.")
REPO = "somebody/banks"


def listing(file: str) -> bytes:
    """A manifest of one bank."""
    return json.dumps(
        {"banks": [{"file": file, "sha256": "", "model_revision": "", "task": "", "denoiser": ""}]}
    ).encode()


@pytest.fixture
def server() -> Iterator[BankHub]:
    with bank_hub() as hub:
        yield hub


@pytest.fixture
def hub(server: BankHub, tmp_path: Path) -> Hub:
    return Hub(endpoint=server.address, cache=tmp_path / "cache", token="hf_test")


@pytest.fixture
def folder(tiny_model: MedVLM, tmp_path: Path) -> Path:
    """Two banks learned in a moment, and a file that is none of the Hub's business."""
    folder = tmp_path / "banks"
    folder.mkdir()
    crops = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for method in ("label_free", "label_free_probe"):
        course = Course(method, find_denoiser("none"), steps=3, copies=1)
        *_, (_, bank) = learn_bank(tiny_model, TASK, course, crops, None)
        assert bank is not None
        bank.save(folder / f"{method}.safetensors")
    (folder / "patients.csv").write_text("a secret")
    return folder


def votes(model: MedVLM, crop: Crop, bank: PromptBank) -> tuple[tuple[int, ...], dict[str, object] | None]:
    options = {"plan": Plan(max_votes=200), "seed": 5, "batch_size": 32}
    *_, last = certify(model, crop, task=TASK, methods=(bank.facts.method,), banks=(bank,), **options)  # type: ignore[arg-type]
    result = last.results[bank.facts.method]
    return result.votes.counts, result.run.bank


def test_a_bank_that_was_published_is_pulled_back_and_certifies_bit_equally(
    server: BankHub, hub: Hub, folder: Path, tiny_model: MedVLM, crop: Crop
) -> None:
    publish(folder, REPO, hub=hub)
    assert set(server.repos[REPO]) == {
        "label_free.safetensors",
        "label_free_probe.safetensors",
        "manifest.json",
        "README.md",
    }
    assert b"library_name: psmooth" in server.repos[REPO]["README.md"]
    pulled = pull(REPO, model=tiny_model, task=TASK, hub=hub)
    assert [bank.facts.method for bank in pulled] == ["label_free", "label_free_probe"]
    for bank in pulled:
        before, _ = votes(tiny_model, crop, load_bank(folder / f"{bank.name}.safetensors"))
        after, recorded = votes(tiny_model, crop, bank)
        assert after == before
        assert recorded == {
            "id": f"{REPO}/{bank.name}",
            "revision": server.commit(REPO),
            "sha256": bank.sha256,
            "licence": "Apache-2.0",
        }


def test_what_was_fetched_once_needs_no_network(server: BankHub, hub: Hub, folder: Path) -> None:
    publish(folder, REPO, hub=hub)
    first = pull(REPO, hub=hub)
    commit = server.commit(REPO)
    server.requests.clear()
    again = pull(REPO, commit, hub=hub)
    assert server.requests == []
    assert [bank.sha256 for bank in again] == [bank.sha256 for bank in first]
    gone = Hub(endpoint="http://127.0.0.1:9", cache=hub.cache)
    assert [bank.sha256 for bank in pull(REPO, commit, hub=gone)] == [bank.sha256 for bank in first]


def test_an_altered_bank_is_refused(server: BankHub, hub: Hub, folder: Path) -> None:
    publish(folder, REPO, hub=hub)
    data = server.repos[REPO]["label_free.safetensors"]
    server.repos[REPO]["label_free.safetensors"] = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(BankError, match="was altered"):
        pull(REPO, hub=hub)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (None, "has no file that is read here"),
        (b"not json", "cannot be read"),
        (b'{"banks": []}', "lists no safetensors banks"),
        (listing("../evil.safetensors"), "lists no"),
        (listing("code.pkl"), "lists no"),
    ],
    ids=["missing", "not json", "empty", "another folder", "a pickle"],
)  # fmt: skip
def test_a_repository_without_a_sound_manifest_is_refused(
    server: BankHub, hub: Hub, manifest: bytes | None, words: str
) -> None:
    server.repos[REPO] = {"README.md": b"hello"} | ({} if manifest is None else {"manifest.json": manifest})
    with pytest.raises((BankError, HubError), match=words):
        bank_rows(REPO, hub=hub)


def test_another_model_a_missing_repository_and_a_hub_that_is_gone_are_each_a_sentence(
    hub: Hub, folder: Path, tiny_model: MedVLM
) -> None:
    with pytest.raises(HubError, match="no repository"):
        pull("nobody/nothing", hub=hub)
    publish(folder, REPO, hub=hub)
    with pytest.raises(BankError, match="no bank for the model"):
        pull(REPO, model=replace(tiny_model, revision="another"), hub=hub)
    with pytest.raises(HubError, match="could not be published"):
        publish(folder, REPO, hub=Hub(endpoint="http://127.0.0.1:9"))
    with pytest.raises(BankError, match="no bank in"):
        publish(folder.parent / "empty", REPO, hub=hub)


def test_a_checkpoint_of_the_reference_implementation_becomes_a_bank(
    tiny_model: MedVLM, crop: Crop, tmp_path: Path
) -> None:
    context = 0.02 * torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    state = {"ctx": context, "token_prefix": torch.zeros(2, 1, 16), "token_suffix": torch.zeros(2, 8, 16)}
    torch.save({"state_dict": state, "epoch": 50}, tmp_path / "model.pth.tar-50")
    bank = import_coop(tmp_path / "model.pth.tar-50", tiny_model, TASK)
    assert bank.facts.steps == 50
    saved = bank.save(tmp_path / "coop.safetensors")
    assert torch.equal(saved.vectors, context)
    counts, _ = votes(tiny_model, crop, saved)
    assert sum(counts) == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"state_dict": {"ctx": torch.zeros(2, 5, 16)}}, "for every class"),
        ({"state_dict": {"ctx": torch.zeros(5, 12)}}, "wide"),
        ({"state_dict": {"other": torch.zeros(5, 16)}}, "holds no context"),
        (["nothing"], "holds no context"),
    ],
    ids=["class-specific", "another width", "no context", "no dictionary"],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tiny_model: MedVLM, tmp_path: Path, content: object, words: str
) -> None:
    torch.save(content, tmp_path / "model.pth.tar-50")
    with pytest.raises(BankError, match=words):
        import_coop(tmp_path / "model.pth.tar-50", tiny_model, TASK)
