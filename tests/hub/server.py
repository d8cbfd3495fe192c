"""A Hub on the loopback address: repositories from memory, in the Hub's own words, with its ways to fail.

It knows nothing about psmooth. Protocol: huggingface_hub's requests for a file (HEAD and GET of ``resolve``), a listing
(``tree``) and a revision, and plain files that can be gone on with (``Range``).
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FILE = re.compile(r"/(datasets/|spaces/|)([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_LISTING = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/(tree|revision)/([^/]+)")


@dataclass
class Repo:
    """Files by commit, and the commits that names stand for; ``refuses`` is a status and the Hub's word for it."""

    commits: dict[str, dict[str, bytes]]
    names: dict[str, str]
    refuses: tuple[int, str] | None = None

    def files(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit of a revision, and its files."""
        commit = self.names.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


@dataclass
class FakeHub:
    """What the server has, what it was asked, and where it will break off.

    ``breaks``: path → the bytes after which the next answer breaks off, once. ``asked``: (method, path, Range header).
    ``down``: every answer is this status; 0 is no answer at all. ``moved``: path → the address
    that has the file instead, as the Hub does with large ones. ``tokens``: (path, what was shown for authorization).
    """

    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    down: int | None = None
    dies_when_it_breaks: bool = False
    moved: dict[str, str] = field(default_factory=dict)
    tokens: set[tuple[str, str | None]] = field(default_factory=set)
    url: str = ""

    def add(self, repo: str, files: dict[str, bytes], repo_type: str = "model") -> str:
        """A new commit on ``main``; gives its 40 hex digits."""
        told = repr(sorted((name, hashlib.sha256(data).hexdigest()) for name, data in files.items()))
        commit = hashlib.sha1(told.encode()).hexdigest()
        held = self.repos.setdefault((f"{repo_type}s", repo), Repo({}, {}))
        held.commits[commit] = files
        held.names["main"] = commit
        return commit

    def add_folder(self, repo: str, folder: Path) -> str:
        """As ``add``, with the files of a folder."""
        return self.add(repo, {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()})

    def fetched(self) -> list[str]:
        """The last parts of the paths that were got as files."""
        return [path.rsplit("/", 1)[-1] for method, path, _ in self.asked if method == "GET" and "/api/" not in path]


@contextmanager
def serving(port: int = 0) -> Iterator[FakeHub]:
    """A server in a thread; ended at the end of the block."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """A test shows what was asked by itself."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, self.headers.get("Range")))
        self.hub.tokens.add((path, self.headers.get("Authorization")))
        if self.hub.down == 0:
            self.close_connection = True
        elif self.hub.down is not None:
            self._refuse(self.hub.down, "")
        elif path in self.hub.plain:
            self._send_part(path, self.hub.plain[path], {})
        elif found := _LISTING.fullmatch(path):
            self._answer_listing(*found.groups())
        elif found := _FILE.fullmatch(path):
            self._answer_file(path, *found.groups())
        else:
            self._refuse(404, "RepoNotFound")

    def _repo(self, kind: str, name: str) -> Repo | None:
        repo = self.hub.repos.get((kind, name))
        if repo is None:
            self._refuse(404, "RepoNotFound")
        elif repo.refuses:
            self._refuse(*repo.refuses)
            return None
        return repo

    def _answer_listing(self, kind: str, name: str, what: str, revision: str) -> None:
        if (repo := self._repo(kind, name)) is None:
            return None
        if (found := repo.files(revision)) is None:
            return self._refuse(404, "RevisionNotFound")
        commit, files = found
        if what == "revision":
            told = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
            return self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
        rows = [{"type": "file", "path": path, "size": len(data), "oid": _etag(data)} for path, data in files.items()]
        return self._send(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})

    def _answer_file(self, path: str, kind: str, name: str, revision: str, file: str) -> None:
        if (repo := self._repo(kind.rstrip("/") or "models", name)) is None:
            return None
        if (found := repo.files(revision)) is None:
            return self._refuse(404, "RevisionNotFound")
        commit, files = found
        if file not in files:
            return self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        data = files[file]
        if path in self.hub.moved:
            linked = {"X-Linked-Etag": f'"{_etag(data)}"', "X-Linked-Size": str(len(data))}
            return self._send(302, b"", {"X-Repo-Commit": commit, "Location": self.hub.moved[path], **linked})
        return self._send_part(path, data, {"X-Repo-Commit": commit, "ETag": f'"{_etag(data)}"'})

    def _send_part(self, path: str, data: bytes, headers: dict[str, str]) -> None:
        """What the Range header asks for, or as much of it as until the answer breaks off."""
        begin = int(found[1]) if (found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")) else 0
        if begin >= len(data) and begin:
            return self._refuse(416, "")
        stop = self.hub.breaks.pop(path, None) if self.command == "GET" else None
        if stop is not None and self.hub.dies_when_it_breaks:
            self.hub.down = 0
        headers |= {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"} if found else {}
        return self._send(206 if found else 200, data[begin:], headers, stop)

    def _send(self, status: int, data: bytes, headers: dict[str, str], stop: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data)), "Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data if stop is None else data[:stop])
        self.close_connection = True

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"", ({"X-Error-Code": code} if code else {}) | (headers or {}))


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
