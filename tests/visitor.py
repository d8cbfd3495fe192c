"""A visitor without a browser: what the page asks of the server, request by request, so that any of it can be left out.

It knows nothing about psmooth beyond the names of the page's events.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import httpx

Message = dict[str, Any]
PATIENCE = 60.0


@cache
def config_of(url: str) -> dict[str, Any]:
    """What the page is told about itself."""
    return httpx.get(f"{url}/config", timeout=PATIENCE).raise_for_status().json()


class Visitor:
    """A session of the page, or of a program that speaks to it."""

    def __init__(self, url: str) -> None:
        self.config, self.session = config_of(url), secrets.token_hex(8)
        self.web = httpx.Client(base_url=f"{url}/gradio_api", timeout=PATIENCE)
        self._leaving = threading.Event()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.web.close()

    def function(self, name: str) -> dict[str, Any]:
        """An event by its name."""
        return next(one for one in self.config["dependencies"] if one["api_name"] == name)

    def usual(self, name: str) -> list[Any]:
        """What the controls hold when the page opens, as an event is given it."""
        values = {one["id"]: one["props"].get("value") for one in self.config["components"]}
        return [values.get(part) for part in self.function(name)["inputs"]]

    def asked(self, name: str, data: list[Any] | None = None, event: Any = None) -> Message:
        """The body of a request."""
        told = {"fn_index": self.function(name)["id"], "session_hash": self.session, "event_data": event}
        return {**told, "data": self.usual(name) if data is None else data}

    def at_once(self, name: str, data: list[Any] | None = None, event: Any = None) -> httpx.Response:
        """An event that does not wait."""
        return self.web.post("/run/predict", json=self.asked(name, data, event))

    def join(self, name: str, data: list[Any] | None = None) -> httpx.Response:
        """An event that waits; nobody listens yet."""
        return self.web.post("/queue/join", json=self.asked(name, data))

    def listen(self) -> Iterator[Message]:
        """What is sent until all that was joined has ended; leaving off is to go away."""
        with self.web.stream("GET", "/queue/data", params={"session_hash": self.session}) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    message = json.loads(line.removeprefix("data:"))
                    if message["msg"] == "close_stream":
                        return
                    yield message

    def upload(self, content: bytes, name: str = "scan.png") -> Message:
        """A file, as an event is given it."""
        path = self.web.post("/upload", files={"files": (name, content)}).raise_for_status().json()[0]
        return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    @contextmanager
    def page_open(self) -> Iterator[None]:
        """The session is held open, as by a page, until the end of the block."""
        begun = threading.Event()
        thread = threading.Thread(target=self._hold, args=(begun,))
        thread.start()
        begun.wait(PATIENCE)
        try:
            yield
        finally:
            self._leaving.set()
            thread.join()

    def _hold(self, begun: threading.Event) -> None:
        """Until the page is left; the server says only now and then that it is alive, so it is not waited for."""
        with suppress(httpx.HTTPError), httpx.Client(base_url=self.web.base_url, timeout=PATIENCE) as web:
            self._wait_to_leave(web, begun)

    def _wait_to_leave(self, web: httpx.Client, begun: threading.Event) -> None:
        with web.stream("GET", f"/heartbeat/{self.session}"):
            begun.set()
            self._leaving.wait()


def last_of(messages: Iterator[Message]) -> Message:
    """The message with which a run has ended."""
    return next(message for message in messages if message["msg"] == "process_completed")


def soon(happens: Callable[[], bool]) -> bool:
    """Whether it happens, where the server does it just after its answer."""
    deadline = time.monotonic() + PATIENCE
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happens()


def is_step(message: Message) -> bool:
    """Whether a run has told something of itself."""
    return message["msg"] == "process_generating"
