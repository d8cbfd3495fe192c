"""The command line: exit codes, what goes to stdout and what to stderr, Ctrl-C, and what each option reaches.

Oracles: the certificate file read back by `psmooth.certificate`, the tables of models and phantoms, and Python's own
list of imported modules. The engine is replaced by prepared votes, except where a test says so.
"""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import generate_uid

from psmooth import views
from psmooth.certificate import NOT_SHOWN, Plan, Run, Votes, advance, conclude, read_certificate
from psmooth.command_line import main
from psmooth.command_line.terminal import live_bar, note
from psmooth.errors import ModelError, PlanError
from psmooth.models import MODELS
from psmooth.phantoms import draw_phantom
from psmooth.scans import CropRule, Window, crop_scan, open_scan
from psmooth.smoothing import Replay
from psmooth.smoothing import certification as engine
from tests.dicoms import dicom, file_of
from tests.records import a_run

SEED = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def scan_path(tmp_path: Path) -> Path:
    path = tmp_path / "Jane Doe.png"
    Image.fromarray(draw_phantom("blood_cells", "monocyte", 1).pixels).save(path)
    return path


def _run(plan: Plan) -> Run:
    classes, model = ("cat", "dog", "cow"), {"id": "tiny", "weights": "bundled:tiny", "revision": "0" * 64}
    facts: dict[str, Any] = {"seed": SEED, "seed_origin": "given", "versions": {"psmooth": "0.1.0"}}
    return a_run(classes, class_ids=classes, plan=plan, model={**model, "licence": "Apache-2.0"}, **facts)


def _progress(run: Run, votes: Votes, phase: Any = "estimation", restarted: int | None = None) -> Any:
    return engine.Progress(
        phase=phase,
        votes=votes.total,
        planned=run.plan.max_votes,
        seconds=1.0,
        votes_per_second=500.0,
        seconds_left=1.0,
        results={"template": conclude(run, votes)},
        restarted=restarted,
        clean={"template": "cat"},
    )


def _stream(share: float, plan: Plan, interrupted: bool = False, restarted: int | None = None) -> Iterator[Any]:
    """Ten batches in which ``share`` of the votes fall on the cat; Ctrl-C may be pressed after the fifth."""
    run, votes, batch = _run(plan), Votes((64, 0, 0), (0, 0, 0)), plan.max_votes // 10
    for step in range(10):
        if interrupted and step == 5:
            raise KeyboardInterrupt
        votes = advance(votes, (round(share * batch), batch - round(share * batch), 0), 0, run)
        yield _progress(run, votes, restarted=restarted)
    yield _progress(run, replace(votes, ended="complete"), "done", restarted)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Replaces model and engine; the dictionary given back will hold what the command asked them for."""

    def install(share: float = 0.95, **how: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def load_model(name: str, device: str | None, _progress: Any, *, precision: str) -> Any:
            asked.update(model=name, device=device, precision=precision)
            return SimpleNamespace(crop_rule=CropRule(size=32, interpolation="bilinear"))

        def certify(_model: Any, scan: Any, **options: Any) -> Iterator[Any]:
            asked.update(scan=scan, **options)
            return _stream(share, options["plan"], **how)

        monkeypatch.setattr("psmooth.models.load_model", load_model)
        monkeypatch.setattr("psmooth.smoothing.certify", certify)
        monkeypatch.setattr("psmooth.recognition.recognise", lambda *_: None)
        return asked

    return install


@pytest.fixture
def psmooth_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        code = left.value.code
        assert isinstance(code, int)
        out, err = capsys.readouterr()
        return code, out, err

    return run


Command = Callable[..., tuple[int, str, str]]
Fake = Callable[..., dict[str, Any]]


def _refused(outcome: tuple[int, str, str], *words: str) -> None:
    code, out, err = outcome
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    for word in words:
        assert word in err


# --- the program itself


def _modules_after(*arguments: str) -> set[str]:
    probe = (
        "import sys, psmooth.command_line as line\n"
        "try: line.main(sys.argv[1:])\n"
        "except SystemExit as left: print(left.code, *sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", probe, *arguments], capture_output=True, text=True, timeout=60)
    code, *modules = run.stderr.split()
    assert code in ("0", "None"), run.stderr
    return set(modules)


def test_version_is_quick_to_say() -> None:
    assert not _modules_after("--version") & {"torch", "gradio", "plotly", "scipy", "numpy", "open_clip", "rich"}


def test_verify_needs_no_model(tmp_path: Path, fake: Fake, psmooth_command: Command, scan_path: Path) -> None:
    fake()
    psmooth_command("certify", scan_path, "--task", "blood_cells", "--out", tmp_path / "c.json")
    assert not _modules_after("verify", str(tmp_path / "c.json")) & {"torch", "gradio", "open_clip", "rich"}


def test_usage(psmooth_command: Command) -> None:
    assert psmooth_command("--help")[0] == 0
    for wrong in (
        ["certify"],
        ["fly"],
        ["certify", "x.png", "--votes", "many"],
        ["certify", "x.png", "--plan", "none"],
    ):
        code, out, err = psmooth_command(*wrong)
        assert (code, out) == (2, "")
        assert "Usage" in err


# --- certify


def test_a_certificate(tmp_path: Path, fake: Fake, psmooth_command: Command, scan_path: Path) -> None:
    fake()
    path = tmp_path / "c.json"
    code, out, err = psmooth_command("certify", scan_path, "--task", "blood_cells", "--out", path)
    record = read_certificate(path)
    assert (code, record.verdict, record.votes.total) == (0, "certified", 1_000)
    assert "The answer cat holds within" in out.splitlines()[0]
    assert "99.9 %" in out
    assert "950  cat" in out
    assert "Not for clinical use" in err
    assert "Not for clinical use" not in out
    assert "Jane" not in path.read_text() + out


def test_an_abstention(fake: Fake, psmooth_command: Command, scan_path: Path) -> None:
    fake(share=0.5)
    code, out, _ = psmooth_command("certify", scan_path, "--task", "blood_cells")
    assert code == 3
    assert "no radius for cat" in out.splitlines()[0]


@pytest.mark.parametrize(("share", "expected"), [(0.95, 0), (0.5, 3)])
def test_json_is_the_certificate_and_nothing_else(
    share: float, expected: int, fake: Fake, psmooth_command: Command, scan_path: Path
) -> None:
    fake(share=share)
    code, out, _ = psmooth_command("certify", scan_path, "--task", "blood_cells", "--json")
    assert code == expected
    assert read_certificate(out.encode()).to_dict() == json.loads(out)


def test_ctrl_c_keeps_the_certificate_so_far(fake: Fake, psmooth_command: Command, scan_path: Path) -> None:
    fake(interrupted=True)
    code, out, _ = psmooth_command("certify", scan_path, "--task", "blood_cells", "--json")
    record = read_certificate(out.encode())
    assert (code, record.votes.ended, record.votes.total) == (0, "stopped", 500)


def test_ctrl_c_under_the_papers_plan_leaves_none(fake: Fake, psmooth_command: Command, scan_path: Path) -> None:
    fake(interrupted=True)
    code, out, _ = psmooth_command("certify", scan_path, "--task", "blood_cells", "--plan", "paper")
    assert code == 3
    assert "The paper's plan looks once" in out


def test_options_reach_the_engine(fake: Fake, psmooth_command: Command, scan_path: Path) -> None:
    asked = fake()
    options = (
        "--model pocket --device cpu --noise 0.5 --votes 2000 --alpha 0.01 --target-radius 0.4 --tolerance 0.1 "
        "--box 10,20,110,140 --batch-size 16 --method template --seed 7"
    )
    words = ["--class-names", "cat; dog; cow", "--template", "a photo of {}"]
    assert psmooth_command("certify", scan_path, *options.split(), *words)[0] == 0
    assert (asked["model"], asked["device"], asked["noise_level"], asked["seed"]) == ("pocket", "cpu", 0.5, "7")
    assert asked["plan"] == Plan(max_votes=2_000, failure_probability=0.01, target_radius=0.4, tolerance=0.1)
    assert asked["scan"].rule == CropRule(size=32, interpolation="bilinear", box=(10, 20, 110, 140))
    assert (asked["batch_size"], asked["methods"]) == (16, ("template",))
    assert asked["task"].class_names == ("cat", "dog", "cow")
    assert asked["task"].templates == ("a photo of {}",)
    assert asked["scan"].sha256 == crop_scan(open_scan(scan_path), asked["scan"].rule).sha256


def test_defaults_reach_the_engine(fake: Fake, psmooth_command: Command, scan_path: Path, tmp_path: Path) -> None:
    asked, deep = fake(), tmp_path / "deep.png"
    Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)).save(deep)
    psmooth_command("certify", scan_path, "--task", "blood_cells")
    assert asked["plan"] == Plan()
    assert (asked["model"], asked["seed"], asked["batch_size"]) == (next(iter(MODELS)), None, None)
    psmooth_command(
        "certify", deep, "--task", "blood_cells", "--plan", "paper", "--seed", SEED, "--window", "900,2.5e3"
    )
    assert asked["plan"] == Plan(max_votes=10_000, name="paper")
    assert asked["seed"] == SEED
    assert asked["scan"].rule.window == Window(900, 2500)


def test_a_series_and_a_frame_of_a_folder_or_zip_reach_the_engine_and_verify_finds_them_again(
    psmooth_command: Command, tiny_model_folder: Path, tmp_path: Path
) -> None:
    """Slices of slopes that differ, so that each has a crop of its own."""
    slopes = np.arange(24 * 24).reshape(24, 24)
    slices = []
    for number, modality in enumerate(("CT", "MR"), 1):
        tags = {"Modality": modality, "SeriesInstanceUID": generate_uid(), "SeriesNumber": str(number)}
        for frame in (1, 2, 3):
            values = (slopes * (3 * number + frame) % 999).astype(np.uint16)
            slices.append(file_of(dicom(values, InstanceNumber=str(frame), **tags)))
    folder, packed, written = tmp_path / "JANE_DOE", tmp_path / "JANE_DOE.zip", tmp_path / "c.json"
    folder.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, content in enumerate(slices):
            (folder / f"{9 - number}").write_bytes(content)
            archive.writestr(f"JANE_DOE/{number}", content)
    fixed = ("--model", f"local-dir:{tiny_model_folder}", "--task", "blood_cells", "--votes", 100, "--out", written)
    for place in (folder, packed):
        refused = psmooth_command("certify", place, *fixed)
        _refused(refused, "2 series: 1 CT × 3; 2 MR × 3.")
        assert "JANE" not in refused[2]
        _refused(psmooth_command("certify", place, *fixed, "--series", 3), "no series 3")
        _refused(psmooth_command("certify", place, *fixed, "--series", 2, "--frame", 4), "no frame 4")
    code, _, told = psmooth_command("certify", packed, *fixed, "--series", 2, "--frame", 3)
    assert code in (0, 3)
    assert "16-bit grey, MR · frame 3 of 3" in told
    facts = json.loads(written.read_text("utf-8"))["preprocessing"]
    assert (facts["series"], facts["frame"]) == (2, 3)
    for place in (packed, folder, folder / "4"):
        assert psmooth_command("verify", written, "--scan", place)[0] == 0
    assert psmooth_command("verify", written, "--scan", folder / "5")[0] == 2
    assert psmooth_command("verify", written, "--scan", folder, "--series", 1)[0] == 2
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for name in ("4", "5"):
        (fewer / name).write_bytes((folder / name).read_bytes())
    assert psmooth_command("verify", written, "--scan", fewer)[0] == 2
    assert psmooth_command("verify", written, "--scan", fewer, "--series", 1, "--frame", 1)[0] == 2
    assert psmooth_command("verify", written, "--scan", fewer, "--series", 1, "--frame", 2)[0] == 0
    assert psmooth_command("certify", folder / "4", *fixed)[0] in (0, 3)
    assert psmooth_command("verify", written, "--scan", folder)[0] == 2
    assert psmooth_command("verify", written, "--scan", folder, "--series", 2, "--frame", 3)[0] == 0


def test_a_plane_and_a_region_reach_the_reader(
    fake: Fake, psmooth_command: Command, monkeypatch: pytest.MonkeyPatch, scan_path: Path
) -> None:
    asked, seen = fake(), []
    scan = open_scan(scan_path)
    monkeypatch.setattr("psmooth.scans.open_picture", lambda *given: seen.append(given[3:]) or scan)
    for options in ((), ("--plane", "coronal"), ("--region", "100,200.5,20")):
        assert psmooth_command("certify", scan_path, "--task", "blood_cells", *options)[0] == 0
    assert seen == [(None, None), ("coronal", None), (None, (100, 200.5, 20))]
    assert asked["scan"].sha256 == crop_scan(scan, asked["scan"].rule).sha256


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["--task", "--class-names", "blood_cells"]),
        (["--task", "blood_cells", "--class-names", "a; b"], ["either"]),
        (["--task", "blood_cells", "--template", "a {}"], ["--class-names"]),
        (["--task", "bones"], ["bones", "blood_cells"]),
        (["--class-names", "cat"], ["two class names"]),
        (["--class-names", "cat; dog", "--template", "a photo"], ["{}"]),
        (["--task", "blood_cells", "--alpha", "0"], ["failure_probability"]),
        (["--task", "blood_cells", "--alpha", "1"], ["failure_probability"]),
        (["--task", "blood_cells", "--votes", "0"], ["max_votes"]),
        (["--task", "blood_cells", "--target-radius", "-1"], ["target_radius"]),
        (["--task", "blood_cells", "--plan", "paper", "--target-radius", "1"], ["target_radius"]),
        (["--task", "blood_cells", "--tolerance", "1"], ["tolerance"]),
        (["--task", "blood_cells", "--plan", "paper", "--tolerance", "0.2"], ["tolerance"]),
        (["--task", "blood_cells", "--box", "1,2,3"], ["--box", "left,top,right,bottom"]),
        (["--task", "blood_cells", "--window", "wide"], ["--window", "centre,width"]),
        (["--task", "blood_cells", "--region", "1,2"], ["1,2", "left,top,magnification"]),
        (["--task", "blood_cells", "--plane", "oblique"], ["oblique", "coronal"]),
        (["--task", "blood_cells", "--plane", "axial"], ["no NIfTI volume"]),
        (["--task", "blood_cells", "--out", "/nowhere/at/all/c.json"], ["--out", "folder"]),
    ],
)
def test_refused_before_a_model_is_loaded(
    options: list[str], words: list[str], fake: Fake, psmooth_command: Command, scan_path: Path
) -> None:
    asked = fake()
    _refused(psmooth_command("certify", scan_path, *options), *words)
    assert not asked


def test_refused_scans_models_and_runs(
    fake: Fake, psmooth_command: Command, scan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake()
    (tmp_path / "text.png").write_text("not a picture")
    _refused(psmooth_command("certify", tmp_path / "text.png", "--task", "blood_cells"), "a text file", "PNG")
    _refused(psmooth_command("certify", tmp_path / "none.png", "--task", "blood_cells"), "no file")

    def fail(*_: Any, **__: Any) -> Any:
        raise PlanError("noise_level is -1; it must be above 0.")
        yield

    monkeypatch.setattr("psmooth.smoothing.certify", fail)
    _refused(psmooth_command("certify", scan_path, "--task", "blood_cells"), "noise_level is -1")

    def unknown(*_: Any, **__: Any) -> Any:
        raise ModelError("There is no model 'x'.")

    monkeypatch.setattr("psmooth.models.load_model", unknown)
    _refused(psmooth_command("certify", scan_path, "--task", "blood_cells"), "There is no model 'x'")


def test_progress_is_for_terminals_and_notices_come_once(
    fake: Fake, psmooth_command: Command, scan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(restarted=16)
    _, out, err = psmooth_command("certify", scan_path, "--task", "blood_cells")
    assert err.count("Memory ran out") == 1
    assert "\r" not in out + err
    _on_a_terminal(monkeypatch)
    _, out, err = psmooth_command("certify", scan_path, "--task", "blood_cells")
    assert err.count("Memory ran out") == 1
    drawn = [int(votes.replace(",", "")) for votes in re.findall(r"Counting · ([\d,]+) of 1,000 votes", err)]
    assert drawn == sorted(drawn)
    assert drawn[0] > 0
    assert "\r" not in out
    bar, notice = err.rsplit("\x1b[2K", 1)
    assert "Counting" in bar
    assert notice == f"{views.NOTICE}\n", "nothing of the line is left"


def _on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int = 100, kind: str = "xterm") -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", kind)


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("columns", [200, 40, 9, 1])
def test_a_bar_stays_on_one_line_and_notes_stand_above_it(
    columns: int, colour: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that wraps would not be drawn over; no name in it is read as markup or steers the terminal."""
    _on_a_terminal(monkeypatch, columns)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    with live_bar() as draw:
        draw(1, 3, "Counting [red]\x1b[2J {0} · 1 of 3 votes", logged=True)
        note("Memory ran out.")
        draw(3, 3, "Counting · 3 of 3 votes")
    err = capsys.readouterr().err
    assert "\x1b[2J" not in err
    assert colour or not re.search(r"\x1b\[[\d;]+m", err)
    lines = re.split(r"[\r\n]", re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", err))
    assert max(map(len, lines)) <= columns
    assert "".join(lines).replace(" ", "").count("Memoryranout.") == 1
    assert columns < 40 or "[red]\N{REPLACEMENT CHARACTER}[2J {0} · 1 of 3 votes" in err


@pytest.mark.parametrize("terminal", [True, False])
def test_where_no_line_can_be_drawn_over_the_log_has_a_line_each(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if terminal:
        _on_a_terminal(monkeypatch, kind="dumb")
    with live_bar() as draw:
        draw(1, 3, "one", logged=True)
        draw(2, 3, "two")
        draw(3, 3, "three", logged=True)
    assert capsys.readouterr() == ("", "one\nthree\n")


# --- consoles of few letters

NAMES = ("肺炎", "正常", "\N{MICROSCOPE} é")
ON_A_CONSOLE = """
import sys
from pathlib import Path
from psmooth.command_line import main
if sys.argv[1] == "conclude":
    from psmooth.command_line import certify, terminal
    from tests.engine.test_command_line import conclude_in_names
    terminal.let_every_letter_be_printed()
    sys.exit(certify._conclude(conclude_in_names(), Path(sys.argv[2]), "--json" in sys.argv))
main(sys.argv[1:])
"""


def conclude_in_names() -> Any:
    """The end of a run whose classes are named in several scripts."""
    run = replace(_run(Plan()), class_names=NAMES)
    votes = replace(advance(Votes((64, 0, 0), (0, 0, 0)), (950, 50, 0), 0, run), ended="complete")
    return _progress(run, votes, "done")


def _on_console(encoding: str, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_CONSOLE, *arguments],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=120,
    )
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)  # what is printed is of that encoding
    assert "Traceback" not in err
    return done.returncode, out, err


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_no_letter_costs_a_certificate(encoding: str, tmp_path: Path) -> None:
    code, out, err = _on_console(encoding, "conclude", str(tmp_path / "正常.json"))
    record = read_certificate(tmp_path / "正常.json")
    assert (code, record.run.class_names) == (0, NAMES)
    assert "\\u80ba\\u708e" in out
    assert "Certificate written to" in err


def test_json_stays_json_on_a_console_of_few_letters(tmp_path: Path) -> None:
    for encoding in ("cp1252", "utf-8"):
        code, out, _ = _on_console(encoding, "conclude", str(tmp_path / "c.json"), "--json")
        assert (code, tuple(json.loads(out)["class_names"])) == (0, NAMES)


def test_help_and_refusals_are_printed_on_any_console() -> None:
    assert _on_console("cp1252", "certify", "--help")[0] == 0
    assert "\\u03c3" in _on_console("cp1252", "certify", "--help")[1]
    code, _, err = _on_console("cp1252", "certify", "x.png", "--task", "肺炎")
    assert (code, "\\u80ba\\u708e" in err) == (2, True)


def test_a_certificate_is_written_before_it_is_printed(
    tmp_path: Path, fake: Fake, psmooth_command: Command, scan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake()

    def fail(*_: Any, **__: Any) -> None:
        raise PlanError("The console is gone.")

    monkeypatch.setattr("psmooth.command_line.certify.show", fail)
    psmooth_command("certify", scan_path, "--task", "blood_cells", "--out", tmp_path / "c.json")
    assert read_certificate(tmp_path / "c.json").verdict == "certified"


# --- verify


@pytest.fixture
def certificate_path(tmp_path: Path, fake: Fake, psmooth_command: Command, scan_path: Path) -> Path:
    fake()
    psmooth_command("certify", scan_path, "--task", "blood_cells", "--out", tmp_path / "certificate.json")
    return tmp_path / "certificate.json"


def test_verify(certificate_path: Path, psmooth_command: Command) -> None:
    code, out, err = psmooth_command("verify", certificate_path)
    assert (code, err) == (0, "")
    assert "holds within" in out
    code, out, _ = psmooth_command("verify", certificate_path, "--json")
    facts = json.loads(out)
    assert (code, facts["ok"], facts["problems"], facts["replay"]) == (0, True, [], None)
    assert facts["radius"] == json.loads(certificate_path.read_text())["radius"]


@pytest.mark.parametrize(
    ("field", "value"), [("radius", 9.0), ("total", 1_001), ("plan", "best"), ("lower_bound", 0.99)]
)
def test_an_altered_certificate_fails(field: str, value: Any, certificate_path: Path, psmooth_command: Command) -> None:
    record = json.loads(certificate_path.read_text())
    certificate_path.write_text(json.dumps({**record, field: value}))
    code, out, _ = psmooth_command("verify", certificate_path)
    assert code == 1
    assert field in out
    code, out, _ = psmooth_command("verify", certificate_path, "--json")
    assert code == 1
    assert field in [problem["field"] for problem in json.loads(out)["problems"]]


def test_a_strangers_words_do_not_steer_the_terminal(certificate_path: Path, psmooth_command: Command) -> None:
    certificate_path.write_text(certificate_path.read_text().replace('"cat"', '"c\\u001b[2J\\u009bat"'))
    _, out, err = psmooth_command("verify", certificate_path)
    assert not {"\x1b", "\x9b"} & set(out + err)


@pytest.mark.parametrize("kind", ["breast_ultrasound", "<img src=x onerror=alert(1)>", "c\x1b[2J"])
def test_verify_says_where_the_scan_is_none_for_its_question(
    kind: str, certificate_path: Path, psmooth_command: Command
) -> None:
    check = {"basis": "statistics", "kind": kind, "likely_task": kind, "known": True}
    record = {
        **json.loads(certificate_path.read_text()),
        "scan_check": {**check, "distance": 0.4, "confident": True, "fits": False},
    }
    certificate_path.write_text(json.dumps(record))
    code, out, err = psmooth_command("verify", certificate_path)
    assert (code, err) == (0, "")
    assert ("Looks like a breast ultrasound." if kind == "breast_ultrasound" else "has no name here") in out
    assert "is about others" in out


def test_what_is_no_certificate_is_refused(tmp_path: Path, psmooth_command: Command, scan_path: Path) -> None:
    _refused(psmooth_command("verify", tmp_path / "none.json"), "no file")
    _refused(psmooth_command("verify", scan_path), "not text")


@pytest.mark.parametrize("agrees", [True, False])
def test_verify_runs_the_votes_again(
    agrees: bool, certificate_path: Path, psmooth_command: Command, scan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the replay is worth less than the record, what it is worth is printed and nothing of the record."""
    record = read_certificate(certificate_path)
    fewer = advance(replace(record.votes, counts=(0, 0, 0), best=()), (900, 100, 0), 0, record.run)
    weaker = conclude(record.run, replace(fewer, ended="complete"))
    found = Replay(record, 1_064, 0, ()) if agrees else Replay(weaker, 1_064, 50, (("radius", "Too large."),))
    asked = []

    def replay(record: Any, scan: Any, **_: Any) -> Replay:
        asked.append((record.run.seed, crop_scan(scan).sha256))
        return found

    monkeypatch.setattr("psmooth.smoothing.replay", replay)
    code, out, _ = psmooth_command("verify", certificate_path, "--scan", scan_path)
    assert code == (0 if agrees else 1)
    assert [views.verdict_sentence(one) in out for one in (record, weaker)] == [agrees, not agrees]
    assert ("Too large." in out) == (not agrees)
    assert f"{found.differing} of 1,064 votes drawn again differ" in out
    assert "Asked as: an image of cat." in out, "only whole prompts are tied to the votes"
    assert out.splitlines()[-1].startswith("Not shown by this check: that the plan")
    assert asked == [(SEED, crop_scan(open_scan(scan_path)).sha256)]
    code, out, _ = psmooth_command("verify", certificate_path, "--scan", scan_path, "--json")
    facts = json.loads(out)
    assert (facts["ok"], facts["replay"]["ok"], code) == (agrees, agrees, 0 if agrees else 1)
    assert facts["replay"]["radius"] == getattr(found.confirmed, "radius", None)
    assert facts["not_shown"] == [words for words, _ in NOT_SHOWN]
    _refused(psmooth_command("verify", certificate_path, "--scan", "none.png"), "no file")


def test_a_record_that_claims_less_than_its_replay_is_not_said_to_be_confirmed_as_that(
    certificate_path: Path, psmooth_command: Command, scan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read_certificate(certificate_path)

    def concluded(*counts: int) -> Any:
        votes = advance(replace(record.votes, counts=(0, 0, 0), best=()), counts, 0, record.run)
        return conclude(record.run, replace(votes, ended="complete"))

    silent, weak, strong = concluded(500, 499, 1), concluded(700, 299, 1), concluded(701, 298, 1)
    assert silent.verdict == "abstained"
    for told, confirmed, words in (
        (silent, weak, "The record abstained and so claims no more than is confirmed."),
        (weak, strong, f"The record states the radius {views.radius_text(weak.radius)} and so claims no more"),
        (weak, weak, "The votes drawn again confirm it:"),
        (silent, silent, "The votes drawn again confirm it:"),
    ):
        told.save(tmp_path / "told.json")
        monkeypatch.setattr("psmooth.smoothing.replay", lambda *_, of=confirmed, **__: Replay(of, 1_064, 1, ()))
        code, out, _ = psmooth_command("verify", tmp_path / "told.json", "--scan", scan_path)
        assert code == 0
        assert words in out
        assert ("confirm it" in out) == (told is confirmed)
        assert views.verdict_sentence(confirmed) in out


def test_verify_takes_a_denoiser_of_ones_own(
    certificate_path: Path, psmooth_command: Command, scan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def replay(record: Any, _: Any, **options: Any) -> Replay:
        asked.update(options)
        return Replay(record, 1_064, 0, ())

    monkeypatch.setattr("psmooth.smoothing.replay", replay)
    for words, wanted in (([], None), (["--denoiser", "mine.safetensors"], "mine.safetensors")):
        assert psmooth_command("verify", certificate_path, "--scan", scan_path, *words)[0] == 0
        assert asked["denoiser"] == wanted


def test_verify_says_what_kind_of_guarantee_a_radius_has(
    certificate_path: Path, psmooth_command: Command, tmp_path: Path
) -> None:
    record = read_certificate(certificate_path)
    run = replace(record.run, method="zero_shot", guarantee="frozen_prompt")
    frozen = conclude(run, record.votes)
    frozen.save(tmp_path / "frozen.json")
    for path, kind in ((certificate_path, "unconditional"), (tmp_path / "frozen.json", "frozen_prompt")):
        code, out, _ = psmooth_command("verify", path)
        assert code == 0
        assert ("frozen" in out) == (kind == "frozen_prompt")
        assert ("Run again there" in out) == (kind == "unconditional")
        _, out, _ = psmooth_command("verify", path, "--json")
        assert json.loads(out)["guarantee"] == kind
    assert "--scan draws them again" in json.loads(out)["not_shown"][0]


# --- models, phantom, app


def test_models(psmooth_command: Command) -> None:
    code, out, _ = psmooth_command("models", "--json")
    assert code == 0
    assert {row["id"]: row["licence"] for row in json.loads(out)} == {k: spec.licence for k, spec in MODELS.items()}
    code, out, _ = psmooth_command("models")
    assert all(spec.about in out for spec in MODELS.values())


def test_phantom(tmp_path: Path, psmooth_command: Command) -> None:
    drawn = draw_phantom("blood_cells", "platelet", 5)
    for name in ("p.png", "p.tif"):
        outcome = psmooth_command(
            "phantom", "blood_cells", "platelet", "--seed", "5", "--out", tmp_path / name, "--json"
        )
        assert outcome[0] == 0
        facts = json.loads(outcome[1])
        assert (facts["class"], facts["seed"], facts["parameters"]) == ("platelet", 5, drawn.parameters)
        assert np.array_equal(open_scan(tmp_path / name).values, drawn.pixels)
    assert "platelet" in psmooth_command("phantom", "blood_cells", "platelet", "--out", tmp_path / "q.png")[1]


def test_phantom_refusals(tmp_path: Path, psmooth_command: Command) -> None:
    _refused(psmooth_command("phantom", "bones", "femur", "--out", tmp_path / "p.png"), "bones", "blood_cells")
    _refused(psmooth_command("phantom", "blood_cells", "femur", "--out", tmp_path / "p.png"), "femur", "monocyte")
    _refused(psmooth_command("phantom", "blood_cells", "monocyte", "--out", tmp_path / "p.doc"), ".png")
    _refused(psmooth_command("phantom", "blood_cells", "monocyte", "--out", tmp_path / "no" / "p.png"), "folder")
    assert not list(tmp_path.iterdir())


def test_app(psmooth_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmooth.interface.launch", lambda port, host, browser: print(port, host, browser))
    assert psmooth_command("app") == (0, "7860 127.0.0.1 True\n", "")
    outcome = psmooth_command("app", "--port", "7999", "--host", "0.0.0.0", "--no-browser")
    assert outcome == (0, "7999 0.0.0.0 False\n", "")
    assert psmooth_command("app", "--port", "99999")[0] == 2


# --- the real engine, on a model of random weights


def test_certify_and_run_again(
    tmp_path: Path, tiny_model_folder: Path, psmooth_command: Command, scan_path: Path
) -> None:
    path = tmp_path / "c.json"
    words = f"--model local-dir:{tiny_model_folder} --task blood_cells --votes 300 --noise 0.5 --seed 5 --batch-size 16"
    code, out, _ = psmooth_command("certify", scan_path, *words.split(), "--device", "cpu", "--out", path)
    record = read_certificate(path)
    assert (code, record.votes.total) == (0 if record.verdict == "certified" else 3, 300)
    assert "Without smoothing" in out
    code, out, _ = psmooth_command("verify", path, "--scan", scan_path, "--device", "cpu", "--json")
    facts = json.loads(out)
    assert (code, facts["replay"]["differing"]) == (0, 0)
    assert facts["replay"]["counts"] == json.loads(path.read_text())["counts"]
    Image.fromarray(draw_phantom("blood_cells", "platelet", 2).pixels).save(scan_path)
    _refused(psmooth_command("verify", path, "--scan", scan_path, "--device", "cpu"), "crop_sha256")


def test_ctrl_c_on_a_real_terminal(tiny_model_folder: Path, scan_path: Path) -> None:
    """The key itself: SIGINT while votes are counted, with the progress line on a pseudo-terminal."""
    pty = pytest.importorskip("pty")
    here, there = pty.openpty()
    words = (
        f"--model local-dir:{tiny_model_folder} --task blood_cells --votes 1000000 --batch-size 32 --device cpu --json"
    )
    program = (  # a run in the background inherits that SIGINT is ignored; at a terminal it is not
        "import signal; from psmooth.__main__ import main;"
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
    )
    command = [sys.executable, "-c", program, "certify", str(scan_path), *words.split()]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=there, text=True, env=environment)
    os.close(there)
    try:
        seen = b""
        while b"Counting" not in seen:
            seen += os.read(here, 1024)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)  # a busy machine takes its time to leave
    finally:
        process.kill()
        os.close(here)
    record = read_certificate(out.encode())
    assert process.returncode == (0 if record.verdict == "certified" else 3)
    assert record.votes.ended == "stopped"
    assert 0 < record.votes.total < 1_000_000
