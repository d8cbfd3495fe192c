"""Evaluation as a program that may be killed, its curves, and the mark of a frozen prompt in its figure."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from psmooth import views
from psmooth.evaluate import certified_curve, whole_records
from psmooth.phantoms import draw_phantom

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
        "2000",
        "--noise",
        "0.1,0.25,0.5",
    ]
    options += ["--methods", "template,zero_shot", "--out", str(out)]
    command = [sys.executable, "-m", "psmooth", "evaluate", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


def test_killed_at_random_moments_it_ends_with_the_undisturbed_table(
    folder: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    assert start(folder, tiny_model_folder, tmp_path / "whole").wait(120) == 0
    generator, killed = random.Random(7), 0
    lines = tmp_path / "cut" / "records.jsonl"
    for _ in range(2):
        process, known = start(folder, tiny_model_folder, tmp_path / "cut"), _size(lines)
        while process.poll() is None and _size(lines) < known + generator.randint(100, 4_000):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        killed += process.wait(60) == -signal.SIGKILL
    assert killed == 2
    assert start(folder, tiny_model_folder, tmp_path / "cut").wait(120) == 0
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
