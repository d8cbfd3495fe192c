"""Fetches files from the Hugging Face Hub, or a zip from an address, whole or not at all.

It knows nothing about models, prompt banks or scans: a repository is a name, a revision and files.

What is fetched once at a commit is read from the cache afterwards without a single request. Every failure is a
``HubError`` that says what to do.
"""

import errno
import hashlib
import http.client
import re
import shutil
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

from psmooth.errors import HubError

Progress = Callable[[int, int], None]
"""Told the bytes that are here and the bytes in all."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_CHUNK = 2**20
# Whatever HTTP library huggingface_hub stands on (it has changed twice), its errors have this one above them.
HTTP_ERROR: type[BaseException] = HfHubHTTPError.__bases__[0]


@dataclass(frozen=True)
class Hub:
    """Which Hub, and where its files are kept; by default as HF_ENDPOINT, HF_HOME and HF_TOKEN say."""

    endpoint: str | None = None
    cache: Path | None = None
    token: str | None = None

    def own_folder(self) -> Path:
        """Where psmooth keeps what does not come as a repository."""
        return (self.cache or Path(constants.HF_HOME)) / "psmooth"


DEFAULT = Hub()


@dataclass(frozen=True)
class Snapshot:
    """Files as they stood at a revision: a commit of 40 hex digits, or the sha256 of a zip."""

    folder: Path
    revision: str


@dataclass(frozen=True)
class _Request:
    repo: str
    revision: str
    patterns: tuple[str, ...]
    first_of: tuple[str, ...]
    repo_type: str
    hub: Hub

    @property
    def pinned(self) -> bool:
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def where(self) -> dict[str, Any]:
        """What every call to huggingface_hub is told."""
        return {"repo_id": self.repo, "repo_type": self.repo_type}

    def choose(self, paths: Iterable[str]) -> list[str]:
        """The files asked for, among those that the repository has."""
        paths = list(paths)
        chosen = [path for path in paths if any(fnmatch(path, pattern) for pattern in self.patterns)]
        either = [path for path in self.first_of if path in paths]
        if (self.first_of and not either) or not (chosen or either):
            wanted = ", ".join(self.first_of or self.patterns)
            raise HubError(
                f"{self.repo} at '{self.revision}' has no file that is read here; expected was {wanted}. "
                "Choose another repository or revision."
            )
        return [*chosen, *either[:1]]


# --- repositories


def fetch(
    repo: str,
    revision: str = "main",
    patterns: Sequence[str] = ("*",),
    *,
    first_of: Sequence[str] = (),
    repo_type: str = "model",
    progress: Progress | None = None,
    hub: Hub = DEFAULT,
) -> Snapshot:
    """Files of a repository, from the cache or from the Hub.

    Args:
        repo: ``owner/name``.
        revision: a branch, a tag, or a commit of 40 hex digits; a commit that is cached costs no request.
        patterns: which files, as ``*.json`` or by name; one that matches nothing is passed over.
        first_of: of these names, only the first that the repository has.
        repo_type: ``"model"``, ``"dataset"`` or ``"space"``.
        progress: told the bytes as they come; what it raises ends the download.

    Returns:
        The folder that holds them, and the commit.

    Raises:
        HubError: no such repository or revision, no access, no file that was asked for, no network, no room.
    """
    request = _Request(repo, revision, tuple(patterns), tuple(first_of), repo_type, hub)
    with _in_words(request):
        if request.pinned and (found := _cached(request)):
            return found
        try:
            return _download(request, progress or _tell_nobody)
        except (HfHubHTTPError, OSError, HTTP_ERROR) as error:
            if _is_answer(error) or not (found := _cached(request)):
                raise
            return found


def _cached(request: _Request) -> Snapshot | None:
    """What the cache has of it, if that is all of it; asks nobody."""
    where = {**request.where, "revision": request.revision, "cache_dir": request.hub.cache}
    try:
        listed = [file.path for file in get_cached_repo_tree(**where)]
        folder = snapshot_download(**where, local_files_only=True, allow_patterns=request.choose(listed))
    except (CachedRepoTreeNotFoundError, LocalEntryNotFoundError):
        return None
    return Snapshot(Path(folder), Path(folder).name)


def _download(request: _Request, progress: Progress) -> Snapshot:
    hub, api = request.hub, HfApi(endpoint=request.hub.endpoint, token=request.hub.token)
    commit = request.revision if request.pinned else api.repo_info(**request.where, revision=request.revision).sha
    listed = api.list_repo_tree(**request.where, revision=commit, recursive=True)
    sizes = {file.path: file.size for file in listed if isinstance(file, RepoFile)}
    chosen = request.choose(sizes)
    total = _bytes_missing(request, str(commit), {path: sizes[path] for path in chosen})
    folder = snapshot_download(
        **request.where,
        revision=request.revision,
        allow_patterns=chosen,
        cache_dir=hub.cache,
        endpoint=hub.endpoint,
        token=hub.token,
        tqdm_class=_bar(progress, total),
    )
    return Snapshot(Path(folder), Path(folder).name)


def _bytes_missing(request: _Request, commit: str, sizes: Mapping[str, int]) -> int:
    """The bytes still to come; raises before the first of them if the disk cannot take them."""
    cache = Path(request.hub.cache or constants.HF_HUB_CACHE)
    folder = cache / f"{request.repo_type}s--{request.repo.replace('/', '--')}" / "snapshots" / commit
    missing = sum(size for path, size in sizes.items() if not (folder / path).is_file())
    _check_room(cache, missing)
    return missing


def _check_room(folder: Path, wanted: int) -> None:
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    if (free := shutil.disk_usage(there).free) < wanted:
        raise HubError(
            f"The disk is full: {_megabytes(wanted)} are needed and {_megabytes(free)} are free. "
            "Make room, or set HF_HOME to a folder on a larger disk."
        )


def _megabytes(count: int) -> str:
    return f"{max(1, round(count / 1e6)):,} MB"


def _tell_nobody(done: int, total: int) -> None:
    """Where nobody asked for progress."""


def _bar(progress: Progress, total: int) -> type[tqdm]:
    """A progress bar that draws nothing and tells ``progress``, as huggingface_hub wants one: a class."""
    lock, done = threading.Lock(), 0

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # Of its bars, one counts files and two count bytes: as they come, and as they are written.
            self.counts = kwargs.get("unit") == "B" and str(kwargs.get("desc")).startswith("Reconstructing")
            super().__init__(*args, **(kwargs | {"disable": True}))

        def update(self, n: float | None = 1) -> None:
            nonlocal done
            if self.counts:
                with lock:
                    done += int(n or 0)
                    progress(min(done, total), total)

    return Bar


# --- every failure is a sentence


def _is_answer(error: BaseException) -> bool:
    """Whether the Hub itself refused; anything else is the way to it, and the cache may help."""
    refusals = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError)
    return isinstance(error, refusals) and not isinstance(error, LocalEntryNotFoundError)


@contextmanager
def _in_words(request: _Request) -> Iterator[None]:
    try:
        yield
    except HFValidationError as error:
        raise HubError(f"'{request.repo}' is not a repository; expected is owner/name.") from error
    except (HfHubHTTPError, EntryNotFoundError, OfflineModeIsEnabled) as error:
        raise HubError(_refusal(request, error)) from error
    except OSError as error:
        raise HubError(_disk_words(error, request.repo)) from error
    except HTTP_ERROR as error:
        raise HubError(_broken(request.repo)) from error


def _refusal(request: _Request, error: Exception) -> str:
    repo, status = request.repo, getattr(getattr(error, "response", None), "status_code", None)
    page = f"https://huggingface.co/{repo}" if request.repo_type == "model" else f"the page of {repo} on the Hub"
    if isinstance(error, GatedRepoError):
        return (
            f"{repo} is gated: its owners give access on request. Accept the terms at {page}, set HF_TOKEN to a token "
            "of that account, and try again."
        )
    if status == 401:
        return f"The Hub did not show {repo}: it does not exist, or it is private. Check the name, or set HF_TOKEN."
    if isinstance(error, RepositoryNotFoundError):
        return f"There is no repository {repo} on the Hub. Check the name; expected is owner/name."
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no revision '{request.revision}'. Name a branch, tag or commit that it has."
    if status is not None:
        return f"The Hub answered {status} when asked for {repo}. Nothing half-written was kept; try again later."
    return (
        f"The Hub cannot be reached, and {repo} is not complete in the cache. Try again with a network, or copy the "
        "files from another machine and give them as local-dir:FOLDER."
    )


def _broken(name: str) -> str:
    return f"The connection broke while {name} was fetched. Files that were complete are kept; try again."


def _disk_words(error: OSError, name: str) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full: {name} could not be written, and nothing half-written was kept. Make room, or set "
            "HF_HOME to a folder on a larger disk."
        )
    if isinstance(error, PermissionError):
        return f"{name} could not be written: the cache folder is read-only. Set HF_HOME to one that can be written."
    return _broken(name)


# --- files whose sha256 is on record


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Raise HubError unless each file that is there has the sha256 on record; one that has not is removed."""
    for name, sha256 in expected.items():
        file = folder / name
        if file.is_file() and sha256_of([file]) != sha256:
            file.resolve().unlink()
            file.unlink(missing_ok=True)
            raise HubError(
                f"{name} is not the file on record: its sha256 is another one. It was removed; fetch it again, and if "
                "that does not help, its source has changed and should not be trusted."
            )


def sha256_of(files: Iterable[Path]) -> str:
    """The sha256 of the bytes of the files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


# --- addresses


def fetch_zip(url: str, sha256: str, *, progress: Progress | None = None, hub: Hub = DEFAULT) -> Snapshot:
    """Unpack a zip from an address into the cache; its sha256 is its revision.

    A download that was cut off goes on where it stopped, also after a restart. The folder appears when all of it is
    there.

    Raises:
        HubError: the address is out of reach, the disk is full, or the file is not the one on record.
    """
    folder, name = hub.own_folder() / sha256, url.rsplit("/", 1)[-1]
    part, scratch = folder.with_suffix(".zip.part"), folder.with_suffix(".unpacking")
    if not folder.is_dir():
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            _resume(url, part, progress or _tell_nobody)
            check_files(part.parent, {part.name: sha256})
            _unpack(part, scratch)
            scratch.rename(folder)
            part.unlink()
        except urllib.error.HTTPError as error:
            raise HubError(f"{name} is not to be had: its server answered {error.code}. Try again later.") from error
        except urllib.error.URLError as error:
            raise HubError(
                f"The server of {name} cannot be reached, and it is not in the cache. Try again with a network."
            ) from error
        except http.client.HTTPException as error:
            raise HubError(_broken(name)) from error
        except OSError as error:
            raise HubError(_disk_words(error, name)) from error
    return Snapshot(folder, sha256)


def _resume(url: str, part: Path, progress: Progress) -> None:
    """Fetch what ``part`` lacks."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing; the sha256 will tell
            error.close()
            return
        raise
    with response:
        have = have if response.status == 206 else 0  # a server that cannot go on begins again
        total = have + int(response.headers["Content-Length"])
        _check_room(part.parent, total - have)
        _write(response, part, have, total, progress)


def _write(response: Any, part: Path, have: int, total: int, progress: Progress) -> None:
    with part.open("ab" if have else "wb") as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            progress(have, total)
    if have < total:
        raise ConnectionError("the body ended early")


def _unpack(archive: Path, scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    with zipfile.ZipFile(archive) as opened:
        _check_room(scratch.parent, sum(entry.file_size for entry in opened.infolist()))
        opened.extractall(scratch)  # leaves out absolute paths and those that climb
