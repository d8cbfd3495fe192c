"""Attacks a folder of labelled scans, one record a scan, method, denoiser and noise level as it goes.

It knows nothing about the page. Files, runs and resuming are those of `psmooth.smoothing.evaluation`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from psmooth.attack.attacking import AttackProgress, Effort, attack_result
from psmooth.attack.plain import PlainProgress
from psmooth.attack.reading import whole_attacks
from psmooth.attack.records import attack_facts, effort_facts, gradient_facts
from psmooth.attack.target import Target
from psmooth.certificate import conclude
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank
from psmooth.smoothing.certification import Progress, certify_request, resolve
from psmooth.smoothing.evaluation import Evaluating, EvaluationPlan, check_seed, record_of
from psmooth.smoothing.records import Facts, Record
from psmooth.smoothing.spreading import Condition, Job, Part, Spread, in_turn, recorded

ATTACK_VERSION = 2  # raised whenever the same facts would give other records

Fallen = list[tuple[Tensor, PlainProgress]]  # class vectors, and how the plain model fell under them


@dataclass(frozen=True, eq=False)
class Attacking:
    """The ``Work`` of attacking a folder: every scan is certified and attacked by every method that is asked for."""

    asked: EvaluationPlan
    effort: Effort
    banks: tuple[PromptBank, ...] = ()

    def facts(self, model: MedVLM) -> dict[Condition, dict[str, Facts]]:
        """Those of an evaluation, and what of the attack decides what a record says."""
        attack = {"attack_version": ATTACK_VERSION, **effort_facts(self.effort), **gradient_facts(model.precision)}
        certified = Evaluating(self.asked, self.banks).facts(model)
        return {
            condition: {method: {**one, "attack": attack} for method, one in facts.items()}
            for condition, facts in certified.items()
        }

    def parts(self, model: MedVLM, job: Job, batch_size: int | None = None) -> Iterator[Part]:
        """The records of a scan, one at a time; the plain model's falls are kept from one condition to the next."""
        fallen: Fallen = []
        for condition, missing in job.missing.items():
            for record in self._attacked(model, job, condition, missing, fallen, batch_size):
                yield [record], 0
            yield [], 1

    def _attacked(
        self,
        model: MedVLM,
        job: Job,
        condition: Condition,
        missing: Mapping[str, str],
        fallen: Fallen,
        batch_size: int | None,
    ) -> Iterator[Record]:
        """The records of a scan under one condition; the plain model's falls are added to ``fallen``.

        The plain model knows neither noise nor denoiser: under the same class vectors it falls at the same change.
        """
        if not missing:
            return
        denoiser, level = condition
        request = resolve(
            model, job.crop, task=self.asked.task, methods=tuple(missing), noise_level=level, denoiser=denoiser,
            banks=self.banks, plan=self.asked.plan, seed=self.asked.seed, batch_size=batch_size,
        )  # fmt: skip
        request = replace(request, noise=self.asked.noise)
        with closing(certify_request(request)) as steps:
            *_, progress = steps
        check_seed(progress, self.asked.seed)
        for method, run in missing.items():
            target = Target(replace(request, contenders={method: request.contenders[method]}))
            record = record_of(progress, method, job.crop, job.label, run)
            vectors = target.plain_vectors()
            known = next((plain for seen, plain in fallen if torch.equal(seen, vectors)), None)
            now = replace(_certified(progress, method), plain=known)
            with closing(attack_result(target, now, replace(self.effort, points=0), time.perf_counter())) as attacks:
                *_, last = attacks
            if last.plain is not None and known is None:
                fallen.append((vectors, last.plain))
            yield {**record, **attack_facts(last)}


def attack_folder(
    model: MedVLM,
    files: Sequence[tuple[Path, str]],
    asked: EvaluationPlan,
    effort: Effort,
    out: Path,
    banks: Sequence[PromptBank] = (),
    spread: Spread = in_turn,
) -> Iterator[tuple[int, int]]:
    """Certify and attack every scan by every method; all methods of a denoiser share one stream of votes.

    A run that was killed goes on where it stood: seeds are given, and every line is whole or dropped.

    Yields:
        Attacked scans and planned ones; one is a scan at one noise level behind one denoiser, with all methods.

    Raises:
        CertificateError: the folder holds records that this version cannot have written, or cannot be written to.
        ScanError: a file cannot be read, or its scan was recorded under another class.
    """
    return recorded(model, files, Attacking(asked, effort, tuple(banks)), out, whole_attacks, spread)


def _certified(progress: Progress, method: str) -> AttackProgress:
    """The state of an attack once the crop is certified: by the one look at the announced end, as records are."""
    result = progress.results[method]
    at_end = conclude(result.run, replace(result.votes, best=()))
    return AttackProgress(
        "certify", progress.votes, progress.planned, 0.0, progress.clean[method], result.leader, at_end
    )
