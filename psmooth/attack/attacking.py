"""Attacks one scan as a whole: certifies it, makes the plain model fall, looks for what turns the vote.

It knows nothing about files or pages.
"""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from psmooth.attack.line import Point, points_between
from psmooth.attack.pipeline import attack_pipeline
from psmooth.attack.plain import PlainProgress, attack_plain
from psmooth.attack.smoothed import Attempt, SmoothedProgress, attack_smallest, attack_smoothed
from psmooth.attack.target import Target
from psmooth.certificate import Abstention, Certificate
from psmooth.smoothing.certification import Results, certify_request, stopped

Part = Literal["certify", "plain", "inside", "smallest", "points", "done"]


@dataclass(frozen=True)
class Effort:
    """How long is looked; the words are those of the functions that do it.

    Attributes:
        plain_steps: gradients of the attack on the plain model.
        inside: the share of the certified radius that an attack inside it may use; None for no such attack.
        steps, draws: gradients of the attack inside the radius, each over as many noisy copies.
        halvings: of the search for the smallest change that turns the vote; None for no such search.
        smallest_steps: gradients at each radius of it.
        points, votes: on the way, and votes at each of them; no points for none.
    """

    plain_steps: int = 40
    inside: float | None = 0.99
    steps: int = 20
    draws: int = 16
    halvings: int | None = 6
    smallest_steps: int = 12
    points: int = 11
    votes: int = 200


QUICK = Effort(plain_steps=16, inside=None, draws=8, halvings=3, smallest_steps=5, points=9, votes=64)
THOROUGH = Effort()


@dataclass(frozen=True, eq=False)
class AttackProgress:
    """An attack on a scan as of now; every part is true as far as it has come.

    Attributes:
        part: what is being done; ``done`` at the end.
        step, planned: of this part.
        seconds: since it all began.
        answer: the class id that the plain model names for the crop; None before that is known.
        leader: the class id that the vote is for; None before that is known.
        result: the certificate or abstention for the crop; None before the first vote is counted.
        plain: the attack on the plain model.
        inside: the attack inside the certified radius: on the vote, or on the pipeline if the method tunes on the scan.
        smallest: the search for the smallest change that turns the vote; for such a method, with its prompt as it was
            before it tuned, judged by the whole pipeline.
        points: on the way.
        restarted, lost: as of ``Progress``, of the run that certified the crop.
    """

    part: Part
    step: int
    planned: int
    seconds: float
    answer: str | None = None
    leader: str | None = None
    result: Certificate | Abstention | None = None
    plain: PlainProgress | None = None
    inside: SmoothedProgress | None = None
    smallest: SmoothedProgress | None = None
    points: tuple[Point, ...] = ()
    restarted: int | None = None
    lost: bool = False

    @property
    def radius(self) -> float:
        """What is certified for the crop; 0 for an abstention."""
        return self.result.radius if isinstance(self.result, Certificate) else 0.0

    @property
    def turned(self) -> Attempt | None:
        """The smallest change found that turned the vote."""
        found = [one.smallest for one in (self.inside, self.smallest) if one is not None and one.smallest is not None]
        return min(found, key=lambda one: one.change.distance, default=None)


def attack(target: Target, effort: Effort = THOROUGH) -> Generator[AttackProgress, None, None]:
    """Certify a crop, look for the smallest change that turns the plain answer, and for what turns the vote.

    An attack that fails proves nothing; the certificate does. What is found is an upper bound. Ending it is to close
    the iterator: nothing runs on.

    Args:
        target: from ``find_target``; its seed is that of the certificate, and every judgement has one of its own.
        effort: how long is looked.

    Yields:
        ``AttackProgress``, several times a second; the last one has the part ``done``.
    """
    start = time.perf_counter()
    now = AttackProgress("certify", 0, target.request.plan.max_votes, 0.0)
    with closing(certify_request(target.request)) as steps:
        for step in steps:
            result = _only(stopped(step)) if step.votes and step.phase != "selection" else None
            answer = next(iter(step.clean.values()), None)
            now = replace(
                now, step=step.votes, planned=step.planned, seconds=time.perf_counter() - start, answer=answer,
                result=result, leader=result.leader if result else None, restarted=step.restarted,
                lost=bool(step.lost),
            )  # fmt: skip
            yield now
    with closing(attack_result(target, now, effort, start)) as steps:
        yield from steps


def attack_result(
    target: Target, now: AttackProgress, effort: Effort, start: float
) -> Generator[AttackProgress, None, None]:
    """What follows once the crop is certified, which ``now`` says; a plain attack that it holds is not made again."""

    def told(part: Part, step: int, planned: int, **found: object) -> AttackProgress:
        facts = {"part": part, "step": step, "planned": planned, "seconds": time.perf_counter() - start, **found}
        return replace(now, **facts)  # type: ignore[arg-type]

    for plain in attack_plain(target, steps=effort.plain_steps) if now.plain is None else ():
        yield (now := told("plain", plain.step, plain.planned, answer=plain.answer, plain=plain))
    if (leader := now.leader) is None:  # no vote was counted
        return
    if effort.inside is not None and now.radius > 0:
        search = attack_smoothed if target.contender.start is None else attack_pipeline
        for inside in search(target, leader, effort.inside * now.radius, steps=effort.steps, draws=effort.draws):
            yield (now := told("inside", inside.step, inside.planned, inside=inside))
    if effort.halvings is not None and now.radius > 0:
        steps, draws = effort.smallest_steps, effort.draws
        turning = attack_smallest(target, leader, now.radius, steps=steps, draws=draws, halvings=effort.halvings)
        for smallest in turning:
            yield (now := told("smallest", smallest.step, smallest.planned, smallest=smallest))
    if effort.points:
        plain_change = now.plain.found if now.plain else None
        beyond = now.turned.change if now.turned else None
        points = points_between(target, leader, plain_change, beyond, count=effort.points, votes=effort.votes)
        for point in points:
            found = (*now.points, point)
            yield (now := told("points", len(found), effort.points, points=found))
    yield told("done", 1, 1)


def _only(results: Results) -> Certificate | Abstention:
    return next(iter(results.values()))
