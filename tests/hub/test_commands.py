"""Learn, certify, verify and evaluate from end to end, for a model of random weights of every format.

The commands are those of the command line and nothing is replaced; oracles are the bank, the certificate and the
records, read back by the modules that own them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from psmooth.certificate import read_certificate, verify
from psmooth.command_line import main
from psmooth.models import MedVLM, load_model
from psmooth.phantoms import draw_phantom
from psmooth.prompts import load_bank
from psmooth.tasks import TASKS
from tests.conftest import write_tiny_model
from tests.hub.families import FAMILIES
from tests.hub.server import FakeHub, serving

TASK = "covid"  # two classes whose words every tokenizer here reads within its limit
DRAWN = {"covid": "viral_pneumonia", "normal": "normal"}
EACH = 2

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn scans of each of two classes, in sub-folders named as the classes."""
    folder = tmp_path_factory.mktemp("scans")
    for class_id, drawn in DRAWN.items():
        (folder / class_id).mkdir()
        for seed in range(EACH):
            Image.fromarray(draw_phantom("chest_xray", drawn, seed).pixels).save(folder / class_id / f"{seed}.png")
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of one format, as the option ``--model`` takes it."""
    folder = tmp_path_factory.mktemp("model") / "m"
    FAMILIES[request.param](folder)
    return f"local-dir:{folder}"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], model: str) -> Command:
    """Runs a command with the model in this process; gives what it printed as JSON, and refuses other exit codes."""

    def run(*words: object, codes: tuple[int, ...] = (0,), model: str | None = model) -> Any:
        chosen = () if model is None else ("--model", model)
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in (*words, *chosen, "--device", "cpu", "--json")])
        out, err = capsys.readouterr()
        assert left.value.code in codes, err
        return json.loads(out)

    return run


@pytest.fixture(scope="module")
def loaded(model: str) -> MedVLM:
    return load_model(model, "cpu")


@pytest.fixture(scope="module")
def bank(model: str, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few-shot prompts, learned by the command."""
    path = tmp_path_factory.mktemp("bank") / "few_shot.safetensors"
    words = f"learn few-shot {scans} --out {path} --model {model} --task {TASK} --shots {EACH} --steps 3 --device cpu"
    with pytest.raises(SystemExit) as left:
        main(words.split())
    assert left.value.code == 0
    return path


def test_what_is_learned_is_a_bank_of_this_model(bank: Path, loaded: MedVLM) -> None:
    learned = load_bank(bank)
    learned.check(loaded, TASKS[TASK], "none")
    start = loaded.context_of(TASKS[TASK].templates[0])
    assert (learned.facts.model_revision, learned.facts.steps, learned.facts.pool) == (loaded.revision, 3, 2 * EACH)
    assert learned.vectors.shape == start.shape
    assert (learned.vectors - start).abs().max() > 1e-4, "three steps have moved the context"
    assert learned.class_vectors(loaded, 0.25).norm(dim=-1).tolist() == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("method", ["linear_probe", "label_free", "label_free_probe"])
def test_every_other_bank_is_learned_and_certifies(
    method: str, run: Command, scans: Path, tmp_path: Path, loaded: MedVLM
) -> None:
    path = tmp_path / "learned.safetensors"
    words = ("--task", TASK, "--out", path, "--shots", EACH, "--steps", 3)
    facts = run("learn", method.replace("_", "-"), scans, *words)
    assert facts["sha256"] == load_bank(path).sha256
    load_bank(path).check(loaded, TASKS[TASK], "none")
    record = certified(run, scans, "--method", method, "--bank", path)
    assert record["bank"]["sha256"] == facts["sha256"]


def test_a_probe_in_closed_form_is_learned_and_certifies_behind_both_views(
    run: Command, scans: Path, tmp_path: Path, loaded: MedVLM
) -> None:
    path = tmp_path / "learned.safetensors"
    facts = run("learn", "label-free-probe", scans, "--task", TASK, "--out", path, "--closed-form")
    bank = load_bank(path, facts["sha256"])
    assert len(bank.vectors) == len(bank.facts.noise_levels) > 5
    bank.check(loaded, TASKS[TASK], "none")
    record = certified(run, scans, "--method", "label_free_probe", "--bank", path, "--denoiser", "none-mirror")
    assert (record["denoiser"], record["guarantee"]) == (
        "none-mirror",
        "frozen_prompt",
    )  # it was learned on that very scan


def certified(run: Command, scans: Path, *words: object) -> Any:
    """The certificate, or abstention, of a short run."""
    scan = scans / "covid" / "0.png"
    return run("certify", scan, "--task", TASK, "--votes", 64, "--batch-size", 16, *words, codes=(0, 3))


@pytest.mark.parametrize("method", ["few_shot", "zero_shot", "combined"])
def test_a_certificate_verifies_and_its_votes_come_again(
    method: str, run: Command, scans: Path, bank: Path, tmp_path: Path, loaded: MedVLM
) -> None:
    path = tmp_path / "certificate.json"
    with_bank = () if method == "zero_shot" else ("--bank", bank)
    record = certified(run, scans, "--method", method, *with_bank, "--out", path)
    assert verify(path).ok
    found = read_certificate(path)
    assert found.to_dict() == record
    assert (found.run.method, found.run.guarantee) == (method, "frozen_prompt"), "the bank was learned on this scan"
    assert found.run.model["revision"] == loaded.revision
    assert (found.votes.total, sum(found.votes.selection)) == (64, 64)
    assert (found.run.bank or {}).get("sha256") == (load_bank(bank).sha256 if with_bank else None)
    again = run("verify", path, "--scan", scans / "covid" / "0.png", *with_bank, model=None)
    assert (again["replay"]["ok"], again["replay"]["differing"]) == (True, 0)


def test_an_evaluation_has_a_line_for_every_scan_and_method(
    run: Command, scans: Path, bank: Path, tmp_path: Path
) -> None:
    methods = ("template", "few_shot", "combined")
    out = tmp_path / "results"
    words = ("--task", TASK, "--methods", ",".join(methods), "--bank", bank, "--votes", 32, "--out", out)
    rows = run("evaluate", scans, *words)
    records = [json.loads(line) for line in (out / "records.jsonl").read_text("utf-8").splitlines()]
    assert Counter(record["method"] for record in records) == dict.fromkeys(methods, 2 * EACH)
    assert len({(record["scan"], record["method"]) for record in records}) == len(records) == 2 * EACH * len(methods)
    assert Counter(record["label"] for record in records) == dict.fromkeys(DRAWN, EACH * len(methods))
    assert all(sum(record["counts"].values()) == record["total"] == 32 for record in records)
    assert [(row["method"], row["scans"]) for row in rows] == [(method, 2 * EACH) for method in methods]
    assert (out / "curves.html").is_file()


# --- a model that has to be fetched first


@dataclass(frozen=True)
class Away:
    """Commands in processes of their own, with a Hub on the loopback address and a cache that begins empty."""

    server: FakeHub
    model: str
    environment: dict[str, str]

    def run(self, *words: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "psmooth", *map(str, words), "--device", "cpu", "--json"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=180)

    def run_on_a_terminal(self, *words: object) -> str:
        """What a terminal of 100 columns was sent."""
        pty = pytest.importorskip("pty")
        here, there = pty.openpty()
        command = [sys.executable, "-m", "psmooth", *map(str, words), "--device", "cpu", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=there, env=self.environment)
        os.close(there)
        sent = b""
        with suppress(OSError):  # that is how a terminal says that nobody writes any more
            while piece := os.read(here, 4096):
                sent += piece
        os.close(here)
        assert process.wait(60) in (0, 3)
        return sent.decode()


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    with serving() as server:
        commit = server.add_folder("somebody/tiny", write_tiny_model(tmp_path / "tiny", text_width=64))
        environment = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "cache"), "COLUMNS": "100"}
        environment |= {"TERM": "xterm", "NO_COLOR": "1"}
        yield Away(server, f"hf-hub:somebody/tiny@{commit}", os.environ | environment | {"HF_HUB_OFFLINE": "0"})


def test_a_download_is_one_line_in_a_log_and_nothing_when_it_is_cached(away: Away, scans: Path, tmp_path: Path) -> None:
    scan, path = scans / "covid" / "0.png", tmp_path / "certificate.json"
    words = ("certify", scan, "--task", TASK, "--model", away.model, "--votes", 64, "--out", path)
    first = away.run(*words)
    assert first.returncode in (0, 3), first.stderr
    assert len(re.findall(r"^Downloading somebody/tiny · \d+ MB of 13 MB$", first.stderr, re.M)) == 1
    assert "\r" not in first.stderr
    away.server.asked.clear()
    second = away.run(*words)
    assert "Downloading" not in second.stderr
    assert away.server.asked == []
    shutil.rmtree(away.environment["HF_HOME"])
    replayed = away.run("verify", path, "--scan", scan)
    assert replayed.returncode == 0, replayed.stderr
    assert replayed.stderr.count("Downloading tiny · ") == 1, "as the certificate calls it"


def test_a_download_is_a_bar_on_a_terminal_that_is_written_over_and_cleared(away: Away, scans: Path) -> None:
    words = ("certify", scans / "covid" / "0.png", "--task", TASK, "--model", away.model, "--votes", 64)
    sent = away.run_on_a_terminal(*words)
    bars = re.findall(r"\r\x1b\[2K([━╸ ]{24}) Downloading somebody/tiny · (\d+) MB of 13 MB", sent)
    assert len(bars) >= 2
    filled = [bar.count("━") for bar, _ in bars]
    assert filled == sorted(filled)
    assert filled[0] < filled[-1] == 24
    assert bars[-1][1] == "13"
    assert "Downloading" not in sent.rsplit("\x1b[2K", 1)[1], "the last bar is cleared"
    assert "Downloading" not in away.run_on_a_terminal(*words)


def test_a_download_that_fails_leaves_its_sentence_on_a_line_of_its_own(away: Away, scans: Path) -> None:
    commit = away.model.partition("@")[2]
    away.server.breaks[f"/somebody/tiny/resolve/{commit}/open_clip_model.safetensors"] = 5_000_000
    words = ("certify", scans / "covid" / "0.png", "--task", TASK, "--model", away.model, "--votes", 64)
    done = away.run(*words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("The connection broke while somebody/tiny was fetched.")
    assert "Traceback" not in done.stderr
