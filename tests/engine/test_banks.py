"""The banks and denoisers that ship, and the commands that make, list and measure them."""

import gc
import hashlib
import json
import weakref
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image
from safetensors.torch import save_file

from psmooth.certificate import Plan, read_certificate
from psmooth.command_line import main
from psmooth.denoise import MIRROR, LearnedDenoiser, find_denoiser, save_denoisers
from psmooth.errors import BankError, DenoiserError
from psmooth.files import resource
from psmooth.models import MedVLM, folder_of, load_model
from psmooth.phantoms import draw_phantom
from psmooth.prompts import BankFacts, list_banks, load_bank, shipped_bank, write_manifest
from psmooth.scans import crop_scan, open_scan
from psmooth.smoothing import certify
from psmooth.tasks import TASKS


@pytest.fixture(scope="module")
def pocket() -> MedVLM:
    return load_model("pocket", "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for class_id in ("round", "long"):
        (tmp_path / "scans" / class_id).mkdir(parents=True)
        for seed in range(3):
            cell = draw_phantom("blood_cells", "monocyte" if class_id == "round" else "neutrophil", seed)
            Image.fromarray(cell.pixels).save(tmp_path / "scans" / class_id / f"{seed}.png")
    return tmp_path / "scans"


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


def test_every_bank_of_the_manifest_is_whole_and_fits_its_model(pocket: MedVLM) -> None:
    rows, models = list_banks(), {"pocket": pocket, "pocket-noisy": load_model("pocket-noisy")}
    assert {row["task"] for row in rows} == set(pocket.spec.task_ids)
    assert {path.name for path in resource("prompts").glob("*.safetensors")} == {row["file"] for row in rows}
    for row in rows:
        bank = load_bank(resource("prompts", row["file"]), row["sha256"])
        bank.check(models[row["model"]], TASKS[row["task"]], row["denoiser"])
        assert bank.facts.scores["val_scans"] > 40
        assert bank.pool is not None
        assert len(bank.pool) == bank.facts.pool + bank.facts.scores["val_scans"]  # learned on, and chosen on
        assert (bank.facts.shots is None) == row["method"].startswith("label_free")


@pytest.mark.parametrize(
    "change",
    [
        {"template": "no place for a name"},
        {"class_names": ["one"], "class_ids": ["one"]},
        {"class_names": ["a", "b", "c"]},
        {"class_names": "ab"},
        {"class_ids": [1, 2]},
        {"shots": True},
        {"pool": 2.5},
        {"seed": 10**400},
        {"noise_levels": [10**400]},
        {"scores": {"val": 10**400}},
        {"scores": {"v" * 501: 0.5}},
        {"final_loss": float("nan")},
        {"scores": {"val": "high"}},
        {"scores": []},
        {"licence": "x" * 501},
        {"noise_levels": ["0.25"]},
        {"model": None},
        {"surplus": 1},
        {"schema": 2},
    ],
    ids=str,
)
def test_facts_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """A stranger's file may hold anything; what it holds reaches prompts, certificates and pages."""
    bank = load_bank(resource("prompts", list_banks()[0]["file"]))
    facts = asdict(bank.facts) | {"class_ids": ["a", "b"], "class_names": ["a", "b"], "schema": 1}
    file = tmp_path / "bank.safetensors"
    save_file({"context": bank.vectors}, file, {"psmooth": json.dumps(facts)})
    assert load_bank(file).facts.class_names == ("a", "b")
    save_file({"context": bank.vectors}, file, {"psmooth": json.dumps(facts | change)})
    with pytest.raises(BankError, match="is not a prompt bank"):
        load_bank(file)


def test_the_schema_of_banks_names_every_fact_and_no_other() -> None:
    written = json.loads(resource("assets", "bank.schema.json").read_text("utf-8"))
    assert list(written["properties"]) == written["required"] == ["schema", *(fact.name for fact in fields(BankFacts))]
    assert all("description" in told for told in written["properties"].values())
    Draft202012Validator.check_schema(written)


def test_a_bank_keeps_its_pool_and_one_without_does_not_claim_to_know(tmp_path: Path) -> None:
    digests = [hashlib.sha256(bytes([number])).hexdigest() for number in range(40)]
    bank = load_bank(resource("prompts", list_banks()[0]["file"]))
    pool = frozenset(digests[:30])
    saved = replace(bank, pool=pool).save(tmp_path / "known.safetensors")
    assert (saved.pool, load_bank(tmp_path / "known.safetensors").pool) == (pool, pool)
    assert [saved.learned_on(digest) for digest in digests] == [True] * 30 + [False] * 10
    # A bank was learned on something: one whose list is empty knows as little as one without, in memory and in a file.
    for name, unknown in (("empty", replace(bank, pool=frozenset())), ("unknown", replace(bank, pool=None))):
        saved_unknown = unknown.save(tmp_path / f"{name}.safetensors")
        assert (saved_unknown.pool, saved_unknown.learned_on(digests[0]), unknown.learned_on(digests[0])) == (None,) * 3
    assert saved.origin.keys() == bank.origin.keys() == {"id", "revision", "sha256", "licence"}


def numbered(rows: int) -> torch.Tensor:
    """Rows of 32 bytes in rising order."""
    numbers = torch.arange(rows)
    return torch.stack([numbers >> shift & 255 for shift in (24, 16, 8, 0)], 1).to(torch.uint8).repeat(1, 8)


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows.float(),
        lambda rows: rows.to(torch.int8),
        lambda rows: rows[:, :31].contiguous(),
        lambda rows: rows.flatten(),
        lambda rows: rows[None],
        lambda rows: rows.flip(0).contiguous(),
        lambda rows: rows[[0, 0, 1]],
        lambda _: numbered(2**18 + 1),
    ],
    ids=["floats", "signed", "narrow", "flat", "deep", "unsorted", "twice", "too many"],
)
def test_a_pool_that_is_none_is_refused(tmp_path: Path, damage: Callable[[torch.Tensor], torch.Tensor]) -> None:
    bank = load_bank(resource("prompts", list_banks()[0]["file"]))
    told = json.dumps(asdict(bank.facts) | {"schema": 1})
    file, fitted = tmp_path / "bank.safetensors", tmp_path / "denoisers.safetensors"

    def write(rows: torch.Tensor) -> None:
        save_file({"context": bank.vectors, "pool_sha256": rows}, file, {"psmooth": told})
        save_file({"spectrum": torch.zeros(3, 8, 8), "pool_sha256": rows}, fitted, {"psmooth": "{}"})

    write(numbered(5))
    expected = {f"{number:08x}" * 8 for number in range(5)}
    assert load_bank(file).pool == find_denoiser("wiener", tmp_path).pool == expected
    write(damage(numbered(5)))
    with pytest.raises(BankError, match="no sound list of the crops"):
        load_bank(file)
    with pytest.raises(DenoiserError, match="damaged"):
        find_denoiser("wiener", tmp_path)


def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing_behind(tmp_path: Path) -> None:
    bank = load_bank(resource("prompts", list_banks()[0]["file"]))
    with pytest.raises(BankError, match=r"The bank cannot be written to .*Choose another"):
        bank.save(tmp_path / "missing" / "bank.safetensors")
    with pytest.raises(DenoiserError, match="cannot be written"):
        save_denoisers(tmp_path / "missing" / "d.safetensors", torch.zeros(3, 8, 8), LearnedDenoiser(), {})
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(BankError, match="cannot be written"):
        bank.save(tmp_path / "taken.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.safetensors"]


def test_a_manifest_that_cannot_be_read_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank = load_bank(resource("prompts", list_banks()[0]["file"]))
    bank.save(tmp_path / "mine.safetensors")
    write_manifest(tmp_path)
    assert list_banks(tmp_path)[0]["sha256"] == bank.sha256
    for text in ("{", '{"banks": 3}', '{"banks": [{"file": 1}]}'):
        (tmp_path / "manifest.json").write_text(text)
        code, out, err = said(["banks", "list", str(tmp_path)], capsys)
        assert (code, out) == (2, "")
        assert "cannot be read" in err


def test_checking_a_bank_does_not_hold_its_model(tiny_model_folder: Path) -> None:
    model = load_model(f"local-dir:{tiny_model_folder}", "cpu")
    bank = load_bank(resource("prompts", "pocket-blood_cells-linear_probe-none.safetensors"))
    bank = replace(bank, facts=replace(bank.facts, model_revision=model.revision))
    with pytest.raises(BankError, match="this model needs 16"):
        bank.check(model, TASKS["blood_cells"], "none")
    seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None


def test_all_methods_run_on_the_shipped_banks_behind_the_learned_denoiser(pocket: MedVLM) -> None:
    crop = crop_scan(open_scan(draw_phantom("blood_cells", "monocyte", 2).pixels), pocket.crop_rule)
    methods = ["template", "few_shot", "label_free", "linear_probe", "label_free_probe", "zero_shot", "combined"]
    *_, last = certify(
        pocket, crop, task="blood_cells", methods=methods, denoiser="learned", noise_level=0.25,
        plan=Plan(max_votes=64), batch_size=32,
    )  # fmt: skip
    assert list(last.results) == methods
    assert {result.votes.total for result in last.results.values()} == {64}
    record = last.results["template"].run
    assert record.denoiser_sha256 == find_denoiser("learned", folder_of(pocket.spec), pocket.revision).sha256
    assert last.results["few_shot"].run.bank == {
        "id": "pocket-blood_cells-few_shot-learned",
        "revision": None,
        "sha256": shipped_bank(pocket, TASKS["blood_cells"], "few_shot", "learned").sha256,
        "licence": "Apache-2.0",
        "learned_on_scan": False,
    }


def test_a_bank_is_learned_used_and_verified(
    tiny_model_folder: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, bank = f"local-dir:{tiny_model_folder}", str(tmp_path / "bank.safetensors")
    words = ["--model", model, "--class-names", "round; long"]
    code, out, err = said(
        ["learn", "few-shot", str(folder), *words, "--shots", "2", "--steps", "20", "--out", bank, "--json"], capsys
    )
    assert code == 0
    assert json.loads(out)["scans"] == 4
    assert "step 20 of 20" in err
    record = tmp_path / "certificate.json"
    scan = folder / "round" / "0.png"
    options = [*words, "--method", "combined", "--bank", bank, "--votes", "64", "--out", str(record)]
    code, out, _ = said(["certify", str(scan), *options], capsys)
    assert code in (0, 3)
    assert read_certificate(record).guarantee == "frozen_prompt"
    code, out, _ = said(["verify", str(record), "--scan", str(scan), "--bank", bank], capsys)
    assert code == 0, out


@pytest.mark.parametrize(("way", "used"), [("few-shot", 4), ("linear-probe", 4), ("label-free", 6)])
def test_a_scan_that_a_bank_was_learned_on_is_recognised(
    tiny_model_folder: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str, used: int
) -> None:
    """Supervised ways use the shots they draw alone; the others see every scan of the folder."""
    file, model = tmp_path / "bank.safetensors", f"local-dir:{tiny_model_folder}"
    words = ["--model", model, "--class-names", "round; long", "--shots", "2", "--steps", "2", "--out", str(file)]
    assert said(["learn", way, str(folder), *words], capsys)[0] == 0
    bank, rule = load_bank(file), load_model(model, "cpu").crop_rule
    known = [bank.learned_on(crop_scan(open_scan(scan), rule).sha256) for scan in sorted(folder.rglob("*.png"))]
    assert known.count(True) == len(bank.pool or ()) == bank.facts.pool == used
    assert known.count(False) == 6 - used
    other = open_scan(draw_phantom("blood_cells", "monocyte", 9).pixels)
    assert bank.learned_on(crop_scan(other, rule).sha256) is False


def test_a_denoiser_is_learned_and_used(
    tiny_model_folder: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, file = f"local-dir:{tiny_model_folder}", str(tmp_path / "denoisers.safetensors")
    code, _, _ = said(["learn", "denoiser", str(folder), "--model", model, "--steps", "3", "--out", file], capsys)
    assert code == 0
    options = ["--model", model, "--class-names", "a; b", "--denoiser", file, "--votes", "32", "--json"]
    code, out, _ = said(["certify", str(folder / "long" / "1.png"), *options], capsys)
    assert code in (0, 3)
    assert json.loads(out)["denoiser"] == "learned"
    rule = load_model(model, "cpu").crop_rule
    crops = {crop_scan(open_scan(scan), rule).sha256 for scan in folder.rglob("*.png")}
    assert find_denoiser(file).pool == find_denoiser("wiener", tmp_path).pool == crops
    assert {
        find_denoiser(name + ending).pool for name in ("none", "gaussian", "wavelet") for ending in ("", MIRROR)
    } == {frozenset()}


def test_denoisers_of_a_file_that_does_not_say_have_no_known_pool(pocket: MedVLM) -> None:
    assert {find_denoiser(name, folder_of(pocket.spec)).pool for name in ("wiener", "learned", "learned-mirror")} == {
        None
    }


def test_evaluate_and_banks_list_print_their_tables(
    tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, class_id in enumerate(TASKS["oral_histology"].class_ids):
        (tmp_path / "oral" / class_id).mkdir(parents=True)
        drawn = draw_phantom("blood_cells", "monocyte", seed)
        Image.fromarray(drawn.pixels).save(tmp_path / "oral" / class_id / "1.png")
    options = ["--model", f"local-dir:{tiny_model_folder}", "--task", "oral_histology", "--votes", "32"]
    options += ["--methods", "template,zero_shot", "--noise", "0.1,0.5", "--out", str(tmp_path / "results")]
    code, out, _ = said(["evaluate", str(tmp_path / "oral"), *options], capsys)
    assert code == 0
    assert out.index("unconditional") < out.index("template") < out.index("frozen prompt") < out.index("zero_shot")
    code, out, _ = said(["banks", "list", "--json"], capsys)
    assert len(json.loads(out)) == len(list_banks())
    chosen = ["--model", "pocket", "--task", "brain_mri", "--json"]
    rows = json.loads(said(["banks", "list", *chosen], capsys)[1])
    assert {(row["model"], row["task"]) for row in rows} == {("pocket", "brain_mri")}
    code, out, err = said(["banks", "list", "--task", "nosuch"], capsys)
    assert (code, out) == (0, "")
    assert "No bank" in err
    code, _, err = said(["evaluate", str(tmp_path / "results"), *options], capsys)
    assert code == 2
    assert "without scans" in err
