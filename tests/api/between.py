"""Stands between a client and a served page, and says otherwise than the page does where a test wants it to.

It knows nothing about psmooth: it passes on what the page says, line by line.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx

from tests.serving import in_a_thread

_PASSED_ON = ("content-type",)


@dataclass
class Between:
    """How it differs from the page.

    Attributes:
        without: endpoints that it says it does not have.
        alter: changes the last step of a stream, in place.
        silent: it takes a question and never says anything of it but that it is alive.
        cuts: the stream breaks off at its first step.
        points_to: an address that it says its routes are at.
        asked: paths, with the headers that came; ``sent``: the bytes of uploads.
    """

    page: str
    without: tuple[str, ...] = ()
    alter: Callable[[Any], None] | None = None
    silent: bool = False
    cuts: bool = False
    points_to: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent: list[bytes] = []
        self.over = threading.Event()


@contextmanager
def between(page: str, **differs: Any) -> Iterator[Between]:
    """A server of its own in front of the page."""
    stand = Between(page, **differs)
    with in_a_thread(type("Handler", (_Handler,), {"stand": stand})) as stand.url:
        try:
            yield stand
        finally:
            stand.over.set()


class _Handler(BaseHTTPRequestHandler):
    stand: Between

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said."""

    def do_HEAD(self) -> None:
        self._pass_on(b"")

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/upload" in self.path:
            self.stand.sent.append(body)
        self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        self.stand.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        kept = {"content-type": self.headers["Content-Type"]} if self.headers["Content-Type"] else {}
        url = f"{self.stand.page}{self.path}"
        with suppress(OSError, httpx.HTTPError), httpx.stream(
            self.command, url, content=body, headers=kept, timeout=60
        ) as answer:  # fmt: skip
            self.send_response(answer.status_code)
            for name in _PASSED_ON:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Connection", "close")
            self.end_headers()
            if "/queue/data" in self.path:
                self._stream(answer)
            else:
                self.wfile.write(self._altered(answer.read()))
        self.close_connection = True

    def _altered(self, content: bytes) -> bytes:
        path = self.path.partition("?")[0]
        if path.endswith("/config") and self.stand.points_to:
            return json.dumps(json.loads(content) | {"api_prefix": self.stand.points_to}).encode()
        if not path.endswith("/info") or not self.stand.without:
            return content
        told = json.loads(content)
        for name in self.stand.without:
            told["named_endpoints"].pop(name)
        return json.dumps(told).encode()

    def _stream(self, answer: httpx.Response) -> None:
        while self.stand.silent and not self.stand.over.wait(0.2):
            self._send({"msg": "heartbeat"})
        for line in answer.iter_lines():
            if line.startswith("data:"):
                message = json.loads(line[5:])
                if self.stand.cuts and message["msg"] == "process_generating":
                    return
                if self.stand.alter is not None and message["msg"] == "process_completed":
                    self.stand.alter(message["output"]["data"][0])
                self._send(message)

    def _send(self, message: Any) -> None:
        self.wfile.write(f"data: {json.dumps(message)}\n\n".encode())
        self.wfile.flush()
