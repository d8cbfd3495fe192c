"""Puts every method on the same scan and the same noise, then on other noise levels, a step at a time.

It knows nothing about pages or words.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, replace

from psmooth.certificate import Abstention, Certificate, Plan
from psmooth.errors import BankError
from psmooth.methods import CONTEXT_METHODS, METHODS, PROBE_METHODS
from psmooth.models import MedVLM
from psmooth.prompts import PromptBank, shipped_bank
from psmooth.recognition import Finding
from psmooth.scans import Crop
from psmooth.smoothing.certification import Progress, Results, certify, ended_by_hand
from psmooth.tasks import Task

SWEEP = (0.1, 0.25, 0.5, 1.0)
SWEEP_VOTES = 1_000  # at the noise levels that are not the chosen one


@dataclass(frozen=True)
class Comparison:
    """A comparison as of now.

    Attributes:
        level: the noise level that is being drawn.
        progress: the run at the chosen noise level: the last step of it once another level is being drawn.
        sweep: results by noise level, each as far as it has come.
        share: how much of all votes is drawn.
        missing: methods without a bank for this model, task and denoiser.
        restarted: copies a batch of a run that began again for lack of memory, at whichever level; None if none did.
        lost: whether a contender of such a run had a radius before.
    """

    level: float
    progress: Progress
    sweep: dict[float, Results]
    share: float
    missing: tuple[str, ...]
    done: bool = False
    restarted: int | None = None
    lost: bool = False

    def outcomes(self) -> tuple[Certificate | Abstention, ...]:
        """What every contender leaves if the comparison ends here; where no vote is counted yet, nothing is left."""
        found = (result for results in self.sweep.values() for result in results.values() if result.votes.total)
        return tuple(ended_by_hand(result) for result in found)


@dataclass
class _Sweep:
    """What is added to while levels are drawn one after the other."""

    planned: dict[float, int]
    results: dict[float, Results] = field(default_factory=dict)
    drawn: dict[float, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        return sum(self.drawn.values()) / sum(self.planned.values())


def available(
    model: MedVLM, task: Task, denoiser: str, banks: tuple[PromptBank, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Method ids that can be compared, and those that have no bank, in the order of the field."""
    own, without = {bank.facts.method for bank in banks}, set()
    for source in (*CONTEXT_METHODS, *PROBE_METHODS):
        try:
            if source not in own:
                shipped_bank(model, task, source, denoiser)
        except BankError:
            without |= {method.id for method in METHODS.values() if method.bank == source}
    return tuple(method for method in METHODS if method not in without), tuple(one for one in METHODS if one in without)


def compare(
    model: MedVLM,
    crop: Crop,
    task: Task,
    *,
    noise_level: float,
    plan: Plan,
    denoiser: str = "none",
    banks: tuple[PromptBank, ...] = (),
    gallery: dict[str, str | None] | None = None,
    finding: Finding | None = None,
    seed: int | None = None,
) -> Generator[Comparison, None, None]:
    """Certify a crop by every method from one stream of noise, first at ``noise_level``, then at the other levels.

    Every certificate is valid by itself. Keeping the best of them after looking is a choice made on their votes:
    ``psmooth.certify`` with the method that was chosen draws fresh ones. ``gallery``, ``finding`` and ``seed`` are as
    there.

    Raises:
        PsmoothError: as `psmooth.certify` does.
    """
    methods, missing = available(model, task, denoiser, banks)
    levels = (noise_level, *(level for level in SWEEP if level != noise_level))
    plans = {level: plan if level == noise_level else replace(plan, max_votes=SWEEP_VOTES) for level in levels}
    sweep = _Sweep({level: one.max_votes for level, one in plans.items()})
    first: Progress | None = None
    restarted: int | None = None
    lost = False
    for level in levels:
        options = {"methods": methods, "denoiser": denoiser, "banks": banks, "plan": plans[level]}
        options |= {"gallery": gallery, "finding": finding, "seed": seed}
        with closing(certify(model, crop, task=task, noise_level=level, **options)) as steps:  # type: ignore[arg-type]
            for step in steps:
                sweep.results[level] = step.results
                sweep.drawn[level] = 0 if step.phase == "selection" else step.votes
                first = step if level == noise_level or first is None else first
                restarted, lost = step.restarted or restarted, lost or bool(step.lost)
                over = level == levels[-1] and step.phase == "done"
                share = 1.0 if over else sweep.share
                yield Comparison(level, first, dict(sweep.results), share, missing, over, restarted, lost)
