"""Finds the files that ship with psmooth, and writes a file whole or not at all.

It knows nothing about what is in a file.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from psmooth.errors import PsmoothError

Refusal = Callable[[Path, str], PsmoothError]
"""The error for a path that cannot be written, and what the system says of it."""

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """The path of a shipped file, e.g. ``resource("assets", "icon.png")``.

    An installed wheel carries the folders inside the package, below ``_shipped``; in a checkout they lie beside it.
    """
    inside = _PACKAGE.joinpath("_shipped", *parts)
    return inside if inside.exists() else _PACKAGE.parent.joinpath(*parts)


def write_whole(path: Path, data: bytes, refusal: Refusal) -> None:
    """Write a file in one step, so that no reader ever finds half of it and what stood there stays until it is done.

    Raises:
        PsmoothError: that of ``refusal``: the folder is missing, read-only or full.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as failure:
        with suppress(OSError):
            part.unlink()
        raise refusal(path, str(failure.strerror)) from failure


def make_folder(path: Path, refusal: Refusal) -> None:
    """Make a folder and those above it, where they are missing; raises that of ``refusal`` if that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise refusal(path, str(failure.strerror)) from failure
