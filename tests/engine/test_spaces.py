"""What makes a Space of the repository: its front matter, a lent card, a start with the variables that a Space sets."""

import io
import json
import multiprocessing
import os
import pickle
import platform
import re
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from PIL import Image

import psmooth
from psmooth.certificate import GUARANTEES
from psmooth.interface import model_menu
from psmooth.interface import steps as run_steps
from psmooth.interface.requests import ChosenScan, RunRequest, TrainingRequest
from psmooth.interface.settings import Settings
from psmooth.interface.steps import RunStep
from psmooth.interface.zero_gpu import LONGEST, home_device, on_gpu, seconds_for, to_gpu
from psmooth.models import MODELS, MedVLM
from psmooth.models.formats import FORMATS
from psmooth.prompts import CONTEXT_METHODS, PROBE_METHODS, list_banks
from psmooth.scans import open_scan
from psmooth.smoothing import provenance
from psmooth.tasks import TASKS
from psmooth.views.model_table import model_table

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def front() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "README.md").read_text("utf-8").split("---")[1])


COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
FRONT_MATTER: dict[str, Callable[[Any], bool]] = {  # by key of the Hub's reference of a Space's configuration
    "title": lambda value: isinstance(value, str),
    "emoji": lambda value: not value.isascii(),
    "colorFrom": lambda value: value in COLOURS,
    "colorTo": lambda value: value in COLOURS,
    "sdk": lambda value: value == "gradio",
    "sdk_version": lambda value: isinstance(value, str),
    "app_file": lambda value: (ROOT / value).is_file(),
    "python_version": lambda value: isinstance(value, str) and re.fullmatch(r"3[.]\d+([.]\d+)?", value) is not None,
    "license": lambda value: value == "apache-2.0",
    "short_description": lambda value: 0 < len(value) <= 60,
    "suggested_hardware": lambda value: value == "cpu-basic",
    "thumbnail": lambda value: value.startswith("https://"),
    "tags": lambda value: all(isinstance(tag, str) for tag in value),
    "models": lambda value: all(re.fullmatch(r"[\w.-]+/[\w.-]+", name) for name in value),
    "preload_from_hub": lambda value: all(re.fullmatch(r"\S+/\S+ \S+ [0-9a-f]{40}", line) for line in value),
}
OPTIONAL = {"thumbnail"}


def test_the_front_matter_has_the_keys_and_values_that_the_hub_documents(front: dict[str, Any]) -> None:
    assert set(FRONT_MATTER) - OPTIONAL <= set(front) <= set(FRONT_MATTER)
    assert [key for key, value in front.items() if not FRONT_MATTER[key](value)] == []


def test_what_zerogpu_offers_lies_within_what_the_project_asks_for(front: dict[str, Any]) -> None:
    """PyTorch and Python as its documentation lists them, held against requirements.txt and pyproject.toml."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    asked = {one.name: one.specifier for one in map(Requirement, (line for line in lines if line[:1] not in ("#", "")))}
    assert "2.9.1" in asked["torch"]
    assert "0.24.1" in asked["torchvision"]  # the release that goes with it
    assert "6.31.0" in asked["gradio"]
    assert "3.12.12" in SpecifierSet(f"=={front['python_version']}.*")
    assert "3.12.12" in SpecifierSet(
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    )


def test_a_certificate_of_a_space_names_the_version_although_nothing_is_installed(monkeypatch: Any) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert provenance.versions.__wrapped__() == {"python": platform.python_version(), "psmooth": psmooth.__version__}


def test_the_front_matter_names_what_is_tested_here(front: dict[str, Any]) -> None:
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    assert f"gradio=={front['sdk_version']}" in constraints.split()


def test_what_is_preloaded_stands_in_the_model_table_at_the_same_commit(front: dict[str, Any]) -> None:
    known = {spec.weights.removeprefix("hf-hub:"): spec for spec in MODELS.values()}
    assert {line.split()[0] for line in front["preload_from_hub"]} == set(front["models"])
    for line in front["preload_from_hub"]:
        repo, files, commit = line.split()
        spec = known[f"{repo}@{commit}"]
        assert not spec.gated
        assert not spec.non_commercial
        assert set(files.split(",")) <= {*spec.files, *spec.weight_files}
        assert set(files.split(",")) & set(spec.weight_files)


def test_the_table_of_models_in_the_documents_is_the_registry() -> None:
    text = (ROOT / "docs" / "models.md").read_text("utf-8")
    found = re.search(r"<!-- models -->\n(.*)\n<!-- /models -->", text, re.S)
    assert found
    assert found[1] == model_table(list(MODELS.values()), list_banks(), FORMATS)


def test_the_table_of_models_says_which_methods_and_tasks_work_with_what_ships() -> None:
    """Held against what the engine itself finds: the banks of each method, and the formats that are loaded."""
    head, _, *rows = model_table(list(MODELS.values()), list_banks(), FORMATS).splitlines()
    assert head.split(" | ")[:3] == ["| model", "tasks", "methods"]
    for spec, row in zip(MODELS.values(), rows, strict=True):
        _, _, tasks, methods, *_ = (cell.strip() for cell in row.split("|"))
        assert re.findall(r"`(\w+)`", tasks) == list(spec.task_ids)
        assert set(spec.task_ids) <= set(TASKS)
        ready, _, waiting = methods.partition("; with a bank the other ")
        if spec.family not in FORMATS:
            assert methods == "none, it is not loaded"
        elif spec.family == "bundled":
            assert methods == f"all {len(GUARANTEES)}"
            for task, method in product(spec.task_ids, (*CONTEXT_METHODS, *PROBE_METHODS)):
                assert [bank for bank in list_banks() if (bank["model"], bank["task"], bank["method"]) == (
                    spec.id, task, method)]  # fmt: skip
        else:
            assert re.findall(r"`(\w+)`", ready) == ["template", "zero_shot"]
            assert int(waiting) == len(GUARANTEES) - 2


def test_more_votes_and_larger_models_ask_for_longer_and_never_for_too_long() -> None:
    assert seconds_for(1_000, 0) < seconds_for(100_000, 0) < seconds_for(100_000, 605) < seconds_for(100_000, 3_513)
    assert seconds_for(10**6, 3_513) == LONGEST


def counted(most: int) -> Iterator[int]:
    yield from range(most)


def test_away_from_zerogpu_nothing_is_wrapped_or_moved(tiny_model: MedVLM) -> None:
    assert on_gpu(counted, lambda _: 1) is counted  # type: ignore[arg-type, comparison-overlap]
    assert home_device() is None
    assert to_gpu(tiny_model) is tiny_model


@contextmanager
def device_service() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Stands in for what lends the cards: its address, and what it was asked, in order."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            address = urlsplit(self.path)
            asked.append((address.path, dict(parse_qsl(address.query))))
            lent = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
            body = json.dumps(lent if address.path == "/schedule" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


ON_ZERO_GPU = """
import json, os, sys, threading
import gradio
import spaces.zero.torch as card
card.init = card.move = lambda *_, **__: None  # all that is left out: touching the card, which is not here
from psmooth.interface import zero_gpu as spaces
from psmooth.certificate import Plan
from psmooth.smoothing import certify
from psmooth.models import load_model
from psmooth.phantoms import draw_phantom
from psmooth.scans import open_scan

models = {}
options = {"task": "blood_cells", "seed": 5, "batch_size": 32}

def votes(scan, count):
    for step in certify(spaces.to_gpu(models["it"]), scan, plan=Plan(max_votes=count), **options):
        yield os.getpid(), step

def seconds(scan, count):
    return spaces.seconds_for(count, 0)

def visit():  # handlers run in threads, where the service pretends no card
    models["it"] = load_model(sys.argv[1], spaces.home_device())
    scan = open_scan(draw_phantom("blood_cells", "monocyte", 2).pixels)
    *_, (_, here) = votes(scan, 300)
    workers, steps = zip(*spaces.on_gpu(votes, seconds)(scan, 300))
    pair = [step.results["template"].votes.counts for step in (here, steps[-1])]
    print(json.dumps([os.getpid(), sorted(set(workers)), len(steps), pair]), file=sys.stderr)

with gradio.Blocks() as page:
    gradio.Markdown("a page")
page.launch(prevent_thread_lock=True, quiet=True)
visitor = threading.Thread(target=visit)
visitor.start()
visitor.join()
page.close()
"""


def test_on_zerogpu_a_run_is_lent_a_card_and_its_votes_are_those_of_any_other_run(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    """The real decorator with its forked worker and its talk with the service; only the card itself is not there."""
    (tmp_path / "cgroup").write_text("0::/space\n")
    with device_service() as (address, asked):
        zero = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": address, "SYSTEM": "spaces"}
        zero |= {"ZEROGPU_PROC_SELF_CGROUP_PATH": str(tmp_path / "cgroup"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ON_ZERO_GPU, f"local-dir:{tiny_model_folder}"],
            cwd=ROOT, env=os.environ | zero, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=180,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    serving, workers, steps, (here, there) = json.loads(done.stderr.splitlines()[-1])
    assert [path for path, _ in asked] == ["/startup-report", "/schedule", "/allow", "/release"]
    assert asked[1][1]["durationSeconds"] == str(seconds_for(300, 0))
    assert asked[3][1]["fail"] == "false"
    assert workers == [int(asked[2][1]["pid"])] != [serving]
    assert steps > 1
    assert here == there
    assert sum(there) == 300


@pytest.mark.skipif(not hasattr(os, "fork"), reason="This system does not fork.")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # that is what is tested
def test_a_worker_forked_while_a_scan_is_being_read_reads_scans_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, go, quieten = threading.Event(), threading.Event(), warnings.filterwarnings

    def slowly(*asked: Any, **named: Any) -> None:
        if threading.current_thread() is reader:
            taken.set()
            go.wait(30)
        quieten(*asked, **named)

    buffer = io.BytesIO()
    Image.new("RGB", (20, 20)).save(buffer, "PNG")
    reader = threading.Thread(target=open_scan, args=(buffer.getvalue(),))
    monkeypatch.setattr(warnings, "filterwarnings", slowly)
    reader.start()
    assert taken.wait(5)
    worker = multiprocessing.get_context("fork").Process(target=open_scan, args=(buffer.getvalue(),), daemon=True)
    worker.start()
    worker.join(20)
    worker.kill()
    worker.join()
    go.set()
    reader.join()
    assert worker.exitcode == 0


def test_the_container_copies_what_is_here_and_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    copied = {source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]}
    assert {"app.py", "psmooth", "assets", "prompts", "requirements.txt", "constraints.txt"} <= copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    sent = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    assert {line.removeprefix("!") for line in sent} == copied
    (user,) = [line for line in lines if line.startswith("USER ")]
    assert user != "USER root"
    assert lines.index(user) < next(place for place, line in enumerate(lines) if line.startswith("CMD "))
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert any(line.startswith("VOLUME ") for line in lines)


def test_what_crosses_to_the_lent_card_can_be_pickled(scan: Any, tiny_model_folder: Path, monkeypatch: Any) -> None:
    weights = f"local-dir:{tiny_model_folder}"
    monkeypatch.setenv("PSMOOTH_MODELS", weights)
    request = RunRequest(ChosenScan(scan), Settings(weights, "blood_cells", votes=100))
    copied = pickle.loads(pickle.dumps(request))
    list(model_menu.fetch_model(weights))
    steps = list(run_steps.certify_steps(copied))
    assert all(isinstance(pickle.loads(pickle.dumps(step)), RunStep) for step in steps)
    compared = list(run_steps.compare_steps(replace(copied, every_method=True)))
    assert pickle.loads(pickle.dumps(compared[-1])).done  # type: ignore[union-attr]
    attacked = list(run_steps.attack_steps(copied))
    assert pickle.loads(pickle.dumps(attacked[-1])).progress.part == "done"
    pickle.dumps(TrainingRequest(None, Settings(weights, "blood_cells")).resolve())


def test_the_app_starts_with_the_variables_of_a_space_and_answers(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    space = {"SPACE_ID": "someone/psmooth", "SYSTEM": "spaces", "SPACE_HOST": "someone-psmooth.hf.space"}
    server = {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port), "HF_HOME": str(tmp_path)}
    environment = {**os.environ, **space, **server, "HF_HUB_OFFLINE": "1", "BROWSER": "true"}
    output = (tmp_path / "output.txt").open("wb")
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        page = _page(f"http://127.0.0.1:{port}/", process)
    finally:
        process.kill()
        process.wait()
        output.close()
    assert "psmooth" in page
    assert "Not for clinical use" in page


def _page(address: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        assert process.poll() is None, "The app ended."
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("The app did not answer.")
