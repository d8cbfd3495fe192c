"""What stands before the server answers only what the page needs, its own pages and programs, and within bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from psmooth.interface.guard import MOST_AT_ONCE, MOST_BYTES, Guard, Hosts, pieces_address, stamped
from psmooth.interface.uploads import Uploads
from tests.serving import in_a_loop

LARGEST = 3_000_000
UPLOAD = "/gradio_api/upload"
JOIN = "/gradio_api/queue/join"


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for Gradio: reads what it is sent, and answers everything."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"inner {len(body)}")(scope, receive, send)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    (tmp_path / "page.js").write_text("'σ'", "utf-8")
    (tmp_path / "secret.txt").write_text("secret")
    return Guard(inner, Uploads(), {"page.js": tmp_path / "page.js"}, Hosts(), tools=False, most_bytes=LARGEST)


def asked(guard: Guard, method: str, path: str, **options: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://here:7860") as client:
            return await client.request(method, path, **options)

    return in_a_loop(ask())


# --- whose requests


@pytest.mark.parametrize(
    ("headers", "owned"),
    [
        ({}, True),
        ({"origin": "http://here:7860"}, True),
        ({"origin": "https://HERE:7860"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://here:8000"}, False),
        ({"origin": "http://here:7860.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://me-psmooth.hf.space", "x-forwarded-host": "me-psmooth.hf.space"}, True),
        ({"origin": "http://["}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
    ],
)
@pytest.mark.parametrize("path", [UPLOAD, JOIN, "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/run/predict"])
def test_what_changes_something_is_done_for_the_page_itself_and_for_programs(
    guard: Guard, headers: dict[str, str], owned: bool, path: str
) -> None:
    answer = asked(guard, "POST", path, headers=headers, files={"files": b"x"} if path == UPLOAD else None)
    assert (answer.status_code == 200) == owned
    if not owned:
        assert answer.status_code == 403
        assert "PSMOOTH_HOSTS" in answer.text
        assert len(guard.uploads) == 0


def test_a_page_of_another_site_is_not_even_told_that_it_may_ask(guard: Guard) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = asked(guard, "OPTIONS", JOIN, headers={**headers, "access-control-request-headers": "x-forwarded-host"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_itself_opens_from_a_link_and_in_a_frame_of_the_hub(guard: Guard) -> None:
    answer = asked(guard, "GET", "/?example=2", headers={"sec-fetch-site": "cross-site"})
    assert answer.text == "inner 0"
    assert (
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in answer.headers["content-security-policy"]
    )


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:7860", True), ("127.0.0.1:1", True), ("[::1]:7860", True), ("LOCALHOST", True),
        ("evil.example:7860", False), ("localhost.evil.example", False), ("", False), ("scans.hospital.example", True),
        ("localhost:1@evil.example", False), ("localhost:1/evil.example", False), ("[::1]evil", False),
    ],
)  # fmt: skip
def test_a_server_for_this_computer_alone_goes_by_its_own_names(host: str, known: bool) -> None:
    hosts = Hosts(frozenset({"scans.hospital.example"}), local=True)
    assert hosts.knows(host) == known
    assert Hosts().knows(host)


def test_a_proxy_s_name_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_HOST", "GRADIO_SERVER_NAME", "GRADIO_SHARE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PSMOOTH_HOSTS", "A.example; b.example:8443")
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://c.example/psmooth")
    hosts = Hosts.of(None, shared=False)
    assert hosts == Hosts(frozenset({"a.example", "b.example:8443", "c.example"}), local=True)
    assert hosts.owns(Headers({"origin": "https://c.example", "host": "127.0.0.1:7860"}))
    assert not Hosts.of("0.0.0.0", shared=False).local
    assert not Hosts.of("127.0.0.1", shared=True).local


# --- which


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/pwa_icon/12000"), ("GET", "/pwa_icon"), ("GET", "/gradio_api/deep_link"), ("GET", "/monitoring"),
        ("GET", "/gradio_api/dev/reload"), ("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/gradio_api/file/x"),
        ("GET", "/gradio_api/proxy=http://a"), ("POST", "/gradio_api/component_server"), ("GET", "/manifest.json"),
        ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"), ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/api/predict"), ("POST", "/login"), ("GET", "/gradio_api/mcp/schema"), ("GET", "/docs"),
        ("DELETE", JOIN), ("PUT", UPLOAD), ("GET", UPLOAD), ("PATCH", "/config"), ("GET", "//pwa_icon/12000"),
        ("GET", "/psmooth/0/secret.txt"), ("GET", "/psmooth/0/../secret.txt"), ("GET", "/psmooth/page.js"),
        ("POST", "/psmooth/0/page.js"), ("GET", "/gradio_api/openapi.json"), ("TRACE", "/config"),
        ("GET", f"/assets/{'a' * 5_000}"), ("GET", f"/static/{'%C3%A4' * 200}"),
    ],
)  # fmt: skip
def test_what_the_page_does_not_need_is_closed(guard: Guard, method: str, path: str) -> None:
    assert asked(guard, method, path).status_code == 404


@pytest.mark.parametrize("path", ["/config", "/theme.css", "/assets/a.js", "/static/a.js", "/gradio_api/heartbeat/x"])
def test_what_it_needs_is_open(guard: Guard, path: str) -> None:
    assert asked(guard, "GET", path).text == "inner 0"


def test_tools_are_spoken_to_when_that_was_asked_for(guard: Guard) -> None:
    guard.tools = True
    assert asked(guard, "POST", "/gradio_api/mcp/").text == "inner 0"
    assert asked(guard, "POST", "/gradio_api/mcp/", headers={"origin": "http://evil.example"}).status_code == 403


def test_the_page_s_files_come_by_name_and_are_kept_by_the_browser(guard: Guard) -> None:
    answer = asked(guard, "GET", f"/{pieces_address(guard.pieces)}/page.js")
    assert answer.content.decode("utf-8") == "'σ'"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_of_another_version_is_not_given_this_one_s_files(guard: Guard) -> None:
    """Its browser would keep them for a year, under the address of that version."""
    before = f"/{pieces_address(guard.pieces)}/page.js"
    guard.pieces["page.js"].write_text("'τ'", "utf-8")
    upgraded = Guard(inner, Uploads(), guard.pieces, Hosts(), tools=False, most_bytes=LARGEST)
    assert asked(upgraded, "GET", f"/{pieces_address(guard.pieces)}/page.js").text == "'τ'"
    assert asked(upgraded, "GET", before).status_code == 404
    assert asked(upgraded, "GET", "/psmooth//page.js").status_code == 404


def test_all_of_it_holds_below_another_address_too(guard: Guard) -> None:
    async def below(scope: Scope, receive: Receive, send: Send) -> None:
        await guard({**scope, "root_path": "/sub"}, receive, send)

    assert asked(below, "GET", f"/sub/{pieces_address(guard.pieces)}/page.js").status_code == 200  # type: ignore[arg-type]
    assert asked(below, "GET", "/sub/config").text == "inner 0"  # type: ignore[arg-type]
    assert asked(below, "GET", "/sub/pwa_icon/12000").status_code == 404  # type: ignore[arg-type]


def test_scripts_of_the_page_bear_a_number_that_changes() -> None:
    pages = [stamped(b'<script>a</script><script src="b"></script>') for _ in range(2)]
    assert pages[0] != pages[1]
    for page, policy in pages:
        number = policy.partition("'nonce-")[2].partition("'")[0]
        assert page.decode().count(f'<script nonce="{number}"') == 2
        assert "'unsafe-inline'" not in policy.partition("style-src")[0]


# --- how large, and files


def test_a_file_is_kept_under_a_word_and_not_under_its_name(guard: Guard) -> None:
    answer = asked(guard, "POST", UPLOAD, files={"files": ("jane-doe-1970.png", bytes(2_000_000), "image/png")})
    (word,) = answer.json()
    assert "jane" not in answer.text
    assert guard.uploads.claim(word).read() == bytes(2_000_000)


@pytest.mark.parametrize("where", ["form", "stream"])
def test_a_file_that_is_too_large_is_refused_with_the_limit(guard: Guard, where: str) -> None:
    too_much = bytes(LARGEST + 1 if where == "form" else LARGEST + 2 * MOST_BYTES)
    answer = asked(guard, "POST", UPLOAD, files={"files": too_much}, headers={"accept-language": "de"})
    assert answer.status_code == 413
    assert answer.text == "Die Datei ist zu groß: Höchstens 3 MB werden gelesen."
    assert len(guard.uploads) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"content": b"not a form"},
        {"data": {"files": "no file"}},
        {"files": [("files", b"one"), ("files", b"two")]},
        {"content": b"--x\r\nrubbish", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"--x\r\n\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ],
)
def test_what_is_no_upload_is_refused_in_a_sentence(guard: Guard, options: dict[str, Any]) -> None:
    answer = asked(guard, "POST", UPLOAD, **options)
    assert (answer.status_code, answer.text) == (400, "This is not an upload: expected is a form with one file.")
    assert len(guard.uploads) == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_request_without_a_file_is_small(guard: Guard, told: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield bytes(MOST_BYTES // 4)

    content: Any = bytes(2 * MOST_BYTES) if told else pieces()
    answer = asked(guard, "POST", JOIN, content=content)
    assert answer.status_code == 413
    assert asked(guard, "POST", JOIN, content=bytes(MOST_BYTES)).text == f"inner {MOST_BYTES}"


def test_what_an_inner_layer_makes_of_too_large_a_request_is_not_sent(guard: Guard) -> None:
    """FastAPI answers that a body cannot be parsed, whatever was raised while it came."""
    inner = guard.app

    async def forgiving(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await inner(scope, receive, send)
        except Exception:
            await PlainTextResponse("There was an error parsing the body", 400)(scope, receive, send)

    guard.app = forgiving
    assert asked(guard, "POST", JOIN, content=bytes(2 * MOST_BYTES)).status_code == 413


HALF = b'--x\r\nContent-Disposition: form-data; name="files"; filename="jane.png"\r\n\r\n' + bytes(1_000)
OTHER_HALF = b"\r\n--x--\r\n"
FORM = [(b"content-type", b"multipart/form-data; boundary=x")]


def half_an_upload(guard: Guard, then: Callable[[], Any], sent: list[Any], address: str = "10.0.0.1") -> Any:
    """An upload whose first half has come; ``then`` is what comes after it."""
    scope = {"type": "http", "method": "POST", "path": UPLOAD, "headers": FORM, "query_string": b"", "root_path": ""}
    scope["client"] = (address, 4_000)
    first = True

    async def receive() -> Any:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": HALF, "more_body": True}
        return await then()

    async def send(message: Any) -> None:
        sent.append(message)

    return guard(scope, receive, send)


async def wait() -> Any:
    """The other half does not come."""
    await asyncio.sleep(3_600)


async def call_off(uploads: list[asyncio.Task[Any]]) -> None:
    """Nobody uploads any more."""
    for upload in uploads:
        upload.cancel()
    await asyncio.gather(*uploads, return_exceptions=True)


def test_an_upload_that_is_broken_off_leaves_nothing(guard: Guard) -> None:
    async def leave() -> Any:
        return {"type": "http.disconnect"}

    sent: list[Any] = []
    in_a_loop(half_an_upload(guard, leave, sent))
    assert sent == []
    assert len(guard.uploads) == len(guard.arriving) == 0


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload can be displaced from its first moment on."""
    monkeypatch.setattr("psmooth.interface.guard.SECONDS_OF_GRACE", 0.0)


@pytest.mark.usefixtures("no_grace")
def test_those_who_upload_slowly_do_not_keep_others_from_it(guard: Guard) -> None:
    async def many() -> tuple[list[Any], int, list[Any]]:
        slow: list[list[Any]] = [[] for _ in range(MOST_AT_ONCE)]
        tasks = [asyncio.create_task(half_an_upload(guard, wait, sent)) for sent in slow]
        await asyncio.sleep(0)
        while len(guard.arriving) < MOST_AT_ONCE:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://here") as client:
            quick = await client.post(UPLOAD, files={"files": b"quick"})
        await asyncio.wait(tasks[:1], timeout=10)
        left = len(guard.arriving)
        await call_off(tasks)
        return slow[0], left, quick.json()

    displaced, left, (word,) = in_a_loop(many())
    assert displaced[0]["status"] == 400
    assert b"Too many files" in displaced[1]["body"]
    assert left == MOST_AT_ONCE - 1
    assert guard.uploads.claim(word).read() == b"quick"
    assert len(guard.arriving) == 0


async def flooded(guard: Guard, seconds: float) -> int:
    """How many of an address' uploads that do not go on are still there after a while."""
    flood = [asyncio.create_task(half_an_upload(guard, wait, [])) for _ in range(4 * MOST_AT_ONCE)]
    await asyncio.sleep(seconds)
    still = len(guard.arriving)
    await call_off(flood)
    return still


@pytest.mark.parametrize(("grace", "left"), [(60.0, 4 * MOST_AT_ONCE), (0.2, MOST_AT_ONCE)])
def test_a_class_that_uploads_at_once_has_a_moment_for_it(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, grace: float, left: int
) -> None:
    """Nobody else has to come for those who do not end in time to be broken off."""
    monkeypatch.setattr("psmooth.interface.guard.SECONDS_OF_GRACE", grace)

    assert in_a_loop(flooded(guard, 1.0)) == left


def test_a_flood_has_no_grace_without_end(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmooth.interface.guard.SECONDS_OF_GRACE", 60.0)
    monkeypatch.setattr("psmooth.interface.guard.MOST_IN_GRACE", MOST_AT_ONCE + 8)

    assert in_a_loop(flooded(guard, 0.1)) == MOST_AT_ONCE + 8


@pytest.mark.parametrize("grace", [0.0, 0.2])
def test_a_flood_of_uploads_breaks_off_its_own_alone(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """Though each of them is young, as those are that are begun anew every few seconds, and the honest one is not."""
    monkeypatch.setattr("psmooth.interface.guard.SECONDS_OF_GRACE", grace)

    async def many() -> list[Any]:
        go_on, sent = asyncio.Event(), []

        async def finish() -> Any:
            await go_on.wait()
            return {"type": "http.request", "body": OTHER_HALF, "more_body": False}

        honest = asyncio.create_task(half_an_upload(guard, finish, sent, "10.0.0.2"))
        await asyncio.sleep(2 * grace)
        flood = [asyncio.create_task(half_an_upload(guard, wait, [])) for _ in range(4 * MOST_AT_ONCE)]
        await asyncio.sleep(0.1)
        assert grace or len(guard.arriving) <= MOST_AT_ONCE
        go_on.set()
        await honest
        await call_off(flood)
        return sent

    assert in_a_loop(many())[0]["status"] == 200
