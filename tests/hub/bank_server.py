"""A Hub on this machine that keeps repositories in memory: they can be created, uploaded to, listed and read."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.serving import Server, in_a_thread, serve


class BankHub:
    """What is on the Hub: by repository, files by path; every upload makes another commit.

    With ``refusal`` a status, nothing may be written.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.refusal: int | None = None
        self.requests: list[str] = []
        self.pause = 0.0  # seconds between two parts of a file
        self.hurry = threading.Event()  # once set, no pause is made any more
        self.address = ""

    def commit(self, repo: str) -> str:
        """The commit that the files stand at."""
        content = json.dumps({path: hashlib.sha256(data).hexdigest() for path, data in self.repos[repo].items()})
        return hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()


def page_beside(hub: BankHub, models: str, home: Path) -> Server:
    """A served page that takes this Hub for the Hub, and keeps what it fetches below ``home``; models as in `serve`."""
    settings = (("HF_ENDPOINT", hub.address), ("HF_HOME", str(home)), ("HF_HUB_DISABLE_XET", "1"))
    return serve(models, *settings)


@contextmanager
def bank_hub() -> Iterator[BankHub]:
    """A served Hub."""
    hub = BankHub()
    with in_a_thread(type("Handler", (_Handler,), {"hub": hub})) as hub.address:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: BankHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(found[1], found[3])
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+|/tree/[^/]+)?", path)
        if not found or found[1] not in self.hub.repos:
            return self._answer({"error": "no such repository"}, 404, {"X-Error-Code": "RepoNotFound"})
        files = self.hub.repos[found[1]]
        if (found[2] or "").startswith("/tree"):
            rows = [
                {"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()
            ]
            return self._answer(rows)
        siblings = [{"rfilename": name} for name in files]
        return self._answer({"id": found[1], "sha": self.hub.commit(found[1]), "siblings": siblings, "private": False})

    def _file(self, repo: str, name: str) -> None:
        if repo not in self.hub.repos:
            return self._answer({}, 404, {"X-Error-Code": "RepoNotFound"})
        if name not in self.hub.repos[repo]:
            return self._answer({}, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.hub.commit(repo)})
        data = self.hub.repos[repo][name]
        headers = {"X-Repo-Commit": self.hub.commit(repo), "ETag": f'"{_oid(data)}"'}
        return self._send(data, 200, headers)

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.requests.append(f"POST {path}")
        if self.hub.refusal is not None:
            return self._answer({"error": "no"}, self.hub.refusal)
        if path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
            self.hub.repos.setdefault(repo, {})
            return self._answer({"url": f"{self.hub.address}/{repo}", "name": repo, "id": repo})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/.+", path):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._answer({"files": files})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/.+", path):
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.hub.repos[found[1]][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            commit = self.hub.commit(found[1])
            return self._answer(
                {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.address}/{found[1]}/commit/{commit}"}
            )
        return self._answer({"error": path}, 404)

    def _answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(content).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            part = len(data) // 8 + 1 if self.hub.pause and len(data) > 10_000 else len(data) + 1
            for start in range(0, len(data), part):
                self.wfile.write(data[start : start + part])
                self.hub.hurry.wait(self.hub.pause)


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
