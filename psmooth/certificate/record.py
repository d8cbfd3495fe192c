"""Says what a run, its votes, a certificate and an abstention are, and writes them as flat JSON.

It knows nothing about models, scans and noise, and nothing about what follows from votes.
"""

import json
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from operator import index
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from psmooth.certificate.caveats import (
    BANK_OF_THIS_SCAN,
    BEGAN_AGAIN,
    DENOISER_OF_THIS_SCAN,
    FRESH_SEED,
    FROZEN_PROMPT,
    GIVEN_SEED,
    NOT_CLINICAL,
    NOT_CORRECT,
    UNKNOWN_DENOISER_POOL,
    UNKNOWN_POOL,
    WHAT_RADIUS,
)
from psmooth.certificate.file import SCHEMA, field_names, format_problems, write_record
from psmooth.certificate.plan import Plan
from psmooth.errors import PlanError
from psmooth.methods import GUARANTEES, METHODS, Guarantee
from psmooth.schemas import Problem

Ending = Literal["running", "complete", "target_radius", "settled", "stopped"]

Bound = Literal["anytime", "clopper_pearson"]

Reason = Literal["too_few_votes", "no_clear_winner", "paper_plan_unfinished"]

State = tuple[int, int]  # (votes of one class, votes cast), at one moment of the run


@dataclass(frozen=True)
class Run:
    """Everything fixed before the first vote of one contender; raises PlanError naming the field that is wrong.

    ``denoiser_sha256`` is that of the file a denoiser was fitted into, None for a closed form; ``gallery`` says where
    the scan was published, None for a scan that was not; ``attempts_before`` ran out of memory, the first of them with
    ``first_seed``;
    ``denoiser_learned_on_scan`` and the bank's ``learned_on_scan`` say whether this crop was among those they were
    learned or chosen on, None where that is not known;
    ``scan_check`` is a ``psmooth.recognition.Finding`` as a dictionary, None where nobody looked: no bound rests on it;
    ``noise`` is the scheme of its random bits, in older files the one they do not name;
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
    scan_check: dict[str, Any] | None = None
    noise: str = "sfc64"

    def __post_init__(self) -> None:
        for name in ("class_ids", "class_names", "templates"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        # As a file would give them back.
        for name in ("preprocessing", "model", "bank", "versions", "gallery", "scan_check"):
            object.__setattr__(self, name, json.loads(json.dumps(getattr(self, name))))
        facts = _facts(self)
        problems = [problem for problem in format_problems(facts) if problem[0] in facts]
        for _, sentence in problems or class_list_problems(facts):
            raise PlanError("{problem}", problem=sentence)

    @property
    def caveats(self) -> tuple[str, ...]:
        """The sentences that go with every certificate of this run."""
        bank, tuned = self.bank or {}, METHODS[self.method].tunes
        conditions = (
            (FRESH_SEED if self.seed_origin == "fresh" else GIVEN_SEED, True),
            (BEGAN_AGAIN, self.first_seed is not None),
            (FROZEN_PROMPT, tuned),
            (BANK_OF_THIS_SCAN, bank.get("learned_on_scan") is True),
            (DENOISER_OF_THIS_SCAN, self.denoiser_learned_on_scan is True),
            (UNKNOWN_POOL, not tuned and bank.get("learned_on_scan", False) is None),
            (UNKNOWN_DENOISER_POOL, not tuned and self.denoiser_unknown),
        )
        return (NOT_CLINICAL, WHAT_RADIUS, NOT_CORRECT, *(sentence for sentence, applies in conditions if applies))

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
        "tolerance": plan.tolerance,
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


def run_and_votes(record: Mapping[str, Any]) -> tuple[Run, Votes]:
    """The run and its votes, from a record of the right format."""
    plan = Plan(
        max_votes=int(record["max_votes"]),
        failure_probability=record["failure_probability"],
        name=record["plan"],
        selection_votes=int(record["selection_votes"]),
        target_radius=record["target_radius"],
        tolerance=record.get("tolerance"),
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


def class_list_problems(record: Mapping[str, Any]) -> Iterator[Problem]:
    classes, names = record["class_ids"], record["class_names"]
    if len(set(classes)) != len(classes):
        yield "class_ids", "class_ids names a class twice; every class must have an id of its own."
    if len(set(names)) != len(names):
        yield "class_names", "class_names names a class twice; every class must have a name of its own."
    if len(names) != len(classes):
        yield "class_names", f"class_names has {len(names)} entries; expected {len(classes)}, one for every class id."
