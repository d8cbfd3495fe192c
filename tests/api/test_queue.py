"""One visitor cannot stop the others: who goes away gives the place back, and nobody waits for another's download."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.hub.bank_server import BankHub, bank_hub, page_beside
from tests.load import lecture
from tests.serving import Server
from tests.visitor import Message, Visitor, is_step, last_of

REPO = "somebody/slow"


@pytest.fixture(scope="module")
def hub(tiny_model_folder: Path) -> Iterator[BankHub]:
    with bank_hub() as hub:
        hub.repos[REPO] = {file.name: file.read_bytes() for file in tiny_model_folder.iterdir()}
        yield hub


@pytest.fixture(scope="module")
def server(hub: BankHub, models_served: str, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return page_beside(hub, models_served, tmp_path_factory.mktemp("hub") / "home")


@pytest.fixture
def long(slow_model_folder: Path) -> dict[str, Any]:
    """Asks for a run that does not end by itself while a test looks."""
    return {"votes": 100_000, "model": f"local-dir:{slow_model_folder}"}


@pytest.fixture(scope="module")
def picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def ordered(visitor: Visitor, picture: bytes, votes: int = 100, **others: Any) -> list[Any]:
    """What /certify is given, as the controls stand but for the scan, the votes and what else is named."""
    names = [one["parameter_name"] for one in info_of(visitor)["/certify"]["parameters"]]
    given = {"scan": visitor.upload(picture), "votes": votes, **others}
    return [given.get(name, value) for name, value in zip(names, visitor.usual("certify"), strict=True)]


def info_of(visitor: Visitor) -> Any:
    return visitor.web.get("/info").json()["named_endpoints"]


def certified(server: Server, picture: bytes) -> Any:
    """A run of another visitor, from its beginning to its end."""
    with Visitor(server.url) as other:
        assert other.join("certify", ordered(other, picture, 100)).is_success
        return last_of(other.listen())["output"]["data"][0]["certificate"]


@pytest.fixture
def come(server: Server) -> Iterator[Callable[[], Visitor]]:
    """Visitors, who have all gone at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Visitor(server.url))


def test_a_run_whose_listener_goes_away_ends(
    come: Callable[[], Visitor], server: Server, picture: bytes, long: dict[str, Any]
) -> None:
    gone = come()
    assert gone.join("certify", ordered(gone, picture, **long)).is_success
    listening = gone.listen()
    assert any(is_step(message) for message in listening)
    listening.close()  # type: ignore[attr-defined]
    assert certified(server, picture)["total"] == 100


def test_a_run_that_nobody_ever_listens_to_ends(
    come: Callable[[], Visitor], server: Server, picture: bytes, long: dict[str, Any]
) -> None:
    silent = come()
    assert silent.join("certify", ordered(silent, picture, **long)).is_success
    assert certified(server, picture)["total"] == 100


def test_there_is_no_way_around_the_queue(come: Callable[[], Visitor], picture: bytes) -> None:
    visitor = come()
    for name in (
        "certify",
        "compare",
        "attack",
        "learn",
        "follow_certify",
        "follow_compare",
        "follow_attack",
        "follow_learn",
    ):
        data = ordered(visitor, picture, 100) if name == "certify" else None
        assert visitor.at_once(name, data).status_code == 404
        assert visitor.web.post(f"/api/{name}", json={"data": data or []}).status_code == 404


def test_more_votes_than_a_run_may_draw_are_refused_with_the_limit(server: Server, picture: bytes) -> None:
    client = Client(server.url, verbose=False, download_files=False)
    file = Path(server.uploads.parent / "scan.png")
    file.write_bytes(picture)
    for name in ("/certify", "/compare"):
        with pytest.raises(AppError, match="100,000"):
            client.predict(scan=handle_file(file), votes=100_001, api_name=name)
    client.close()


def test_a_page_that_is_left_while_a_model_comes_stops_nobody(
    come: Callable[[], Visitor], server: Server, hub: BankHub, picture: bytes
) -> None:
    """The model comes slowly; meanwhile others are answered and have the device."""
    hub.pause = 0.5
    left, beside = come(), come()
    for number, visitor in enumerate((left, beside)):
        scan = picture + bytes([number])  # a file of its own
        assert visitor.join("certify", ordered(visitor, scan, 100, model=f"hf-hub:{REPO}")).is_success
    listenings = [visitor.listen() for visitor in (left, beside)]
    for listening in listenings:
        assert any(is_step(one) and one["output"]["data"][0]["state"] == "loading" for one in listening)
    assert certified(server, picture)["total"] == 100, "the device is free while a model comes"
    listenings[0].close()  # type: ignore[attr-defined]
    answers = [httpx.get(f"{server.url}/config", timeout=10).status_code for _ in range(5)]
    assert answers == [200] * 5
    hub.pause = 0.0
    assert last_of(listenings[1])["output"]["data"][0]["certificate"]["total"] == 100, "the other one still gets it"


def test_twenty_runs_of_one_visitor_do_not_make_another_wait_for_all(
    come: Callable[[], Visitor], picture: bytes
) -> None:
    greedy, heard = come(), list[Message]()
    for number in range(20):
        assert greedy.join("certify", ordered(greedy, picture + bytes([number]), 2_000)).is_success

    def told(kind: str) -> list[Message]:
        return [one for one in heard if one["msg"] == kind]

    listening = threading.Thread(target=lambda: heard.extend(greedy.listen()))
    listening.start()
    other = come()
    data = ordered(other, picture, 100)
    before = len(told("process_completed"))
    assert other.join("certify", data).is_success
    assert last_of(other.listen())["success"]
    between = len(told("process_completed")) - before
    listening.join(120)
    assert len(told("process_completed")) == 20
    assert all(one["success"] for one in told("process_completed"))
    assert between < 10
    assert len(told("estimation")) <= 20, "who waits is not told of all the others: that fills their streams"


def test_nothing_of_a_visitor_and_no_trace_is_in_the_log(server: Server) -> None:
    time.sleep(0.2)
    log = server.output.read_text("utf-8")
    assert "Traceback" not in log
    assert "scan.png" not in log


def test_what_does_not_wait_is_let_into_no_line(come: Callable[[], Visitor]) -> None:
    """Each has a line of one at a time, and all lines together are full for everybody."""
    visitor = come()
    answer = visitor.join("upload", [None, visitor.upload(b"no picture"), "own"])
    assert answer.status_code == 400
    assert visitor.at_once("upload", [None, visitor.upload(b"no picture"), "own"]).is_success


def test_a_lecture_hall_that_opens_the_page_is_shown_one_run(server: Server) -> None:
    seeds, _ = lecture(server.url, 12)
    assert len(seeds) == 12
    assert None not in seeds
    assert len(set(seeds)) == 1
