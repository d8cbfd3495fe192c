"""Serves the page for the tests of the endpoint and of the browser: one process, with a model of random weights."""

import asyncio
import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 120


@dataclass(frozen=True)
class Server:
    """A served page: its address, where it keeps uploads, and what it has written so far."""

    url: str
    uploads: Path
    output: Path


@cache
def serve(models: str, *settings: tuple[str, str]) -> Server:
    """The page in a process of its own, ended with this one; ``models`` as in PSMOOTH_MODELS."""
    folder = Path(tempfile.mkdtemp(prefix="psmooth-page-"))
    server = Server(f"http://127.0.0.1:{free_port()}", folder / "uploads", folder / "output.txt")
    changes = {
        "PSMOOTH_MODELS": models,
        "GRADIO_SERVER_PORT": server.url.rsplit(":", 1)[1],
        "GRADIO_TEMP_DIR": str(server.uploads),
        **dict(settings),
    }
    with server.output.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "import app; app.launch(open_browser=False)"],
            cwd=ROOT, env=os.environ | changes, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    atexit.register(process.kill)
    _wait_for(server, process)
    return server


@contextmanager
def in_a_thread(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """A server of this process on the loopback address, by its own address; ended at the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(server.url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"The page did not start:\n{server.output.read_text('utf-8')}")


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """What comes of a coroutine, in a thread of its own: where a browser was driven, this one has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
