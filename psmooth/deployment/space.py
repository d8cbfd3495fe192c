"""Puts a checkout up as a Space of the Hub, or says what that would change there.

It knows nothing about what is in the files. What goes is what was committed of two things (docs/deploy.md): whatever
the container copies, which `.dockerignore` lists, and the documents that lie directly in `docs/`. What lies beside
them, a scan perhaps, is never sent; what a Space has beyond them is removed, but for what the Hub itself keeps there.
Bytes come from git's own store, never from the folder, in which git may have been told to overlook a change.
"""

import hashlib
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from psmooth.errors import HubError
from psmooth.hub import DEFAULT, Hub
from psmooth.hub.writing import in_writing

_OF_THE_HUB = (".gitattributes",)
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ("100644", "100755")  # modes of git; others are a link, or another repository
_SECRETS = (  # names that keys and passwords lie under
    ".env", ".env.*", ".netrc", "_netrc", ".npmrc", ".pypirc", ".git-credentials", "*.pem", "*.key", "*.p12", "*.pfx",
    "id_rsa*", "id_ed25519*", "id_ecdsa*", "token", "token.*", "*secret*", "credentials*",
)  # fmt: skip


@dataclass(frozen=True)
class Blob:
    """The content of a file as git keeps it: its name there, 40 hex digits, and its bytes' number."""

    name: str
    size: int


@dataclass(frozen=True)
class Plan:
    """What a push would do.

    Attributes:
        commit: of the checkout, 40 hex digits.
        parent: the commit at which the Space was looked at; None where there is no such Space.
        added, changed, removed: paths; ``kept`` counts those that are the same in both.
        size: bytes of what is added or changed.
        blobs: by path, the content of each file that goes.
    """

    repo: str
    folder: Path
    commit: str
    parent: str | None
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    kept: int
    size: int
    blobs: Mapping[str, Blob]

    @property
    def url(self) -> str:
        """Where the Space serves its page, as the Hub forms it."""
        return f"https://{re.sub('[^a-z0-9]+', '-', self.repo.lower())}.hf.space"


def plan(folder: Path, repo: str, *, hub: Hub = DEFAULT) -> Plan:
    """What a push of this checkout would change; asks the Hub what the Space has, and writes nothing.

    Raises:
        HubError: the folder is no checkout or differs from its last commit, what would go is a link or has the name
            of a secret, or the Hub cannot be asked.
    """
    if _NAME.fullmatch(repo) is None:
        raise HubError("'{repo}' is no name of a repository; expected is OWNER/NAME.", repo=repo)
    commit, files = committed(folder)
    parent, there = _listed(repo, hub)
    added = tuple(path for path in files if path not in there)
    changed = tuple(path for path in files if path in there and _differs(folder, files[path], there[path]))
    removed = tuple(path for path in there if path not in files and path not in _OF_THE_HUB)
    size = sum(files[path].size for path in (*added, *changed))
    kept = len(files) - len(added) - len(changed)
    return Plan(repo, folder, commit, parent, added, changed, removed, kept, size, files)


def push(found: Plan, *, private: bool = False, hub: Hub = DEFAULT) -> str:
    """Make the Space, if there is none, and bring it to what was planned, in one commit; gives its address on the Hub.

    Raises:
        HubError: the Hub refuses, cannot be reached, or the Space has changed since it was looked at.
    """
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    with in_writing(found.repo):
        address = api.create_repo(found.repo, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        changes = [
            CommitOperationAdd(path, _content(found.folder, found.blobs[path]))
            for path in (*found.added, *found.changed)
        ]
        changes += [CommitOperationDelete(path, is_folder=False) for path in found.removed]
        if changes:
            api.create_commit(
                found.repo, changes, repo_type="space", commit_message=f"psmooth at {found.commit[:12]}",
                parent_commit=found.parent,
            )  # fmt: skip
    return str(address)


# --- the checkout


def committed(folder: Path) -> tuple[str, dict[str, Blob]]:
    """The last commit of a checkout, and the files of it that a Space gets.

    Raises:
        HubError: it is none of psmooth's, one of these files was changed since, or one is to stay here.
    """
    if changed := going(folder, "diff", "HEAD", "--name-only", "-z"):
        raise HubError(
            "{file} was changed since the last commit, and only what was committed is sent. Commit it, or put it back, "
            "and push again.",
            file=changed[0],
        )
    (commit,) = _git(folder, "rev-parse", "HEAD")
    return commit.strip(), dict(_blobs(folder, commit.strip()))


def going(folder: Path, *listed: str) -> list[str]:
    """Of the files that git lists so, those that a Space gets; raises HubError where it is no checkout of psmooth."""
    if not (folder / ".git").exists() or not (folder / "app.py").is_file():
        raise _no_checkout(folder)
    copied = _copied(folder)
    return [path for path in _git(folder, *listed) if _goes(path, copied)]


def _blobs(folder: Path, commit: str) -> Iterator[tuple[str, Blob]]:
    """By path, what was committed of the files that a Space gets; raises HubError where one of them is to stay here."""
    copied = _copied(folder)
    for row in _git(folder, "ls-tree", "-r", "-l", "-z", commit):
        facts, path = row.split("\t", 1)
        if _goes(path, copied):
            mode, _, name, size = facts.split()
            _check_file(path, mode)
            yield path, Blob(name, int(size))


def _check_file(path: str, mode: str) -> None:
    if mode not in _FILES:
        raise HubError(
            "{file} is a link or another repository, and what it leads to was not committed. Put the file itself in "
            "its place, and push again.",
            file=path,
        )
    if any(fnmatch(PurePosixPath(path).name.lower(), pattern) for pattern in _SECRETS):
        raise HubError(
            "{file} has the name of a secret, and a Space shows its files. Take it out of what is committed, and push "
            "again.",
            file=path,
        )


def _goes(path: str, copied: Sequence[str]) -> bool:
    first, *rest = path.split("/")
    return first in copied or (first == "docs" and len(rest) == 1)


def _copied(folder: Path) -> tuple[str, ...]:
    """What is let into the container."""
    lines = (folder / ".dockerignore").read_text("utf-8").splitlines()
    return tuple(line.removeprefix("!") for line in lines if line.startswith("!"))


def _git(folder: Path, *words: str) -> list[str]:
    try:
        return [one for one in _said(folder, *words).decode("utf-8").split("\0") if one]
    except UnicodeDecodeError:
        raise _no_checkout(folder) from None


def _content(folder: Path, blob: Blob) -> bytes:
    return _said(folder, "cat-file", "blob", blob.name)


def _said(folder: Path, *words: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise _no_checkout(folder) from None


def _no_checkout(folder: Path) -> HubError:
    return HubError(
        "The folder '{folder}' is no git checkout of psmooth. Clone its repository, and push from there.",
        folder=folder.name,
    )


# --- the Space


def _listed(repo: str, hub: Hub) -> tuple[str | None, dict[str, RepoFile]]:
    """The Space's last commit and its files; None and nothing where there is none, or none that is shown to us."""
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    with in_writing(repo):
        try:
            commit = api.space_info(repo).sha
            rows = api.list_repo_tree(repo, repo_type="space", revision=commit, recursive=True)
            return commit, {row.path: row for row in rows if isinstance(row, RepoFile)}
        except RepositoryNotFoundError:
            return None, {}


def _differs(folder: Path, here: Blob, there: RepoFile) -> bool:
    if there.lfs is not None:
        return hashlib.sha256(_content(folder, here)).hexdigest() != there.lfs.sha256
    return here.name != there.blob_id


def lines(found: Plan) -> Iterator[str]:
    """A line for each file that would change."""
    for sign, paths in (("+", found.added), ("~", found.changed), ("-", found.removed)):
        yield from (f"{sign} {path}" for path in paths)
