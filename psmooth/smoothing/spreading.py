"""Goes through labelled scans, has what is missing of each made, and writes records as they come, in order.

It knows nothing about how a record is made, or in which process.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from psmooth.errors import ScanError
from psmooth.files import make_folder
from psmooth.models import MedVLM
from psmooth.scans import Crop
from psmooth.smoothing.labelled import named_crop
from psmooth.smoothing.records import (
    RECORDS,
    Facts,
    Record,
    drop_torn_line,
    fingerprint,
    key_of,
    no_folder,
    open_to_append,
    read_runs,
    write_runs,
)

Condition = tuple[str, float]  # denoiser, noise level

Part = tuple[list[Record], int]  # new records, and how many conditions of the scan are over with them


@dataclass(frozen=True, eq=False)
class Job:
    """A scan and what is missing of it: by condition, the names of the runs by method."""

    crop: Crop
    label: str
    missing: Mapping[Condition, Mapping[str, str]]


class Work(Protocol):
    """What is to be done with every scan; it can be sent to another machine, to a model of the same name there."""

    def facts(self, model: MedVLM) -> dict[Condition, dict[str, Facts]]:
        """Those of every record, by condition and method, before any vote."""
        ...

    def parts(self, model: MedVLM, job: Job, batch_size: int | None = None) -> Iterator[Part]:
        """The records that are missing of a scan, as they come; without ``batch_size`` the fastest here."""
        ...


class Spread(Protocol):
    """Has jobs done somewhere and gives their parts in the order of the jobs, one job's after another's."""

    def __call__(self, model: MedVLM, work: Work, jobs: Iterator[Job]) -> Generator[Part, None, None]: ...


def in_turn(model: MedVLM, work: Work, jobs: Iterator[Job]) -> Generator[Part, None, None]:
    """One scan after another in this process; a ``Spread``."""
    for job in jobs:
        yield from work.parts(model, job)


def recorded(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    work: Work,
    out: Path,
    read: Callable[[Path], Sequence[Mapping[str, Any]]],
    spread: Spread = in_turn,
) -> Iterator[tuple[int, int]]:
    """Write the records of all scans that ``out`` lacks; ``read`` gives those that it has, or refuses them.

    Yields:
        Runs done and planned; a run is one scan at one noise level behind one denoiser.

    Raises:
        CertificateError: the folder holds records that this version cannot have written, or cannot be written to.
        ScanError: a file cannot be read, or its scan was recorded under another class.
    """
    make_folder(out, no_folder)
    known = read(out / RECORDS)
    names = {condition: announce(out, facts) for condition, facts in work.facts(model).items()}
    drop_torn_line(out / RECORDS)
    done, planned = 0, len(files) * len(names)
    with (
        open_to_append(out / RECORDS) as lines,
        closing(spread(model, work, _jobs(model, files, names, known))) as parts,
    ):
        yield done, planned
        for records, over in parts:
            lines.writelines(json.dumps(record) + "\n" for record in records)
            lines.flush()
            if over:
                done += over
                yield done, planned


def _jobs(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    names: Mapping[Condition, Mapping[str, str]],
    known: Sequence[Mapping[str, Any]],
) -> Iterator[Job]:
    """Every scan with what is neither recorded nor on its way."""
    labels = {record["scan"]: record["label"] for record in known}
    begun = {key_of(dict(record)) for record in known}
    for file, label in files:
        crop = named_crop(model, file)
        check_label(file, label, labels.setdefault(crop.sha256, label))
        missing = {
            condition: {method: run for method, run in runs.items() if (crop.sha256, run) not in begun}
            for condition, runs in names.items()
        }
        begun |= {(crop.sha256, run) for runs in missing.values() for run in runs.values()}
        yield Job(crop, label, missing)


def announce(out: Path, facts: Mapping[str, Facts]) -> dict[str, str]:
    """Fingerprints by method; what they stand for is written down before any record that names them."""
    names = fingerprints(facts)
    write_runs(out, {**read_runs(out), **{names[method]: one for method, one in facts.items()}})
    return names


def fingerprints(facts: Mapping[str, Facts]) -> dict[str, str]:
    """Those of runs, by method."""
    return {method: fingerprint(one) for method, one in facts.items()}


def check_label(file: Path, label: str, recorded: str) -> None:
    """Raise ScanError where a scan is recorded under another class."""
    if label != recorded:
        raise ScanError(
            "{file} shows a picture that is recorded as '{recorded}' and is now given as '{label}'. Leave it under the "
            "right class, or choose another folder for the records.",
            file=file.name,
            recorded=recorded,
            label=label,
        )
