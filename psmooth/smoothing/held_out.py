"""Learns a bank and scores it on scans that were held out, beside hand-written prompts on the same noisy copies.

It knows nothing about pages, zips or how a bank is learned.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from psmooth.certificate import Certificate, Plan
from psmooth.learning.from_folders import Gathered, TrainingProgress, hold_out, learn_from_scans
from psmooth.learning.held_out import HeldOut, Scores, Share, Shortage
from psmooth.methods import Way
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank
from psmooth.runtime import best_batch_size
from psmooth.scans import Crop
from psmooth.scans.crop import crop_sha256
from psmooth.smoothing.certification import Progress, certify
from psmooth.smoothing.intervals import interval
from psmooth.tasks import Task, own_task

PLAN = Plan(max_votes=128, selection_votes=32)  # a few seconds for all scans that are held out

SEED = 0  # the noise of two scans differs all the same


def learn_and_score(
    model: MedVLM,
    gathered: Gathered,
    task: Task | None,
    way: Way,
    denoiser: str,
    *,
    shots: int = 16,
    noise_level: float = 0.25,
    seed: int = 0,
) -> Iterator[TrainingProgress]:
    """As ``learn_from_scans`` of those scans that are not held out; then the others are certified by what was learned.

    Raises:
        PsmoothError: as ``learn_from_scans``.
    """
    kept, held = hold_out(gathered, task, way.method, seed)
    for step in learn_from_scans(model, kept, task, way.method, denoiser, shots, seed, way.closed_form):
        if step.bank is None:
            yield step
        elif isinstance(held, Shortage):
            yield replace(step, shortage=held)
        else:
            yield from _scored(model, held, _task_of(task, step.bank), denoiser, noise_level, step)


def _task_of(task: Task | None, bank: PromptBank) -> Task:
    return task or own_task(list(bank.facts.class_names), bank.facts.template)


def _scored(
    model: MedVLM, held: HeldOut, task: Task, denoiser: str, noise_level: float, learned: TrainingProgress
) -> Iterator[TrainingProgress]:
    """The bank is there from the first step on; the last one has the scores."""
    bank, count = learned.bank, len(held.labels)
    assert bank is not None
    methods = "template", bank.facts.method
    batch = best_batch_size(model)  # asked for once: on a busy machine its trial is not remembered
    options: dict[str, Any] = {"methods": methods, "banks": (bank,), "denoiser": denoiser, "noise_level": noise_level}
    ends: list[Progress] = []
    for pixels in held.crops.numpy():
        crop = Crop(pixels, model.crop_rule, crop_sha256(pixels))
        latest: list[Progress] = []
        with closing(certify(model, crop, task=task, plan=PLAN, seed=SEED, batch_size=batch, **options)) as steps:
            for step in steps:
                latest = [step]
                yield replace(learned, phase="scoring", done=len(ends), planned=count)
        ends += latest
    wanted = [task.class_ids[label] for label in held.labels]
    before, after = (_shares(ends, method, wanted) for method in methods)
    each, alpha = count // len(task.class_ids), PLAN.failure_probability
    pairs = {"right": (before[0], after[0]), "certified": (before[1], after[1])}
    yield replace(learned, scores=Scores(count, each, PLAN.max_votes, noise_level, alpha, **pairs))


def _shares(ends: Sequence[Progress], method: str, wanted: Sequence[str]) -> tuple[Share, Share]:
    """How often the class is named without noise, and how often a certificate names it."""
    results = [end.results[method] for end in ends]
    right = [end.clean[method] == name for end, name in zip(ends, wanted, strict=True)]
    certified = [isinstance(one, Certificate) and one.leader == name for one, name in zip(results, wanted, strict=True)]
    return _share(right), _share(certified)


def _share(hits: list[bool]) -> Share:
    return Share(sum(hits), *interval(sum(hits) / len(hits), len(hits)))
