"""Reads a ``records.jsonl`` that somebody brings alone, without the ``runs.json`` that describes its runs.

It knows nothing about where the file came from, and keeps nothing of it. What the counts of a line rule out is refused;
how many votes chose the class, and the α of the run, stand in ``runs.json`` alone, so radii are not computed again.
"""

import io
import re
from collections.abc import Iterator
from typing import Any, Final

from psmooth.bounds import certified_radius
from psmooth.certificate import GUARANTEES, MOST_VOTES, TOLERANCE
from psmooth.denoise import DENOISERS, without_mirror
from psmooth.errors import CertificateError
from psmooth.smoothing.records import FIELDS, Record, Runs, is_of, key_of, parsed
from psmooth.tasks import TASKS

MOST_BYTES: Final = 16 * 10**6
MOST_LINES: Final = 40_000
MOST_RUNS: Final = 1_000
MOST_CLASSES: Final = 100
LONGEST_LINE: Final = 2**16  # bytes; what is cut there is no JSON any more
LONGEST_NAME: Final = 200  # characters of a class id
LARGEST_NOISE: Final = 10.0

_SCAN, _RUN = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{16}")


def read_brought(data: bytes) -> tuple[list[Record], Runs]:
    """The records of a file, each scan and run once, and what can be told of their runs from them alone.

    Raises:
        CertificateError: the file is too large, a line is no record, or lines do not agree.
    """
    if len(data) > MOST_BYTES:
        raise CertificateError(
            "The file is larger than {megabytes} MB. Evaluate fewer scans at a time, or bring the records of one task.",
            megabytes=MOST_BYTES // 10**6,
        )
    found: dict[tuple[str, str], Record] = {}
    runs: Runs = {}
    labels: dict[str, str] = {}
    for number, record in _lines(data):
        facts = _facts(record)
        if runs.setdefault(record["run"], facts) != facts or len(runs) > MOST_RUNS:
            raise _disagrees(number, "run")
        if labels.setdefault(record["scan"], record["label"]) != record["label"]:
            raise _disagrees(number, "label")
        found.setdefault(key_of(record), record)
    if not found:
        raise CertificateError("There is no record in this file. Choose the records.jsonl of `psmooth evaluate`.")
    return list(found.values()), runs


def _lines(data: bytes) -> Iterator[tuple[int, Record]]:
    """The records with the numbers of their lines; a last line that a kill cut short is none."""
    for number, line in enumerate(io.BytesIO(data), 1):  # a list of 16 million empty lines would fill the memory
        if number > MOST_LINES:
            raise CertificateError(
                "The file has more than {most:,} lines. Bring the records of one task, or of fewer scans.",
                most=MOST_LINES,
            )
        if line.endswith((b"\n", b"}")):
            yield number, _record(line[:LONGEST_LINE], number)


def _record(line: bytes, number: int) -> Record:
    try:
        record = parsed(line, "")
    except CertificateError:
        record = {}
    if not (is_of(record, FIELDS) and _is_possible(record)):
        raise CertificateError(
            "Line {number} is no record of an evaluation. Expected is the records.jsonl that `psmooth evaluate` "
            "writes, as it was written.",
            number=number,
        )
    if record["predicted"] is not None and record["radius"] > _largest_radius(record) + TOLERANCE:
        raise CertificateError(
            "Line {number} states a larger radius than its votes can give. The file was altered or is damaged.",
            number=number,
        )
    return {name: record[name] for name in FIELDS}


def _is_possible(record: Record) -> bool:
    """Whether each field is what it can be: the types were looked at before."""
    counts, predicted, method = record["counts"], record["predicted"], record["method"]
    return (
        bool(_SCAN.fullmatch(record["scan"]) and _RUN.fullmatch(record["run"]))
        and method in GUARANTEES
        and record["guarantee"] in {GUARANTEES[method], "frozen_prompt"}
        and without_mirror(record["denoiser"]) in DENOISERS
        and 0 < record["noise_level"] <= LARGEST_NOISE
        and _are_votes(counts, record["total"])
        and {record["label"], record["clean"] or record["label"]} <= counts.keys()
        and (record["radius"] == 0 if predicted is None else predicted in counts and record["radius"] > 0)
    )


def _are_votes(counts: dict[str, Any], total: int) -> bool:
    return (
        2 <= len(counts) <= MOST_CLASSES
        and all(0 < len(name) <= LONGEST_NAME for name in counts)
        and all(type(votes) is int and votes >= 0 for votes in counts.values())
        and 0 < sum(counts.values()) <= total <= MOST_VOTES
    )


def _largest_radius(record: Record) -> float:
    """That of the shares themselves: the bound of a share lies below it, that of its rivals above theirs.

    Votes that all agree bound the share by α^(1/total) alone; α is not told, but is no larger than a half.
    """
    votes, total = record["counts"][record["predicted"]], record["total"]
    rival = max(count for name, count in record["counts"].items() if name != record["predicted"])
    unanimous = 0.5 ** (1 / total)
    leader, upper = min(votes / total, unanimous), max(rival / total, 1 - unanimous)
    return float(certified_radius(leader, record["noise_level"], upper))


def _facts(record: Record) -> dict[str, Any]:
    """What all lines of a run have in common; the task is known by its classes."""
    classes = tuple(sorted(record["counts"]))
    return {
        **{name: record[name] for name in ("method", "denoiser", "noise_level", "total")},
        "classes": classes,
        "task": next((task.id for task in TASKS.values() if tuple(sorted(task.class_ids)) == classes), None),
    }


def _disagrees(number: int, field: str) -> CertificateError:
    return CertificateError(
        "Line {number} does not agree with the lines before it in its {field}. Bring the records of one evaluation.",
        number=number,
        field=field,
    )
