"""Asks an endpoint of a served page, in a process of its own that ends when the time is up.

It knows nothing about what is asked, or what the answer means. The process shows no token to the page and sends nothing
but what it was given; its client's threads, which may wait for a silent server for ever, end with it. It asks nobody
but the page's own host, wherever the page points to, and reads so many bytes at most.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from psmooth.errors import PageError

SECONDS_TO_CONNECT = 60.0  # at most, of the time that an endpoint has
_SECONDS_TO_START = 300.0  # of the process here, on however busy a machine
WAITING = ("queued", "loading")  # states of an answer before the run itself
_PAUSE = 0.02  # between two looks at what has come
_LONGEST = 300  # characters of a server's own words that are passed on
_MOST_BYTES = 2**26  # of all answers to one question

Kind = Literal["started", "connected", "step", "done", "refused", "broke", "none", "other", "lacks"]
Message = tuple[Kind, Any]

ENDPOINTS = ("certify", "compare", "attack", "learn")

NO_ADDRESS = "'{url}' is no address of a page; expected is http:// or https://, of a Space https://OWNER-NAME.hf.space."
NO_PAGE = "No page answers at {url}. Check the address, and that the page runs and is not asleep."
NOT_PSMOOTH = (
    "What answers at {url} is no page of psmooth. Give the address of the page itself, of a Space "
    "https://OWNER-NAME.hf.space."
)
LACKS = "The page has no endpoint /{name}. Update psmooth there, and check again."
LATE = (
    "The page did not bring /{name} to an end within {seconds:g} seconds. See whether others are using it, or give it "
    "longer with --timeout."
)
REFUSED = "The page refused /{name}: '{said}' Look into its log, and check again."
BROKE = "The connection to the page broke during /{name}. Look into its log, and check again."


@dataclass(frozen=True)
class Question:
    """An endpoint's name, the parameter that takes a file with that file, and its other parameters."""

    name: str
    parameter: str
    file: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """The last step of a stream, and seconds from asking: until anything came, until the run began, until its end.

    ``gradio`` is the version that the page states.
    """

    last: Any
    heard: float
    begun: float
    ended: float
    gradio: str


def ask(url: str, question: Question, seconds: float) -> Answer:
    """What an endpoint of the page at ``url`` answers in the end.

    Args:
        seconds: the whole of it may take.

    Raises:
        PageError: there is no page, or none of psmooth's; it lacks the endpoint, refuses, breaks off or is late.
    """
    if not url.startswith(("http://", "https://")):
        raise PageError(NO_ADDRESS, url=url)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=converse, args=(there, url, question, seconds), daemon=True)
    process.start()
    there.close()
    try:
        return _hear(here, url, question.name, seconds)
    finally:
        process.kill()
        process.join()
        process.close()
        here.close()


def _hear(connection: Connection, url: str, name: str, seconds: float) -> Answer:
    """Follow what the process tells, to the end of the stream."""
    gradio = _connected(connection, url, name, min(seconds, SECONDS_TO_CONNECT))
    start = time.monotonic()
    heard = begun = 0.0
    while True:
        kind, step = _next(connection, name, start + seconds - time.monotonic(), seconds)
        now = time.monotonic() - start
        heard = heard or now
        begun = begun or (0.0 if _waits(step) else now)
        if kind == "done":
            return Answer(step, heard, begun, now, gradio)


def _connected(connection: Connection, url: str, name: str, seconds: float) -> str:
    """The version of Gradio that the page states; the time counts from when the process is there."""
    kind: Kind = "none"
    said = ""
    for patience in (_SECONDS_TO_START, seconds):
        if not connection.poll(patience):
            raise PageError(NO_PAGE, url=url)
        try:
            kind, said = connection.recv()
        except EOFError:  # it has ended without a word
            kind = "none"
    if kind == "other":
        raise PageError(NOT_PSMOOTH, url=url)
    if kind == "none":
        raise PageError(NO_PAGE, url=url)
    if kind == "lacks":
        raise PageError(LACKS, name=name)
    return said


def _next(connection: Connection, name: str, left: float, seconds: float) -> Message:
    if not connection.poll(max(0.0, left)):
        raise PageError(LATE, name=name, seconds=seconds)
    try:
        kind, said = connection.recv()
    except EOFError:
        raise PageError(BROKE, name=name) from None
    if kind == "refused":
        raise PageError(REFUSED, name=name, said=said)
    if kind == "broke":
        raise PageError(BROKE, name=name)
    return kind, said


def _waits(step: Any) -> bool:
    return isinstance(step, dict) and step.get("state") in WAITING


# --- in the process of its own


def converse(connection: Connection, url: str, question: Question, seconds: float) -> None:
    """Tell, message by message, what comes of the question; what the client prints goes nowhere."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = sys.stderr = nowhere
        client = _connect(connection, url, question.name, seconds)
        if client is not None:
            _follow(connection, client, question)


def _connect(connection: Connection, url: str, name: str, seconds: float) -> Any:
    """A client of the page, if it has that endpoint; else None, once it was said why."""
    import httpx
    from gradio_client import Client

    connection.send(("started", None))
    keep_to(url)
    # Without a token of False the client shows that of this machine to whatever page it is.
    options: dict[str, Any] = {"token": False, "verbose": False, "download_files": False, "analytics_enabled": False}
    try:
        client = Client(url, httpx_kwargs={"timeout": seconds}, **options)
        named = client.view_api(return_format="dict")["named_endpoints"]  # type: ignore[index]
    except httpx.HTTPError:
        return connection.send(("none", None))
    except Exception:  # whatever it is that answers, the client cannot make a page of it
        return connection.send(("other", None))
    if not any(f"/{one}" in named for one in ENDPOINTS):
        return connection.send(("other", None))
    if f"/{name}" not in named:
        return connection.send(("lacks", None))
    connection.send(("connected", str(client.config.get("version", ""))[:40]))
    return client


def keep_to(url: str, most: int = _MOST_BYTES) -> None:
    """From here on, whoever asks by httpx in this process reaches the origin of that address alone.

    A page names its own routes, which could lie on a machine inside the network of whoever checks it. What comes is
    counted, over all answers, and comes unpacked: a few packed bytes may stand for any number.
    """
    import httpx

    own, plain, read = _origin(httpx.URL(url)), httpx.HTTPTransport.handle_request, [0]

    class Counted(httpx.SyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._stream:
                read[0] += len(chunk)
                if read[0] > most:
                    raise OverflowError(url)
                yield chunk

        def close(self) -> None:
            self._stream.close()

    def handle_request(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) != own:
            raise PermissionError(url)
        request.headers["Accept-Encoding"] = "identity"
        answer = plain(transport, request)
        answer.stream = Counted(answer.stream)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            answer.close()
            raise OverflowError(url)
        return answer

    httpx.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign]


def _origin(url: Any) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _follow(connection: Connection, client: Any, question: Question) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    given = {question.parameter: handle_file(question.file), **question.settings}
    try:
        job = client.submit(**given, api_name=f"/{question.name}")
        told = 0
        while True:
            ended, steps = job.done(), list(job.outputs())
            for step in steps[told:]:
                connection.send(("step", step))
            told = len(steps)
            if ended:
                break
            time.sleep(_PAUSE)
        connection.send(("done", job.result()))
    except AppError as error:
        connection.send(("refused", str(error)[:_LONGEST]))
    except Exception:  # of the connection, or of an answer that the client cannot read
        connection.send(("broke", None))
