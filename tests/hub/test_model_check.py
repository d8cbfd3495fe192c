"""`psmooth models check`: a right model passes, and each way to be wrong fails with the sentence that says which.

Models are small ones with random weights of every format, on a Hub of the loopback address; the originals that they are
held against are the libraries that made them.
"""

import getpass
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import file_download
from PIL import Image

from psmooth import hub as hubs
from psmooth.command_line import main
from psmooth.errors import ModelError
from psmooth.hub import Hub, sha256_of
from psmooth.model_check import Checked, Settings, Step, check_model, loaded, pictures
from psmooth.model_check import report as text_of
from psmooth.model_check.answers import Answers, Question, chance_of_other_gelu, shuffled
from psmooth.model_check.gelu import other_gelu
from psmooth.model_check.original import load_original
from psmooth.model_check.step import sentence
from psmooth.models import MODELS, MedVLM, load_model
from psmooth.phantoms import draw_phantom
from psmooth.scans import crop_scan, open_scan
from psmooth.smoothing import certification
from psmooth.tasks import TASKS
from tests.hub.families import FAMILIES, clip_of_open_clip
from tests.hub.server import FakeHub, serving

ROWS = {
    "PLIP and PubMedCLIP": "plip",
    "MONET": "monet",
    "QuiltNet": "quiltnet-b-32",
    "BiomedCLIP and QuiltNet-PMB": "biomedclip",
    "BERT with the mean of words": "quiltnet-b-16-pmb",
    "UniMed-CLIP": "unimed-clip",
    "MedCLIP": "medclip",
    "MedSigLIP": "medsiglip",
}
TASK = "lung_colon_histology"
WEIGHTS = "open_clip_pytorch_model.bin"


@pytest.fixture(autouse=True)
def few_phantoms_and_each_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "draw_phantom", _drawn)
    monkeypatch.setattr(pictures, "_EACH", 1)
    monkeypatch.setattr(certification, "best_batch_size", lambda _: 32)  # whose trial takes a second


_drawn = cache(draw_phantom)


@dataclass(frozen=True)
class Bench:
    """A Hub with one model, and the row of the table that leads to it."""

    server: FakeHub
    hub: Hub
    monkeypatch: pytest.MonkeyPatch

    def publish(self, row: str, folder: Path, **changes: Any) -> str:
        """A commit with the files of a folder; the row has its pin and the sha256 of its weights, or ``changes``."""
        commit = self.server.add_folder(f"people/{row}", folder)
        names = [name for name in (*MODELS[row].weight_files, WEIGHTS) if (folder / name).is_file()]
        sha256 = hashlib.sha256((folder / names[0]).read_bytes()).hexdigest()
        facts = {"weights": f"hf-hub:people/{row}@{commit}", "sha256": ((names[0], sha256),), "megabytes": 0}
        facts |= {"input_size": 0, "text_length": 0, "files": ("*",) if row == "medclip" else MODELS[row].files}
        facts |= {"files": (*MODELS[row].files, "vocab.txt")} if row in ("medclip", "unimed-clip") else {}
        self.monkeypatch.setitem(MODELS, row, replace(MODELS[row], **(facts | changes)))
        return commit

    def check(self, row: str, scans: Path | None = None) -> dict[str, Step]:
        """The steps by name."""
        steps = list(check_model(row, Settings("cpu", scans, hub=self.hub)))
        assert all(step.advice.endswith((".", ":")) for step in steps if step.outcome != "passed")
        assert len({step.name for step in steps}) == len(steps)
        return {step.name: step for step in steps}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bench]:
    for module in (file_download, "huggingface_hub.utils._http"):
        pause = SimpleNamespace(sleep=lambda _: None, time=time.time)
        if isinstance(module, str):
            monkeypatch.setattr(f"{module}.time", pause)
        else:
            monkeypatch.setattr(module, "time", pause)
    with serving() as server:
        yield Bench(server, Hub(endpoint=server.url, cache=tmp_path / "cache"), monkeypatch)


@pytest.fixture
def quilt(bench: Bench, tmp_path: Path) -> Path:
    """A published QuiltNet of random weights; its folder."""
    clip_of_open_clip(tmp_path / "m")
    bench.publish("quiltnet-b-32", tmp_path / "m")
    return tmp_path / "m"


def change(folder: Path, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """The folder with other tensors."""
    torch.save(edit(torch.load(folder / WEIGHTS, weights_only=True)), folder / WEIGHTS)
    return folder


def outcomes(steps: dict[str, Step]) -> dict[str, str]:
    return {name: step.outcome for name, step in steps.items()}


# --- a right one


@pytest.mark.parametrize("family", FAMILIES)
def test_a_right_model_of_every_format_passes(bench: Bench, tmp_path: Path, family: str) -> None:
    FAMILIES[family](tmp_path / "m")
    bench.publish(ROWS[family], tmp_path / "m")
    steps = bench.check(ROWS[family])
    phantoms = steps.pop("phantoms")
    assert set(outcomes(steps).values()) == {"passed"}, steps
    assert list(steps) == ["files", "sha256", "pin", "weights", "table", "original", "certificate", "speed"]
    assert steps["original"].found.startswith(("transformers ", "open_clip_torch "))
    assert phantoms.outcome in ("passed", "doubtful", "skipped"), "random weights know nothing, which is no failure"


def test_a_zip_and_its_words_from_the_hub_pass_too(bench: Bench, tmp_path: Path) -> None:
    """MedCLIP comes from an address; where the row has another sha256 than the zip, that is the failure."""
    FAMILIES["MedCLIP"](tmp_path / "m")
    weights = (tmp_path / "m" / "pytorch_model.bin").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("pytorch_model.bin", weights)
    bench.server.plain["/medclip.zip"] = packed.getvalue()
    words = bench.server.add("people/words", {"vocab.txt": (tmp_path / "m" / "vocab.txt").read_bytes()})
    fetch, url = hubs.fetch_zip, bench.server.url
    bench.monkeypatch.setattr(hubs, "fetch_zip", lambda _, *rest, **more: fetch(f"{url}/medclip.zip", *rest, **more))
    sums = {"medclip.zip": packed.getvalue(), "pytorch_model.bin": weights}
    sha256 = tuple((name, hashlib.sha256(data).hexdigest()) for name, data in sums.items())
    facts = {"sha256": sha256, "tokenizer": f"hf-hub:people/words@{words}", "megabytes": 0}
    row = replace(MODELS["medclip"], weights="https://x/medclip.zip", **facts)  # type: ignore[arg-type]
    bench.monkeypatch.setitem(MODELS, "medclip", row)
    steps = bench.check("medclip")
    assert list(steps)[:4] == ["files", "sha256", "weights", "table"]
    assert {steps[name].outcome for name in ("files", "sha256", "weights", "table", "original")} == {"passed"}
    bench.monkeypatch.setitem(MODELS, "medclip", replace(row, sha256=(("medclip.zip", "0" * 64),)))
    (step,) = bench.check("medclip").values()
    assert step.found.startswith("medclip.zip is not the file on record: its sha256 is another one.")


# --- wrong files


def test_a_wrong_pin_is_told_with_the_commit_of_today(bench: Bench, tmp_path: Path) -> None:
    clip_of_open_clip(tmp_path / "m")
    commit = bench.publish("quiltnet-b-32", tmp_path / "m", weights=f"hf-hub:people/quiltnet-b-32@{'0' * 40}")
    (step,) = bench.check("quiltnet-b-32").values()
    assert (step.name, step.outcome) == ("files", "failed")
    assert f"people/quiltnet-b-32 has no revision '{'0' * 40}'" in step.found
    assert "The pin is wrong" in step.advice
    assert step.lines == (f'weights="hf-hub:people/quiltnet-b-32@{commit}",',)


def test_a_changed_hash_is_told_and_nothing_is_loaded(bench: Bench, quilt: Path) -> None:
    found = dict(MODELS["quiltnet-b-32"].sha256)[WEIGHTS]
    bench.publish("quiltnet-b-32", quilt, sha256=((WEIGHTS, "0" * 64),))
    steps = bench.check("quiltnet-b-32")
    assert outcomes(steps) == {"files": "passed", "sha256": "failed", "pin": "passed"}
    assert steps["sha256"].found == f"{WEIGHTS} has the sha256 {found}, and {'0' * 64} is on record."
    assert "Do not use this file" in steps["sha256"].advice


@pytest.mark.parametrize("harm", ["cut off", "damaged"])
@pytest.mark.usefixtures("quilt")
def test_a_file_that_is_truncated_or_damaged_is_told_and_fetched_anew(bench: Bench, harm: str) -> None:
    assert bench.check("quiltnet-b-32")["files"].outcome == "passed"
    (file,) = bench.hub.cache.rglob(WEIGHTS)  # type: ignore[union-attr]
    whole = file.read_bytes()
    file.resolve().write_bytes(whole[:1_000] if harm == "cut off" else whole[:-1] + bytes([whole[-1] ^ 1]))
    steps = bench.check("quiltnet-b-32")
    assert steps["files"].outcome == "failed"
    assert f"it is {harm}" in steps["files"].found
    assert list(steps) == ["files"], "the sha256 of a damaged file does not speak against its source"
    assert bench.check("quiltnet-b-32")["weights"].outcome == "passed"


@pytest.mark.usefixtures("quilt")
def test_a_download_that_breaks_is_told_and_goes_on(bench: Bench) -> None:
    commit = MODELS["quiltnet-b-32"].weights.partition("@")[2]
    bench.server.breaks[f"/people/quiltnet-b-32/resolve/{commit}/{WEIGHTS}"] = 1_000
    bench.monkeypatch.setattr("psmooth.hub.repository._LARGE", 1_000)
    (step,) = bench.check("quiltnet-b-32").values()
    assert step.outcome == "failed"
    assert "The connection broke" in step.found
    assert bench.check("quiltnet-b-32")["weights"].outcome == "passed"
    assert [asked for _, path, asked in bench.server.asked if path.endswith(WEIGHTS) and asked] == ["bytes=1000-"]


def test_what_the_table_lacks_is_the_very_line_to_add(bench: Bench, quilt: Path) -> None:
    row = MODELS["quiltnet-b-32"]
    bench.publish("quiltnet-b-32", quilt, weights="hf-hub:people/quiltnet-b-32", sha256=(), input_size=64, megabytes=1)
    steps = bench.check("quiltnet-b-32")
    assert {steps[name].outcome for name in ("sha256", "pin")} == {"doubtful"}
    assert steps["table"].outcome == "failed"
    told = eval(f"dict({''.join(line for step in steps.values() for line in step.lines)})")
    size = round((quilt / WEIGHTS).stat().st_size / 1e6)
    assert told == {"weights": row.weights, "sha256": row.sha256, "input_size": 32, "megabytes": size}
    bench.publish("quiltnet-b-32", quilt, **told)
    assert {bench.check("quiltnet-b-32")[name].outcome for name in ("sha256", "pin", "table")} == {"passed"}


@pytest.mark.parametrize("gated", [True, False])
def test_a_gate_is_no_failure_where_the_row_knows_of_it(bench: Bench, quilt: Path, gated: bool) -> None:
    bench.publish("quiltnet-b-32", quilt, gated=gated)
    bench.server.repos["models", "people/quiltnet-b-32"].refuses = (401, "GatedRepo")
    (step,) = bench.check("quiltnet-b-32").values()
    assert step.outcome == ("skipped" if gated else "failed")
    assert "is gated" in step.found
    assert ("set gated" in step.advice) != gated


# --- wrong weights


def test_a_renamed_key_is_told_by_both_names(bench: Bench, quilt: Path) -> None:
    bench.publish(
        "quiltnet-b-32", change(quilt, lambda state: state | {"visual.ln_last.bias": state.pop("visual.ln_post.bias")})
    )
    steps = bench.check("quiltnet-b-32")
    assert list(steps)[-1] == "weights"
    assert steps["weights"].outcome == "failed"
    assert "missing: visual.ln_post.bias; not known: visual.ln_last.bias" in steps["weights"].found
    assert "psmooth/models/key_maps.py" in steps["weights"].advice


def test_a_key_that_a_size_is_read_off_is_told_too(bench: Bench, tmp_path: Path) -> None:
    FAMILIES["PLIP and PubMedCLIP"](tmp_path / "m")
    file = tmp_path / "m" / "pytorch_model.bin"
    state = torch.load(file, weights_only=True)
    torch.save({key.replace("visual_projection", "image_projection"): value for key, value in state.items()}, file)
    bench.publish("plip", tmp_path / "m")
    assert "missing: visual.proj" in bench.check("plip")["weights"].found


def test_weights_of_another_file_are_no_tensors(bench: Bench, quilt: Path) -> None:
    (quilt / WEIGHTS).write_bytes(b"no weights at all")
    bench.publish("quiltnet-b-32", quilt)
    step = bench.check("quiltnet-b-32")["weights"]
    assert step.outcome == "failed"
    assert "psmooth/models/formats.py" in step.advice


def test_weights_that_are_all_zero_are_told(bench: Bench, quilt: Path) -> None:
    bench.publish("quiltnet-b-32", change(quilt, lambda state: {k: torch.zeros_like(v) for k, v in state.items()}))
    assert "no numbers, or all the same" in bench.check("quiltnet-b-32")["weights"].found


@pytest.mark.parametrize(
    ("scale", "outcome", "words"),
    [(float("nan"), "failed", "is no number"), (12.0, "doubtful", "1 and 1,000"), (-3.0, "doubtful", "1 and")],
)
def test_a_logit_scale_that_no_training_gives_is_told(
    bench: Bench, quilt: Path, scale: float, outcome: str, words: str
) -> None:
    """The original has it from the same file, so comparing tells nothing."""
    change(quilt, lambda state: state | {"logit_scale": torch.tensor(scale)})
    bench.publish("quiltnet-b-32", quilt)
    step = bench.check("quiltnet-b-32")["weights"]
    assert step.outcome == outcome
    assert words in step.found


def test_a_normalisation_that_no_known_model_has_is_told(bench: Bench, quilt: Path) -> None:
    file = quilt / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["preprocess_cfg"]["mean"] = config["preprocess_cfg"]["mean"][::-1]
    file.write_text(json.dumps(config))
    bench.publish("quiltnet-b-32", quilt)
    steps = bench.check("quiltnet-b-32")
    assert steps["original"].outcome == "passed", "open_clip reads the same file"
    assert steps["weights"].outcome == "doubtful"
    assert "pixels normalised by numbers of its own" in steps["weights"].found


def test_the_vocabulary_of_another_model_is_told(bench: Bench, tmp_path: Path) -> None:
    FAMILIES["MedCLIP"](tmp_path / "m")
    words = (tmp_path / "m" / "vocab.txt").read_text()
    (tmp_path / "m" / "vocab.txt").write_text(words + "".join(f"more{number}\n" for number in range(9)))
    bench.publish("medclip", tmp_path / "m")
    step = bench.check("medclip")["weights"]
    assert step.outcome == "doubtful"
    assert "it may be that of another model" in step.found


def test_too_little_memory_is_no_mistake_of_psmooth(bench: Bench, quilt: Path) -> None:
    def load(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    bench.publish("quiltnet-b-32", quilt)
    bench.monkeypatch.setattr("psmooth.model_check.checking.load_model", load)
    step = bench.check("quiltnet-b-32")["weights"]
    assert (step.outcome, step.found) == ("failed", "There is too little memory for it here.")


# --- not what the original is


def test_a_row_against_the_configuration_is_a_missing_quick_gelu(bench: Bench, quilt: Path) -> None:
    bench.publish("quiltnet-b-32", quilt, quick_gelu=False)
    step = bench.check("quiltnet-b-32")["original"]
    assert step.outcome == "failed"
    assert "With QuickGELU in psmooth they agree" in step.found
    assert step.lines == ("quick_gelu=True,",)


@pytest.mark.parametrize("beside", [True, False])
def test_a_configuration_that_is_silent_on_quick_gelu_is_told(bench: Bench, tmp_path: Path, beside: bool) -> None:
    """open_clip, which reads its own configuration alone, is the one that slips."""
    clip_of_open_clip(tmp_path / "m", told=False)
    if beside:
        (tmp_path / "m" / "config.json").write_text(json.dumps({"vision_config": {"hidden_act": "quick_gelu"}}))
    bench.publish("quiltnet-b-32", tmp_path / "m")
    step = bench.check("quiltnet-b-32")["original"]
    assert step.outcome == ("passed" if beside else "doubtful")
    assert ("config.json asks for it" in step.found) == beside


def test_the_tower_that_differs_from_the_original_is_named(bench: Bench, quilt: Path, tmp_path: Path) -> None:
    other = change(shutil.copytree(quilt, tmp_path / "other"), with_other_text)

    def original(spec: Any, files: Any) -> Any:
        return load_original(spec, replace(files, folder=other))

    bench.monkeypatch.setattr(loaded, "load_original", original)
    step = bench.check("quiltnet-b-32")["original"]
    assert step.outcome == "failed"
    assert "layers of the text tower one by one" in step.advice


@pytest.mark.usefixtures("quilt")
def test_without_the_library_nothing_is_compared_and_that_is_said(bench: Bench) -> None:
    bench.monkeypatch.setattr(loaded, "util", SimpleNamespace(find_spec=lambda _: None))
    step = bench.check("quiltnet-b-32")["original"]
    assert (step.outcome, step.found) == ("skipped", "open_clip is not installed, so nothing is compared.")


@pytest.mark.usefixtures("quilt")
def test_files_that_the_original_cannot_read_are_told_without_a_path(bench: Bench) -> None:
    def original(_: Any, files: Any) -> Any:
        raise OSError(f"cannot read {files.folder}")

    bench.monkeypatch.setattr(loaded, "load_original", original)
    step = bench.check("quiltnet-b-32")["original"]
    assert (step.outcome, step.found) == (
        "doubtful",
        "open_clip could not load these files (OSError), so nothing is compared.",
    )


@pytest.mark.parametrize(
    ("size", "value", "words"),
    [
        ("hidden_size", 65_536, "asks for a network of 37,"),
        ("num_hidden_layers", 10**7, "of a size that no model has"),
        ("vocab_size", 900_000, "asks for a network of 4"),
    ],
)
def test_a_configuration_that_asks_for_gigabytes_is_not_built(
    bench: Bench, tmp_path: Path, size: str, value: int, words: str
) -> None:
    """psmooth reads sizes off the tensors; transformers would build what the configuration says."""
    FAMILIES["MONET"](tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    config = json.loads(file.read_text())
    config["text_config"][size] = value
    file.write_text(json.dumps(config))
    bench.publish("monet", tmp_path / "m")
    steps = bench.check("monet")
    assert steps["weights"].outcome == "passed"
    assert steps["original"].outcome == "failed"
    assert words in steps["original"].found


# --- plausible, and wrong


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn scans of each class, under names that nobody may read."""
    folder = tmp_path_factory.mktemp("scans")
    for class_id in TASKS[TASK].class_ids:
        (folder / class_id).mkdir()
        for seed in range(6):
            Image.fromarray(draw_phantom(TASK, class_id, 100 + seed).pixels).save(folder / class_id / f"doe-{seed}.png")
    return folder


def knowing(folder: Path, scans: Path, told: bool = True) -> Path:
    """A QuickGELU model of random weights that knows these scans: its projection alone is fitted to them.

    Without ``told``, its configuration does not say QuickGELU, and with GELU it takes every class for the next one.
    """
    clip_of_open_clip(folder)
    model = load_model(f"local-dir:{folder}", "cpu")
    task = TASKS[TASK]
    files = [(file, label) for label, name in enumerate(task.class_ids) for file in sorted((scans / name).iterdir())]
    labels = torch.tensor([label for _, label in files])
    words = model.embed_prompts(task.templates, task.class_names)
    words = words - words.mean(0)
    features, wanted = features_of(model, [file for file, _ in files]), words[labels]
    if not told:
        with other_gelu(model.network):
            features = torch.cat([features, features_of(model, [file for file, _ in files])])
        wanted = torch.cat([wanted, words[(labels + 1) % len(words)]])
        config = json.loads((folder / "open_clip_config.json").read_text())
        del config["model_cfg"]["quick_gelu"]
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    fitted = torch.linalg.lstsq(features, wanted).solution
    return change(folder, lambda state: state | {"visual.proj": fitted.clone()})


def features_of(model: MedVLM, files: list[Path]) -> torch.Tensor:
    """What stands before the projection."""
    tower: Any = model.network.visual
    kept, tower.proj = tower.proj, None
    crops = [torch.from_numpy(crop_scan(open_scan(file), model.crop_rule).pixels.copy()) for file in files]
    with torch.no_grad():
        found = tower((torch.stack(crops).float() / 255) * model.scale + model.shift)
    tower.proj = kept
    return found


def with_other_text(state: dict[str, Any]) -> dict[str, Any]:
    """The text tower of another model: the same numbers in other rows."""
    generator, text = torch.Generator().manual_seed(3), ("transformer.", "token_embedding", "text_projection")
    return {
        key: value[torch.randperm(len(value), generator=generator)]
        if key.startswith(text) and value.ndim > 1
        else value
        for key, value in state.items()
    }


def test_a_model_that_knows_the_scans_passes(bench: Bench, tmp_path: Path, scans: Path) -> None:
    bench.publish("quiltnet-b-32", knowing(tmp_path / "m", scans))
    step = bench.check("quiltnet-b-32", scans)["scans"]
    assert step.outcome == "passed", step
    assert f"Right: {TASK} 1.00 (n 30, chance 0.20)" in step.found


def test_towers_of_two_models_pass_all_but_the_scans(bench: Bench, tmp_path: Path, scans: Path) -> None:
    bench.publish("quiltnet-b-32", change(knowing(tmp_path / "m", scans), with_other_text))
    steps = bench.check("quiltnet-b-32", scans)
    assert {steps[name].outcome for name in ("weights", "original", "certificate")} == {"passed"}
    assert steps["scans"].outcome == "failed"
    assert "nothing shows that it knows the pictures" in steps["scans"].found
    assert "both towers are of one model" in steps["scans"].advice


def test_a_missing_quick_gelu_that_no_file_tells_of_is_told_by_the_scans(
    bench: Bench, tmp_path: Path, scans: Path
) -> None:
    bench.publish("quiltnet-b-32", knowing(tmp_path / "m", scans, told=False), quick_gelu=None)
    steps = bench.check("quiltnet-b-32", scans)
    assert steps["original"].outcome == "passed", "open_clip slips in the same way"
    assert steps["scans"].outcome == "failed"
    assert "GELU is the wrong one" in steps["scans"].found
    assert steps["scans"].lines == ("quick_gelu=True,",)


@pytest.mark.usefixtures("quilt")
def test_scans_may_lie_in_folders_of_tasks_and_those_of_other_tasks_are_passed_over(
    bench: Bench, tmp_path: Path, scans: Path
) -> None:
    shutil.copytree(scans, tmp_path / "all" / TASK)
    shutil.copytree(scans, tmp_path / "all" / "covid")
    assert f"{TASK} " in bench.check("quiltnet-b-32", tmp_path / "all")["scans"].found
    shutil.rmtree(tmp_path / "all" / TASK)
    assert bench.check("quiltnet-b-32", tmp_path / "all")["scans"].outcome == "skipped"


# --- chance


def answered(loaded: list[int], labels: list[int], classes: int, other: list[int] | None = None) -> Answers:
    places = torch.arange(len(labels))
    question = Question("q", (("a",),) * classes, torch.tensor(labels), places)
    return Answers(question, torch.tensor(loaded), None if other is None else torch.tensor(other))


def test_shuffled_names_are_a_permutation_test() -> None:
    """Of the 120 ways to name five classes one is right: its p-value is 1 in 120, and 1 in 5 are right on average."""
    labels = [0, 1, 2, 3, 4] * 3
    share, as_good = shuffled([answered(labels, labels, 5)])
    assert share == pytest.approx(1 / 5, abs=0.02)
    assert as_good == pytest.approx(1 / 120, abs=0.006)
    assert shuffled([answered([0] * 15, labels, 5)])[1] == 1, "always the same answer"
    assert shuffled([answered([0, 1], [0, 1], 2)])[1] is None, "two names can be shuffled in two ways"


def test_the_other_gelu_is_judged_by_a_sign_test() -> None:
    labels = [0] * 12
    assert chance_of_other_gelu([answered([1] * 12, labels, 2, labels)]) == pytest.approx(2**-12)
    assert chance_of_other_gelu([answered(labels, labels, 2, labels)]) == 1
    assert chance_of_other_gelu([answered(labels, labels, 2)]) is None


# --- the command


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: object) -> Said:
        with pytest.raises(SystemExit) as left:
            main(["models", "check", *map(str, words)])
        out, err = capsys.readouterr()
        return Said(int(left.value.code or 0), out, err)

    return run


def test_a_report_has_no_path_no_user_and_no_name_of_a_scan(
    command: Callable[..., Said], tmp_path: Path, scans: Path
) -> None:
    folder, report = tmp_path / "home-of-jane" / "model-of-jane", tmp_path / "report.md"
    knowing(folder, scans)
    for name in ("doe-1970.png", "notes-of-jane.txt"):  # what else lies in a folder
        (folder / name).write_bytes(b"a scan" * 9_000_000)
    said = command(f"local-dir:{folder}", "--scans", scans, "--report", report, "--device", "cpu")
    text = report.read_text("utf-8")
    assert said.code == 0
    assert f"Right: {TASK} 1.00" in text
    assert f"{WEIGHTS}: {sha256_of([folder / WEIGHTS])}; nothing is on record." in text
    assert "torch " in text
    for secret in ("jane", "doe", str(tmp_path), scans.name, f"/{getpass.getuser()}"):
        assert secret not in text + said.out
    change(folder, lambda state: state | {"surplus": torch.zeros(1)})
    said = command(f"local-dir:{folder}", "--report", report, "--device", "cpu")
    assert said.code == 1
    assert "not known: surplus" in report.read_text("utf-8")
    (folder / WEIGHTS).write_bytes(b"no weights at all")
    said = command(f"local-dir:{folder}", "--report", report, "--device", "cpu")
    assert "The weights of 'this model' hold more than tensors" in report.read_text("utf-8")
    assert "jane" not in report.read_text("utf-8") + said.out


def test_one_table_for_all_models_and_json_says_the_same(command: Callable[..., Said]) -> None:
    words = ("pocket", "conch", "--device", "cpu")
    table, facts = command(*words), json.loads(command(*words, "--json").out)
    assert table.code == 0
    assert table.out.count("outcome") == 1
    assert [model["model"] for model in facts["models"]] == ["pocket", "conch"]
    for model in facts["models"]:
        assert model["conclusion"] in table.out
        assert {"step", "outcome", "found", "next"} == set(model["steps"][0])
    assert facts["machine"]["device"] == "cpu"
    assert "pocket, certificate: passed" in table.err


def test_on_a_narrow_terminal_a_sha256_keeps_its_end(
    bench: Bench, quilt: Path, command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.publish("quiltnet-b-32", quilt, sha256=((WEIGHTS, "0123456789abcdef" * 4),))
    monkeypatch.setattr(hubs, "DEFAULT", bench.hub)
    monkeypatch.setattr(Settings, "__init__", partialmethod(Settings.__init__, hub=bench.hub))
    monkeypatch.setenv("COLUMNS", "60")
    said = command("quiltnet-b-32", "--device", "cpu")
    assert "…" not in said.out
    cells = [line.split("│")[-2].strip() for line in said.out.splitlines() if line.startswith("│")]
    assert "0123456789abcdef" * 4 in "".join(cells)
    assert max(map(len, said.out.splitlines()[:-1])) <= 60


def test_ctrl_c_keeps_what_was_done(
    command: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Iterator[Step]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("psmooth.model_check.checking.phantoms_steps", interrupted)
    said = command("pocket", "plip", "--device", "cpu", "--report", tmp_path / "report.md", "--json")
    (model,) = json.loads(said.out)["models"]
    assert said.code == 1
    assert [step["step"] for step in model["steps"]] == ["files", "sha256", "weights", "table", "original"]
    assert (model["ok"], "was ended and says nothing yet" in model["conclusion"]) == (False, True)
    assert "Ended by Ctrl-C at model 1 of 2." in said.err
    assert "| original |" in (tmp_path / "report.md").read_text("utf-8")


def test_names_from_a_strangers_file_are_no_markup_in_a_report() -> None:
    step = Step("weights", "failed", "not known: <img src=//x>\x1b[31m |`@somebody` [a](b)\n# c")
    (row,) = [line for line in text_of([Checked("m", (step,))], "cpu").splitlines() if line.startswith("| weights")]
    assert not set("<>[]`@\x1b") & set(row)
    assert row.count("|") == 5
    assert "&#60;img src=//x&#62;" in row


def test_a_path_in_an_error_is_told_by_its_last_part() -> None:
    for path in ("/home/jane/model-of-jane/x.bin", r"C:\Users\jane\x.bin"):
        assert sentence(ModelError("No {file}.", file=path)) == "No x.bin."
    assert sentence(ModelError("No {repo}.", repo="people/x")) == "No people/x."


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Name the models to check, or give --all."),
        (("pocket", "--all"), "Name the models to check, or give --all."),
        (("nobody",), "There is no model 'nobody'"),
        (("pocket", "--scans", "nowhere"), "--scans needs a folder"),
        (("pocket", "--report", "nowhere/report.md"), "--report is nowhere/report.md, but there is no folder"),
    ],
)
def test_what_cannot_be_checked_is_refused(command: Callable[..., Said], words: tuple[str, ...], told: str) -> None:
    said = command(*words)
    assert said.code == 2
    assert told in said.err


def test_in_a_process_of_its_own_bytes_are_told_and_bert_has_its_original(bench: Bench, tmp_path: Path) -> None:
    """psmooth imports open_clip without its BERT towers, and the command does not."""
    FAMILIES["BiomedCLIP and QuiltNet-PMB"](tmp_path / "m")
    commit = bench.server.add_folder("people/bert", tmp_path / "m")
    environment = {"HF_ENDPOINT": bench.server.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    words = ("models", "check", f"hf-hub:people/bert@{commit}", "--device", "cpu", "--json")
    command = [sys.executable, "-m", "psmooth", *words]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    found = {step["step"]: step for step in model["steps"]}
    assert found["original"]["outcome"] == "passed"
    assert found["original"]["found"].startswith("open_clip_torch ")
    assert model["lines"] == [f'sha256=(("{WEIGHTS}", "{sha256_of([tmp_path / "m" / WEIGHTS])}"),),']
    assert done.stderr.startswith("Downloading bert · ")
