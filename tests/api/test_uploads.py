"""What becomes of a file that a client brings, or pretends to bring, to the served page."""

import gc
import io
import json
import re
import socket
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file

from psmooth import views
from psmooth.interface import assets, endpoints, handlers, intake, places, serve, visitors
from psmooth.interface import steps as run_steps
from psmooth.interface.intake import Intake
from psmooth.interface.session import Session
from psmooth.interface.settings import Settings
from psmooth.interface.uploads import GONE, Upload
from psmooth.scans import crop_scan, open_scan, scan_picture
from tests.serving import ROOT, free_port
from tests.visitor import Visitor, soon

OPEN = {
    "GET /", "HEAD /", "GET /config", "GET /config/", "GET /theme.css", "GET /favicon.ico", "GET /robots.txt",
    "GET /assets/{}", "GET /static/{}", "GET /svelte/{}", "GET /gradio_api/info", "GET /gradio_api/info/",
    "GET /gradio_api/app_id", "GET /gradio_api/app_id/", "GET /gradio_api/startup-events", "GET /gradio_api/queue/data",
    "GET /gradio_api/heartbeat/{}", "GET /gradio_api/call/{}/{}", "GET /gradio_api/call/v2/{}/{}",
    "POST /gradio_api/queue/join", "POST /gradio_api/cancel", "POST /gradio_api/reset", "POST /gradio_api/reset/",
    "POST /gradio_api/upload", "POST /gradio_api/run/{}", "POST /gradio_api/run/{}/", "POST /gradio_api/call/{}",
    "POST /gradio_api/call/{}/", "POST /gradio_api/call/v2/{}", "POST /gradio_api/call/v2/{}/",
}  # fmt: skip


@dataclass(frozen=True)
class Home:
    """The page, served by this process, so that its uploads can be counted."""

    url: str
    page: Intake
    model: str

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/gradio_api/{path}", timeout=60, **options)

    def uploaded(self, content: bytes) -> str:
        return self.post("upload", files={"files": ("jane-doe-1970.png", content)}).json()[0]

    def ask(self, scan: Any, names: Any = "", votes: int = 100) -> httpx.Response:
        numbers = (0.25, votes, 0, 0, 0)
        data = [
            scan,
            self.model,
            "blood_cells",
            names,
            "an image of {}.",
            *numbers,
            "template",
            "none",
            None,
            None,
            "",
            "",
            "usual",
        ]
        return self.post("call/certify", json={"data": data})

    def outcome(self, asked: httpx.Response) -> str:
        """The whole stream of answers to a run."""
        address = f"{self.url}/gradio_api/call/certify/{asked.json()['event_id']}"
        return httpx.get(address, timeout=60).text

    def cancel(self, asked: httpx.Response) -> None:
        event = asked.json()["event_id"]
        self.post("cancel", json={"session_hash": event, "fn_index": 0, "event_id": event})


@pytest.fixture(scope="module")
def home(tiny_model_folder: Path) -> Iterator[Home]:
    model = f"local-dir:{tiny_model_folder}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PSMOOTH_MODELS", model)
        served, url, _ = serve.launch(free_port(), open_browser=False, quiet=True, prevent_thread_lock=True)
        yield Home(url.rstrip("/"), served.get_blocks(), model)
        served.get_blocks().close(verbose=False)


def endless() -> Generator[None, None, None]:
    while True:
        yield


def meant(path: str) -> dict[str, Any]:
    """A file as Gradio's clients name it."""
    return {"path": path, "url": path, "orig_name": "jane-doe-1970.png", "meta": {"_type": "gradio.FileData"}}


# --- what is not an upload


@pytest.fixture
def victim(tmp_path: Path, scan_file: Path) -> Path:
    """A picture of the server, and a link that leads to it."""
    (tmp_path / "link.png").symlink_to(scan_file)
    return scan_file


@pytest.mark.parametrize(
    "path",
    [
        "{file}", "{folder}/./{name}", "{folder}/x/../{name}", "{folder}/link.png", "file://{file}", "{script}",
        "{url}/favicon.ico", "{url}/gradio_api/file={file}", "", ".", "~", "\x00",
    ],
)  # fmt: skip
def test_no_path_and_no_address_is_read_or_removed(home: Home, victim: Path, path: str) -> None:
    script = assets.static_files()["page/page.js"]
    values = {"file": victim, "folder": victim.parent, "name": victim.name, "script": script, "url": home.url}
    outcome = home.outcome(home.ask(meant(path.format(**values))))
    assert outcome.startswith("event: error")
    assert GONE in outcome
    assert victim.is_file()
    assert script.is_file()


@pytest.mark.parametrize("scan", [{}, [], [meant("/etc/passwd")], 7, True, {"path": 7}, {"path": meant("a")}, "word"])
def test_what_is_no_file_at_all_gets_the_same_sentence(home: Home, scan: Any) -> None:
    assert GONE in home.outcome(home.ask(scan))


@pytest.mark.usefixtures("no_collector")
def test_no_other_input_makes_the_server_fetch_or_copy_a_file(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/scan.png"
        for names in (meant(address), [meant(address)], {"a": meant("/etc/passwd")}):
            outcome = home.outcome(home.ask(home.uploaded(b"x"), names))
            assert "A file stands where none is read." in outcome
        assert GONE in home.outcome(home.ask(meant(address)))
        with pytest.raises(TimeoutError):
            listener.accept()
    assert soon(lambda: len(home.page.uploads) == 0)


# --- how long a file lives


def test_a_file_is_held_while_its_run_waits_and_gone_when_that_is_called_off(home: Home, scan_file: Path) -> None:
    content = scan_file.read_bytes()
    long = home.ask(meant(home.uploaded(content)), votes=100_000)
    try:
        waiting = home.ask(meant(home.uploaded(content)))
        home.page.uploads.sweep(unasked=0)
        assert len(home.page.uploads) >= 1
        home.cancel(waiting)
    finally:
        home.cancel(long)
    assert soon(lambda: len(home.page.uploads) == 0)


@pytest.mark.usefixtures("no_collector")
def test_a_full_queue_and_a_refusal_leave_no_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    word = home.uploaded(b"no picture")
    assert "PNG" in home.outcome(home.ask(meant(word)))
    assert soon(lambda: len(home.page.uploads) == 0)
    word = home.uploaded(b"no picture")
    with monkeypatch.context() as full:
        full.setattr(home.page._queue, "max_size", 0)
        assert home.ask(meant(word)).status_code == 503
    assert soon(lambda: len(home.page.uploads) == 0)


def test_a_run_that_waits_holds_its_file_alone(home: Home, scan_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan is read when its turn has come, and never where the run was called off before."""
    read: list[bytes] = []
    monkeypatch.setattr(
        "psmooth.interface.requests.open_picture", lambda content, *_: read.append(content) or open_scan(content)
    )
    content, asked = scan_file.read_bytes(), (home.model, "blood_cells", "", "", 0.25, 100, 0, 0, 0, "template", "none")
    with run_steps.places.admitted(places.Client("holder", "")) as visit, closing(visit.turn(endless)) as held:
        next(held)
        uploads = [Upload(io.BytesIO(content), len(content)) for _ in range(3)]
        runs = [endpoints.certify_file(upload, *asked) for upload in uploads]
        assert ["queued" in {next(run)["state"] for _ in range(3)} for run in runs] == [True] * 3
        assert read == []
        runs[0].close()
        assert [upload.drop.alive for upload in uploads] == [False, True, True]
    assert [list(run)[-1]["certificate"] is not None for run in runs[1:]] == [True, True]
    assert read == [content] * 2
    assert not any(upload.drop.alive for upload in uploads)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("wrong", [{"shots": "many"}, {"model": [7]}, {"task": "alchemy"}, {"way": None}])
def test_a_course_that_fails_leaves_no_archive(home: Home, wrong: dict[str, Any]) -> None:
    asked = {"model": home.model, "task": "own", "names": "", "template": "", "way": "few_shot", "denoiser": "none"}
    values = {**asked, "shots": 1, **wrong}
    data = [meant(home.uploaded(bytes(100))), *values.values()]
    event = home.post("call/learn", json={"data": data}).json()["event_id"]
    assert "event: error" in httpx.get(f"{home.url}/gradio_api/call/learn/{event}", timeout=60).text
    assert soon(lambda: len(home.page.uploads) == 0)


def test_an_archive_whose_course_is_replaced_is_gone(home: Home) -> None:
    visitor = Session()
    for _ in range(2):
        settings = astuple(Settings("m", "own", shots=1))
        handlers.begin_learn(visitor, home.page.claim(home.uploaded(bytes(100))), *settings)
        assert len(home.page.uploads) == 1
    visitor.request_run(None)
    assert len(home.page.uploads) == 0


def test_the_same_scan_four_times_at_once_gives_four_results(home: Home, scan_file: Path) -> None:
    client = Client(home.url, verbose=False, download_files=False)
    scan = handle_file(scan_file)
    try:
        jobs = [client.submit(scan=scan, votes=100, noise_level=s, api_name="/certify") for s in (0.1, 0.25, 0.5, 1.0)]
        assert [job.result(timeout=60)["certificate"]["noise_level"] for job in jobs] == [0.1, 0.25, 0.5, 1.0]
    finally:
        client.close()


def test_many_small_files_leave_room_and_go(home: Home, scan_file: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: home.uploaded(b"x"), range(home.page.uploads.most_files + 20)))
    assert len(home.page.uploads) == home.page.uploads.most_files
    assert "certificate" in home.outcome(home.ask(meant(home.uploaded(scan_file.read_bytes()))))
    home.page.uploads.sweep(unasked=0)
    assert len(home.page.uploads) == 0


def holds(text: str) -> bool:
    """Whether any dictionary of this process does."""
    found = (one for one in gc.get_objects() if type(one) is dict)
    return any(type(value) is str and value == text for one in found for value in tuple(one.values()))


def shown(visitor: Visitor, content: bytes) -> str:
    """The picture of a visitor's own scan, after a run on it has shown it."""
    scan = open_scan(content)
    picture = views.strip(scan_picture(scan), scan, crop_scan(scan))["scan"]
    assert visitor.at_once("upload", [None, visitor.upload(content), "own"]).is_success
    assert visitor.at_once("begin_asked").is_success
    assert visitor.join("follow_certify").is_success
    assert picture in json.dumps([*visitor.listen()])
    return picture


def test_a_scan_that_was_shown_and_cleared_is_held_by_nothing(home: Home, scan_file: Path) -> None:
    """Gradio would keep its picture under the number of a component that is made anew with each step."""
    with Visitor(home.url) as visitor, visitor.page_open():
        picture = shown(visitor, scan_file.read_bytes())
        assert visitor.at_once("clear").is_success
        assert not holds(picture)


def test_a_scan_that_was_left_for_an_example_is_held_by_nothing(home: Home, scan_file: Path) -> None:
    """Asked for or shown: what a session has of it would be counted nowhere."""
    with Visitor(home.url) as visitor, visitor.page_open():
        shown(visitor, scan_file.read_bytes())
        assert visitor.at_once("begin_asked").is_success
        assert visitor.at_once("pick", event={"index": 1}).is_success
        (session,) = [held for one, held in visitors.holdings(home.page) if one == visitor.session]
        assert (session.request, [*session.shown]) == (None, [])  # type: ignore[attr-defined]
        assert not session.chosen.weight  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", ["/queue/join", "/run/predict", "/call/nothing"])
def test_an_upload_that_a_refused_request_asked_for_is_gone(home: Home, way: str) -> None:
    with Visitor(home.url) as visitor:
        other, mine = visitor.upload(b"another's"), visitor.upload(b"mine")
        before = len(home.page.uploads)
        name = "follow_certify" if way == "/run/predict" else "upload"  # each the other's way
        answer = visitor.web.post(way, json=visitor.asked(name, [None, mine]))
        assert answer.is_error
        assert len(home.page.uploads) == before - 1
        assert home.page.claim(other).read() == b"another's"


def test_the_farewell_of_a_page_is_not_for_asking(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    with Visitor(home.url) as visitor:
        visitor.session = "a visitor's own words"
        answer = visitor.join("forget")
    assert not answer.is_success
    assert "not for asking" in answer.text
    written = "".join(capfd.readouterr())
    assert "Traceback" not in written
    assert "own words" not in written


def test_the_sweep_runs_by_itself() -> None:
    assert "psmooth-sweep" in {thread.name for thread in threading.enumerate()}


# --- what is answered, and what is told


def test_every_route_that_is_not_needed_is_closed(home: Home) -> None:
    paths = home.page.app.openapi()["paths"]
    routes = {(method.upper(), re.sub("{.*?}", "{}", path)) for path, methods in paths.items() for method in methods}
    assert len(routes) > 60
    assert {f"{method} {path}" for method, path in routes} >= OPEN
    for method, path in sorted(routes):
        if f"{method} {path}" not in OPEN:
            answer = httpx.request(method, home.url + path.replace("{}", "1"), timeout=10)
            assert answer.status_code == 404, f"{method} {path}"
            assert answer.headers["content-type"].startswith("text/plain"), "by the guard, not by Gradio"


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"])
def test_no_path_of_the_server_is_told_and_no_cookie_is_set(home: Home, path: str) -> None:
    answer = httpx.get(home.url + path, timeout=30)
    assert "set-cookie" not in answer.headers
    text = answer.text.replace(home.model, "")
    for place in (ROOT, ROOT / "psmooth", Path.home(), Path(intake.own_folder()), Path(gr.__file__).parent):
        assert json.dumps(str(place)).strip('"') not in text or place == Path("/")


def test_nothing_of_a_visitor_s_file_is_logged(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    for content in (b"no picture", b""):
        home.outcome(home.ask(meant(home.uploaded(content))))
    home.outcome(home.ask(meant("/home/jane-doe/scan.png"), meant("jane-doe")))
    written = capfd.readouterr()
    assert "Traceback" not in written.out + written.err
    assert "jane-doe" not in written.out + written.err


@pytest.mark.parametrize("given", [None, "jane-doe", "\ud800", [], {"a": 1}, 1e400])
def test_what_an_event_cannot_use_is_refused_in_words_and_not_logged(
    home: Home, capfd: pytest.CaptureFixture[str], given: Any
) -> None:
    events = {
        one.api_name: one for one in home.page.fns.values() if one.api_name in ("pick", "choose_box", "begin_asked")
    }
    for name, event in events.items():
        asked = {"data": [given] * len(event.inputs), "event_data": given, "session_hash": "visitor"}
        answer = home.post(f"run/{name}", content=json.dumps(asked), headers={"content-type": "application/json"})
        assert answer.status_code == 500
        assert answer.json()["error"]
    home.post("queue/join", json={"data": ["jane-doe"], "fn_index": events["pick"]._id, "session_hash": "queued"})
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{home.url}/gradio_api/queue/data", params={"session_hash": "nobody"}, timeout=60)
    written = capfd.readouterr()
    assert "Traceback" not in written.out + written.err
    assert "jane-doe" not in written.out + written.err
    assert "choices" not in written.out + written.err
