"""Who asks, and who is still there: streams that wait outside Gradio's event loop, and an end to what is abandoned.

It knows Gradio's queue and its sessions, and nothing about models or runs.
"""

import asyncio
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from functools import partial, wraps
from ipaddress import IPv4Address, ip_address, ip_interface
from typing import Any, ParamSpec, Protocol, TypeVar
from weakref import WeakValueDictionary

import anyio
import gradio as gr
from anyio.to_thread import run_sync
from gradio.context import LocalContext
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from psmooth.interface.places import Client

Asked = ParamSpec("Asked")
Step = TypeVar("Step")
MOST_STREAMS = 96  # threads that may wait at once; more than runs are let in
MOST_ASIDE, MOST_ASIDE_OF_AN_ADDRESS = 8, 2  # threads for what takes seconds: a scan that is read as it comes
MOST_UNREAD = 25  # messages that nobody has fetched; at the page's pace five seconds or more
SECONDS_UNHEARD = 5.0  # of more than that, which a busy server does not take to send them
SECONDS_ALONE = 300.0  # after which a session that no page holds open is forgotten
SECONDS_BETWEEN_ROUNDS = 5.0
MOST_ALONE = 100  # sessions that no page holds open
MOST_SCANS_ALONE = 8  # of them, those that keep a scan
MOST_BYTES = 2**30  # of all visitors' scans together
_END: Any = object()
_threads = anyio.CapacityLimiter(MOST_STREAMS)
_aside = anyio.CapacityLimiter(MOST_ASIDE)
_lines: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # by address, while anybody stands in them
_begun: OrderedDict[str, None] = OrderedDict()  # events, the latest


def caller() -> Client:
    """Who asks for what is running now; a program that names no session is a new one with each call."""
    request = LocalContext.request.get(None)
    return Client("", "") if request is None else Client(address_of(request), request.session_hash or "")


def address_of(request: gr.Request | Request) -> str:
    """The network address; of what proxies tell, the one thing that a visitor cannot write.

    A proxy on the same machine, or one in FORWARDED_ALLOW_IPS, is believed by uvicorn. A Space's own proxy adds the
    address it was asked from at the end. Of IPv6 addresses it is the network: whoever has one has 2^64 of them.
    """
    forwarded = request.headers.get("x-forwarded-for", "") if os.environ.get("SPACE_ID") else ""
    address = forwarded.rsplit(",", 1)[-1].strip() or (request.client.host if request.client else "")
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv4Address):
        return address
    return str(known.ipv4_mapped or ip_interface((int(known), 64)).network)


def aside(function: Callable[Asked, Step]) -> Callable[Asked, Awaitable[Step]]:
    """A function that takes seconds, in threads apart, of which an address has a few.

    In Gradio's own threads a hundred of them would have everybody wait who picks an example or presses Stop.
    """

    @wraps(function)
    async def wait(*asked: Asked.args, **named: Asked.kwargs) -> Step:
        line = _lines.setdefault(caller().address, asyncio.Semaphore(MOST_ASIDE_OF_AN_ADDRESS))
        async with line:
            return await run_sync(partial(function, *asked, **named), limiter=_aside)

    return wait


def in_threads(
    function: Callable[Asked, Generator[Step, None, None]],
) -> Callable[Asked, AsyncGenerator[Step, None]]:
    """A generator function whose steps and whose end are waited for in threads.

    Gradio closes generators in its event loop, where one that waits for a thread of its own would stop the server for
    all. A stream that nobody listens to is ended; one that was cancelled, which Gradio begins again, is not begun.
    """

    @wraps(function)
    async def stream(*asked: Asked.args, **named: Asked.kwargs) -> AsyncGenerator[Step, None]:
        if not _is_new(LocalContext.event_id.get(None)):
            return
        steps, is_unheard = function(*asked, **named), listening()
        at_work = threading.Lock()

        def advance() -> Step:
            with at_work:
                return next(steps, _END)

        def end() -> None:
            with at_work:  # a task that was cancelled has left its thread at work, where no generator can be closed
                steps.close()

        try:
            while not is_unheard():
                step = await run_sync(advance, limiter=_threads)
                if step is _END:
                    return
                yield step
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(end, limiter=_threads)

    return stream


def _is_new(event: str | None) -> bool:
    if event is None:
        return True
    known = event in _begun
    _begun[event] = None
    if len(_begun) > 10 * MOST_STREAMS:
        _begun.popitem(last=False)
    return not known


def listening() -> Callable[[], bool]:
    """A function that says, when it is asked at each step, whether a stream's listener has ceased to fetch them."""
    behind: float | None = None

    def is_unheard() -> bool:
        nonlocal behind
        behind = (behind or time.monotonic()) if is_behind() else None
        return behind is not None and time.monotonic() - behind > SECONDS_UNHEARD

    return is_unheard


def is_behind() -> bool:
    """Whether messages have been piling up for a session."""
    request, blocks = LocalContext.request.get(None), LocalContext.blocks.get(None)
    if request is None or blocks is None:
        return False
    unread = blocks._queue.pending_messages_per_session.get(request.session_hash or "")
    return unread is not None and unread.qsize() > MOST_UNREAD


class Holding(Protocol):
    """What a visitor has on the server."""

    @property
    def weight(self) -> int:
        """Bytes of what the visitor brought."""
        ...

    @property
    def address(self) -> str:
        """Where that came from."""
        ...

    def forget(self) -> None:
        """Let go of it."""
        ...


class Presence:
    """Knows which pages are open, and keeps what the others have left behind bounded; ASGI.

    A page holds its session open by a request that does not end. A session without one is a program's, or was given up,
    or was made up by somebody who wants the server's memory.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open: Counter[str] = Counter()
        self._seen: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every request passes; those that hold a session open are counted."""
        if scope["type"] == "lifespan":
            rounds = asyncio.create_task(self._go_round(scope["app"]))
            try:
                await self.app(scope, receive, send)
            finally:
                rounds.cancel()
            return
        _, held, session = scope.get("path", "").partition("/heartbeat/")
        self.open[session] += bool(held)
        try:
            await self.app(scope, receive, send)
        finally:
            self.open[session] -= bool(held)
            if not self.open[session]:
                del self.open[session]
            if scope.get("method") == "POST":
                self.tidy(scope["app"].get_blocks(), time.monotonic())

    async def _go_round(self, app: Any) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_ROUNDS)
            self.tidy(app.get_blocks(), time.monotonic())

    def tidy(self, blocks: gr.Blocks, now: float) -> None:
        """Forget sessions that have been alone for long or are too many, and scans that are too many or too large."""
        queue, holder = blocks._queue, blocks.state_holder
        busy = {event.session_hash for event in list(queue.event_ids_to_events.values())}
        known = [*queue.pending_event_ids_session, *queue.pending_messages_per_session, *holder.session_data]
        self._seen = {one: now if one in self.open or one in busy else self._seen.get(one, now) for one in known}
        alone = [one for one in holder.session_data if one not in self.open and one not in busy]  # oldest use first
        for session in {one for one in known if now - self._seen[one] > SECONDS_ALONE} | {*alone[:-MOST_ALONE]}:
            drop(blocks, session)
        for holding in too_many(blocks, {*alone}):
            holding.forget()


def drop(blocks: gr.Blocks, session: str) -> None:
    """Whatever Gradio has of a session; what it holds goes at once, whoever else has the session in hand."""
    queue, holder = blocks._queue, blocks.state_holder
    for holding in [holding for one, holding in holdings(blocks) if one == session]:
        holding.forget()
    kept = (holder.session_data, holder.time_last_used, queue.pending_messages_per_session)
    for store in (*kept, queue.pending_event_ids_session):
        store.pop(session, None)


def too_many(blocks: gr.Blocks, alone: set[str]) -> Iterator[Holding]:
    """Scans beyond those that are kept: of the address that fills most the longest unused; those of open pages last."""
    held = [(session, holding) for session, holding in holdings(blocks) if holding.weight]
    abandoned = [holding for session, holding in held if session in alone]
    yield from abandoned[:-MOST_SCANS_ALONE]
    rest = [*abandoned[-MOST_SCANS_ALONE:], *(holding for session, holding in held if session not in alone)]
    while len(rest) > 1 and sum(holding.weight for holding in rest) > MOST_BYTES:
        filled = Counter[str]()
        for holding in rest:
            filled[holding.address] += holding.weight
        displaced = max(rest, key=lambda holding: filled[holding.address])  # the first of them
        rest.remove(displaced)
        yield displaced


def holdings(blocks: gr.Blocks) -> Iterator[tuple[str, Holding]]:
    """Sessions and what they hold, the longest unused ones first."""
    for session, state in list(blocks.state_holder.session_data.items()):
        for value in list(state.state_data.values()):
            if hasattr(value, "weight"):
                yield session, value
