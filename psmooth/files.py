"""Writes a file whole or not at all.

It knows nothing about what is in the file.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from psmooth.errors import PsmoothError


def write_whole(path: Path, data: bytes, what: str, error: type[PsmoothError] = PsmoothError) -> None:
    """Write a file in one step, so that no reader ever finds half of it and what stood there stays until it is done.

    Args:
        what: the file in words, such as "The bank", for the sentence of the error.

    Raises:
        error: the folder is missing, read-only or full.
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
        raise error(
            f"{what} cannot be written to {path}: {failure.strerror}. Choose another file or folder."
        ) from failure


def make_folder(path: Path, error: type[PsmoothError] = PsmoothError) -> None:
    """Make a folder and those above it, where they are missing; raises ``error`` if that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise error(f"The folder {path} cannot be made: {failure.strerror}. Choose another one.") from failure
