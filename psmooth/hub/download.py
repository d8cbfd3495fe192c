"""Brings one file from an address to the disk, going on where an earlier try stopped.

It knows nothing about repositories or models.
"""

import errno
import hashlib
import re
import shutil
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import WeakFileLock, hf_raise_for_status  # type: ignore[attr-defined]

from psmooth.environment import check_way
from psmooth.errors import HubError

Progress = Callable[[int, int], None]
"""Told the bytes that are here and the bytes in all."""

# Whatever HTTP library huggingface_hub stands on (it has changed twice), its errors have this one above them.
HTTP_ERROR: type[BaseException] = HfHubHTTPError.__bases__[0]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 2**20
_PATIENCE = 30.0  # seconds without a byte


def tell_nobody(done: int, total: int) -> None:
    """Where nobody asked for progress."""


def download(
    url: str,
    target: Path,
    sha256: str | None,
    *,
    name: str,
    headers: dict[str, str] | None = None,
    progress: Progress = tell_nobody,
) -> None:
    """Fetch a file; ``target`` appears when it is whole and, where it is known, has the sha256.

    What a try brought stays beside it, as ``.part``, for the next one. Two that fetch the same file take turns.

    Raises:
        HubError: the file is not the one on record (what was fetched is removed), or the disk is full.
        OSError, HTTP_ERROR: the connection broke, or the server refused.
    """
    check_way()
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(target.with_name(f"{target.name}.lock")):
        if target.exists():
            return
        _resume(url, part, headers or {}, progress)
        if sha256 is not None:
            expect(part, sha256, name)
        part.rename(target)


def _resume(url: str, part: Path, headers: dict[str, str], progress: Progress) -> None:
    have = part.stat().st_size if part.is_file() else 0
    headers = headers | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with get_session().stream("GET", url, headers=headers, timeout=_PATIENCE) as response:
        if response.status_code == 416:  # nothing is missing; the sha256 will tell
            return
        hf_raise_for_status(response)
        have = have if response.status_code == 206 else 0  # a server that cannot go on begins again
        total = have + int(response.headers["Content-Length"])
        check_room(part.parent, total - have)
        _write(response, part, have, total, progress)


def _write(response: Any, part: Path, have: int, total: int, progress: Progress) -> None:
    with part.open("ab" if have else "wb") as file:
        for chunk in response.iter_raw():
            file.write(chunk)
            have += len(chunk)
            progress(have, total)


def expect(file: Path, sha256: str, name: str) -> None:
    """Raise HubError, and remove the file, unless it has that sha256."""
    if sha256_of([file]) != sha256:
        file.resolve().unlink()
        file.unlink(missing_ok=True)
        raise HubError(
            "{name} is not the file on record: its sha256 is another one. It was removed; fetch it again, and if that "
            "does not help, its source has changed and should not be trusted.",
            name=name,
        )


def is_sha256(text: str) -> bool:
    """Whether it could be one: the Hub gives large files their sha256 as tag, small ones another."""
    return _SHA256.fullmatch(text) is not None


def sha256_of(files: Iterable[Path]) -> str:
    """The sha256 of the bytes of the files, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def check_room(folder: Path, wanted: int) -> None:
    """Raise HubError unless the disk takes that many bytes more."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    if (free := shutil.disk_usage(there).free) < wanted:
        raise HubError(
            "The disk is full: {wanted:,} MB are needed and {free:,} MB are free. Make room, or set HF_HOME to a "
            "folder on a larger disk.",
            wanted=megabytes(wanted),
            free=megabytes(free),
        )


def megabytes(count: int) -> int:
    """Bytes as a visitor reads them."""
    return max(1, round(count / 1e6))


def is_distrust(error: BaseException | None) -> bool:
    """Whether it came from a certificate of the server that could not be verified."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def distrusted(what: str) -> HubError:
    """The error for it."""
    return HubError(
        "{what} cannot be fetched: the certificate of the server is signed by nobody whom this machine knows, as "
        "behind a proxy that opens connections. Set SSL_CERT_FILE to a file with your institution's certificate.",
        what=what,
    )


def broken(name: str) -> HubError:
    """The error for a connection that broke."""
    return HubError(
        "The connection broke while {name} was fetched. Nothing half-written is used; try again.", name=name
    )


def unwritable(error: OSError, name: str) -> HubError:
    """The error for a disk that refused, or for whatever else the system reports."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(
            "The disk is full: {name} could not be written, and nothing half-written is used. Make room, or set "
            "HF_HOME to a folder on a larger disk.",
            name=name,
        )
    if isinstance(error, PermissionError):
        return HubError(
            "{name} could not be written: the cache folder is read-only. Set HF_HOME to one that can be written.",
            name=name,
        )
    return broken(name)
