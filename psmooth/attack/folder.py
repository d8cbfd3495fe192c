"""Attacks a folder of labelled scans, one record a scan, method, denoiser and noise level as it goes.

It knows nothing about the page. Files, runs and resuming are those of `psmooth.smoothing.evaluation`.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from psmooth.attack.attacking import AttackProgress, Effort, attack_result
from psmooth.attack.plain import PlainProgress
from psmooth.attack.reading import whole_attacks
from psmooth.attack.records import attack_facts, effort_facts, gradient_facts
from psmooth.attack.target import Target
from psmooth.certificate import conclude
from psmooth.files import make_folder
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank
from psmooth.scans import Crop
from psmooth.smoothing.certification import Progress, certify_request, resolve
from psmooth.smoothing.evaluation import EvaluationPlan, announce, announced, check_label, check_seed, record_of
from psmooth.smoothing.labelled import named_crop
from psmooth.smoothing.records import (
    RECORDS,
    drop_torn_line,
    key_of,
    no_folder,
    open_to_append,
)

ATTACK_VERSION = 2  # raised whenever the same facts would give other records

Fallen = list[tuple[Tensor, PlainProgress]]  # class vectors, and how the plain model fell under them


def attack_folder(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    asked: EvaluationPlan,
    effort: Effort,
    out: Path,
    banks: Sequence[PromptBank] = (),
) -> Iterator[tuple[int, int]]:
    """Certify and attack every scan by every method; all methods of a denoiser share one stream of votes.

    A run that was killed goes on where it stood: seeds are given, and every line is whole or dropped.

    Yields:
        Attacked scans and planned ones; one is a scan at one noise level behind one denoiser, with all methods.

    Raises:
        CertificateError: the folder holds records that this version cannot have written, or cannot be written to.
        ScanError: a file cannot be read, or its scan was recorded under another class.
    """
    make_folder(out, no_folder)
    path, conditions = out / RECORDS, list(product(asked.denoisers, asked.noise_levels))
    known = whole_attacks(path)
    labels, done = {record["scan"]: record["label"] for record in known}, set(map(key_of, known))
    attack = {"attack_version": ATTACK_VERSION, **effort_facts(effort), **gradient_facts(model.precision)}
    names: dict[tuple[str, float], dict[str, str]] = {}
    for condition in conditions:
        facts = announced(model, asked, condition, banks)
        names[condition] = announce(out, {method: {**one, "attack": attack} for method, one in facts.items()})
    drop_torn_line(path)
    planned = len(files) * len(conditions)
    with open_to_append(path) as lines:
        for place, (file, label) in enumerate(files):
            crop = named_crop(model, file)
            check_label(file, label, labels.setdefault(crop.sha256, label))
            fallen: Fallen = []
            for step, condition in enumerate(conditions):
                yield place * len(conditions) + step, planned
                missing = {method: run for method, run in names[condition].items() if (crop.sha256, run) not in done}
                for record in _attacked(model, crop, label, asked, condition, missing, effort, banks, fallen):
                    lines.write(json.dumps(record) + "\n")
                    lines.flush()
                    done.add(key_of(record))
    yield planned, planned


def _attacked(
    model: MedVLM,
    crop: Crop,
    label: str,
    asked: EvaluationPlan,
    condition: tuple[str, float],
    missing: dict[str, str],
    effort: Effort,
    banks: Sequence[PromptBank],
    fallen: Fallen,
) -> Iterator[dict[str, Any]]:
    """The records of one scan at one noise level behind one denoiser; to ``fallen`` the plain model's falls are added.

    The plain model knows neither noise nor denoiser: under the same class vectors it falls at the same change.
    """
    if not missing:
        return
    denoiser, level = condition
    request = resolve(
        model, crop, task=asked.task, methods=tuple(missing), noise_level=level, denoiser=denoiser, banks=banks,
        plan=asked.plan, seed=asked.seed,
    )  # fmt: skip
    with closing(certify_request(request)) as steps:
        *_, progress = steps
    check_seed(progress, asked.seed)
    for method, run in missing.items():
        target = Target(replace(request, contenders={method: request.contenders[method]}))
        record = record_of(progress, method, crop, label, run)
        vectors = target.plain_vectors()
        known = next((plain for seen, plain in fallen if torch.equal(seen, vectors)), None)
        now = replace(_certified(progress, method), plain=known)
        with closing(attack_result(target, now, replace(effort, points=0), time.perf_counter())) as attacks:
            *_, last = attacks
        if last.plain is not None and known is None:
            fallen.append((vectors, last.plain))
        yield {**record, **attack_facts(last)}


def _certified(progress: Progress, method: str) -> AttackProgress:
    """The state of an attack once the crop is certified: by the one look at the announced end, as records are."""
    result = progress.results[method]
    at_end = conclude(result.run, replace(result.votes, best=()))
    return AttackProgress(
        "certify", progress.votes, progress.planned, 0.0, progress.clean[method], result.leader, at_end
    )
