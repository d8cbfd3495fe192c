"""Reads and writes the records of an evaluation: a line a run and scan, and what each run is.

It knows nothing about models or scans: a line is believed as far as its counts give what it says.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Any, TextIO

from psmooth.certificate import GUARANTEES, TOLERANCE, Plan, Votes, best_reading
from psmooth.certificate.file import without_doubles
from psmooth.errors import CertificateError
from psmooth.files import write_whole

RECORD_VERSION = 3  # raised whenever the same facts would give other lines

RECORDS, RUNS, SUMMARY = "records.jsonl", "runs.json", "summary.json"

_LONGEST_WHOLE = 18  # digits of a whole number in a file

_TEXT, _NUMBER, _WHOLE, _LIST, _NONE = (str,), (int, float), (int,), (list,), (NoneType,)

FIELDS: dict[str, tuple[type, ...]] = {
    "scan": _TEXT, "label": _TEXT, "method": _TEXT, "denoiser": _TEXT, "noise_level": _NUMBER, "clean": _TEXT,
    "radius": _NUMBER, "predicted": _TEXT + _NONE, "guarantee": _TEXT, "counts": (dict,), "total": _WHOLE, "run": _TEXT,
}  # fmt: skip

_FACTS: dict[str, tuple[type, ...]] = {
    "version": _WHOLE, "task": _TEXT, "class_names": _LIST, "templates": _LIST, "model": _TEXT,
    "model_revision": _TEXT, "method": _TEXT, "bank": _TEXT + _NONE, "bank_pool": _TEXT + _NONE, "denoiser": _TEXT,
    "denoiser_sha256": _TEXT + _NONE, "noise_level": _NUMBER, "plan": _TEXT, "max_votes": _WHOLE,
    "selection_votes": _WHOLE, "failure_probability": _NUMBER, "target_radius": _NONE, "seed": _TEXT,
    "crop": (dict,), "drawn": _TEXT,
}  # fmt: skip

Record = dict[str, Any]

Facts = dict[str, Any]

Runs = dict[str, Facts]  # by fingerprint


def fingerprint(facts: Facts) -> str:
    """The name of a run: the first 16 digits of the sha256 of its facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def open_to_append(path: Path) -> Iterator[TextIO]:
    """A file that lines are added to; raises CertificateError if it cannot be opened, or its disk becomes full."""
    try:
        with path.open("a", encoding="utf-8") as lines:
            yield lines
    except OSError as error:  # nothing else that is done meanwhile raises one
        raise no_folder(path, error.strerror or str(error)) from None


def radius_at_end(plan: Plan, noise_level: float, votes: Votes) -> float:
    """The radius of the one look at the announced end; where a run was looked at before is up to the clock."""
    return best_reading(plan, noise_level, replace(votes, best=())).radius


def whole_records(path: Path) -> list[Record]:
    """The records of a file, each scan and run once; a last line that a kill cut short is none.

    Raises:
        CertificateError: a line is no record, its run is not described beside it, what it concludes does not follow
            from its counts, or its scan stands under another class in a line before.
    """
    if not path.is_file():
        return []
    runs = read_runs(path.parent)
    found: dict[tuple[str, str], Record] = {}
    labels: dict[str, str] = {}
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if line.endswith(b"\n"):
            place = f"{path.name}:{number}"
            record = parsed(line, place)
            if not (is_of(record, FIELDS) and _belongs(record, runs.get(record["run"], {}))):
                raise _foreign(place)
            _check_conclusion(record, runs[record["run"]], place)
            if labels.setdefault(record["scan"], record["label"]) != record["label"]:
                raise disagrees(place, "label", record["label"], labels[record["scan"]])
            found.setdefault(key_of(record), record)
    return list(found.values())


def is_of(value: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]]) -> bool:
    """Whether all of these are there, each of its kind; JSON gives these very types, and true is no number."""
    return all(name in value and type(value[name]) in kind for name, kind in kinds.items())


def _belongs(record: Record, facts: Facts) -> bool:
    """Whether a record can be one of the run: what both state, its classes, its votes and its kind of guarantee."""
    counts, total, method = record["counts"], record["total"], record["method"]
    return (
        all(record[name] == facts.get(name) for name in ("method", "denoiser", "noise_level"))
        and len(counts) == len(facts["class_names"])
        and all(type(votes) is int and votes >= 0 for votes in counts.values())
        and sum(counts.values()) <= total == facts["max_votes"]
        and {record["label"], record["clean"] or record["label"]} <= counts.keys()
        and record["guarantee"] in _guarantees(method, facts)
    )


def _guarantees(method: str, facts: Facts) -> set[str]:
    """Those that a record of the run may have: what was learned may have been learned on the scan."""
    learned = facts["bank"] is not None or facts["denoiser_sha256"] is not None
    return {GUARANTEES[method], "frozen_prompt"} if learned else {GUARANTEES[method]}


def _check_conclusion(record: Record, facts: Facts, place: str) -> None:
    """Compute class and radius from the counts; which class an abstention was about is not recorded."""
    if record["predicted"] is None:
        if record["radius"] != 0:
            raise disagrees(place, "radius", record["radius"], 0.0)
        return
    classes = list(record["counts"])
    if record["predicted"] not in classes:
        raise disagrees(place, "predicted", record["predicted"], " / ".join(classes))
    chose = tuple(int(name == record["predicted"]) for name in classes)
    counts = tuple(record["counts"].values())
    votes = Votes(chose, counts, record["total"] - sum(counts))
    right = radius_at_end(_plan(facts), facts["noise_level"], votes)
    if right <= 0 or not math.isclose(record["radius"], right, rel_tol=1e-12, abs_tol=TOLERANCE):
        raise disagrees(place, "radius", record["radius"], right)


def _plan(facts: Facts) -> Plan:
    names = ("max_votes", "failure_probability", "selection_votes", "target_radius")
    return Plan(name=facts["plan"], **{name: facts[name] for name in names})


def disagrees(place: str, field: str, told: object, right: object) -> CertificateError:
    return CertificateError(
        "{place}: {field} is {told}, but the records give {right}. It was altered or is damaged: choose another folder "
        "for new records.",
        place=place,
        field=field,
        told=told,
        right=right,
    )


def drop_torn_line(path: Path) -> None:
    if path.is_file() and not (data := path.read_bytes()).endswith(b"\n"):
        write_whole(path, data[: data.rfind(b"\n") + 1], no_folder)


def key_of(record: Record) -> tuple[str, str]:
    return record["scan"], record["run"]


def read_runs(out: Path) -> Runs:
    """What the runs of a folder were made with; raises CertificateError for what this version has not written."""
    if not (out / RUNS).is_file():
        return {}
    runs = parsed((out / RUNS).read_bytes(), RUNS)
    if not all(_is_run(name, facts) for name, facts in runs.items()):
        raise _foreign(RUNS)
    return runs


def _is_run(name: str, facts: Any) -> bool:
    if not isinstance(facts, dict) or not is_of(facts, _FACTS) or facts["method"] not in GUARANTEES:
        return False
    if not all(type(facts.get(name, "")) is str for name in ("precision", "noise")):
        return False
    try:
        _plan(facts)
        int(facts["seed"], 16)
    except ValueError:  # a PlanError is one
        return False
    return facts["version"] == RECORD_VERSION and fingerprint(facts) == name


def write_runs(out: Path, runs: Runs) -> None:
    """Write the file whole or not at all."""
    write_whole(out / RUNS, (json.dumps(runs, indent=1, ensure_ascii=False) + "\n").encode(), no_folder)


def parsed(data: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(
            data, parse_int=_whole, parse_float=_finite, parse_constant=_finite, object_pairs_hook=without_doubles
        )
    except (ValueError, RecursionError, CertificateError):
        raise _foreign(place) from None
    if not isinstance(value, dict):
        raise _foreign(place)
    return value


def _whole(text: str) -> int:
    """A whole number that a float can hold; JSON may have one of any length."""
    if len(text) > _LONGEST_WHOLE:
        raise ValueError(text)
    return int(text)


def _finite(text: str) -> float:
    """A number; NaN and Infinity, which JSON does not have but Python reads, are none, and nor is 1e400."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _foreign(place: str) -> CertificateError:
    return CertificateError(
        "{place} was altered or written by another version of psmooth, so it cannot be added up with new records. "
        "Choose another folder for them.",
        place=place,
    )


def no_folder(path: Path, reason: str) -> CertificateError:
    return CertificateError(
        "The records cannot be written to {path}: {reason}. Choose another folder.", path=str(path), reason=reason
    )
