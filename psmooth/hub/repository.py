"""Fetches files from the Hugging Face Hub, or a zip from an address, whole or not at all.

It knows nothing about models, prompt banks or scans: a repository is a name, a revision and files.

What is fetched once at a commit is read from the cache afterwards without a single request. Every failure is a
``HubError`` that says what to do.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import (
    HfApi,
    constants,
    get_cached_repo_tree,
    get_hf_file_metadata,
    get_token,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, tqdm

from psmooth.environment import check_way, proxy_variables
from psmooth.errors import HubError
from psmooth.hub.download import (
    HTTP_ERROR,
    Progress,
    broken,
    check_room,
    distrusted,
    download,
    expect,
    is_distrust,
    is_sha256,
    megabytes,
    tell_nobody,
    unwritable,
)

_COMMIT = re.compile(r"[0-9a-f]{40}")

# huggingface_hub forgets what it has of a file when a download fails; files from here on are fetched so that it stays.
_LARGE = 10_000_000


@dataclass(frozen=True)
class Hub:
    """Which Hub, and where its files are kept; by default as HF_ENDPOINT, HF_HOME and HF_TOKEN say.

    Attributes:
        token: None is HF_TOKEN; False shows no token, for what a visitor names: nothing private is fetched then.
        most: bytes of one fetch that are too many; they are counted before the first one comes.
    """

    endpoint: str | None = None
    cache: Path | None = None
    token: str | Literal[False] | None = None
    most: int | None = None

    def own_folder(self) -> Path:
        """Where psmooth keeps what does not come as a repository."""
        return (self.cache or Path(constants.HF_HOME)) / "psmooth"


DEFAULT = Hub()


@dataclass(frozen=True)
class Snapshot:
    """Files as they stood at a revision: a commit of 40 hex digits, or the sha256 of a zip.

    Attributes:
        listed: False where other programs put the files into the cache and nobody says what else there is.
    """

    folder: Path
    revision: str
    listed: bool = True


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
    def folder(self) -> Path:
        """Where huggingface_hub's cache keeps the repository, in its documented layout."""
        cache = self.hub.cache or Path(constants.HF_HUB_CACHE)
        return cache / f"{self.repo_type}s--{self.repo.replace('/', '--')}"

    @property
    def ask_first(self) -> bool:
        """What a token has brought here is for its owner alone: a visitor sees what the Hub shows without one."""
        return self.hub.token is False and get_token() is not None

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
                "{repo} at '{revision}' has no file that is read here; expected was {wanted}. Choose another "
                "repository or revision.",
                repo=self.repo,
                revision=self.revision,
                wanted=wanted,
            )
        return [*chosen, *either[:1]]


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

    A file that was cut off goes on where it stopped, also after a restart.

    Raises:
        HubError: no such repository or revision, no access, no file that was asked for, no network, no room.
    """
    request = _Request(repo, revision, tuple(patterns), tuple(first_of), repo_type, hub)
    with _in_words(request):
        if request.pinned and not request.ask_first and (found := _cached(request)):
            return found
        try:
            return _download(request, progress or tell_nobody)
        except (HfHubHTTPError, OSError, HTTP_ERROR) as error:
            if _is_answer(error) or request.ask_first or not (found := _cached(request) or _unlisted(request)):
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


def _unlisted(request: _Request) -> Snapshot | None:
    """What other programs put into the cache file by file, without a listing; asks nobody."""
    commit = request.revision
    if not request.pinned:
        with suppress(OSError, ValueError):
            commit = (request.folder / "refs" / commit).read_text(encoding="ascii").strip()
    folder = request.folder / "snapshots" / commit
    if _COMMIT.fullmatch(commit) is None:
        return None
    files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    with suppress(HubError):
        request.choose(files)
        return Snapshot(folder, commit, listed=False)
    return None


def _download(request: _Request, progress: Progress) -> Snapshot:
    commit, sizes = _listing(request)
    _check_size(request, sum(sizes.values()))
    missing = {
        path: size for path, size in sizes.items() if not (request.folder / "snapshots" / commit / path).is_file()
    }
    total = sum(missing.values())
    check_room(request.folder, total)  # before the first byte
    progress(0, total)  # huggingface_hub tells of no file before ten megabytes of it are here
    large = {path: size for path, size in missing.items() if size >= _LARGE}
    for number, path in enumerate(large):
        before = sum(list(large.values())[:number])
        _fetch_large(request, commit, path, lambda done, _, before=before: progress(before + done, total))
    folder = snapshot_download(
        **request.where,
        revision=request.revision,
        allow_patterns=list(sizes),
        cache_dir=request.hub.cache,
        endpoint=request.hub.endpoint,
        token=request.hub.token,
        tqdm_class=_bar(progress, sum(large.values()), total),
    )
    return Snapshot(Path(folder), Path(folder).name)


def _check_size(request: _Request, size: int) -> None:
    if request.hub.most is not None and size > request.hub.most:
        raise HubError(
            "{repo} is too large for this server: {size:,} MB, and at most {most:,} MB are fetched. Choose a smaller "
            "one.",
            repo=request.repo,
            size=megabytes(size),
            most=megabytes(request.hub.most),
        )


def _listing(request: _Request) -> tuple[str, dict[str, int]]:
    """The commit, and the bytes of each file that is wanted of it."""
    check_way()
    api = HfApi(endpoint=request.hub.endpoint, token=request.hub.token)
    try:
        commit = request.revision if request.pinned else api.repo_info(**request.where, revision=request.revision).sha
        listed = list(api.list_repo_tree(**request.where, revision=commit, recursive=True))
    except HfHubHTTPError:
        raise
    except HTTP_ERROR as error:  # there was no answer
        raise ConnectionError from error
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, HFValidationError):
            raise
        raise HubError(
            "Something else answers in the Hub's place, as a network does that asks for a login. Open a web page on "
            "this machine, and try again.",
        ) from error
    sizes = {file.path: file.size for file in listed if isinstance(file, RepoFile)}
    return str(commit), {path: sizes[path] for path in request.choose(sizes)}


def _fetch_large(request: _Request, commit: str, path: str, progress: Progress) -> None:
    """Bring a file into huggingface_hub's cache, under the tag that it will look for."""
    hub = request.hub
    url = hf_hub_url(request.repo, path, repo_type=request.repo_type, revision=commit, endpoint=hub.endpoint)
    found = get_hf_file_metadata(url, token=hub.token, endpoint=hub.endpoint)
    if found.etag is not None:
        blob, sha256 = request.folder / "blobs" / found.etag, found.etag if is_sha256(found.etag) else None
        headers = build_hf_headers(token=hub.token)
        download(url, blob, sha256, name=Path(path).name, headers=headers, progress=progress)


def _bar(progress: Progress, done: int, total: int) -> type[tqdm]:
    """A progress bar that draws nothing and tells ``progress``, as huggingface_hub wants one: a class."""
    lock = threading.Lock()

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


def _is_answer(error: BaseException) -> bool:
    """Whether the Hub itself refused; anything else is the way to it, and the cache may help."""
    refusals = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError)
    return isinstance(error, refusals) and not isinstance(error, LocalEntryNotFoundError)


@contextmanager
def _in_words(request: _Request) -> Iterator[None]:
    try:
        yield
    except HFValidationError as error:
        raise HubError("'{repo}' is not a repository; expected is owner/name.", repo=request.repo) from error
    except (HfHubHTTPError, EntryNotFoundError, ConnectionError) as error:
        raise _refusal(request, error) from error
    except OSError as error:
        raise unwritable(error, request.repo) from error
    except HTTP_ERROR as error:
        raise broken(request.repo) from error


def _refusal(request: _Request, error: Exception) -> HubError:
    repo, status = request.repo, getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return _gated(request)
    if status == 401:
        return HubError(
            "The Hub did not show {repo}: it does not exist, or it is private. Check the name, or set HF_TOKEN.",
            repo=repo,
        )
    if isinstance(error, RepositoryNotFoundError):
        return HubError("There is no repository {repo} on the Hub. Check the name; expected is owner/name.", repo=repo)
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            "{repo} has no revision '{revision}'. Name a branch, tag or commit that it has.",
            repo=repo,
            revision=request.revision,
        )
    return no_answer(repo, request.hub, error) if status is None else _answered(repo, status)


def _gated(request: _Request) -> HubError:
    if request.repo_type == "model":
        return HubError(
            "{repo} is gated: its owners give access on request. Accept the terms at https://huggingface.co/{repo}, "
            "set HF_TOKEN to a token of that account, and try again.",
            repo=request.repo,
        )
    return HubError(
        "{repo} is gated: its owners give access on request. Accept the terms at the page of {repo} on the Hub, set "
        "HF_TOKEN to a token of that account, and try again.",
        repo=request.repo,
    )


def _answered(repo: str, status: int) -> HubError:
    return HubError(
        "The Hub answered {status} when asked for {repo}. Nothing half-written was kept; try again later.",
        status=status,
        repo=repo,
    )


def no_answer(repo: str, hub: Hub, error: BaseException | None = None) -> HubError:
    """The error for a repository that is neither in the cache nor to be had."""
    if is_distrust(error):
        return distrusted(repo)
    scheme = (hub.endpoint or constants.ENDPOINT).partition(":")[0]
    if variable := next((name for name, _ in proxy_variables(scheme)), None):
        return HubError(
            "The Hub cannot be reached through the proxy of {variable}, and {repo} is not complete in the cache. Check "
            "{variable}, or name the Hub's host in NO_PROXY.",
            variable=variable,
            repo=repo,
        )
    return HubError(
        "The Hub cannot be reached, and {repo} is not complete in the cache. Try again with a network, or copy the "
        "files from another machine and give them as local-dir:FOLDER.",
        repo=repo,
    )


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Raise HubError unless each file that is there has the sha256 on record; one that has not is removed."""
    for name, sha256 in expected.items():
        file = folder / name
        if file.is_file():
            expect(file, sha256, name)
