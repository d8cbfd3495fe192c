"""Banks on the Hub: published, pulled back, certified bit-equally; and everything that is refused.

The Hub is one on this machine; the command line runs in a process of its own, whose environment names it.
"""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from psmooth.certificate import Plan, read_certificate
from psmooth.denoise import find_denoiser
from psmooth.errors import BankError, HubError
from psmooth.hub import Hub
from psmooth.learning import TrainingConfig, learn_bank
from psmooth.models import MedVLM
from psmooth.phantoms import draw_phantom
from psmooth.prompts import PromptBank, list_banks, load_bank
from psmooth.prompts.coop import import_coop
from psmooth.prompts.hub import bank_rows, find_bank, fitting, publish, pull, read_list
from psmooth.scans import Crop
from psmooth.smoothing import certify
from psmooth.tasks import own_task
from tests.hub.bank_server import BankHub, bank_hub

TASK = own_task("disc; ring", "a picture of a {}.")
REPO = "somebody/banks"
CROPS = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
POOL = {hashlib.sha256(b"3x32x32:" + bytes(crop.flatten().tolist())).hexdigest() for crop in CROPS}


def listing(file: str) -> bytes:
    """A manifest of one bank."""
    row = dict.fromkeys(("sha256", "method", "model", "model_revision", "task", "denoiser"), "")
    return json.dumps({"banks": [row | {"file": file}]}).encode()


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
    for method in ("label_free", "label_free_probe"):
        config = TrainingConfig(method, find_denoiser("none"), steps=3, copies=1)
        *_, (_, bank) = learn_bank(tiny_model, TASK, config, CROPS, None)
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
    card = server.repos[REPO]["README.md"].decode()
    assert card.startswith("---\nlibrary_name: psmooth\nlicense: apache-2.0\n")
    assert "| label_free | label_free | tiny @ " in card
    assert "disc; ring" in card
    pulled = pull(REPO, model=tiny_model, task=TASK, hub=hub)
    assert [bank.facts.method for bank in pulled] == ["label_free", "label_free_probe"]
    assert "lets whoever has the same crop recognise it" in card
    for bank in pulled:
        assert bank.pool == load_bank(folder / f"{bank.name}.safetensors").pool == POOL
        before, _ = votes(tiny_model, crop, load_bank(folder / f"{bank.name}.safetensors"))
        after, recorded = votes(tiny_model, crop, bank)
        assert after == before
        assert recorded == {
            "id": f"{REPO}/{bank.name}",
            "revision": server.commit(REPO),
            "sha256": bank.sha256,
            "licence": "Apache-2.0",
            "learned_on_scan": False,
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
    for revision in (commit, "main"):
        found = pull(REPO, revision, hub=gone)
        assert [bank.sha256 for bank in found] == [bank.sha256 for bank in first]
        assert {bank.revision for bank in found} == {commit}


def test_nothing_but_checked_banks_leaves_the_machine_and_the_folder_stays_as_it_was(
    server: BankHub, hub: Hub, folder: Path
) -> None:
    (folder / "weights").mkdir()
    (folder / "weights" / "private.safetensors").write_bytes(b"not to be sent")
    (folder / "README.md").write_text("notes about patients")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    publish(folder, REPO, hub=hub)
    sent = b"".join(server.repos[REPO].values())
    assert not any(secret in sent for secret in (b"not to be sent", b"notes about patients", b"a secret"))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (folder / "model.safetensors").write_bytes(b"no bank")
    server.repos.clear()
    with pytest.raises(BankError, match="is not a prompt bank"):
        publish(folder, REPO, hub=hub)
    assert server.repos == {}


def test_the_card_has_the_figures_of_a_bank(server: BankHub, hub: Hub, folder: Path) -> None:
    bank = load_bank(folder / "label_free.safetensors")
    facts = replace(bank.facts, scores={"val_certified": 0.703}, licence="CC-BY-4.0 | mine")
    replace(bank, facts=facts).save(folder / "label_free.safetensors")
    publish(folder, REPO, hub=hub)
    card = server.repos[REPO]["README.md"].decode()
    assert "license: other" in card
    assert "certified accuracy takes its labels" in card
    assert "| label_free | val_certified | 0.703 |" in card
    assert "CC-BY-4.0 \\| mine |" in card


def test_rows_are_told_apart_by_model_and_task(tiny_model: MedVLM) -> None:
    rows = list_banks()
    blood = fitting(rows, "pocket", "blood_cells")
    assert blood
    assert {(row["model"], row["task"]) for row in blood} == {("pocket", "blood_cells")}
    assert fitting(rows, "plip") == []
    assert fitting(rows, tiny_model) == []
    pinned = {"model": "plip", "model_revision": "67ade53ddd32195868f422585f72698ef5d15094", "task": "pannuke"}
    moved = pinned | {"model_revision": "0" * 40}
    assert fitting([pinned, moved], "plip") == [pinned]


def test_copies_are_the_very_files_and_a_bank_is_found_by_one_name(
    server: BankHub, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    publish(folder, REPO, hub=hub)
    out = tmp_path / "new" / "copies"
    pull(REPO, out=out, hub=hub)
    names = {"label_free.safetensors", "label_free_probe.safetensors", "manifest.json"}
    assert {path.name for path in out.iterdir()} == names
    for name in names:
        assert (out / name).read_bytes() == server.repos[REPO][name]
    assert [row["file"] for row in read_list(str(out))] == sorted(names)[:2]
    bank = find_bank(f"{REPO}@{server.commit(REPO)}:label_free_probe", hub)
    assert bank.origin["id"] == f"{REPO}/label_free_probe"
    assert bank.origin["revision"] == server.commit(REPO)
    assert find_bank(str(out / "label_free.safetensors")).revision is None
    with pytest.raises(BankError, match="no bank for the name 'nosuch'"):
        find_bank(f"{REPO}:nosuch", hub)
    with pytest.raises(BankError, match=r"no manifest\.json"):
        read_list(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(BankError, match="cannot be made"):
        pull(REPO, out=tmp_path / "file" / "below", hub=hub)


def test_a_pickle_that_calls_itself_safetensors_is_refused(
    server: BankHub, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    publish(folder, REPO, hub=hub)
    data = pickle.dumps(Trap(tmp_path / "trapped"))
    rows = json.loads(server.repos[REPO]["manifest.json"])
    rows["banks"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    server.repos[REPO] |= {"label_free.safetensors": data, "manifest.json": json.dumps(rows).encode()}
    with pytest.raises(BankError, match="is not a prompt bank"):
        pull(REPO, hub=hub)
    assert not (tmp_path / "trapped").exists()


class Trap:
    """What a pickle can do to whoever loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


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
        (b'{"banks": []}', "lists no banks"),
        (b'{"banks": [{"file": "a.safetensors"}]}', "cannot be read"),
        (listing("../evil.safetensors"), "something else"),
        (listing("..\\evil.safetensors"), "something else"),
        (listing("*.safetensors"), "something else"),
        (listing("code.pkl"), "something else"),
    ],
    ids=["missing", "not json", "empty", "half a row", "another folder", "on Windows", "every file", "a pickle"],
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
    with pytest.raises(HubError, match=r"could not be written to.*cannot be reached"):
        publish(folder, REPO, hub=Hub(endpoint="http://127.0.0.1:9"))
    with pytest.raises(HubError, match="no name of a repository"):
        publish(folder, "one/two/three", hub=hub)
    with pytest.raises(BankError, match="no bank in"):
        publish(folder.parent / "empty", REPO, hub=hub)


@pytest.mark.parametrize(("status", "words"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (418, "answered 418")])
def test_a_hub_that_refuses_says_what_to_do(server: BankHub, hub: Hub, folder: Path, status: int, words: str) -> None:
    server.refusal = status
    with pytest.raises(HubError, match=words):
        publish(folder, REPO, hub=hub)
    assert server.repos == {}


def test_a_checkpoint_of_the_reference_implementation_becomes_a_bank(
    tiny_model: MedVLM, crop: Crop, tmp_path: Path
) -> None:
    context = 0.02 * torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    state = {"ctx": context, "token_prefix": torch.zeros(2, 1, 16), "token_suffix": torch.zeros(2, 8, 16)}
    torch.save({"state_dict": state, "epoch": 50}, tmp_path / "model.pth.tar-50")
    bank = import_coop(tmp_path / "model.pth.tar-50", tiny_model, TASK)
    assert bank.facts.steps == 50
    saved = bank.save(tmp_path / "coop.safetensors")
    assert (bank.pool, saved.pool, saved.learned_on(crop.sha256)) == (None, None, None)
    assert torch.equal(saved.vectors, context)
    counts, _ = votes(tiny_model, crop, saved)
    assert sum(counts) == 200


class Warmup(torch.optim.lr_scheduler.LRScheduler):
    """As in Dassl, which CoOp stands on: its state holds the schedule that follows, as an object."""

    def __init__(self, optimizer: Any, successor: Any) -> None:
        self.successor = successor
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        return [1e-5 for _ in self.base_lrs]


def test_a_checkpoint_is_read_with_the_optimizer_and_the_schedule_that_coop_keeps_in_it(
    tiny_model: MedVLM, tmp_path: Path
) -> None:
    context = torch.nn.Parameter(0.02 * torch.randn(4, 16, generator=torch.Generator().manual_seed(0)))
    optimizer = torch.optim.SGD([context], lr=2e-3, momentum=0.9)
    context.sum().backward()
    optimizer.step()
    schedule = Warmup(optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50))
    state = {"optimizer": optimizer.state_dict(), "scheduler": schedule.state_dict(), "val_result": None}
    path = tmp_path / "vit_b32_ep50_32shots" / "nctx4_cscFalse_ctpend" / "seed3" / "model.pth.tar-50"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": {"ctx": context.detach()}, "epoch": 50, **state}, path)
    bank = import_coop(path, tiny_model, TASK)
    assert torch.equal(bank.vectors, context.detach())
    assert (bank.facts.shots, bank.facts.pool, bank.facts.seed, bank.facts.steps) == (32, 64, 3, 50)
    other = tmp_path / "nctx4_cscFalse_ctpmiddle" / "model.pth.tar-50"
    other.parent.mkdir()
    path.rename(other)
    with pytest.raises(BankError, match="around or behind the class name"):
        import_coop(other, tiny_model, TASK)


def test_code_in_a_checkpoint_is_never_run(tiny_model: MedVLM, tmp_path: Path) -> None:
    torch.save({"state_dict": {"ctx": torch.zeros(5, 16)}, "extra": Trap(tmp_path / "trapped")}, tmp_path / "c.tar")
    with pytest.raises(BankError, match="can run code"):
        import_coop(tmp_path / "c.tar", tiny_model, TASK)
    assert not (tmp_path / "trapped").exists()
    (tmp_path / "c.tar").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(BankError, match="damaged"):
        import_coop(tmp_path / "c.tar", tiny_model, TASK)
    with pytest.raises(BankError, match="There is no file"):
        import_coop(tmp_path / "none.tar", tiny_model, TASK)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"state_dict": {"ctx": torch.zeros(2, 5, 16)}}, "for every class"),
        ({"state_dict": {"ctx": torch.zeros(5, 12)}}, "wide"),
        ({"state_dict": {"other": torch.zeros(5, 16)}}, "holds no context"),
        ({"state_dict": {"ctx": torch.full((5, 16), torch.nan)}}, "not finite"),
        (["nothing"], "holds no context"),
    ],
    ids=["class-specific", "another width", "no context", "not finite", "no dictionary"],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tiny_model: MedVLM, tmp_path: Path, content: object, words: str
) -> None:
    torch.save(content, tmp_path / "model.pth.tar-50")
    with pytest.raises(BankError, match=words):
        import_coop(tmp_path / "model.pth.tar-50", tiny_model, TASK)


def test_the_command_line_publishes_lists_pulls_certifies_and_imports(
    server: BankHub, folder: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    scan, out, record = tmp_path / "scan.png", tmp_path / "copies", tmp_path / "certificate.json"
    Image.fromarray(draw_phantom("blood_cells", "monocyte", 1).pixels).save(scan)
    torch.save({"state_dict": {"ctx": torch.zeros(5, 16)}}, tmp_path / "model.pth.tar-50")
    model = f"local-dir:{tiny_model_folder}"
    asked = ["--class-names", "disc; ring", "--template", "a picture of a {}.", "--method", "label_free"]
    imported = ["--model", model, "--task", "pannuke", "--out", tmp_path / "coop.safetensors"]
    answers = _run(
        server,
        tmp_path,
        ["banks", "publish", folder, REPO, "--private", "--json"],
        ["banks", "list", REPO, "--model", model, "--json"],
        ["banks", "pull", REPO, "--task", "own", "--out", out, "--json"],
        ["certify", scan, "--model", model, *asked, "--bank", f"{REPO}:label_free", "--votes", "64", "--out", record],
        ["banks", "import", tmp_path / "model.pth.tar-50", *imported, "--json"],
        ["banks", "pull", "nobody/nothing"],
        ["banks", "list", folder],
    )
    published, listed, pulled, certified, coop, missing, bare = answers
    assert [code for code, _, _ in answers] == [0, 0, 0, certified[0], 0, 2, 2]
    assert certified[0] in (0, 3)
    assert json.loads(published[1])["repo"] == REPO
    assert [row["method"] for row in json.loads(listed[1])] == ["label_free", "label_free_probe"]
    assert {row["revision"] for row in json.loads(pulled[1])} == {server.commit(REPO)}
    assert server.commit(REPO) in pulled[2]
    assert len(list(out.glob("*.safetensors"))) == 2
    bank = read_certificate(record).run.bank
    assert bank is not None
    assert (bank["id"], bank["revision"]) == (f"{REPO}/label_free", server.commit(REPO))
    assert json.loads(coop[1])[0]["method"] == "few_shot"
    assert "There is no repository nobody/nothing" in missing[2]
    assert "no manifest.json" in bare[2]


def _run(server: BankHub, home: Path, *commands: list[Any]) -> list[tuple[int, str, str]]:
    """(exit code, stdout, stderr) of commands, one after the other in one process that knows this Hub alone."""
    script = """
import contextlib, io, json, sys
from psmooth.__main__ import main
answers = []
for command in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(command)
        except SystemExit as left:
            answers.append((left.code or 0, out.getvalue(), err.getvalue()))
print(json.dumps(answers))
"""
    asked = json.dumps([[str(word) for word in command] for command in commands])
    hub = {"HF_ENDPOINT": server.address, "HF_HOME": str(home / "home"), "HF_TOKEN": "hf_test"}
    environment = {**os.environ, **hub, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script, asked], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [tuple(answer) for answer in json.loads(done.stdout.splitlines()[-1])]
