"""Reads certificate files into flat dictionaries, holds these against their schema, and writes them.

It knows nothing about votes and bounds: whether the numbers of a record agree is settled in `psmooth.certificate`.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from psmooth.errors import CertificateError
from psmooth.files import write_whole
from psmooth.schemas import Problem, clip, in_words, schema, schema_problems

SCHEMA = "psmooth/certificate/1"
MOST_BYTES = 1_000_000

Source = str | os.PathLike[str] | bytes | Mapping[str, Any]


def read_record(source: Source) -> dict[str, Any]:
    """The JSON object in a path, JSON text, bytes or dictionary; CertificateError for what can be no certificate."""
    try:
        record = json.loads(_read_text(source), object_pairs_hook=without_doubles)
    except (ValueError, RecursionError) as error:
        raise CertificateError("The file is not JSON; a certificate is. Choose the file as it was saved.") from error
    if not isinstance(record, dict):
        raise CertificateError("The file holds JSON but no certificate, which is one object. Choose another file.")
    return record


def write_record(path: Path, text: str) -> None:
    """Writes a certificate whole or not at all; CertificateError if it cannot be written."""
    write_whole(path, text.encode(errors="backslashreplace"), _unwritable)


def _unwritable(path: Path, reason: str) -> CertificateError:
    return CertificateError(
        "The certificate cannot be written to {path}: {reason}. Choose another file or folder.",
        path=str(path),
        reason=reason,
    )


def field_names() -> tuple[str, ...]:
    """All fields of a certificate, in the order of the file."""
    return tuple(schema("certificate")["properties"])


def format_problems(record: Mapping[str, Any]) -> list[Problem]:
    """Where the record departs from the schema, holds a number that is not finite, or a date that is none.

    Raises CertificateError for a record nested deeper than can be looked through.
    """
    if record.get("schema", SCHEMA) != SCHEMA:
        return [("schema", f"schema is {in_words(record['schema'])}; this version of psmooth reads {SCHEMA} only.")]
    try:
        found = schema_problems("certificate", record)
    except RecursionError as error:
        raise CertificateError("The file is nested deeper than any certificate. Choose another file.") from error
    if "time" in record and "time" not in dict(found) and not _is_date(record["time"]):
        told = f"time is {in_words(record['time'])}, which is no date; expected one such as 2026-01-31T12:00:00Z."
        found.append(("time", told))
    return found


def told_apart(one: Any, other: Any) -> tuple[str, str]:
    """Both in words; two numbers with no more digits than show that they differ."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other)):
        return in_words(one), in_words(other)
    shown = ((f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in range(4, 18))
    return next((pair for pair in shown if pair[0] != pair[1]), (in_words(one), in_words(other)))


def _read_text(source: Source) -> str:
    if isinstance(source, Mapping):
        return _dictionary_text(source)
    if isinstance(source, str) and source.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        source = source.encode(errors="backslashreplace")
    content = source if isinstance(source, bytes) else _read_bytes(Path(source))
    if len(content) > MOST_BYTES:
        raise CertificateError("The file is larger than 1 MB; a certificate has a few kilobytes. Choose another file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CertificateError("The file is not text in UTF-8, as a certificate is. Choose another file.") from error


def _dictionary_text(source: Mapping[str, Any]) -> str:
    """Through JSON and back, a dictionary is read exactly as the file would be."""
    try:
        return json.dumps(dict(source))
    except (TypeError, ValueError, RecursionError) as error:
        raise CertificateError("The dictionary holds values that JSON cannot. Give one made by to_dict().") from error


def _read_bytes(path: Path) -> bytes:
    """At most one byte more than a certificate may have, whatever the path leads to."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise CertificateError("There is no file to be read under this path. Check it and try again.") from error


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice would be read differently by different programs, so it is refused."""
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise CertificateError(
                "{name} stands in the file twice; a certificate has every field once.", name=clip(name)
            )
        seen[name] = value
    return seen


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
