"""What users rely on stays as it is while the code behind it is rebuilt: endpoints, page, certificates, command line.

The model of random weights answers one of two classes with every vote, at every noise level and on every machine, so
counts, bounds and radii are the same to the last digit.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from psmooth.command_line.run import main
from tests.golden.clicker import Clicker
from tests.golden.golden import held
from tests.serving import Server, serve

CLASSES = "a dog; seven red houses"
OWN: dict[str, Any] = {"task": "own", "class_names": CLASSES}
SETTLED = {"loss", "losses", "final_loss"}  # numbers of a descent: their last digits are the machine's


@pytest.fixture(scope="module")
def server(models_served: str) -> Server:
    return serve(models_served)


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    client = Client(server.url, verbose=False, download_files=False)
    yield client
    client.close()


@pytest.fixture
def page(server: Server) -> Iterator[Clicker]:
    with Clicker(server.url) as page:
        yield page


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smooth coloured picture of 60 × 48 pixels."""
    rows, columns = np.mgrid[0:48, 0:60] / 60
    pixels = (255 * np.stack([rows, columns, 1 - rows], -1).clip(0, 1)).astype(np.uint8)
    path = tmp_path_factory.mktemp("scans") / "scan.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scans, a folder a class."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, level in (("a_dog", 30), ("seven_red_houses", 220)):
        (folder / name).mkdir()
        for number in range(3):
            Image.fromarray(np.full((40, 40, 3), level + number, np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def archive(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for file in sorted(folder.rglob("*.png")):
            packed.writestr(f"{file.parent.name}/{file.name}", file.read_bytes())
    return content.getvalue()


def rounded(value: Any, name: str = "") -> Any:
    """The same with numbers of a descent left out."""
    if name in SETTLED:
        return f"<{len(value)} losses>" if isinstance(value, list) else "<loss>"
    if isinstance(value, dict):
        return {key: rounded(one, key) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


# --- endpoints


def test_what_the_endpoints_take_and_give(client: Client) -> None:
    held("endpoints", client.view_api(return_format="dict"))


def test_what_certify_answers(client: Client, scan_file: Path) -> None:
    said = client.predict(scan=handle_file(scan_file), votes=500, noise_level=0.5, **OWN, api_name="/certify")
    held("certify", {"order": list(said["certificate"]), "answer": said})


def test_what_certify_answers_where_the_votes_do_not_suffice(client: Client, scan_file: Path) -> None:
    held("abstained", client.predict(scan=handle_file(scan_file), votes=5, **OWN, api_name="/certify"))


def test_what_compare_answers(client: Client, scan_file: Path) -> None:
    held("compare", client.predict(scan=handle_file(scan_file), votes=500, **OWN, api_name="/compare"))


def test_what_learn_answers(client: Client, archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "scans.zip").write_bytes(archive)
    held("learn", rounded(client.predict(scans=handle_file(tmp_path / "scans.zip"), **OWN, api_name="/learn")))


def test_what_is_refused(client: Client, scan_file: Path, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"this is no picture")
    asked: list[dict[str, Any]] = [
        {"scan": handle_file(tmp_path / "no.png")},
        {"task": "own", "class_names": "only one"},
        {"task": "own", "class_names": "a; b", "template": "no place"},
        {"votes": -1},
        {"votes": 5_000_000},
        {"target_radius": -1},
        {"model": "/etc"},
        {"method": "few_shot"},
    ]
    held("refused", [_refusal(client, {"scan": handle_file(scan_file), **one}) for one in asked])


def _refusal(client: Client, asked: dict[str, Any]) -> str:
    with pytest.raises(AppError) as refusal:
        client.predict(**asked, api_name="/certify")
    return str(refusal.value)


# --- the page


def test_what_the_controls_say(page: Clicker) -> None:
    shown = ("label", "info", "choices", "value", "elem_id", "minimum", "maximum", "step", "placeholder", "file_types")
    controls = [
        {"type": one["type"], **{name: one["props"][name] for name in shown if one["props"].get(name) is not None}}
        for one in page.config["components"]
        if one["type"] not in ("html", "state", "form", "row", "column", "json", "file")
    ]
    held("controls", sorted(controls, key=lambda one: json.dumps(one, sort_keys=True)))


def test_what_stands_there_at_first(page: Clicker) -> None:
    held("opening", parts(page))


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_what_the_page_shows_of_a_run(server: Server, scan_file: Path, language: str) -> None:
    with Clicker(server.url, language) as page:
        page.open()
        bring(page, scan_file)
        certified = parts(page)
        page.use(page.control("ps-compare"), "click")
        compared = parts(page)
        page.use(page.control("ps-clear"), "click")
        held(f"page-{language}", {"certified": certified, "compared": compared, "cleared": parts(page)})


def test_what_the_page_shows_of_a_lesson(page: Clicker, archive: bytes) -> None:
    page.set(Task="own", Class_names=CLASSES)
    part = page.control("ps-archive")
    page.values[part] = page.visitor.upload(archive, "scans.zip")
    page.use(part, "upload")
    held("page-learned", rounded(parts(page)))


def bring(page: Clicker, file: Path) -> None:
    """A scan of one's own with a question of one's own; whatever runs upon that runs."""
    page.set(Task="own", Class_names=CLASSES)
    part = page.control("ps-upload")
    page.values[part] = page.visitor.upload(file.read_bytes())
    page.use(part, "upload")


def parts(page: Clicker) -> list[Any]:
    """Everything that is drawn by the page's own scripts, known by its keys."""
    shown = [value for value in page.values.values() if isinstance(value, dict) and value]
    return sorted(shown, key=lambda one: sorted(one))


# --- the command line


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command: its exit code, and the lines that it wrote."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        written = capsys.readouterr()
        return {"exit": ended.value.code, "out": written.out.splitlines(), "err": written.err.splitlines()}

    return run


COMMANDS = (
    "certify", "verify", "learn", "evaluate", "attack", "banks", "models", "phantom", "app", "check-space", "spaces",
)  # fmt: skip


def test_what_every_command_takes(command: Callable[..., Any]) -> None:
    names: list[tuple[str, ...]] = [(), *((one,) for one in COMMANDS)]
    names += [("banks", one) for one in ("list", "pull", "publish", "import")]
    names += [("models", "check"), ("spaces", "push")]
    held("help", {" ".join(name): command(*name, "--help") for name in names})


def test_what_certify_writes(
    command: Callable[..., Any], tiny_model_folder: Path, scan_file: Path, tmp_path: Path
) -> None:
    fixed = ("--model", f"local-dir:{tiny_model_folder}", "--seed", 1, "--class-names", CLASSES, "--votes", 500)
    written = tmp_path / "c.json"
    said = {"template": command("certify", scan_file, *fixed, "--out", written)}
    record = json.loads(written.read_text("utf-8"))
    said["json"] = command("certify", scan_file, *fixed, "--method", "zero_shot", "--json")
    said["abstained"] = command("certify", scan_file, *fixed[:-1], 5, "--plan", "paper")
    said["box"] = command("certify", scan_file, *fixed, "--box", "0,0,40,40", "--noise", 1)
    said["verify"] = command("verify", written)
    said["again"] = command("verify", written, "--scan", scan_file, "--json")
    written.write_text(written.read_text("utf-8").replace('"radius": 0.', '"radius": 1.'), "utf-8")
    said["forged"] = command("verify", written)
    held("command-certify", {"order": list(record), "file": record, **said})


def test_what_learning_and_evaluating_write(
    command: Callable[..., Any], tiny_model_folder: Path, folder: Path, tmp_path: Path
) -> None:
    model, bank = ("--model", f"local-dir:{tiny_model_folder}"), tmp_path / "bank.safetensors"
    own = ("--class-names", CLASSES, "--shots", 2, "--steps", 3)
    said = {"learn": command("learn", "label-free-probe", folder, "--out", bank, *model, *own)}
    said["banks"] = command("banks", "list", tmp_path)
    said["models"] = command("models", "--json")
    said["phantom"] = command("phantom", "blood_cells", "monocyte", "--out", tmp_path / "p.png", "--json")
    said["unknown"] = command("phantom", "blood_cells", "cat", "--out", tmp_path / "p.png")
    said["nowhere"] = command("certify", tmp_path / "none.png")
    held("command-learn", without(said, tmp_path))


def without(said: Any, folder: Path) -> Any:
    """The same without the folder of this test, and without what a descent came to."""
    text = json.dumps(said).replace(str(folder), "<folder>")
    told = json.loads(text)
    for one in told.values():
        for way in ("out", "err"):
            one[way] = [line.split("loss")[0] for line in one[way]]
    return told
