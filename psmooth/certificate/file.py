"""Reads certificate files into flat dictionaries, holds these against the schema, and writes them.

It knows nothing about votes and bounds: whether the numbers of a record agree is settled in `psmooth.certificate`.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from psmooth.errors import CertificateError
from psmooth.files import resource, write_whole

SCHEMA = "psmooth/certificate/1"
MOST_BYTES = 1_000_000
MOST_PROBLEMS = 100  # a file full of nonsense is refused quickly

Source = str | os.PathLike[str] | bytes | Mapping[str, Any]
Problem = tuple[str, str]  # (field of the file, sentence)


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
    return tuple(_schema()["properties"])


def format_problems(record: Mapping[str, Any]) -> list[Problem]:
    """Where the record departs from the schema, holds a number that is not finite, or a date that is none.

    Raises CertificateError for a record nested deeper than can be looked through.
    """
    if record.get("schema", SCHEMA) != SCHEMA:
        return [("schema", f"schema is {in_words(record['schema'])}; this version of psmooth reads {SCHEMA} only.")]
    try:
        errors = islice(_validator().iter_errors(record), MOST_PROBLEMS)
        found = dict.fromkeys(problem for error in errors for problem in _schema_problems(error))
    except RecursionError as error:
        raise CertificateError("The file is nested deeper than any certificate. Choose another file.") from error
    wrong = {name for name, _ in found}
    right = {name: value for name, value in record.items() if name not in wrong}
    return [*found, *_value_problems(right)]


def in_words(value: Any) -> str:
    """A value of the file as a short piece of a sentence."""
    if isinstance(value, dict):
        return f"an object with {len(value)} entries"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return _clip(json.dumps(value, ensure_ascii=False))


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
                "{name} stands in the file twice; a certificate has every field once.", name=_clip(name)
            )
        seen[name] = value
    return seen


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return json.loads(resource("assets", "certificate.schema.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _validator() -> Any:
    from jsonschema import Draft202012Validator  # slow to import, so not before the first certificate

    return Draft202012Validator(_schema())


def _schema_problems(error: Any) -> Iterator[Problem]:
    """One deviation from the schema as sentences; the schema's descriptions say what was expected."""
    path = [str(step) for step in error.absolute_path]
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield (path or [name])[0], f"{'.'.join([*path, name])} is missing; every certificate has it."
    elif error.validator == "additionalProperties":
        for name in islice((name for name in error.instance if name not in error.schema["properties"]), MOST_PROBLEMS):
            yield (path or [name])[0], f"{_clip('.'.join([*path, name]))} is unknown; no certificate has it."
    else:
        expected = error.schema.get("description") or _schema()["properties"][path[0]]["description"]
        yield path[0], f"{_clip('.'.join(path))} is {in_words(error.instance)}; expected {expected}."


def _value_problems(record: Mapping[str, Any]) -> Iterator[Problem]:
    """What the schema language cannot say of fields that are right by it."""
    for name, value in record.items():
        if not _is_finite(value):
            yield name, f"{name} holds a number that is not finite, as every number of a certificate is."
    if "time" in record and not _is_date(record["time"]):
        yield (
            "time",
            f"time is {in_words(record['time'])}, which is no date; expected one such as 2026-01-31T12:00:00Z.",
        )


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_finite(item) for item in inner)


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _clip(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
