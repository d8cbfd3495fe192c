"""Turns the votes of a run into a certificate or an abstention, and a certificate file back into one.

It knows nothing about models, scans and noise: everything it says is arithmetic on recorded counts.

That is also the limit of `verify`. It sees every number that no longer follows from the others; it cannot see a
record whose counts were invented consistently, nor one in which a fact that enters no formula (a seed, a device, the
name of a model, the noise level of an abstention) was replaced by another well-formed one. Drawing the votes again,
from the recorded seed and with the scan at hand (`psmooth.replay`, ``psmooth verify --scan``), ties everything to the
run that decides a vote or follows from the votes. What even that does not show is `NOT_SHOWN`.

Formulas: Cohen, Rosenfeld & Kolter 2019 (arXiv 1902.02918), Theorem 1 and Algorithm 1; `psmooth.bounds`.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from operator import index
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from psmooth._certificate_file import (
    SCHEMA,
    Problem,
    Source,
    field_names,
    format_problems,
    in_words,
    read_record,
    told_apart,
    write_record,
)
from psmooth.bounds import anytime_lower, anytime_reaches, certified_radius, clopper_pearson_lower
from psmooth.errors import CertificateError, PlanError

MOST_VOTES = 1_000_000  # the bounds are checked up to here
TOLERANCE = 1e-9  # between a stored radius or bound and the recomputed one
_STEP = 1e-12  # a better bound is better by this: more than bisection leaves open, so that a bound never falls

Guarantee = Literal["unconditional", "frozen_prompt"]
Ending = Literal["running", "complete", "target_radius", "stopped"]
Bound = Literal["anytime", "clopper_pearson"]
Reason = Literal["too_few_votes", "no_clear_winner", "paper_plan_unfinished"]
State = tuple[int, int]  # (votes of one class, votes cast), at one moment of the run

GUARANTEES: dict[str, Guarantee] = {
    "template": "unconditional",
    "few_shot": "unconditional",
    "label_free": "unconditional",
    "linear_probe": "unconditional",
    "label_free_probe": "unconditional",
    "zero_shot": "frozen_prompt",
    "combined": "frozen_prompt",
}

# The caveats are part of the format: a file that lacks one, or words it otherwise, is refused.
NOT_CLINICAL = "Not for clinical use: psmooth is research software, not a medical device."
WHAT_RADIUS = (
    "The radius is an L2 distance over the 8-bit crop that the model saw, with its values scaled to [0, 1]; it says "
    "nothing about the scan before it was cropped, resized and windowed."
)
NOT_CORRECT = "The certificate says nothing about whether the answer is right."
FRESH_SEED = (
    "The failure probability α bounds false certificates per scan, method, noise level and run attempted, abstentions "
    "included; it is not the chance that this certificate is false."
)
GIVEN_SEED = (
    "The seed was given: α holds only if the seed was chosen without knowledge of scan, prompts and model and was the "
    "only one tried."
)
FROZEN_PROMPT = (
    "The prompt was tuned on noise around this scan: the certificate holds for the classifier with that prompt frozen "
    "and does not cover a system that tunes again on an altered scan."
)
BANK_OF_THIS_SCAN = (
    "The prompt bank was learned or chosen on this very crop: the certificate holds for the classifier with that bank "
    "frozen and does not cover a system that learns again on an altered scan."
)
DENOISER_OF_THIS_SCAN = (
    "The denoiser was learned on this very crop: the certificate holds for the classifier with that denoiser frozen "
    "and does not cover a system that learns again on an altered scan."
)
UNKNOWN_POOL = (
    "The prompt bank does not say which scans it was learned on: the certificate holds for the classifier with that "
    "bank as it is, and is unconditional only if this scan was not among them."
)
UNKNOWN_DENOISER_POOL = (
    "The denoiser does not say which scans it was learned on: the certificate holds for the classifier with that "
    "denoiser as it is, and is unconditional only if this scan was not among them."
)
BEGAN_AGAIN = (
    "Memory ran out during as many attempts as attempts_before says, the first of them with the seed first_seed; their "
    "votes were thrown away and none of them is counted here."
)

# What drawing the votes again cannot show, each with the fields of the file that it is about.
NOT_SHOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "that the plan and its failure probability were announced before the first vote, and why the run ended",
        (
            "plan", "selection_votes", "max_votes", "failure_probability", "anytime_failure_probability",
            "final_failure_probability", "target_radius", "ended",
        ),
    ),
    ("that the seed was fresh and this the only attempt at it", ("seed_origin", "first_seed", "attempts_before")),
    (
        "that the lists of what bank and denoiser were learned on are whole",
        ("bank.learned_on_scan", "denoiser_learned_on_scan"),
    ),
    ("on which device, with which precision, batch size and versions it ran", (
        "device", "precision", "batch_size", "versions",
    )),
    ("when it ran", ("time",)),
    ("the licence of the model, and where the bank was published", ("model.licence", "bank.id", "bank.revision")),
    ("that the scan was published in that gallery", ("gallery",)),
    ("what a task of one's own and its classes are called, and where in its prompts a class name begins and ends", (
        "task", "class_ids", "class_names", "templates",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is fixed before the first vote: how many votes, and how the failure probability is spent.

    ``live`` may be read at any moment: a tenth of the failure probability goes to the anytime bound, the rest to one
    Clopper-Pearson look at exactly ``max_votes``. ``paper`` is Algorithm 1 of Cohen et al.: one look at the end.
    Raises PlanError naming the field that cannot be used.
    """

    max_votes: int = 1_000
    failure_probability: float = 0.001
    name: Literal["live", "paper"] = "live"
    selection_votes: int | None = None
    target_radius: float | None = None

    def __post_init__(self) -> None:
        if self.name not in ("live", "paper"):
            raise PlanError("plan is {plan}; it must be 'live' or 'paper'.", plan=repr(self.name))
        if self.selection_votes is None:
            object.__setattr__(self, "selection_votes", 64 if self.name == "live" else 100)
        _check_votes("max_votes", self.max_votes)
        _check_votes("selection_votes", self.selection_votes)
        if not 1e-100 <= self.failure_probability < 1:
            alpha = f"{self.failure_probability:g}"
            raise PlanError(
                "failure_probability is {alpha}; it must lie from 1e-100 to below 1, such as 0.001.", alpha=alpha
            )
        self._check_target()

    def _check_target(self) -> None:
        if self.target_radius is None:
            return
        if self.name == "paper":
            raise PlanError("target_radius needs the live plan: the paper's plan is read once, at its end.")
        if not 0 < self.target_radius <= 1000:
            raise PlanError(
                "target_radius is {radius}; it must lie above 0 and up to 1000, or be None.",
                radius=f"{self.target_radius:g}",
            )

    @property
    def anytime_failure_probability(self) -> float:
        """The share that the anytime bound may spend: a tenth, or nothing under the paper's plan."""
        return self.failure_probability / 10 if self.name == "live" else 0.0

    @property
    def final_failure_probability(self) -> float:
        """The share kept for the one look at the announced end."""
        return self.failure_probability - self.anytime_failure_probability


@dataclass(frozen=True)
class Run:
    """Everything fixed before the first vote of one contender; raises PlanError naming the field that is wrong.

    ``denoiser_sha256`` is that of the file a denoiser was fitted into, None for a closed form; ``gallery`` says where
    the scan was published, None for a scan that was not; ``attempts_before`` ran out of memory, the first of them with
    ``first_seed``;
    ``denoiser_learned_on_scan`` and the bank's ``learned_on_scan`` say whether this crop was among those they were
    learned or chosen on, None where that is not known;
    ``seed`` has 32 hexadecimal digits, ``time`` is ISO 8601 in UTC; the dictionaries hold what JSON can hold.
    """

    method: str
    guarantee: Guarantee
    denoiser: str
    denoiser_sha256: str | None
    noise_level: float
    plan: Plan
    task: str
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    templates: tuple[str, ...]
    seed: str
    seed_origin: Literal["fresh", "given"]
    crop_sha256: str
    preprocessing: dict[str, Any]
    batch_size: int
    model: dict[str, Any]
    bank: dict[str, Any] | None
    device: str
    precision: str
    versions: dict[str, str]
    time: str
    gallery: dict[str, Any] | None = None
    first_seed: str | None = None
    denoiser_learned_on_scan: bool | None = None
    attempts_before: int = 0

    def __post_init__(self) -> None:
        for name in ("class_ids", "class_names", "templates"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("preprocessing", "model", "bank", "versions", "gallery"):  # as a file would give them back
            object.__setattr__(self, name, json.loads(json.dumps(getattr(self, name))))
        facts = _facts(self)
        problems = [problem for problem in format_problems(facts) if problem[0] in facts]
        for _, sentence in problems or _class_list_problems(facts):
            raise PlanError("{problem}", problem=sentence)

    @property
    def caveats(self) -> tuple[str, ...]:
        """The sentences that go with every certificate of this run."""
        bank, tuned = self.bank or {}, GUARANTEES[self.method] == "frozen_prompt"
        told = (
            (FRESH_SEED if self.seed_origin == "fresh" else GIVEN_SEED, True),
            (BEGAN_AGAIN, self.first_seed is not None),
            (FROZEN_PROMPT, tuned),
            (BANK_OF_THIS_SCAN, bank.get("learned_on_scan") is True),
            (DENOISER_OF_THIS_SCAN, self.denoiser_learned_on_scan is True),
            (UNKNOWN_POOL, not tuned and bank.get("learned_on_scan", False) is None),
            (UNKNOWN_DENOISER_POOL, not tuned and self.denoiser_unknown),
        )
        return (NOT_CLINICAL, WHAT_RADIUS, NOT_CORRECT, *(sentence for sentence, applies in told if applies))

    @property
    def denoiser_unknown(self) -> bool:
        """Whether the denoiser was fitted to scans that its file does not list."""
        return self.denoiser_sha256 is not None and self.denoiser_learned_on_scan is None


_RUN_FIELDS = tuple(field.name for field in fields(Run) if field.name != "plan")


def guarantee_of(method: str, *learned_on_scan: bool | None) -> Guarantee:
    """The kind of guarantee: that of the method, frozen too if bank or denoiser was learned on this very crop."""
    return "frozen_prompt" if any(learned_on_scan) else GUARANTEES[method]


@dataclass(frozen=True)
class Votes:
    """The votes of one contender so far, by class in the order of `Run.class_ids`.

    ``invalid`` votes were not a number: they count against the leader and for every rival; ``invalid_selection`` are
    those among the selection votes, which choose no class. ``best`` holds, by class,
    the (votes, total) at which the leader's lower bound was highest and each rival's upper bound lowest; the votes of
    a rival include the invalid ones. Under the paper's plan, which is read once, it is (0, 0) until the end.
    """

    selection: tuple[int, ...]
    counts: tuple[int, ...]
    invalid: int = 0
    best: tuple[State, ...] = ()
    ended: Ending = "running"
    invalid_selection: int = 0

    def __post_init__(self) -> None:
        best = self.best or ((0, 0),) * len(self.counts)
        object.__setattr__(self, "selection", tuple(index(votes) for votes in self.selection))
        object.__setattr__(self, "counts", tuple(index(votes) for votes in self.counts))
        object.__setattr__(self, "invalid", index(self.invalid))
        object.__setattr__(self, "invalid_selection", index(self.invalid_selection))
        object.__setattr__(self, "best", tuple((index(votes), index(total)) for votes, total in best))
        if self.ended not in get_args(Ending):
            raise PlanError(
                "ended is {ended}; it must be one of {known}.",
                ended=repr(self.ended),
                known=", ".join(get_args(Ending)),
            )
        if not len(self.selection) == len(self.counts) == len(self.best):
            raise PlanError("selection, counts and best differ in length; each must have one entry for every class.")
        against = [total - votes for votes, total in self.best]
        invalid = (self.invalid, self.invalid_selection)
        if min(*self.selection, *self.counts, *invalid, *against, *(votes for votes, _ in self.best)) < 0:
            raise PlanError(
                "A number of votes is negative; counts start at 0, and best has no more votes than were cast."
            )

    @property
    def total(self) -> int:
        """All estimation votes, the invalid ones included."""
        return sum(self.counts) + self.invalid

    @property
    def selected(self) -> int:
        """All selection votes, the invalid ones included."""
        return sum(self.selection) + self.invalid_selection

    @property
    def leader(self) -> int:
        """The place of the class with the most selection votes; the first of equals."""
        return self.selection.index(max(self.selection))


@dataclass(frozen=True)
class _Record:
    """What a certificate and an abstention have in common."""

    run: Run
    votes: Votes
    verdict: ClassVar[Literal["certified", "abstained"]]

    @property
    def leader(self) -> str:
        """The id of the class that the selection votes named."""
        return self.run.class_ids[self.votes.leader]

    @property
    def predicted(self) -> str | None:
        """The id of the certified class; None where the run abstained."""
        return self.leader if self.verdict == "certified" else None

    @property
    def guarantee(self) -> Guarantee:
        """Whether the certificate holds as it stands or for the frozen prompt only."""
        return self.run.guarantee

    def to_dict(self) -> dict[str, Any]:
        """The record as flat JSON values, in the order of the file."""
        return _to_dict(self)

    def to_json(self) -> str:
        """The record as the text of a certificate file."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file whole or not at all; raises CertificateError if the folder cannot be written to."""
        write_record(Path(path), self.to_json())


@dataclass(frozen=True)
class Certificate(_Record):
    """With probability at least 1 - alpha over the noise: no crop closer than ``radius`` changes the smoothed answer.

    ``radius`` is L2 over crop values in [0, 1], always above 0; ``bound`` says which of the two bounds gave it.
    """

    radius: float
    lower_bound: float
    rival_upper_bound: float
    bound: Bound
    verdict: ClassVar[Literal["certified", "abstained"]] = "certified"


@dataclass(frozen=True)
class Abstention(_Record):
    """The votes do not certify any class; ``reason`` says whether more votes might."""

    lower_bound: float
    rival_upper_bound: float
    reason: Reason
    verdict: ClassVar[Literal["certified", "abstained"]] = "abstained"


@dataclass(frozen=True)
class Verification:
    """What `verify` found; ``certificate`` is None unless all is well."""

    ok: bool
    problems: tuple[Problem, ...] = ()
    certificate: Certificate | Abstention | None = None


@dataclass(frozen=True)
class Reading:
    """The votes read through one pair of bounds; a radius of 0 certifies nothing."""

    radius: float
    lower: float
    upper: float
    bound: Bound


def conclude(run: Run, votes: Votes) -> Certificate | Abstention:
    """What the run is entitled to say if it ends with these votes; certified if and only if the radius is above 0.

    The live plan reads the anytime bounds where each was best, and at exactly ``max_votes`` the Clopper-Pearson
    bounds too, of which the larger radius is kept; a run that ended at its target radius or was extended past
    ``max_votes`` has the anytime bounds alone. The paper's plan is read at exactly ``max_votes`` and nowhere else.
    """
    _check_classes(run, len(votes.counts))
    best = best_reading(run.plan, run.noise_level, votes)
    if best.radius > 0:
        return Certificate(run, votes, best.radius, best.lower, best.upper, best.bound)
    return Abstention(run, votes, best.lower, best.upper, _reason(run.plan, votes))


def best_reading(plan: Plan, noise_level: float, votes: Votes) -> Reading:
    """The reading that `conclude` keeps of these votes."""
    unread = Reading(0.0, 0.0, 1.0, "clopper_pearson")
    found = _readings(plan, noise_level, votes)
    return max(found, key=lambda reading: (reading.radius, reading.lower), default=unread)


def advance(votes: Votes, counts: Sequence[int], invalid: int, run: Run) -> Votes:
    """The votes after ``counts`` (by class) and ``invalid`` more were cast, with the best moments brought up to date.

    The run counts as running again; whoever ends it says so with ``replace(votes, ended=...)``. Raises PlanError for
    negative numbers, for more than the paper's plan announced and for more votes than the bounds are checked for.
    """
    _check_classes(run, len(votes.counts))
    _check_classes(run, len(counts))
    if min(*counts, invalid) < 0:
        raise PlanError("A number of new votes is negative; counts only grow.")
    sums = tuple(before + index(new) for before, new in zip(votes.counts, counts, strict=True))
    after = replace(votes, counts=sums, invalid=votes.invalid + index(invalid), ended="running")
    most = run.plan.max_votes if run.plan.name == "paper" else MOST_VOTES
    if after.total > most:
        raise PlanError(
            "total would be {total:,}; this run may have at most {most:,} votes.", total=after.total, most=most
        )
    return replace(after, best=_best_states(run, after))


def read_certificate(source: Source) -> Certificate | Abstention:
    """The record in a certificate file, given as a path, JSON text, bytes or a dictionary.

    Raises CertificateError naming the first field that `verify` finds wrong.
    """
    verification = verify(source)
    if verification.certificate is None:
        raise CertificateError("The certificate is refused. {problem}", problem=verification.problems[0][1])
    return verification.certificate


def verify(source: Source) -> Verification:
    """Checks a certificate file against its schema and recomputes every bound and the radius from the counts.

    Every problem is a field of the file and a sentence; a file that cannot be read at all is reported under the field
    ``file``. What arithmetic cannot see is told at the top of this module.
    """
    try:
        record = read_record(source)
        problems = tuple(format_problems(record)) or tuple(_class_problems(record))
    except CertificateError as error:
        return Verification(False, (("file", str(error)),))
    if problems:
        return Verification(False, problems)
    result = conclude(*_build(record))
    problems = tuple(_arithmetic_problems(record, result))
    return Verification(not problems, problems, None if problems else result)


def _readings(plan: Plan, noise_level: float, votes: Votes) -> Iterator[Reading]:
    if plan.name == "live":
        yield _read(plan, noise_level, votes, votes.best, "anytime")
    if votes.total == plan.max_votes and votes.ended != "target_radius":
        yield _read(plan, noise_level, votes, states_of(votes), "clopper_pearson")


def _read(plan: Plan, noise_level: float, votes: Votes, states: tuple[State, ...], bound: Bound) -> Reading:
    """Both bounds and the radius. No union over the rivals: the true runner-up is one fixed class."""
    spent = plan.anytime_failure_probability if bound == "anytime" else plan.final_failure_probability
    lowers = _lower_bounds(states, votes.leader, _share(plan, votes, spent), bound)
    lower = lowers[votes.leader]
    if _one_sided(plan, votes):
        return Reading(float(certified_radius(lower, noise_level)), lower, 1 - lower, bound)
    rivals = max(1 - other for place, other in enumerate(lowers) if place != votes.leader)
    upper = min(rivals, 1 - lower)
    return Reading(float(certified_radius(lower, noise_level, upper)), lower, upper, bound)


@lru_cache(maxsize=256)  # the best moments are asked for again with every new batch of votes
def _lower_bounds(
    states: tuple[State, ...], leader: int, failure_probability: float, bound: Bound
) -> tuple[float, ...]:
    """By class: the lower bound on the share of the leader's votes, and of all votes that are not the rival's."""
    function = anytime_lower if bound == "anytime" else clopper_pearson_lower
    return tuple(function(*_favourable(states, leader), failure_probability).tolist())


def _favourable(states: Sequence[State], leader: int) -> tuple[list[int], list[int]]:
    """By class, the votes that speak for a certificate (the leader's, or all but the rival's) and all votes cast."""
    totals = [total for _, total in states]
    return [votes if place == leader else total - votes for place, (votes, total) in enumerate(states)], totals


def _best_states(run: Run, votes: Votes) -> tuple[State, ...]:
    """By class, the moment at which the bound was best: the one recorded so far, or now."""
    now = states_of(votes)
    if run.plan.name == "paper":
        return now if votes.total == run.plan.max_votes else votes.best
    better = _improves(run, votes, _STEP)
    return tuple(new if gains else old for old, new, gains in zip(votes.best, now, better, strict=True))


def _improves(run: Run, votes: Votes, margin: float) -> list[bool]:
    """By class, whether the anytime bound now is better than where it was best so far, by more than ``margin``."""
    share = _share(run.plan, votes, run.plan.anytime_failure_probability)
    held = np.asarray(_lower_bounds(votes.best, votes.leader, share, "anytime"))
    favourable, totals = _favourable(states_of(votes), votes.leader)
    return anytime_reaches(np.minimum(held + margin, 1.0), favourable, totals, share).tolist()


def states_of(votes: Votes) -> tuple[State, ...]:
    """By class, (votes, total) now; an invalid vote counts for every rival and not for the leader."""
    return tuple(
        (count + (0 if place == votes.leader else votes.invalid), votes.total)
        for place, count in enumerate(votes.counts)
    )


def _one_sided(plan: Plan, votes: Votes) -> bool:
    """Two classes leave one rival, which has all other votes; the paper's plan never bounds the rivals."""
    return len(votes.counts) == 2 or plan.name == "paper"


def _share(plan: Plan, votes: Votes, failure_probability: float) -> float:
    """Half for the leader's bound and half for the rivals', where both are read."""
    return failure_probability if _one_sided(plan, votes) else failure_probability / 2


def _reason(plan: Plan, votes: Votes) -> Reason:
    if votes.total >= plan.max_votes:
        return "no_clear_winner"
    return "paper_plan_unfinished" if plan.name == "paper" else "too_few_votes"


def _check_votes(name: str, votes: int | None) -> None:
    if not isinstance(votes, int) or isinstance(votes, bool) or not 1 <= votes <= MOST_VOTES:
        raise PlanError(
            "{name} is {value}; it must be a whole number from 1 to {most:,}.",
            name=name,
            value=repr(votes),
            most=MOST_VOTES,
        )


def _check_classes(run: Run, counted: int) -> None:
    if counted != len(run.class_ids):
        raise PlanError(
            "There are {counts} counts for {classes} classes; give one count for every class.",
            counts=counted,
            classes=len(run.class_ids),
        )


def _facts(run: Run) -> dict[str, Any]:
    """The fields of the file that are fixed before the first vote, beside those of the plan."""
    facts = {name: getattr(run, name) for name in _RUN_FIELDS}
    return {name: list(value) if isinstance(value, tuple) else deepcopy(value) for name, value in facts.items()}


def _plan_facts(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.name,
        "selection_votes": plan.selection_votes,
        "max_votes": plan.max_votes,
        "failure_probability": plan.failure_probability,
        "anytime_failure_probability": plan.anytime_failure_probability,
        "final_failure_probability": plan.final_failure_probability,
        "target_radius": plan.target_radius,
    }


def _vote_facts(run: Run, votes: Votes) -> dict[str, Any]:
    best = [{"votes": count, "total": total} for count, total in votes.best]
    return {
        "counts": dict(zip(run.class_ids, votes.counts, strict=True)),
        "total": votes.total,
        "invalid": votes.invalid,
        "best": dict(zip(run.class_ids, best, strict=True)),
        "selection": dict(zip(run.class_ids, votes.selection, strict=True)),
        "invalid_selection": votes.invalid_selection,
        "ended": votes.ended,
    }


def _to_dict(record: _Record) -> dict[str, Any]:
    found = ("radius", "lower_bound", "rival_upper_bound", "bound", "reason")
    facts = {
        "schema": SCHEMA,
        "verdict": record.verdict,
        "predicted": record.predicted,
        "leader": record.leader,
        **{name: getattr(record, name, None) for name in found},
        **_facts(record.run),
        **_plan_facts(record.run.plan),
        **_vote_facts(record.run, record.votes),
        "caveats": list(record.run.caveats),
    }
    return {name: facts[name] for name in field_names()}


def _build(record: Mapping[str, Any]) -> tuple[Run, Votes]:
    """The run and its votes, from a record of the right format."""
    plan = Plan(
        max_votes=int(record["max_votes"]),
        failure_probability=record["failure_probability"],
        name=record["plan"],
        selection_votes=int(record["selection_votes"]),
        target_radius=record["target_radius"],
    )
    run = Run(plan=plan, **{name: record[name] for name in _RUN_FIELDS if name in record})
    classes = run.class_ids
    votes = Votes(
        selection=tuple(int(record["selection"][name]) for name in classes),
        counts=tuple(int(record["counts"][name]) for name in classes),
        invalid=int(record["invalid"]),
        best=tuple((int(record["best"][name]["votes"]), int(record["best"][name]["total"])) for name in classes),
        ended=record["ended"],
        invalid_selection=int(record.get("invalid_selection", 0)),
    )
    return run, votes


def _class_problems(record: Mapping[str, Any]) -> Iterator[Problem]:
    """Where lists and tables do not have one entry for every class, or a state has more votes than were cast."""
    yield from _class_list_problems(record)
    for name in ("counts", "best", "selection"):
        if set(record[name]) != set(record["class_ids"]):
            yield name, f"{name} must have one entry for every one of class_ids, and no other."
    if any(state["votes"] > state["total"] for state in record["best"].values()):
        yield "best", "best has an entry with more votes than its total; the total counts all votes cast until then."


def _class_list_problems(record: Mapping[str, Any]) -> Iterator[Problem]:
    classes, names = record["class_ids"], record["class_names"]
    if len(set(classes)) != len(classes):
        yield "class_ids", "class_ids names a class twice; every class must have an id of its own."
    if len(set(names)) != len(names):
        yield "class_names", "class_names names a class twice; every class must have a name of its own."
    if len(names) != len(classes):
        yield "class_names", f"class_names has {len(names)} entries; expected {len(classes)}, one for every class id."


def _arithmetic_problems(record: Mapping[str, Any], result: Certificate | Abstention) -> Iterator[Problem]:
    """Where the record does not follow from its own counts, or its counts could not have come about."""
    yield from _recomputed_problems(record, result)
    yield from _selection_problems(result)
    yield from _ending_problems(result)
    yield from _best_problems(result)


def _recomputed_problems(record: Mapping[str, Any], result: Certificate | Abstention) -> Iterator[Problem]:
    right = result.to_dict()
    for name in ("verdict", "leader", "predicted", "total", "bound", "reason", "caveats"):
        if record[name] != right[name]:
            yield name, f"{name} is {in_words(record[name])}, but the rest of the file gives {in_words(right[name])}."
    for name in ("radius", "lower_bound", "rival_upper_bound"):
        if not _agree(record[name], right[name], absolute=TOLERANCE):
            told, found = told_apart(record[name], right[name])
            yield name, f"{name} is {told}, but the votes give {found}."
    for name in ("anytime_failure_probability", "final_failure_probability"):
        if not _agree(record[name], right[name], absolute=0.0):
            told, found = told_apart(record[name], right[name])
            yield name, f"{name} is {told}, but the plan splits off {found}."


def _selection_problems(result: Certificate | Abstention) -> Iterator[Problem]:
    cast, planned = result.votes.selected, result.run.plan.selection_votes or 0
    if cast > planned or (result.votes.total and cast < planned):
        yield "selection", f"selection has {cast:,} votes in all, but selection_votes announces {planned:,}."


def _ending_problems(result: Certificate | Abstention) -> Iterator[Problem]:
    plan, votes = result.run.plan, result.votes
    if votes.ended == "complete" and votes.total < plan.max_votes:
        yield "ended", f"ended is complete, but total is {votes.total:,} of max_votes {plan.max_votes:,}."
    if plan.name == "paper" and votes.total > plan.max_votes:
        yield "total", f"total is {votes.total:,}, but the paper's plan stops at max_votes {plan.max_votes:,}."
    if votes.ended == "target_radius" and not _target_reached(result):
        yield "ended", "ended is target_radius, but the votes do not reach the target_radius of the file."


def _target_reached(result: Certificate | Abstention) -> bool:
    target = result.run.plan.target_radius
    return target is not None and isinstance(result, Certificate) and result.radius >= target - TOLERANCE


def _best_problems(result: Certificate | Abstention) -> Iterator[Problem]:
    """The best moments must lie on a way to the final counts, and be no worse than the final one."""
    run, votes, now = result.run, result.votes, states_of(result.votes)
    for name, (count, total), (final, cast) in zip(run.class_ids, votes.best, now, strict=True):
        if count > final or total - count > cast - final:
            way = f"{count:,} of {total:,} votes for {name}, which cannot lead to {final:,} of {cast:,}"
            yield "best", f"best has {way}."
    if run.plan.name == "paper":
        once = now if votes.total == run.plan.max_votes else ((0, 0),) * len(now)
        if votes.best != once:
            yield "best", "best is not the one look that the paper's plan takes at its end."
    elif any(_improves(run, votes, TOLERANCE)):
        yield "best", "best is not where the bounds were best: the final counts give better ones."


def _agree(stored: float | None, right: float | None, absolute: float) -> bool:
    if stored is None or right is None:
        return stored is right
    return math.isclose(stored, right, rel_tol=1e-12, abs_tol=absolute)
