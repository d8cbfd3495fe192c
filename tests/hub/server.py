"""A Hub on the loopback address: repositories from memory, in the Hub's own words, with its ways to fail.

It knows nothing about psmooth. Protocol: huggingface_hub's requests for a file (HEAD and GET of ``resolve``), a listing
(``tree``) and a revision, and plain files that can be gone on with (``Range``); a repository that is made, and commits
to it, with large files ahead of them as Git LFS has it.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.serving import in_a_thread

_FILE = re.compile(r"/(datasets/|spaces/|)([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_LISTING = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/(tree|revision)/([^/]+)")
_ABOUT = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)")
_WRITING = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/(preupload|commit)/([^/]+)")
_LFS_BATCH = re.compile(r"/(?:datasets/|spaces/|)[^/]+/[^/]+\.git/info/lfs/objects/batch")


@dataclass
class Repo:
    """Files by commit, and the commits that names stand for; ``refuses`` is a status and the Hub's word for it."""

    commits: dict[str, dict[str, bytes]]
    names: dict[str, str]
    refuses: tuple[int, str] | None = None
    made_with: dict[str, object] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

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
    ``large``: files of so many bytes go as Git LFS has it, into ``objects`` by sha256. ``unwritable``: the status that
    whoever writes is answered; ``loses``: no large file arrives.
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
    large: int = 10_000_000
    objects: dict[str, bytes] = field(default_factory=dict)
    unwritable: int | None = None
    loses: bool = False

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
    with in_a_thread(type("Handler", (_Handler,), {"hub": hub}), port) as hub.url:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        self._note(path)
        if self.hub.unwritable is not None:
            self._refuse(self.hub.unwritable, "")
        elif path == "/api/repos/create":
            self._make(json.loads(body))
        elif path == "/api/validate-yaml":
            self._say({"errors": [], "warnings": []})
        elif _LFS_BATCH.fullmatch(path):
            self._offer_places(json.loads(body))
        elif found := _WRITING.fullmatch(path):
            self._write(*found.groups(), body=body)
        else:
            self._refuse(404, "RepoNotFound")

    def do_PUT(self) -> None:
        path = unquote(urlsplit(self.path).path)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._note(path)
        if self.hub.loses or path != f"/lfs/{_etag(data)}":
            return self._refuse(422, "")
        self.hub.objects[_etag(data)] = data
        return self._send(200, b"", {})

    def log_message(self, format: str, *args: object) -> None:
        """A test shows what was asked by itself."""

    def _note(self, path: str) -> None:
        self.hub.asked.append((self.command, path, self.headers.get("Range")))
        self.hub.tokens.add((path, self.headers.get("Authorization")))

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self._note(path)
        if self.hub.down == 0:
            self.close_connection = True
        elif self.hub.down is not None:
            self._refuse(self.hub.down, "")
        elif path in self.hub.plain:
            self._send_part(path, self.hub.plain[path], {})
        elif found := _LISTING.fullmatch(path):
            self._answer_listing(*found.groups())
        elif found := _ABOUT.fullmatch(path):
            self._answer_listing(found[1], found[2], "revision", "main")
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
            return self._say(told)
        return self._say([self._row(path, data) for path, data in files.items()])

    def _row(self, path: str, data: bytes) -> dict[str, object]:
        """A file of a listing, with the sha1 that git would give it, and of a large one the sha256."""
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        row: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": oid}
        lfs = {"oid": _etag(data), "size": len(data), "pointerSize": 134}
        return row | ({"lfs": lfs} if len(data) >= self.hub.large else {})

    def _make(self, asked: dict[str, str]) -> None:
        name = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
        place = (f"{asked.get('type', 'model')}s", name)
        if place in self.hub.repos:
            return self._say({"error": "there already", "url": f"{self.hub.url}/{name}"}, 409)
        self.hub.add(name, {".gitattributes": b"*.bin filter=lfs"}, asked.get("type", "model"))
        self.hub.repos[place].made_with = dict(asked)
        address = f"{self.hub.url}/{'' if place[0] == 'models' else f'{place[0]}/'}{name}"
        return self._say({"url": address, "name": name, "id": name})

    def _offer_places(self, asked: dict[str, list[dict[str, object]]]) -> None:
        places = [
            {**one, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}} for one in asked["objects"]
        ]
        self._say({"transfer": "basic", "objects": places})

    def _write(self, kind: str, name: str, what: str, revision: str, body: bytes) -> None:
        if (repo := self._repo(kind, name)) is None:
            return None
        if what == "preupload":
            sizes = {one["path"]: one["size"] for one in json.loads(body)["files"]}
            modes = {path: "lfs" if size >= self.hub.large else "regular" for path, size in sizes.items()}
            rows = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
            return self._say({"files": rows})
        _, files = repo.files(revision) or ("", {})
        files, parent = dict(files), repo.names.get(revision)
        for entry in map(json.loads, body.splitlines()):
            told = entry["value"]
            if entry["key"] == "header":
                repo.messages.append(told["summary"])
                if told.get("parentCommit") not in (None, parent):
                    return self._say({"error": "the repository has changed"}, 412)
            elif entry["key"] == "file":
                files[told["path"]] = base64.b64decode(told["content"])
            elif entry["key"] == "lfsFile":
                files[told["path"]] = self.hub.objects[told["oid"]]
            else:
                del files[told["path"]]
        commit = self.hub.add(name, files, kind.removesuffix("s"))
        return self._say({"commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}"})

    def _say(self, told: object, status: int = 200) -> None:
        self._send(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

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
        if self.command != "HEAD":
            self.wfile.write(data if stop is None else data[:stop])
        self.close_connection = True

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"", ({"X-Error-Code": code} if code else {}) | (headers or {}))


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
