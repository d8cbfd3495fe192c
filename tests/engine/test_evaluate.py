"""Evaluation: what a record is taken for, files that cannot be read, runs that are killed, curves and tables."""

import hashlib
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from scipy.stats import beta, norm

from psmooth import views
from psmooth.certificate import Plan, guarantee_of
from psmooth.command_line.evaluate import evaluation_lines
from psmooth.command_line.run import main
from psmooth.denoise import without_mirror
from psmooth.errors import CertificateError, PlanError, ScanError
from psmooth.models import MedVLM
from psmooth.noise import SCHEME
from psmooth.phantoms import draw_phantom
from psmooth.prompts import PromptBank, load_bank
from psmooth.scans.pool import pool_of
from psmooth.smoothing.evaluation import EvaluationPlan, announced, bank_facts, evaluate
from psmooth.smoothing.labelled import labelled_files, look_over, pictures_in, read_crops
from psmooth.smoothing.records import (
    RECORDS,
    RUNS,
    fingerprint,
    open_to_append,
    read_runs,
    whole_records,
    write_runs,
)
from psmooth.smoothing.summary import certified_curve, write_summary
from psmooth.tasks import TASKS

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("normal_oral_epithelium", "oral_squamous_cell_carcinoma")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight scans of two classes; what they show does not matter here."""
    folder = tmp_path_factory.mktemp("scans") / "oral"
    for place, class_id in enumerate(CLASSES):
        (folder / class_id).mkdir(parents=True)
        for seed in range(4):
            pixels = draw_phantom("blood_cells", ("monocyte", "platelet")[place], seed).pixels
            Image.fromarray(pixels).save(folder / class_id / f"{seed}.png")
    return folder


def start(folder: Path, model: Path, out: Path) -> subprocess.Popen[bytes]:
    options = [
        "--model",
        f"local-dir:{model}",
        "--task",
        "oral_histology",
        "--votes",
        "500",
        "--noise",
        "0.1,0.25,0.5",
    ]
    options += ["--methods", "template,zero_shot", "--out", str(out)]
    command = [sys.executable, "-m", "psmooth", "evaluate", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


def test_killed_at_random_moments_it_ends_with_the_undisturbed_table(
    folder: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    assert start(folder, tiny_model_folder, tmp_path / "whole").wait(600) == 0
    generator, killed = random.Random(7), 0
    lines = tmp_path / "cut" / "records.jsonl"
    for _ in range(2):
        process, known = start(folder, tiny_model_folder, tmp_path / "cut"), _size(lines)
        while process.poll() is None and _size(lines) < known + generator.randint(100, 4_000):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        killed += process.wait(60) == -signal.SIGKILL
    assert killed == 2
    assert start(folder, tiny_model_folder, tmp_path / "cut").wait(600) == 0
    whole, cut = ((tmp_path / name / "summary.json").read_text() for name in ("whole", "cut"))
    assert whole == cut
    assert len(whole_records(lines)) == 8 * 3 * 2
    page = (tmp_path / "cut" / "curves.html").read_text("utf-8")
    assert "With this prompt frozen" in page
    assert (tmp_path / "cut" / "plotly.min.js").is_file()


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def record(label: str, predicted: str | None, radius: float) -> dict[str, object]:
    return {"label": label, "predicted": predicted, "radius": radius}


def test_the_curve_falls_where_right_answers_end_and_classes_weigh_the_same() -> None:
    records = [record("a", "a", 0.5), record("a", "b", 2.0), record("b", "b", 1.0), record("b", None, 0.0)]
    records += [record("b", "b", 1.0)]
    radii, shares = certified_curve(records)
    assert radii == [0.0, 0.5, 1.0]
    assert shares == pytest.approx([(1 / 2 + 2 / 3) / 2, (2 / 3) / 2, 0.0])


def test_a_frozen_prompt_is_dotted_and_stands_in_a_group_of_its_own() -> None:
    curves = {"a": ("unconditional", [0.0, 1.0], [0.5, 0.0]), "b": ("frozen_prompt", [0.0, 2.0], [0.9, 0.0])}
    plain, frozen = json.loads(views.curves_figure(curves).to_json() or "")["data"]
    assert plain["line"]["dash"] == "solid"
    assert frozen["line"]["dash"] == "dot"
    assert frozen["legendgrouptitle"]["text"] == "With this prompt frozen"
    assert plain["legendgroup"] != frozen["legendgroup"]


# --- what a record is taken for

TASK = TASKS["oral_histology"]
STUDY = EvaluationPlan(TASK, ("template",), ("none",), (0.25,), Plan(max_votes=32))


def probe(model: MedVLM, pool: frozenset[str] | None = None) -> PromptBank:
    """A probe for the model, whose vectors are made up."""
    ships = load_bank(ROOT / "prompts" / "pocket-oral_histology-linear_probe-none.safetensors")
    facts = replace(ships.facts, model_revision=model.revision, noise_levels=(0.25,))
    return PromptBank(facts, torch.eye(2, 16), pool=pool)


def done(model: MedVLM, study: EvaluationPlan, files: list[tuple[Path, str]], out: Path) -> list[dict[str, Any]]:
    for _ in evaluate(model, files, study, out):
        pass
    return write_summary(out)


@pytest.mark.parametrize(
    "change",
    [
        {"plan": Plan(max_votes=48)},
        {"noise": "sfc64"},
        {"plan": Plan(max_votes=32, selection_votes=16)},
        {"plan": Plan(max_votes=32, failure_probability=0.01)},
        {"plan": Plan(max_votes=32, name="paper", selection_votes=64)},
        {"seed": 1},
        {"drawn": "first by name"},
        {"task": replace(TASK, templates=("a slide of {}.",))},
    ],
)
def test_a_second_run_with_other_facts_makes_records_and_a_row_of_its_own(
    change: dict[str, Any], folder: Path, tiny_model: MedVLM, tmp_path: Path
) -> None:
    files = labelled_files(folder, TASK)[3:5]
    other = replace(STUDY, **change)
    alone = done(tiny_model, other, files, tmp_path / "alone")
    first = done(tiny_model, STUDY, files, tmp_path / "both")
    both = done(tiny_model, other, files, tmp_path / "both")
    assert both == [*first, *alone]
    assert both[0]["run"] != both[1]["run"]
    assert done(tiny_model, STUDY, files, tmp_path / "both") == both
    assert len(whole_records(tmp_path / "both" / "records.jsonl")) == 4


def test_records_of_before_a_choice_of_noise_go_on_with_theirs(
    folder: Path, tiny_model: MedVLM, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """The command adds what is missing to the runs that lie there; a folder without any has the new scheme's."""
    files = labelled_files(folder, TASK)
    for _ in evaluate(tiny_model, files[:3], replace(STUDY, noise="sfc64"), tmp_path / "old"):
        pass
    (old,) = read_runs(tmp_path / "old")
    asked = ["evaluate", str(folder), "--task", TASK.id, "--model", f"local-dir:{tiny_model_folder}"]
    asked += ["--methods", "template", "--votes", "32", "--noise", "0.25", "--device", "cpu"]
    threads = torch.get_num_threads()
    for out in ("old", "new"):
        with pytest.raises(SystemExit) as ended:
            main([*asked, "--out", str(tmp_path / out)])
        assert not ended.value.code
    torch.set_num_threads(threads)
    assert {record["run"] for record in whole_records(tmp_path / "new" / "records.jsonl")} != {old}
    assert [record["run"] for record in whole_records(tmp_path / "old" / "records.jsonl")] == [old] * len(files)
    (facts,) = read_runs(tmp_path / "new").values()
    assert facts["noise"] == SCHEME


def test_another_model_makes_records_of_its_own_and_both_are_told_apart(
    folder: Path, tiny_model: MedVLM, tmp_path: Path
) -> None:
    files = labelled_files(folder, TASK)[:1]
    done(tiny_model, STUDY, files, tmp_path)
    rows = done(replace(tiny_model, revision="f" * 64), STUDY, files, tmp_path)
    assert [row["model_revision"] for row in rows] == [tiny_model.revision, "f" * 64]
    assert [row["scans"] for row in rows] == [1, 1]


def test_a_bank_is_what_votes_depend_on_and_not_what_its_file_says_beside(tiny_model: MedVLM, tmp_path: Path) -> None:
    ships = load_bank(ROOT / "prompts" / "pocket-oral_histology-linear_probe-none.safetensors")
    facts = replace(ships.facts, model_revision=tiny_model.revision, noise_levels=(0.25,))
    vectors = torch.eye(2, 16)
    told = {
        name: PromptBank(replace(facts, **change), given).save(tmp_path / f"{name}.safetensors")
        for name, change, given in (
            ("first", {}, vectors),
            ("scored", {"scores": {"val": 0.5}}, vectors),
            ("other", {}, vectors.flip(0)),
        )
    }
    study = replace(STUDY, methods=("linear_probe",))
    names = {
        name: fingerprint(announced(tiny_model, study, ("none", 0.25), (bank,))["linear_probe"])
        for name, bank in told.items()
    }
    assert told["first"].sha256 != told["scored"].sha256
    assert names["first"] == names["scored"] != names["other"]


def test_a_bank_learned_on_the_scan_makes_records_of_its_own(folder: Path, tiny_model: MedVLM, tmp_path: Path) -> None:
    """The votes are those of the same vectors; what they prove is not, so no record of one is taken for the other's."""
    files = labelled_files(folder, TASK)[:1]
    learned, elsewhere = pool_of(read_crops(tiny_model, [files[0][0]])), frozenset({"0" * 64})
    study, guarantees, runs = replace(STUDY, methods=("linear_probe",)), [], set()
    for place, pool in enumerate((elsewhere, learned, None, learned | elsewhere)):
        bank = probe(tiny_model, pool=pool).save(tmp_path / f"{place}.safetensors")
        for _ in evaluate(tiny_model, files, study, tmp_path / "out", (bank,)):
            pass
        made = whole_records(tmp_path / "out" / "records.jsonl")[-1]
        guarantees.append(made["guarantee"])
        runs.add(made["run"])
    assert guarantees == ["unconditional", "frozen_prompt", "unconditional", "frozen_prompt"]
    assert len(runs) == 4
    told = [facts["bank_pool"] for facts in read_runs(tmp_path / "out").values()]
    assert told == [hashlib.sha256(text.encode()).hexdigest() for text in ("0" * 64, *learned)] + [
        "unknown",
        hashlib.sha256("".join(sorted(learned | elsewhere)).encode()).hexdigest(),
    ]


def test_what_this_version_has_not_written_is_refused_by_its_line(
    folder: Path, tiny_model: MedVLM, tmp_path: Path
) -> None:
    files = labelled_files(folder, TASK)[:1]
    done(tiny_model, STUDY, files, tmp_path)
    lines, runs = tmp_path / "records.jsonl", read_runs(tmp_path)
    written = lines.read_text()
    old = {name: value for name, value in json.loads(written).items() if name != "run"}
    for foreign in (json.dumps(old), json.dumps({**old, "run": "0" * 16}), "[]", "{torn", '{"run": []}'):
        lines.write_text(written + foreign + "\n")
        with pytest.raises(CertificateError, match=r"records\.jsonl:2"):
            done(tiny_model, STUDY, files, tmp_path)
    lines.write_text(written)
    write_runs(tmp_path, {name: {**facts, "max_votes": 10_000} for name, facts in runs.items()})
    with pytest.raises(CertificateError, match=RUNS):
        write_summary(tmp_path)
    with pytest.raises(CertificateError, match="cannot be"):
        done(tiny_model, STUDY, files, lines)


def test_a_scan_and_run_count_once_and_under_the_class_they_were_recorded_with(
    folder: Path, tiny_model: MedVLM, tmp_path: Path
) -> None:
    files = labelled_files(folder, TASK)[:1]
    rows = done(tiny_model, STUDY, files, tmp_path)
    lines = tmp_path / "records.jsonl"
    lines.write_text(lines.read_text() * 2)
    assert write_summary(tmp_path) == rows
    with pytest.raises(ScanError, match="recorded as"):
        done(tiny_model, STUDY, [(files[0][0], CLASSES[1])], tmp_path)


def test_kinds_of_guarantee_are_never_added_up(folder: Path, tiny_model: MedVLM, tmp_path: Path) -> None:
    files = labelled_files(folder, TASK)[:3]
    pool = pool_of(read_crops(tiny_model, [files[0][0]]))
    bank = probe(tiny_model, pool=pool).save(tmp_path / "bank.safetensors")
    for _ in evaluate(tiny_model, files, replace(STUDY, methods=("linear_probe",)), tmp_path / "out", (bank,)):
        pass
    rows = write_summary(tmp_path / "out")
    assert [(row["guarantee"], row["scans"]) for row in rows] == [("frozen_prompt", 1), ("unconditional", 2)]


# --- records that were altered

ODD = (
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x",
    [],
    [[]],
    {},
    {"x": {}},
    [None],
    {"": None},
)


@pytest.fixture(scope="module")
def certified(folder: Path, tiny_model: MedVLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of three scans with a class and a radius each, by prompts that always name the same class."""
    out = tmp_path_factory.mktemp("certified")
    bank = probe(tiny_model).save(out / "bank.safetensors")
    study = replace(STUDY, methods=("linear_probe",))
    for _ in evaluate(tiny_model, labelled_files(folder, TASK)[3:6], study, out, (bank,)):
        pass
    assert all(record["predicted"] and record["radius"] > 0 for record in whole_records(out / "records.jsonl"))
    return out


def altered(folder: Path, out: Path, **change: Any) -> Path:
    """A copy of the folder whose first record was changed."""
    shutil.copytree(folder, out, dirs_exist_ok=True)
    first, *others = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    lines = [{**first, **change}, *others]
    (out / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out / "records.jsonl"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {"radius": told["radius"] * 1.01},
        lambda told: {"radius": told["radius"] * 0.99},
        lambda _: {"radius": 0},
        lambda _: {"radius": float("nan")},
        lambda _: {"predicted": None},
        lambda _: {"predicted": "nobody"},
        lambda told: {"predicted": next(name for name in CLASSES if name != told["predicted"])},
        lambda _: {"label": "nobody"},
        lambda _: {"clean": "nobody"},
        lambda told: {"counts": {name: votes // 2 for name, votes in told["counts"].items()}},
        lambda _: {"counts": dict.fromkeys(CLASSES, -1)},
        lambda told: {"counts": {told["predicted"]: told["total"]}},
        lambda told: {"counts": {**told["counts"], told["predicted"]: told["total"] + 1}},
        lambda _: {"total": 31},
        lambda _: {"total": 33},
        lambda _: {"total": True},
        lambda _: {"guarantee": "proven"},
        lambda _: {"noise_level": 0.5},
    ],
)
def test_a_record_that_does_not_follow_from_its_counts_is_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], certified: Path, tmp_path: Path
) -> None:
    told = whole_records(certified / "records.jsonl")[0]
    lines = altered(certified, tmp_path, **change(told))
    with pytest.raises(CertificateError, match=r"^records\.jsonl:1"):
        whole_records(lines)


def test_a_scan_under_two_labels_is_refused(certified: Path, tmp_path: Path) -> None:
    told = whole_records(certified / "records.jsonl")[0]
    other = next(name for name in CLASSES if name != told["label"])
    lines = altered(certified, tmp_path)
    with lines.open("a") as file:
        file.write(json.dumps({**told, "label": other}) + "\n")
    with pytest.raises(CertificateError, match=r"^records\.jsonl:4: label"):
        whole_records(lines)


def test_a_line_of_any_kind_is_read_or_refused_in_a_sentence(certified: Path, tmp_path: Path) -> None:
    """Any value in place of a record, in any of its fields, and in every entry of its tables."""
    lines = altered(certified, tmp_path)
    told = json.loads(lines.read_text().splitlines()[0])
    changes = [value for value in ODD if value != {}]
    changes += [{**told, field: value} for field in told for value in ODD]
    changes += [{**told, "counts": {**told["counts"], name: value}} for name in CLASSES for value in ODD]
    changes += [{name: value for name, value in told.items() if name != field} for field in told]
    refused = 0
    for change in changes:
        lines.write_text(json.dumps(change) + "\n")
        with suppress(CertificateError):
            assert write_summary(tmp_path)
            continue
        refused += 1
    # what may be anything: a scan, a label that is a class, an invalid vote instead of one for a rival
    assert refused > 0.9 * len(changes)


def test_what_programs_read_differently_is_refused(certified: Path, tmp_path: Path) -> None:
    lines = altered(certified, tmp_path)
    honest = lines.read_text().splitlines()[0]
    for change in ('"radius": 3.9, "radius":', '"radius": 1e400, "more":'):
        lines.write_text(honest.replace('"radius":', change) + "\n")
        with pytest.raises(CertificateError, match=r"^records\.jsonl:1"):
            whole_records(lines)
    lines.write_text(honest + "\n")
    assert len(whole_records(lines)) == 1


def test_a_run_of_any_kind_is_read_or_refused_in_a_sentence(certified: Path, tmp_path: Path) -> None:
    lines, runs = altered(certified, tmp_path), tmp_path / RUNS
    ((name, facts),) = json.loads(runs.read_text()).items()
    told = json.loads(lines.read_text().splitlines()[0])
    changes = [*ODD, {**facts, "seed": "none"}, *({**facts, field: value} for field in facts for value in ODD)]
    changes += [{key: value for key, value in facts.items() if key != field} for field in facts]
    for change in changes:
        for called in (name, fingerprint(change)):  # type: ignore[arg-type]
            runs.write_text(json.dumps({called: change}))
            lines.write_text(json.dumps({**told, "run": called}) + "\n")
            with suppress(CertificateError):
                assert evaluation_lines(write_summary(tmp_path))
                assert called != name or change == facts


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"a": null}', '{"a": []}', '{"a": {}}', "[" * 100_000, "{NaN}"]
)
def test_runs_that_are_none_are_refused_in_a_sentence(text: str, certified: Path, tmp_path: Path) -> None:
    altered(certified, tmp_path)
    (tmp_path / RUNS).write_text(text)
    with pytest.raises(CertificateError, match=r"^runs\.json"):
        write_summary(tmp_path)


def test_a_radius_is_that_of_the_announced_end_whenever_the_run_was_looked_at(
    folder: Path, tiny_model: MedVLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Votes of one class first and of the other later: looks on the way have better bounds than the end."""
    cast: list[int] = []

    def votes(embeddings: torch.Tensor, *_: object) -> torch.Tensor:
        cast.append(len(embeddings))
        return torch.full((len(embeddings),), int(sum(cast) > 380))

    monkeypatch.setattr("psmooth.smoothing.certification.answers_of", votes)
    found = []
    for seconds in (0, 1000):
        cast.clear()
        monkeypatch.setattr("psmooth.smoothing.certification._SECONDS_BETWEEN_LOOKS", seconds)
        study, out = replace(STUDY, plan=Plan(max_votes=320)), tmp_path / str(seconds)
        done(tiny_model, study, labelled_files(folder, TASK)[:1], out)
        found += whole_records(out / "records.jsonl")
    assert found[0] == found[1]
    (right, wrong) = found[0]["counts"].values()
    assert right > wrong > 0
    lower = beta.ppf(0.0009, right, wrong + 1)
    assert found[0]["radius"] > 0.1
    assert found[0]["radius"] == pytest.approx(0.25 * norm.ppf(lower), abs=1e-9)
    for name, early in (("target_radius", Plan(target_radius=0.1)), ("tolerance", Plan(tolerance=0.1))):
        with pytest.raises(PlanError, match=name):
            done(tiny_model, replace(STUDY, plan=early), labelled_files(folder, TASK)[:1], tmp_path / "x")


# --- one folder of scans


def test_records_of_another_folder_of_scans_are_refused_in_words(
    folder: Path, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    for place, class_id in enumerate(CLASSES):
        (other / class_id).mkdir(parents=True)
        pixels = draw_phantom("blood_cells", ("monocyte", "platelet")[place], 90).pixels
        Image.fromarray(pixels).save(other / class_id / "0.png")

    def run(scans: Path, *more: str) -> int | str | None:
        words = ["evaluate", str(scans), "--task", TASK.id, "--model", f"local-dir:{tiny_model_folder}"]
        return main_or_exit([*words, "--votes", "32", "--out", str(tmp_path / "out"), *more])

    assert run(folder, "--limit", "4") == 0
    before = (tmp_path / "out" / "records.jsonl").read_bytes()
    assert run(other) == 2
    assert "4 scans that are not in this folder" in capsys.readouterr().err
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == before
    # fewer scans of the same folder are no others, and more of them are added
    assert run(folder, "--limit", "2") == run(folder) == 0
    assert len(whole_records(tmp_path / "out" / "records.jsonl")) == 8


def test_a_scan_that_lies_under_another_class_now_is_refused_although_it_is_not_drawn(
    folder: Path, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = tmp_path / "scans"
    shutil.copytree(folder, scans)
    words = ["evaluate", str(scans), "--task", TASK.id, "--model", f"local-dir:{tiny_model_folder}"]
    words += ["--votes", "32", "--out", str(tmp_path / "out"), "--limit", "2"]
    assert main_or_exit(words) == 0
    before = (tmp_path / "out" / "records.jsonl").read_bytes()
    drawn = labelled_files(scans, TASK, 2, seed=0)[0][0]
    drawn.rename(scans / CLASSES[1] / "moved.png")
    assert (scans / CLASSES[1] / "moved.png") not in dict(labelled_files(scans, TASK, 2, seed=0))
    assert main_or_exit(words) == 2
    assert f"moved.png shows a picture that is recorded as '{CLASSES[0]}'" in capsys.readouterr().err
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == before


def test_printed_rows_name_their_task_and_tell_two_banks_apart(
    folder: Path, tiny_model: MedVLM, tmp_path: Path
) -> None:
    files, study = labelled_files(folder, TASK)[:1], replace(STUDY, methods=("template", "linear_probe"))
    bank = probe(tiny_model)
    for place, one in enumerate((bank, replace(bank, vectors=-bank.vectors))):
        list(evaluate(tiny_model, files, study, tmp_path, (one.save(tmp_path / f"{place}.safetensors"),)))
    rows = done(tiny_model, replace(STUDY, task=replace(TASK, id="another")), files, tmp_path)
    lines = evaluation_lines(rows)
    assert [line.split(",")[0] for line in lines if "votes after" in line] == [TASK.id, "another"]
    for row in rows:
        assert any(row["run"] in line for line in lines) == (row["method"] == "linear_probe")


# --- labelled folders


@pytest.fixture
def mixed(folder: Path, tmp_path: Path) -> Path:
    """The eight scans with what lies about on memory sticks, and a file that is no picture."""
    place = tmp_path / "mixed"
    shutil.copytree(folder, place)
    for name in ("._0.png", ".ipynb_checkpoints/0.png", "__MACOSX/0.png", "@eaDir/0.png", "$RECYCLE.BIN/0.png"):
        hidden = place / CLASSES[0] / name
        hidden.parent.mkdir(exist_ok=True)
        shutil.copy(place / CLASSES[0] / "0.png", hidden)
    (place / CLASSES[0] / "folder.png").mkdir()
    (place / CLASSES[0] / "Thumbs.db").write_bytes(b"no scan")
    (place / CLASSES[1] / "torn.png").write_bytes((folder / CLASSES[1] / "0.png").read_bytes()[:200])
    return place


def test_what_is_hidden_beside_scans_is_passed_over(mixed: Path) -> None:
    assert [file.name for file in pictures_in(mixed / CLASSES[0])] == ["0.png", "1.png", "2.png", "3.png"]


def test_a_file_that_cannot_be_read_is_named_and_passed_over(
    mixed: Path, tiny_model: MedVLM, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(mixed / CLASSES[0] / "0.png", mixed / CLASSES[0] / "again.png")
    words = ["evaluate", str(mixed), "--task", TASK.id, "--model", f"local-dir:{tiny_model_folder}", "--votes", "32"]
    main_or_exit([*words, "--out", str(tmp_path / "out"), "--json"])
    told = capsys.readouterr()
    (row,) = json.loads(told.out)
    assert (row["scans"], row["max_votes"], row["failure_probability"], int(row["seed"], 16)) == (8, 32, 0.001, 0)
    assert row["model_revision"] == tiny_model.revision
    assert f"{CLASSES[1]}/torn.png: This PNG" in told.err
    assert "again.png" in told.err or f"{CLASSES[0]}/0.png" in told.err
    main_or_exit([*words, "--out", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    assert all(fact in shown for fact in ("n = 32 votes", "α = 0.001", "seed 0", tiny_model.revision[:8], "shuffled"))
    assert main_or_exit([*words, "--out", str(tmp_path / "strict"), "--strict"]) == 2
    assert f"{CLASSES[1]}/torn.png" in capsys.readouterr().err
    assert not (tmp_path / "strict").exists()
    with pytest.raises(ScanError, match=r"torn\.png"):
        read_crops(tiny_model, [mixed / CLASSES[1] / "torn.png"])


def main_or_exit(words: list[str]) -> int | str | None:
    try:
        main(words)
    except SystemExit as leaving:
        return leaving.code
    return 0


def test_the_same_picture_under_two_classes_is_refused_by_both_names(mixed: Path, tiny_model: MedVLM) -> None:
    shutil.copy(mixed / CLASSES[0] / "2.png", mixed / CLASSES[1] / "copy.png")
    with pytest.raises(ScanError, match=f"{CLASSES[0]}/2.png and {CLASSES[1]}/copy.png"):
        look_over(tiny_model, mixed, labelled_files(mixed, TASK))


def test_a_limit_draws_by_the_seed_and_a_larger_one_adds_to_it(tmp_path: Path) -> None:
    for class_id in CLASSES:
        (tmp_path / class_id).mkdir()
        for number in range(40):
            (tmp_path / class_id / f"{number:02}.png").touch()
    few, more = (labelled_files(tmp_path, TASK, most, seed=3) for most in (10, 20))
    assert len(few) == 10 < len(more) == 20
    assert set(few) < set(more)
    assert few == labelled_files(tmp_path, TASK, 10, seed=3)
    assert set(few) != set(labelled_files(tmp_path, TASK, 10, seed=4))
    by_name = [file.name for file, _ in labelled_files(tmp_path, TASK, 10)]
    assert by_name == [f"{number:02}.png" for number in range(5)] * 2
    assert sorted(file.name for file, _ in few) != sorted(by_name)


# --- the tables that ship


def test_the_shipped_tables_are_made_from_the_shipped_records_and_nothing_else() -> None:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "evaluation" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    rows = tables.collect()
    made = tables.documents(rows)
    assert {file.relative_to(ROOT).as_posix() for file in made} == {
        "README.md",
        "docs/certified.svg",
        "docs/evaluation/README.md",
        "docs/results.md",
    }
    for file, text in made.items():
        assert text == file.read_text("utf-8"), file.name
    assert tables.front_table(rows) in (ROOT / "README.md").read_text("utf-8")
    assert tables.short_table(rows) in (ROOT / "docs" / "results.md").read_text("utf-8")
    cells = [value for tasks in rows.values() for row in tasks.values() for value in row["certified"].values()]
    assert all(low <= share <= high and low < high for share, low, high in cells)


def test_the_shipped_records_name_the_banks_that_ship() -> None:
    """Each run names vectors and pool of the bank for its model, task and denoiser; no scan stands in that pool."""
    banks = {
        (bank.facts.model_revision, bank.facts.task, bank.facts.method, bank.facts.denoiser): bank
        for bank in map(load_bank, (ROOT / "prompts").glob("*.safetensors"))
    }
    for file in (ROOT / "docs" / "evaluation").glob(f"*/{RUNS}"):
        runs, used = read_runs(file.parent), {}
        for name, facts in runs.items():
            source = "few_shot" if facts["method"] == "combined" else facts["method"]
            place = (facts["model_revision"], facts["task"], source, without_mirror(facts["denoiser"]))
            used[name] = None if facts["method"] in ("template", "zero_shot") else banks[place]
            assert {key: facts[key] for key in ("bank", "bank_pool")} == bank_facts(used[name]), facts
        for record in whole_records(file.parent / "records.jsonl"):
            bank = used[record["run"]]
            known = None if bank is None else bank.learned_on(record["scan"])
            assert record["guarantee"] == guarantee_of(record["method"], known), record


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
def test_a_disk_that_becomes_full_is_said(tmp_path: Path) -> None:
    (tmp_path / RECORDS).symlink_to("/dev/full")

    def append() -> None:
        with open_to_append(tmp_path / RECORDS) as lines:
            lines.write("{}\n")
            lines.flush()

    with pytest.raises(CertificateError, match=r"cannot be written to .*: No space left"):
        append()
