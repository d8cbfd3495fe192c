"""Stands before the page's server: which requests it answers, whose, how large they may be, and what browsers may do.

It knows nothing about what the page shows, and of Gradio only the addresses that a page and its clients need.
"""

import asyncio
import hashlib
import logging
import os
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from mimetypes import guess_type
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psmooth.errors import PsmoothError, ScanError
from psmooth.interface.address import read_locale
from psmooth.interface.uploads import MOST_FILES, Uploads
from psmooth.interface.visitors import address_of
from psmooth.views.locale import translate_error, using_locale

API: Final = "/gradio_api"
UPLOAD: Final = f"{API}/upload"
MCP: Final = f"{API}/mcp"
PIECES: Final = "/psmooth/"
READ: Final = frozenset(
    {"/", "/config", "/theme.css", "/favicon.ico", "/robots.txt"}
    | {f"{API}/{name}" for name in ("info", "app_id", "startup-events", "queue/data")}
)
READ_BELOW: Final = ("/assets/", "/static/", "/svelte/", f"{API}/heartbeat/", f"{API}/call/")
WRITE: Final = frozenset(f"{API}/{name}" for name in ("queue/join", "cancel", "reset", "upload"))
WRITE_BELOW: Final = (f"{API}/run/", f"{API}/call/")
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
MOST_BYTES: Final = 2**18  # of any request that brings no file: names, templates and numbers are far below it
LONGEST_PATH: Final = 250  # bytes; no file system has a longer name, and no address of the page is as long
MOST_AT_ONCE: Final = 32
SECONDS_TO_UPLOAD: Final = 10 * 60
SECONDS_OF_GRACE: Final = 5.0  # in which no upload is displaced: a class that uploads at once is no flood
MOST_IN_GRACE: Final = MOST_FILES  # as many as may wait afterwards; more at once are a flood
YEAR: Final = "public, max-age=31536000, immutable"  # a changed file has another address

# 'unsafe-eval': Gradio makes a function of each HTML component's script. Inline styles are Gradio's way throughout.
POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' {inline}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self' "
    "blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
HEADERS: Final = {
    "content-security-policy": POLICY.format(inline="'unsafe-inline'"),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}

TOO_LARGE: Final = "The file is too large: at most {megabytes} MB are read."
DISPLACED: Final = "Too many files are being uploaded at this moment, or this one took too long. Upload it again."
NO_FORM: Final = "This is not an upload: expected is a form with one file."
STRANGE_PAGE: Final = (
    "Refused: the request comes from a page of another site. If that site is a proxy of yours, name its host in "
    "PSMOOTH_HOSTS."
)
STRANGE_HOST: Final = (
    "Refused: this server is open to this computer alone, and was asked for by another name. If that is the name of a "
    "proxy of yours, set PSMOOTH_HOSTS to it."
)


@dataclass(frozen=True)
class Hosts:
    """The names by which the server is asked for.

    Attributes:
        named: further hosts whose pages may use it, in lower case: those of a proxy that hides its name.
        local: whether it listens to this computer alone; then another name is a trick of a site that the visitor's
            browser has open (its name was made to lead here), unless it was named.
    """

    named: frozenset[str] = frozenset()
    local: bool = False

    @classmethod
    def of(cls, bound: str | None, shared: bool) -> "Hosts":
        """As the environment has them; ``shared`` if a tunnel leads to the page, under a name that nobody knows yet."""
        variables = [os.environ.get(name, "").lower() for name in ("PSMOOTH_HOSTS", "SPACE_HOST", "GRADIO_ROOT_PATH")]
        named = frozenset(urlsplit(name).netloc or name for name in " ".join(variables).replace(";", " ").split())
        shared = shared or os.environ.get("GRADIO_SHARE", "").lower() == "true" or "google.colab" in sys.modules
        address = bound or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]
        return cls(named, local=address in ("::1", *LOOPBACK) and not shared)

    def knows(self, host: str) -> bool:
        """Whether the server may be asked for by that name."""
        name = host.lower()
        if self.local and not re.fullmatch(r"(\[[0-9a-f:.]+\]|[\w.-]*)(:\d+)?", name, re.ASCII):
            return False
        bare = name if name.endswith("]") else name.rsplit(":", 1)[0]
        return not self.local or bare in LOOPBACK or bare in self.named or name in self.named

    def owns(self, headers: Headers) -> bool:
        """Whether a request is the page's own, or that of a program; browsers tell where a page's requests come from.

        A host that a proxy tells in its own header is believed: no page can send that header to another site without
        asking first, and that question is refused.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        asked = {headers.get("host", ""), headers.get("x-forwarded-host", "").split(",")[0].strip()} - {""}
        try:
            place = urlsplit(origin).netloc.lower()
        except ValueError:  # no address at all
            return False
        return place in {host.lower() for host in asked} | self.named


@dataclass(frozen=True)
class Arriving:
    """An upload on its way: from where, and since when."""

    address: str
    since: float = field(default_factory=time.monotonic)


def pieces_address(pieces: Mapping[str, Path]) -> str:
    """Where the page's own files lie, relative to the page: below what changes when one of them changes."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for _, file in sorted(pieces.items()))).hexdigest()[:12]
    return f"{PIECES.strip('/')}/{digest}"


@dataclass
class Guard:
    """ASGI: the outermost layer of the server.

    Attributes:
        app: what answers where nothing is refused.
        uploads: where files go.
        pieces: the page's own files by name; nothing else of the disk is served.
        hosts: the names of the server.
        tools: whether the Model Context Protocol is spoken.
        most_bytes: of an upload.
        arriving: uploads on their way, the oldest first: how each can be broken off, and whose it is.
    """

    app: ASGIApp
    uploads: Uploads
    pieces: Mapping[str, Path]
    hosts: Hosts
    tools: bool
    most_bytes: int
    arriving: dict[asyncio.Timeout, Arriving] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.below = f"/{pieces_address(self.pieces)}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or answer with the headers that every answer has."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._answer(Request(scope, receive))
        await answer(scope, receive, _with_headers(send))

    def _answer(self, request: Request) -> ASGIApp:
        path, known = path_of(request.scope), Headers(scope=request.scope)
        if not self.hosts.knows(known.get("host", "")):
            return PlainTextResponse(STRANGE_HOST, 403)
        if _is_visit(request.method, path):
            return self.app
        if not self.hosts.owns(known):
            return PlainTextResponse(STRANGE_PAGE, 403)
        if request.method in ("GET", "HEAD") and path.startswith(PIECES):
            return self._piece(path)
        if not self._is_open(request.method, path):
            return PlainTextResponse("Not found.", 404)
        return self._uploading if path == UPLOAD else self._bounded

    def _is_open(self, method: str, path: str) -> bool:
        """Whether the page, a program or a tool needs that address; everything else is closed."""
        if len(path.encode(errors="replace")) > LONGEST_PATH:
            return False
        if path == MCP or path.startswith(f"{MCP}/"):
            return self.tools
        if method == "POST":
            return path.removesuffix("/") in WRITE or path.startswith(WRITE_BELOW)
        return method in ("GET", "HEAD") and (path.removesuffix("/") in READ or path.startswith(READ_BELOW))

    def _piece(self, path: str) -> Response:
        name = path.removeprefix(self.below)
        if name not in self.pieces:  # nor to a page of another version, whose browser would keep it as that one's
            return PlainTextResponse("Not found.", 404)
        kind = guess_type(name)[0]
        return Response(self.pieces[name].read_bytes(), headers={"cache-control": YEAR}, media_type=kind)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server's answer to a request that is not too large; a tool may bring a file in base64."""
        tool, asked = path_of(scope).startswith(MCP), bytearray()
        see = _nothing if tool else asked.extend  # a tool brings its file itself
        counted = _Counted(receive, 2 * self.most_bytes if tool else MOST_BYTES, see)
        try:
            refused = _when_refused(send, lambda: self.uploads.let_go(bytes(asked)))
            await self.app(scope, counted, counted.unless_too_large(refused))
        except _TooLargeError:
            await PlainTextResponse("The request is too large.", 413)(scope, receive, send)

    async def _uploading(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the one file of a form; a browser that leaves meanwhile takes it along."""
        try:
            form = Request(scope, _Counted(receive, self.most_bytes + MOST_BYTES))
            response: Response = JSONResponse([await self._arrived(form)])
        except ClientDisconnect:
            return
        except PsmoothError as error:
            locale = read_locale({}, Headers(scope=scope).get("accept-language", ""))
            with using_locale(locale):
                response = PlainTextResponse(translate_error(error), 413 if error.template == TOO_LARGE else 400)
        await response(scope, receive, send)

    async def _arrived(self, request: Request) -> str:
        """The word for a file that has come whole, in time and at most as large as allowed."""
        address = address_of(request)
        try:
            async with asyncio.timeout(SECONDS_TO_UPLOAD) as patience:
                self.arriving[patience] = Arriving(address)
                self._make_room()
                asyncio.get_running_loop().call_later(SECONDS_OF_GRACE, self._make_room)
                try:
                    file = await _only_file(request)
                finally:
                    self.arriving.pop(patience, None)
        except TimeoutError:
            raise ScanError(DISPLACED) from None
        except _TooLargeError:
            raise self._too_large() from None
        except (MultiPartException, KeyError) as error:
            raise ScanError(NO_FORM) from error
        if (file.size or 0) > self.most_bytes:
            file.file.close()
            raise self._too_large()
        return self.uploads.keep(file.file, file.size or 0, address)

    def _make_room(self) -> None:
        """Break off what is too many: the oldest uploads of the address that has most of them on their way.

        While that one has its moment of grace nobody is displaced, least of all an upload of somebody else's that is
        slow: who begins anew every few seconds would have all others displaced.
        """
        while len(self.arriving) > MOST_AT_ONCE:
            fullest, _ = Counter(one.address for one in self.arriving.values()).most_common(1)[0]
            displaced, oldest = next(item for item in self.arriving.items() if item[1].address == fullest)
            young = time.monotonic() - oldest.since < SECONDS_OF_GRACE
            if young and len(self.arriving) <= MOST_IN_GRACE:
                return
            del self.arriving[displaced]
            displaced.reschedule(0)

    def _too_large(self) -> ScanError:
        return ScanError(TOO_LARGE, megabytes=self.most_bytes // 10**6)


def stamped(page: bytes) -> tuple[bytes, str]:
    """A page whose scripts bear a number that nobody could know, and the policy by which no other script is run."""
    number = secrets.token_urlsafe(16)
    return re.sub(rb"<script\b", f'<script nonce="{number}"'.encode(), page), POLICY.format(inline=f"'nonce-{number}'")


def without_trace(record: logging.LogRecord) -> bool:
    """Keeps a line of the web server's log, and of an error its kind alone: traces hold paths, and messages values."""
    if record.exc_info:
        kind = record.exc_info[0]
        record.msg, record.args, record.exc_info = "A request failed: %s.", (kind and kind.__name__,), None
    return True


class _Form(MultiPartParser):
    """As in Starlette, with a way to let go of a file that will not come whole."""

    def close(self) -> None:
        """Close what has come so far, and take it from the disk with that."""
        for file in self._files_to_close_on_error:
            file.close()


async def _only_file(request: Request) -> UploadFile:
    form = _Form(request.headers, request.stream(), max_files=1, max_fields=4)
    try:
        files = [value for value in (await form.parse()).values() if isinstance(value, UploadFile)]
    except BaseException:  # a browser that left, and one that was displaced, too
        form.close()
        raise
    if not files:
        raise ScanError(NO_FORM)
    return files[0]


class _TooLargeError(Exception):
    """More bytes have come than a request may have, whatever its header says."""


def _nothing(_: bytes) -> None:
    """Nothing is kept."""


def _when_refused(send: Send, let_go: Callable[[], None]) -> Send:
    """What is sent, and what is done once where it is a refusal."""

    async def watch(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            let_go()
        await send(message)

    return watch


@dataclass
class _Counted:
    """What a request brings, up to ``most`` bytes; beyond them nothing is received, nor anything answered.

    Attributes:
        see: is shown each piece.
        came: bytes so far.
    """

    receive: Receive
    most: int
    see: Callable[[bytes], None] = _nothing
    came: int = 0

    async def __call__(self) -> Message:
        message = await self.receive()
        self.came += len(message.get("body", b""))
        self._check()
        self.see(message.get("body", b""))
        return message

    def unless_too_large(self, send: Send) -> Send:
        """What is sent; an inner layer takes the error for one of reading, and would answer something else."""

        async def watch(message: Message) -> None:
            self._check()
            await send(message)

        return watch

    def _check(self) -> None:
        if self.came > self.most:
            raise _TooLargeError


def _is_visit(method: str, path: str) -> bool:
    """The page itself: opened from a link on any site, or in a frame of the Hub."""
    return method in ("GET", "HEAD") and path in ("/", "/favicon.ico", "/robots.txt")


def path_of(scope: Scope) -> str:
    """The path of a request below the one that the server is mounted at."""
    path, root = cast(str, scope["path"]), cast(str, scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
