"""Certifies a folder of labelled scans with many methods from one stream of noise, and adds up what came of it.

It knows nothing about the page. One line of ``records.jsonl`` is written a scan, method, denoiser and noise level, as
it goes; a run that was killed goes on where it stood, because seeds are given and every line is whole or dropped.

Every line names its ``run``, and ``runs.json`` states what that is: all facts that, with the scan, make a record what
it is. They are known before the first vote, so lines made with anything else are never taken for those asked for, and
no row of the summary adds up lines of two runs. A line's radius is that of the one look at the announced end, so class
and radius are computed again from its counts whenever it is read. Device, versions and batch size are no facts: they
may move a vote.
"""

import hashlib
import json
import math
import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TextIO

import numpy as np
import torch
from torch import Tensor

from psmooth._certificate_file import without_doubles
from psmooth.certificate import (
    GUARANTEES,
    TOLERANCE,
    Plan,
    Run,
    Votes,
    best_reading,
)
from psmooth.certify import Progress, certify
from psmooth.errors import CertificateError, ModelError, PlanError, ScanError
from psmooth.files import make_folder, write_whole
from psmooth.intervals import effective_size, interval
from psmooth.models import MedVLM
from psmooth.pools import pool_sha256
from psmooth.prompts import PromptBank, shipped_bank
from psmooth.scans import PICTURES, Crop, crop_scan, open_scan
from psmooth.tasks import Task

RADII = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
RECORD_VERSION = 3  # raised whenever the same facts would give other lines
RECORDS, RUNS, SUMMARY = "records.jsonl", "runs.json", "summary.json"
_LONGEST_WHOLE = 18  # digits of a whole number in a file
_CROP = ("size", "fit", "interpolation")  # of a crop rule, what a run states
_TEXT, _NUMBER, _WHOLE, _LIST, _NONE = (str,), (int, float), (int,), (list,), (NoneType,)
_FIELDS: dict[str, tuple[type, ...]] = {
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
Front = tuple[str, float]  # denoiser, noise level


@dataclass(frozen=True)
class Study:
    """What is to be evaluated, fixed before the first scan; one ``seed`` serves all: their noise still differs.

    ``drawn`` says which of a folder's scans come first where not all are taken; see ``labelled_files``.
    """

    task: Task
    methods: tuple[str, ...]
    denoisers: tuple[str, ...]
    noise_levels: tuple[float, ...]
    plan: Plan
    seed: int = 0
    drawn: Literal["shuffled by the seed", "first by name"] = "shuffled by the seed"


# --- labelled folders


def labelled_files(
    folder: Path, task: Task, most: int | None = None, seed: int | None = None
) -> list[tuple[Path, str]]:
    """Scans in sub-folders named as the class ids, with their class.

    Args:
        folder: of the sub-folders.
        task: whose classes they are.
        most: scans in all, spread evenly over classes, rounded up to the same number a class; None is every scan.
        seed: of the shuffle that says which come first; a larger ``most`` adds to those of a smaller one. None takes
            them by name.

    Raises:
        ScanError: the folder lacks a class.
    """
    each = -(-most // len(task.class_ids)) if most else None
    found = {class_id: pictures_in(folder / class_id) for class_id in task.class_ids}
    if seed is not None:
        for files in found.values():
            random.Random(seed).shuffle(files)
    _check_classes(folder, {class_id: len(files) for class_id, files in found.items()})
    return [(file, class_id) for class_id, files in found.items() for file in files[:each]]


def _check_classes(folder: Path, scans: Mapping[str, int]) -> None:
    if empty := [class_id for class_id, count in scans.items() if not count]:
        raise ScanError(
            "{folder} needs a sub-folder of scans for every class; without scans: {empty}.",
            folder=folder.name,
            empty=", ".join(empty),
        )


def pictures_in(folder: Path) -> list[Path]:
    """The scans under a folder, in order of their names; what systems and programs hide beside them is passed over."""
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if _is_picture(file, folder)}
    return [found[name] for name in sorted(found)]


def _is_picture(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in file.relative_to(folder).parts)
    return file.suffix.lower() in PICTURES and not hidden and file.is_file()


@dataclass(frozen=True)
class Readable:
    """The scans of a folder that count, each picture once: file and class by the sha256 of the crop.

    ``unreadable`` files stand with what is wrong with them, ``repeated`` ones show a picture that counts already. All
    names are paths within the folder.
    """

    seen: Mapping[str, tuple[Path, str]]
    unreadable: tuple[tuple[str, ScanError], ...]
    repeated: tuple[str, ...]

    @property
    def files(self) -> tuple[tuple[Path, str], ...]:
        """The files with their class."""
        return tuple(self.seen.values())


def look_over(model: MedVLM, folder: Path, files: Sequence[tuple[Path, str]], strict: bool = False) -> Readable:
    """Read every scan once before the first vote; a file that cannot be read is left out, or with ``strict`` refused.

    Raises:
        ScanError: the same picture, as the model sees it, lies under two classes; no scan of a class can be read.
    """
    seen: dict[str, tuple[Path, str]] = {}
    unreadable: list[tuple[str, ScanError]] = []
    repeated: list[str] = []
    for file, label in files:
        name = file.relative_to(folder).as_posix()
        try:
            crop = _crop(model, file)
        except ScanError as error:
            if strict:
                raise ScanError("{file}: {reason}", file=name, reason=error) from None
            unreadable.append((name, error))
            continue
        first, known = seen.setdefault(crop.sha256, (file, label))
        if known != label:
            raise ScanError(
                "{first} and {second} are the same picture under two classes. Leave it under the right one.",
                first=first.relative_to(folder).as_posix(),
                second=name,
            )
        if first != file:
            repeated.append(name)
    kept = [label for _, label in seen.values()]
    _check_classes(folder, {label: kept.count(label) for _, label in files})
    return Readable(seen, tuple(unreadable), tuple(repeated))


def read_crops(model: MedVLM, files: Sequence[Path]) -> Tensor:
    """The crops of files as the model sees them, ``(n, 3, size, size)`` uint8.

    Raises:
        ScanError: a file cannot be read; it is named.
    """
    return torch.stack([torch.from_numpy(_named_crop(model, file).pixels.copy()) for file in files])


def refuse_other_scans(
    model: MedVLM, out: Path, task: Task, seen: Mapping[str, tuple[Path, str]], files: Sequence[tuple[Path, str]]
) -> None:
    """Make sure that every scan recorded for this task, cut as for this model, is here, with its class.

    Those that were ``seen`` are known by the sha256 of their crops; if one is left, ``files`` are read.

    Raises:
        CertificateError: the records are of another folder of scans, and one row would add up both.
        ScanError: a scan lies under another class now, and what is recorded of it would be added up all the same.
    """
    crop = {name: getattr(model.crop_rule, name) for name in _CROP}
    runs = {name for name, facts in read_runs(out).items() if (facts["task"], facts["crop"]) == (task.id, crop)}
    left = {record["scan"]: record["label"] for record in whole_records(out / RECORDS) if record["run"] in runs}
    for scan in left.keys() & seen.keys():
        _check_label(*seen[scan], left.pop(scan))
    for file, label in files:
        if not left:
            return
        scan = _sha256_or_none(model, file)
        if scan is not None and scan in left:
            _check_label(file, label, left.pop(scan))
    if left:
        raise CertificateError(
            "{out} holds records of {count} scans that are not in this folder of scans, and a table of both would say "
            "nothing of either. Choose another folder for the records.",
            out=out.name,
            count=len(left),
        )


def _sha256_or_none(model: MedVLM, file: Path) -> str | None:
    """Of the crop; None for a file that cannot be read."""
    try:
        return _crop(model, file).sha256
    except ScanError:
        return None


def _named_crop(model: MedVLM, file: Path) -> Crop:
    try:
        return _crop(model, file)
    except ScanError as error:
        raise ScanError("{file}: {reason}", file=str(file), reason=error) from None


def _crop(model: MedVLM, file: Path) -> Crop:
    return crop_scan(open_scan(file), model.crop_rule)


# --- what makes a record what it is


def announced(model: MedVLM, study: Study, front: Front, banks: Sequence[PromptBank] = ()) -> dict[str, Facts]:
    """The facts of every record behind one denoiser at one noise level, by method, before any vote.

    They are read off a run of its own that is closed before its first vote; it gets a blank scan.
    """
    blank = crop_scan(open_scan(np.zeros((64, 64, 3), np.uint8)), model.crop_rule)
    stream = _stream(model, blank, study, study.methods, front, banks)
    results = next(stream).results
    stream.close()
    return {
        method: _facts(result.run, bank_facts(_bank_of(model, result.run, study.task, banks)), study)
        for method, result in results.items()
    }


def _facts(run: Run, bank: Facts, study: Study) -> Facts:
    return {
        "version": RECORD_VERSION,
        "task": run.task,
        "class_names": list(run.class_names),
        "templates": list(run.templates),
        "model": run.model["id"],
        "model_revision": run.model["revision"],
        "method": run.method,
        **bank,
        "denoiser": run.denoiser,
        "denoiser_sha256": run.denoiser_sha256,
        "noise_level": run.noise_level,
        "plan": run.plan.name,
        "max_votes": run.plan.max_votes,
        "selection_votes": run.plan.selection_votes,
        "failure_probability": run.plan.failure_probability,
        "target_radius": run.plan.target_radius,
        "seed": run.seed,
        "crop": {name: run.preprocessing[name] for name in _CROP},
        "drawn": study.drawn,
    }


def _bank_of(model: MedVLM, run: Run, task: Task, banks: Sequence[PromptBank]) -> PromptBank | None:
    if run.bank is None:
        return None
    source = "few_shot" if run.method == "combined" else run.method
    given = next((bank for bank in banks if bank.sha256 == run.bank["sha256"]), None)
    return given or shipped_bank(model, task, source, run.denoiser)


def bank_facts(bank: PromptBank | None) -> Facts:
    """What a record owes to a bank: votes to its vectors, the kind of guarantee to the crops it was learned on."""
    if bank is None:
        return {"bank": None, "bank_pool": None}
    return {"bank": bank_sha256(bank), "bank_pool": pool_sha256(bank.pool)}


def bank_sha256(bank: PromptBank) -> str:
    """Of what votes depend on: the vectors, their shape, template and noise levels; scores beside them may change."""
    told = [list(bank.vectors.shape), bank.facts.template, list(bank.facts.noise_levels)]
    values = bank.vectors.detach().float().cpu().contiguous().numpy().astype("<f4")
    return hashlib.sha256(json.dumps(told).encode() + values.tobytes()).hexdigest()


def fingerprint(facts: Facts) -> str:
    """The name of a run: the first 16 digits of the sha256 of its facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


# --- certifying


def evaluate(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    study: Study,
    out: Path,
    banks: Sequence[PromptBank] = (),
) -> Iterator[tuple[int, int]]:
    """Certify every scan by every method; all methods of a denoiser share one stream of noise.

    Yields:
        Runs done and planned; a run is one scan at one noise level behind one denoiser.

    Raises:
        CertificateError: the folder holds records that this version cannot have written, or cannot be written to.
        ScanError: a file cannot be read, or its scan was recorded under another class.
    """
    make_folder(out, _no_folder)
    path, fronts = out / RECORDS, list(product(study.denoisers, study.noise_levels))
    known = whole_records(path)
    labels = {record["scan"]: record["label"] for record in known}
    done = set(map(_key, known))
    names = {front: _announce(model, study, front, banks, out) for front in fronts}
    _drop_torn_line(path)
    planned = len(files) * len(fronts)
    with _appended(path) as lines:
        for place, (file, label) in enumerate(files):
            crop = _named_crop(model, file)
            _check_label(file, label, labels.setdefault(crop.sha256, label))
            for step, front in enumerate(fronts):
                yield place * len(fronts) + step, planned
                missing = {method: run for method, run in names[front].items() if (crop.sha256, run) not in done}
                if not missing:
                    continue
                *_, progress = _stream(model, crop, study, tuple(missing), front, banks)
                _check_seed(progress, study.seed)
                records = [_record(progress, method, crop, label, run) for method, run in missing.items()]
                lines.writelines(json.dumps(record) + "\n" for record in records)
                lines.flush()
                done.update(map(_key, records))
    yield planned, planned


def _appended(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise _no_folder(path, error.strerror or str(error)) from None


def _announce(model: MedVLM, study: Study, front: Front, banks: Sequence[PromptBank], out: Path) -> dict[str, str]:
    """Fingerprints by method; what they stand for is written down before any record that names them."""
    facts = announced(model, study, front, banks)
    names = {method: fingerprint(told) for method, told in facts.items()}
    write_runs(out, {**read_runs(out), **{names[method]: told for method, told in facts.items()}})
    return names


def _stream(
    model: MedVLM, crop: Crop, study: Study, methods: Sequence[str], front: Front, banks: Sequence[PromptBank]
) -> Generator[Progress, None, None]:
    denoiser, level = front
    if study.plan.target_radius is not None:
        raise PlanError("target_radius must be None here: every run of an evaluation casts all votes it announces.")
    return certify(
        model, crop, task=study.task, methods=methods, noise_level=level, denoiser=denoiser, banks=banks,
        plan=study.plan, seed=study.seed,
    )  # fmt: skip


def _check_label(file: Path, label: str, recorded: str) -> None:
    if label != recorded:
        raise ScanError(
            "{file} shows a picture that is recorded as '{recorded}' and is now given as '{label}'. Leave it under the "
            "right class, or choose another folder for the records.",
            file=file.name,
            recorded=recorded,
            label=label,
        )


def _check_seed(progress: Progress, seed: int) -> None:
    """A run that began again for lack of memory drew other noise than was announced."""
    if any(int(result.run.seed, 16) != seed for result in progress.results.values()):
        raise ModelError(
            "Memory ran out, and a run that begins again has another seed than the others. Close other programs and "
            "start again: the records so far are kept."
        )


def _record(progress: Progress, method: str, crop: Crop, label: str, run: str) -> Record:
    result = progress.results[method]
    facts = result.to_dict()
    radius = radius_at_end(result.run.plan, result.run.noise_level, result.votes)
    return {
        "scan": crop.sha256,
        "label": label,
        **{name: facts[name] for name in ("method", "denoiser", "noise_level")},
        "clean": progress.clean[method],
        "radius": radius,
        "predicted": result.leader if radius > 0 else None,
        **{name: facts[name] for name in ("guarantee", "counts", "total")},
        "run": run,
    }


def radius_at_end(plan: Plan, noise_level: float, votes: Votes) -> float:
    """The radius of the one look at the announced end; where a run was looked at before is up to the clock."""
    return best_reading(plan, noise_level, replace(votes, best=())).radius


# --- the files


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
            record = _parsed(line, place)
            if not (_is_of(record, _FIELDS) and _belongs(record, runs.get(record["run"], {}))):
                raise _foreign(place)
            _check_conclusion(record, runs[record["run"]], place)
            if labels.setdefault(record["scan"], record["label"]) != record["label"]:
                raise _disagrees(place, "label", record["label"], labels[record["scan"]])
            found.setdefault(_key(record), record)
    return list(found.values())


def _is_of(value: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]]) -> bool:
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
            raise _disagrees(place, "radius", record["radius"], 0.0)
        return
    classes = list(record["counts"])
    if record["predicted"] not in classes:
        raise _disagrees(place, "predicted", record["predicted"], " / ".join(classes))
    chose = tuple(int(name == record["predicted"]) for name in classes)
    counts = tuple(record["counts"].values())
    votes = Votes(chose, counts, record["total"] - sum(counts))
    right = radius_at_end(_plan(facts), facts["noise_level"], votes)
    if right <= 0 or not math.isclose(record["radius"], right, rel_tol=1e-12, abs_tol=TOLERANCE):
        raise _disagrees(place, "radius", record["radius"], right)


def _plan(facts: Facts) -> Plan:
    names = ("max_votes", "failure_probability", "selection_votes", "target_radius")
    return Plan(name=facts["plan"], **{name: facts[name] for name in names})


def _disagrees(place: str, field: str, told: object, right: object) -> CertificateError:
    return CertificateError(
        "{place}: {field} is {told}, but the records give {right}. It was altered or is damaged: choose another folder "
        "for new records.",
        place=place,
        field=field,
        told=told,
        right=right,
    )


def _drop_torn_line(path: Path) -> None:
    if path.is_file() and not (data := path.read_bytes()).endswith(b"\n"):
        write_whole(path, data[: data.rfind(b"\n") + 1], _no_folder)


def _key(record: Record) -> tuple[str, str]:
    return record["scan"], record["run"]


def read_runs(out: Path) -> Runs:
    """What the runs of a folder were made with; raises CertificateError for what this version has not written."""
    if not (out / RUNS).is_file():
        return {}
    runs = _parsed((out / RUNS).read_bytes(), RUNS)
    if not all(_is_run(name, facts) for name, facts in runs.items()):
        raise _foreign(RUNS)
    return runs


def _is_run(name: str, facts: Any) -> bool:
    if not isinstance(facts, dict) or not _is_of(facts, _FACTS) or facts["method"] not in GUARANTEES:
        return False
    try:
        _plan(facts)
        int(facts["seed"], 16)
    except ValueError:  # a PlanError is one
        return False
    return facts["version"] == RECORD_VERSION and fingerprint(facts) == name


def write_runs(out: Path, runs: Runs) -> None:
    """Write the file whole or not at all."""
    write_whole(out / RUNS, (json.dumps(runs, indent=1, ensure_ascii=False) + "\n").encode(), _no_folder)


def _parsed(data: bytes, place: str) -> dict[str, Any]:
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


def _no_folder(path: Path, reason: str) -> CertificateError:
    return CertificateError(
        "The records cannot be written to {path}: {reason}. Choose another folder.", path=str(path), reason=reason
    )


# --- adding up


def by_run(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """Records by run and kind of guarantee, in the order of first appearance: what may be added up."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["run"], record["guarantee"]), []).append(record)
    return groups


def summarise(records: Sequence[Record], runs: Runs) -> list[dict[str, Any]]:
    """One row a run and kind of guarantee, with the facts of the run.

    ``certified`` holds class-balanced certified accuracy by radius with its 95 % interval, whose sample is of
    ``effective_scans``; ``largest_share`` is the share of the class predicted most often among the scans with a radius
    (1 for a constant predictor).
    """
    return [_row(runs[run], run, rows) for (run, _), rows in by_run(records).items()]


def _row(facts: Facts, run: str, rows: list[Record]) -> dict[str, Any]:
    labels = np.array([row["label"] for row in rows])
    predicted = [row["predicted"] for row in rows if row["predicted"] is not None]
    right = np.array([row["predicted"] == row["label"] for row in rows])
    radius = np.array([row["radius"] for row in rows])
    clean = np.array([row["clean"] == row["label"] for row in rows])
    size = effective_size(np.unique(labels, return_counts=True)[1].tolist())
    return {
        "method": facts["method"],
        "denoiser": facts["denoiser"],
        "noise_level": facts["noise_level"],
        "guarantee": rows[0]["guarantee"],
        "scans": len(rows),
        "classes": len(np.unique(labels)),
        "effective_scans": size,
        "clean": _balanced(clean, labels),
        "abstained": 1 - len(predicted) / len(rows),
        "largest_share": max((predicted.count(name) for name in set(predicted)), default=0) / max(1, len(predicted)),
        "certified": {f"{r:g}": with_interval(_balanced(right & (radius > r), labels), size) for r in RADII},
        "run": run,
        **facts,
    }


def _balanced(hits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([hits[labels == name].mean() for name in np.unique(labels)]))


def with_interval(share: float, size: float) -> list[float]:
    """The share and the ends of its interval, at four digits; the ends are rounded outwards."""
    low, high = interval(share, size)
    return [round(share, 4), math.floor(1e4 * low) / 1e4, math.ceil(1e4 * high) / 1e4]


def certified_curve(records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Radii at which class-balanced certified accuracy falls, from 0 up, and the accuracy from each of them on."""
    labels = np.array([record["label"] for record in records])
    right = np.array([record["predicted"] == record["label"] for record in records])
    radius = np.array([record["radius"] for record in records])
    steps = [0.0, *sorted(set(radius[right & (radius > 0)].tolist()))]
    return steps, [_balanced(right & (radius > step), labels) for step in steps]


def write_summary(out: Path) -> list[dict[str, Any]]:
    """Add up the records of a folder into its ``summary.json``."""
    rows = summarise(whole_records(out / RECORDS), read_runs(out))
    write_whole(out / SUMMARY, (json.dumps(rows, indent=1) + "\n").encode(), _no_folder)
    return rows
