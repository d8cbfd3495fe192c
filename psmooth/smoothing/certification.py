"""Lets noisy copies of a scan vote, and says at every moment what those votes certify.

It knows nothing about files, pages or where a model comes from.

This is CERTIFY of Cohen, Rosenfeld & Kolter 2019 (arXiv 1902.02918, Algorithm 1) made to be watched: selection votes
name the class, fresh estimation votes bound its share, and under the live plan the bound may be read at any moment.
Embeddings of noisy copies do not depend on prompts, so one stream feeds every contender.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from psmooth.certificate import Abstention, Certificate, Plan, Run, Votes, advance, conclude, is_settled
from psmooth.errors import ModelError, PlanError
from psmooth.learning import tune
from psmooth.models import MedVLM, denoiser_of
from psmooth.noise import Phase, grid_noise
from psmooth.prompts import PromptBank
from psmooth.recognition import Finding
from psmooth.runtime import best_batch_size
from psmooth.sampling import noisy_copies, noisy_embeddings
from psmooth.scans import Crop, CropRule, Scan, crop_scan
from psmooth.smoothing.contender import Contender, answers_of, find_contenders
from psmooth.smoothing.provenance import run_facts, use_whole_float32
from psmooth.smoothing.request import Request, read_seed
from psmooth.tasks import Task, find_task

_SECONDS_BETWEEN_LOOKS = 0.1

_TUNE_COPIES = 100  # of PromptSmooth's per-scan step

Results = dict[str, Certificate | Abstention]


@dataclass(frozen=True)
class Progress:
    """A run as of now.

    Attributes:
        phase: ``selection`` (votes that name the class), ``estimation`` (votes that are counted) or ``done``.
        votes, planned: votes cast in this phase, and how many it will have.
        seconds, votes_per_second, seconds_left: since the run began; over both phases; until its announced end.
        results: by contender, the certificate or abstention that would be issued if the run ended now.
        clean: by contender, the class id that the model names without any noise.
        restarted: copies a batch, if memory ran out and the run began again with fresh noise; what an earlier step
            certified rests on votes that no longer count.
        lost: the contenders that such an earlier step had certified.
    """

    phase: Literal["selection", "estimation", "done"]
    votes: int
    planned: int
    seconds: float
    votes_per_second: float
    seconds_left: float | None
    results: Results
    clean: dict[str, str]
    restarted: int | None = None
    lost: frozenset[str] = frozenset()


@dataclass
class _Tally:
    """The votes of one contender while they come in; those since the last look are ``fresh``."""

    run: Run
    votes: Votes
    fresh: Tensor | None = None

    def add(self, answers: Tensor) -> None:
        """Count answers ``(copies,)`` where they are: a device is not waited for."""
        if self.fresh is None:
            self.fresh = answers.new_zeros(len(self.run.class_ids) + 1)
        self.fresh.scatter_add_(0, answers, torch.ones_like(answers))

    def counted(self) -> tuple[tuple[int, ...], int]:
        """The fresh votes by class, and those that were no number."""
        fresh = (0,) * (len(self.run.class_ids) + 1) if self.fresh is None else self.fresh.tolist()
        return tuple(fresh[:-1]), fresh[-1]


def certify(
    model: MedVLM,
    scan: Scan | Crop,
    *,
    task: str | Task,
    methods: Sequence[str] = ("template",),
    noise_level: float = 0.25,
    denoiser: str = "none",
    banks: Sequence[PromptBank] = (),
    plan: Plan | None = None,
    seed: str | int | None = None,
    batch_size: int | None = None,
    crop_rule: CropRule | None = None,
    gallery: dict[str, str | None] | None = None,
    finding: Finding | None = None,
) -> Generator[Progress, None, None]:
    """Certify a scan, a look at a time.

    With probability at least 1 − α over the noise, the answer of the smoothed classifier is the predicted class for
    every 8-bit crop closer than the radius, whenever the run is ended. Ending it is to close the iterator.

    Args:
        model: from ``load_model``.
        scan: a ``Scan``, cropped by ``crop_rule`` (the model's own by default), or a ``Crop`` of the model's size.
        task: a task id, or a ``Task`` from ``own_task``.
        methods: contenders, fed from one stream of noise.
        noise_level: σ, on pixels scaled to [0, 1].
        denoiser: one of ``psmooth.denoise.DENOISERS``, or a file from ``psmooth learn denoiser``; with ``-mirror`` at
            its end, each vote is cast on the mean embedding of a copy and its mirror image, for twice the time.
        banks: prompt banks by the methods that need one; those that ship are found by themselves.
        plan: votes and failure probability; the live plan by default.
        seed: None draws 128 fresh bits from the operating system. A given seed (a number, or 32 hexadecimal digits)
            repeats a run; the certificate then says what α still means.
        batch_size: copies a batch; by default the fastest on this machine.
        gallery: ``Gallery.origin_of`` a published scan, for the certificate; None for any other scan.
        finding: what ``psmooth.recognition.recognise`` says of the crop, for the certificate; no vote depends on it.

    Yields:
        ``Progress``, at once and then about ten times a second; the last one has the phase ``done``.

    Raises:
        PlanError: σ, votes, α, seed, method or denoiser out of range, before the first vote.
        TaskError: no such task.
        BankError, DenoiserError: none for this model and task, or one that was altered.
        ModelError: not even one copy fits into memory.
    """
    return certify_request(
        resolve(
            model, scan, task=task, methods=methods, noise_level=noise_level, denoiser=denoiser, banks=banks, plan=plan,
            seed=seed, batch_size=batch_size, crop_rule=crop_rule, gallery=gallery, finding=finding,
        )
    )  # fmt: skip


def resolve(
    model: MedVLM,
    scan: Scan | Crop,
    *,
    task: str | Task,
    methods: Sequence[str] = ("template",),
    noise_level: float = 0.25,
    denoiser: str = "none",
    banks: Sequence[PromptBank] = (),
    plan: Plan | None = None,
    seed: str | int | None = None,
    batch_size: int | None = None,
    crop_rule: CropRule | None = None,
    gallery: dict[str, str | None] | None = None,
    finding: Finding | None = None,
) -> Request:
    """What ``certify`` is asked, checked, with everything looked up that is fixed before the first vote.

    Raises as ``certify`` does.
    """
    grid_noise(noise_level)  # refuses what is no noise level
    plan = plan or Plan()
    found = find_task(task)
    crop = scan if isinstance(scan, Crop) else crop_scan(scan, crop_rule or model.crop_rule)
    if crop.pixels.shape[-1] != model.input_size:
        raise PlanError(
            "The crop is {width} pixels wide; {model} sees {expected}.",
            width=crop.pixels.shape[-1],
            model=model.spec.name,
            expected=model.input_size,
        )
    origin: Literal["fresh", "given"] = "fresh" if seed is None else "given"
    found_denoiser = denoiser_of(model, denoiser)
    contenders = find_contenders(model, crop, found, methods, found_denoiser, noise_level, banks)
    batch = batch_size or best_batch_size(model)
    if batch < 1:
        raise PlanError("batch_size is {batch}; it must be a whole number from 1 up.", batch=batch)
    return Request(
        model, crop, found, contenders, noise_level, found_denoiser, plan, read_seed(seed), origin, batch, gallery,
        finding=finding,
    )  # fmt: skip


def certify_request(request: Request) -> Generator[Progress, None, None]:
    """The run that a request asks for, as ``certify`` gives it."""
    use_whole_float32(request.model.device)
    return _until_it_fits(request)


def stopped(progress: Progress) -> Results:
    """The results of a run that was ended by hand at this progress; under the live plan certificates stay valid."""
    if progress.phase == "done":
        return progress.results
    return {key: ended_by_hand(result) for key, result in progress.results.items()}


def ended_by_hand(result: Certificate | Abstention) -> Certificate | Abstention:
    """What is issued if a run that is still on ends here; what has ended stays as it is."""
    if result.votes.ended != "running":
        return result
    return conclude(result.run, replace(result.votes, ended="stopped"))


def _until_it_fits(request: Request) -> Generator[Progress, None, None]:
    """The run; out of memory, it starts afresh with fresh noise and half the batch."""
    certified: set[str] = set()
    while True:
        try:
            for progress in _run(request):
                certified |= {key for key, one in progress.results.items() if isinstance(one, Certificate)}
                yield progress
            return
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            request = _halved(request, frozenset(certified))


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _halved(request: Request, lost: frozenset[str]) -> Request:
    if request.batch_size == 1:
        raise ModelError("Not even one noisy copy fits into memory. Close other programs or take a smaller model.")
    batch = request.batch_size // 2
    # A given seed is moved on by one: noise whose votes were seen is never drawn again.
    seed = read_seed(None) if request.seed_origin == "fresh" else f"{(int(request.seed, 16) + 1) % 2**128:032x}"
    first, before = request.first_seed or request.seed, request.attempts_before + 1
    return replace(
        request, batch_size=batch, seed=seed, restarted=batch, first_seed=first, attempts_before=before, lost=lost
    )


def _run(request: Request) -> Iterator[Progress]:
    """One run from the first selection vote to its end."""
    clock, planned = _Clock(request.plan, request.restarted, request.lost), request.plan.max_votes
    tallies = {key: _Tally(run, _no_votes(request.task)) for key, run in _runs(request).items()}
    yield clock.progress("selection", 0, tallies, {})
    request = tuned(request)
    clean = clean_answers(request)
    select = _count(request, "select", request.plan.selection_votes or 0, tallies)
    for cast in select:
        for tally in tallies.values():
            counts, invalid = tally.counted()
            tally.votes = replace(tally.votes, selection=counts, invalid_selection=invalid)
        yield clock.progress("selection", cast, tallies, clean)
    for tally in tallies.values():
        tally.fresh = None
    for cast in _count(request, "estimate", planned, tallies):
        if cast < planned and not clock.look_is_due():
            continue
        _look(tallies, request.plan, cast)
        ended = all(tally.votes.ended != "running" for tally in tallies.values())
        yield clock.progress("done" if ended else "estimation", cast, tallies, clean)
        if ended:
            return


def _count(request: Request, phase: Phase, count: int, tallies: dict[str, _Tally]) -> Iterator[int]:
    """Adds the votes of a phase to the tallies' fresh ones, a batch at a time; gives the votes cast so far."""
    cast = 0
    for embeddings in _embeddings(request, phase, count):
        cast += len(embeddings)
        for key, tally in tallies.items():
            answers = answers_of(embeddings, request.contenders[key].vectors, request.batch_size)
            tally.add(answers)
        yield cast


def drawn_votes(request: Request, key: str, phase: Phase, count: int) -> Tensor:
    """The votes of a contender in a phase, in the order in which they are cast.

    Returns:
        ``(count,)`` numbers of classes; one more than the last class for a vote that is not a number.
    """
    vectors, batch = request.contenders[key].vectors, request.batch_size
    votes = [answers_of(embeddings, vectors, batch).cpu() for embeddings in _embeddings(request, phase, count)]
    return torch.cat([torch.zeros(0, dtype=torch.long), *votes])


def _embeddings(request: Request, phase: Phase, count: int) -> Iterator[Tensor]:
    return noisy_embeddings(
        request.model,
        request.crop,
        request.noise_level,
        seed=request.seed,
        phase=phase,
        count=count,
        batch_size=request.batch_size,
        denoise=request.denoiser,
        mirrored=request.denoiser.mirrored,
        scheme=request.noise,
    )


def tuned(request: Request) -> Request:
    """The request with the prompts of ``zero_shot`` and ``combined`` tuned on copies of their own, which never vote."""
    if all(one.start is None for one in request.contenders.values()):
        return request
    copies = torch.cat(list(_embeddings(request, "tune", _TUNE_COPIES)))
    contenders = {
        key: one if one.start is None else replace(one, vectors=_tune(request, one, one.start, copies))
        for key, one in request.contenders.items()
    }
    return replace(request, contenders=contenders)


def _tune(request: Request, contender: Contender, start: Tensor, copies: Tensor) -> Tensor:
    task = replace(request.task, templates=contender.templates)
    context = tune(request.model, task, start, copies)
    with torch.no_grad():
        return request.model.embed_context(context, task.templates[0], task.class_names)


def _look(tallies: dict[str, _Tally], plan: Plan, cast: int) -> None:
    """Reads the bounds: fresh votes become counted ones, and a contender may reach its end."""
    for tally in tallies.values():
        if tally.votes.ended != "running":
            continue
        tally.votes = advance(tally.votes, *tally.counted(), tally.run)
        tally.fresh = None
        result = conclude(tally.run, tally.votes)
        radius = result.radius if isinstance(result, Certificate) else 0.0
        if plan.target_radius is not None and radius >= plan.target_radius and cast < plan.max_votes:
            tally.votes = replace(tally.votes, ended="target_radius")
        elif is_settled(tally.run, tally.votes):
            tally.votes = replace(tally.votes, ended="settled")
        elif cast == plan.max_votes:
            tally.votes = replace(tally.votes, ended="complete")


class _Clock:
    """Measures a run, and says when the next look is due."""

    def __init__(self, plan: Plan, restarted: int | None, lost: frozenset[str]) -> None:
        self._plan, self._restarted, self._lost = plan, restarted, lost
        self._start = self._last = time.perf_counter()

    def look_is_due(self) -> bool:
        return time.perf_counter() - self._last >= _SECONDS_BETWEEN_LOOKS

    def progress(
        self,
        phase: Literal["selection", "estimation", "done"],
        cast: int,
        tallies: dict[str, _Tally],
        clean: dict[str, str],
    ) -> Progress:
        self._last = time.perf_counter()
        seconds, selection = self._last - self._start, self._plan.selection_votes or 0
        total = cast if phase == "selection" else selection + cast
        left = (selection + self._plan.max_votes - total) * seconds / total if total else None
        planned = selection if phase == "selection" else self._plan.max_votes
        results: Results = {key: conclude(tally.run, tally.votes) for key, tally in tallies.items()}
        left = 0.0 if phase == "done" else left
        return Progress(
            phase, cast, planned, seconds, total / seconds, left, results, clean, self._restarted, self._lost
        )


def clean_answers(request: Request) -> dict[str, str]:
    """What the model says without noise and denoiser, by contender; the crop fills a batch of the usual shape."""
    size = request.crop.pixels.shape[-1]
    silent = torch.zeros(request.batch_size, size, size, 3, dtype=torch.int16).numpy()
    embedding = request.model.embed_images(noisy_copies(request.crop, silent))[:1]
    names = (*request.task.class_ids, "")
    vectors = {key: one.vectors if one.clean is None else one.clean for key, one in request.contenders.items()}
    return {key: names[int(answers_of(embedding, each, request.batch_size)[0])] for key, each in vectors.items()}


def _runs(request: Request) -> dict[str, Run]:
    return {key: run_facts(request, one) for key, one in request.contenders.items()}


def _no_votes(task: Task) -> Votes:
    nothing = (0,) * len(task.class_ids)
    return Votes(selection=nothing, counts=nothing)
