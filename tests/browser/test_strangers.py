"""What a stranger's text and a stranger's page cannot do in front of the served page."""

import io
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from psmooth.interface.assets import imported
from tests.browser.conftest import OVER, Watched, settle
from tests.serving import Server

VIEWS = ("compare", "attack", "learn", "understand", "results", "certify")


class Outside(BaseHTTPRequestHandler):
    """Another site: an empty page; notes what it is asked for."""

    def __init__(self, asked: list[str], *rest: Any) -> None:
        self.asked = asked
        super().__init__(*rest)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>outside</title>")

    def log_message(self, format: str, *_: object) -> None:
        """Nothing on the console."""


@pytest.fixture
def outside() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Outside, asked)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_every_view_keeps_to_the_policy(watched: Watched) -> None:
    """The browser writes each violation on the console, where the watch sees it."""
    page = watched.open()
    for view in VIEWS:
        page.click(f".ps-nav a[data-view={view}]")
        page.wait_for_function(f"document.body.dataset.view === '{view}'")
    page.select_option(".ps-language", "de")
    page.wait_for_function("document.querySelector('.ps-nav a[data-view=certify]').textContent !== 'Certify'")


def test_a_stranger_s_words_are_text_and_fetch_nothing_and_run_nothing(
    browser: Browser, server: Server, outside: tuple[str, list[str]]
) -> None:
    address, asked = outside
    page = browser.new_page()
    page.goto(server.url)
    page.wait_for_selector(OVER, timeout=180_000)
    page.click("text=More")
    page.click("#ps-bank-fetch")
    expect(page.locator("#ps-bank-said p")).to_contain_text("repository", timeout=180_000)
    words = f"![x]({address}/md.png) <img src='{address}/a.png' onerror='window.ran = 1'><form><input type=password>"
    page.evaluate(
        f"""async words => {{ const element = document.createElement('div'); element.innerHTML = '<p></p>';
        element.id = 'probe'; document.body.append(element);
        (await {imported("page/said")}).mount(element, {{ value: words }}, () => {{}}); }}""",
        words,
    )
    assert page.inner_text("#probe p") == words
    assert page.locator("#probe img, #probe form").count() == 0
    page.evaluate(
        """address => new Promise(done => {
        document.addEventListener('securitypolicyviolation', done, { once: true });
        const element = document.createElement('div'); document.body.append(element);
        element.innerHTML = `<img src="${address}/b.png" onerror="window.ran = 2">`; })""",
        address,
    )
    assert page.evaluate("window.ran") is None
    assert asked == []
    page.close()


def test_a_page_of_another_site_cannot_drive_this_one(
    browser: Browser, server: Server, outside: tuple[str, list[str]]
) -> None:
    page = browser.new_page()
    page.goto(outside[0])
    for path in ("upload", "queue/join", "cancel", "run/predict"):
        page.evaluate(SENT, f"{server.url}/gradio_api/{path}")
    with page.expect_response(lambda answer: answer.url.endswith("/upload")) as waiting:
        page.evaluate(SENT, f"{server.url}/gradio_api/upload")
    assert waiting.value.status == 403
    page.close()


SENT = """address => { const form = new FormData(); form.append('files', new Blob(['x']), 'x.png');
    return fetch(address, { method: 'POST', mode: 'no-cors', body: form }).then(() => true); }"""


def test_a_name_made_to_lead_here_is_refused(server: Server) -> None:
    port = server.url.rsplit(":", 1)[1]
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403")


def test_a_scan_comes_by_button_drop_and_paste(page: Page, scan_bytes: list[int]) -> None:
    for event in ("drop", "paste"):
        page.evaluate(BROUGHT, [event, scan_bytes])
        page.wait_for_function("new URLSearchParams(location.search).get('scan') === 'own'")
        settle(page)
        expect(page.locator(".ps-scan-facts")).to_contain_text("60", timeout=30_000)
        page.locator(".ps-picker button").first.click()
        page.wait_for_function("new URLSearchParams(location.search).get('scan') === null")


BROUGHT = """([event, bytes]) => { const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], 'jane-doe.png', { type: 'image/png' }));
    const options = { bubbles: true, cancelable: true };
    document.dispatchEvent(event === 'drop' ? new DragEvent('drop', { ...options, dataTransfer: data })
        : new ClipboardEvent('paste', { ...options, clipboardData: data })); }"""


@pytest.fixture
def scan_bytes() -> list[int]:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((60, 60)).convert("RGB").save(file, "PNG")
    return list(file.getvalue())
