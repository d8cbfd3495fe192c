"""Certifies a folder of labelled scans with many methods from one stream of noise, and adds up what came of it.

It knows nothing about the page. One line of ``records.jsonl`` is written a scan, method, denoiser and noise level, as
it goes; a run that was killed goes on where it stood, because seeds are given and every line is whole or dropped.

Every line names its ``run``, and ``runs.json`` states what that is: all facts that, with the scan, make a record what
it is. They are known before the first vote, so lines made with anything else are never taken for those asked for, and
no row of the summary adds up lines of two runs. A line's radius is that of the one look at the announced end, so class
and radius are computed again from its counts whenever it is read. Device, versions and batch size are no facts: they
may move a vote. A ``precision`` that was asked for is one, and so is the scheme of the ``noise``.
"""

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np

from psmooth.certificate import Plan, Run
from psmooth.errors import CertificateError, ModelError, PlanError
from psmooth.methods import METHODS
from psmooth.models import RUNTIMES, MedVLM
from psmooth.noise import SCHEME, UNNAMED, Scheme
from psmooth.prompts import PromptBank, shipped_bank
from psmooth.scans import Crop, crop_scan, open_scan
from psmooth.scans.pool import pool_sha256
from psmooth.smoothing.certification import Progress, certify_request, resolve
from psmooth.smoothing.labelled import sha256_or_none
from psmooth.smoothing.records import (
    RECORD_VERSION,
    RECORDS,
    Facts,
    Record,
    radius_at_end,
    read_runs,
    whole_records,
)
from psmooth.smoothing.spreading import Condition, Job, Part, Spread, check_label, in_turn, recorded
from psmooth.tasks import Task

_CROP = ("size", "fit", "interpolation")  # of a crop rule, what a run states


@dataclass(frozen=True)
class EvaluationPlan:
    """What is to be evaluated, fixed before the first scan; one ``seed`` serves all: their noise still differs.

    ``drawn`` says which of a folder's scans come first where not all are taken; see ``labelled_files``. ``noise`` is
    how random bits are made; ``scheme_in`` says how those of records were that are to go on.
    """

    task: Task
    methods: tuple[str, ...]
    denoisers: tuple[str, ...]
    noise_levels: tuple[float, ...]
    plan: Plan
    seed: int = 0
    drawn: Literal["shuffled by the seed", "first by name"] = "shuffled by the seed"
    noise: Scheme = SCHEME


def scheme_in(out: Path) -> Scheme:
    """How noise is drawn for the records of a folder: as of old, where all that lie there are of before a choice.

    Raises:
        CertificateError: the folder holds records that this version cannot have written.
    """
    runs = read_runs(out).values()
    return UNNAMED if runs and all("noise" not in facts for facts in runs) else SCHEME


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
        check_label(*seen[scan], left.pop(scan))
    for file, label in files:
        if not left:
            return
        scan = sha256_or_none(model, file)
        if scan is not None and scan in left:
            check_label(file, label, left.pop(scan))
    if left:
        raise CertificateError(
            "{out} holds records of {count} scans that are not in this folder of scans, and a table of both would say "
            "nothing of either. Choose another folder for the records.",
            out=out.name,
            count=len(left),
        )


def announced(
    model: MedVLM, asked: EvaluationPlan, condition: Condition, banks: Sequence[PromptBank] = ()
) -> dict[str, Facts]:
    """The facts of every record behind one denoiser at one noise level, by method, before any vote.

    They are read off a run of its own that is closed before its first vote; it gets a blank scan, and a batch size that
    needs no trial.
    """
    blank = crop_scan(open_scan(np.zeros((64, 64, 3), np.uint8)), model.crop_rule)
    stream = _stream(model, blank, asked, asked.methods, condition, banks, batch_size=1)
    results = next(stream).results
    stream.close()
    return {
        method: _facts(result.run, bank_facts(_bank_of(model, result.run, asked.task, banks)), asked)
        for method, result in results.items()
    }


def _facts(run: Run, bank: Facts, asked: EvaluationPlan) -> Facts:
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
        "drawn": asked.drawn,
        **({"precision": run.precision} if run.precision in RUNTIMES else {}),
        **({"noise": run.noise} if run.noise != UNNAMED else {}),
    }


def _bank_of(model: MedVLM, run: Run, task: Task, banks: Sequence[PromptBank]) -> PromptBank | None:
    if run.bank is None:
        return None
    given = next((bank for bank in banks if bank.sha256 == run.bank["sha256"]), None)
    return given or shipped_bank(model, task, METHODS[run.method].bank or run.method, run.denoiser)


def bank_facts(bank: PromptBank | None) -> Facts:
    """What a record owes to a bank: votes to its vectors, the kind of guarantee to the crops it was learned on."""
    if bank is None:
        return {"bank": None, "bank_pool": None}
    return {"bank": bank_sha256(bank), "bank_pool": pool_sha256(bank.pool)}


def bank_sha256(bank: PromptBank) -> str:
    """Of what votes depend on: the vectors, their shape, template and noise levels; scores beside them may change."""
    about = [list(bank.vectors.shape), bank.facts.template, list(bank.facts.noise_levels)]
    values = bank.vectors.detach().float().cpu().contiguous().numpy().astype("<f4")
    return hashlib.sha256(json.dumps(about).encode() + values.tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Evaluating:
    """The ``Work`` of an evaluation: every scan by every method that is asked for."""

    asked: EvaluationPlan
    banks: tuple[PromptBank, ...] = ()

    def facts(self, model: MedVLM) -> dict[Condition, dict[str, Facts]]:
        """Those of every record, by condition and method, before any vote."""
        conditions = product(self.asked.denoisers, self.asked.noise_levels)
        return {condition: announced(model, self.asked, condition, self.banks) for condition in conditions}

    def parts(self, model: MedVLM, job: Job, batch_size: int | None = None) -> Iterator[Part]:
        """The records of a scan, a condition at a time; all methods of a denoiser share one stream of noise."""
        for condition, missing in job.missing.items():
            records = []
            if missing:
                *_, progress = _stream(model, job.crop, self.asked, tuple(missing), condition, self.banks, batch_size)
                check_seed(progress, self.asked.seed)
                records = [record_of(progress, method, job.crop, job.label, run) for method, run in missing.items()]
            yield records, 1


def evaluate(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    asked: EvaluationPlan,
    out: Path,
    banks: Sequence[PromptBank] = (),
    spread: Spread = in_turn,
) -> Iterator[tuple[int, int]]:
    """Certify every scan by every method; all methods of a denoiser share one stream of noise.

    Yields:
        Runs done and planned; a run is one scan at one noise level behind one denoiser.

    Raises:
        CertificateError: the folder holds records that this version cannot have written, or cannot be written to.
        ScanError: a file cannot be read, or its scan was recorded under another class.
    """
    return recorded(model, files, Evaluating(asked, tuple(banks)), out, whole_records, spread)


def _stream(
    model: MedVLM,
    crop: Crop,
    asked: EvaluationPlan,
    methods: Sequence[str],
    condition: Condition,
    banks: Sequence[PromptBank],
    batch_size: int | None,
) -> Generator[Progress, None, None]:
    denoiser, level = condition
    if asked.plan.target_radius is not None:
        raise PlanError("target_radius must be None here: every run of an evaluation casts all votes it announces.")
    if asked.plan.tolerance is not None:
        raise PlanError("tolerance must be None here: every run of an evaluation casts all votes it announces.")
    request = resolve(
        model, crop, task=asked.task, methods=methods, noise_level=level, denoiser=denoiser, banks=banks,
        plan=asked.plan, seed=asked.seed, batch_size=batch_size,
    )  # fmt: skip
    return certify_request(replace(request, noise=asked.noise))


def check_seed(progress: Progress, seed: int) -> None:
    """A run that began again for lack of memory drew other noise than was announced."""
    if any(int(result.run.seed, 16) != seed for result in progress.results.values()):
        raise ModelError(
            "Memory ran out, and a run that begins again has another seed than the others. Close other programs and "
            "start again: the records so far are kept."
        )


def record_of(progress: Progress, method: str, crop: Crop, label: str, run: str) -> Record:
    """The line of a finished run."""
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
