"""Turns an attack on a scan into what a visitor reads and sees: crops on the way, and what answers there.

It knows nothing about Gradio, torch, or how a change is looked for.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

import numpy as np

from psmooth import views
from psmooth.views.attack_words import about, said
from psmooth.views.locale import class_words, translate

if TYPE_CHECKING:
    from psmooth.attack import AttackProgress, Point
    from psmooth.errors import PsmoothError
    from psmooth.scans import Crop
    from psmooth.tasks import Task

ATTACK_WORDS: Final[dict[str, str]] = {
    "attack_recording": "Recording",
    "attack_recording_about": "An earlier attack on a drawn scan, to show what comes. It says nothing of yours.",
    "attack_scan": "What the model sees",
    "attack_change": "The change",
    "attack_amplified": "change × {factor}",
    "attack_none": "no change yet",
    "attack_attacked": "The attacked crop",
    "attack_levels": "at most {levels} of 255 grey levels",
    "attack_plain": "Plain model",
    "attack_votes": "Votes of noisy copies",
    "attack_certified": "certified up to",
    "attack_frozen": "with its prompt frozen",
    "attack_falls": "the plain answer falls",
    "attack_turns": "the vote turns",
    "attack_share": "Share of the votes",
    "attack_probability": "Probability of its answer",
    "attack_interval": "95 % interval",
    "attack_distance": "L2 distance",
    "attack_hand": "How far the crop is changed. Arrow keys go to the next crop.",
    "attack_alt": "Line chart of the two answers against the distance; the table that follows tells the same.",
    "attack_table": "The answers on the way",
    "attack_unasked": "not asked yet",
    "attack_stop": "Stop",
    "attack_progress": "Steps of the attack",
    "attack_download": "Record",
    "attack_file": "psmooth-attack.json",
}

IDLE: Final = (
    "Press Attack: psmooth looks for the smallest change that turns the plain answer on this scan, and holds the "
    "certificate against it."
)

LINES: Final[dict[str, str]] = {
    "certify": "Certifying the scan: {step} of {planned} votes",
    "plain": "Attacking the plain model: step {step} of {planned}",
    "inside": "Attacking inside the certified radius: step {step} of {planned}",
    "smallest": "Looking for the smallest change that turns the vote: step {step} of {planned}",
    "points": "Asking both on the way: {step} of {planned} crops",
}
_SPANS: Final = {
    "certify": (0, 0.1),
    "plain": (0.1, 0.4),
    "inside": (0.4, 0.6),
    "smallest": (0.6, 0.85),
    "points": (0.85, 1),
}
_MOST_CLASSES: Final = 5


class Message(views.ViewState):
    """What the view shows without an attack; ``announce`` is said to those who do not see."""

    announce: str


class Bar(TypedDict):
    """The share of one class."""

    label: str
    share: float
    count: str
    leads: bool


class Waypoint(TypedDict):
    """A crop on the way: its distance, and what each answers there; empty words and bars where it was not asked.

    ``probability`` is that of the plain model's answer, ``votes_share`` that of the class that is certified or leads.
    """

    distance: float
    distance_text: str
    attacked: str
    named: str
    fell: bool
    named_bars: list[Bar]
    probability: float | None
    voted: str
    turned: bool
    voted_bars: list[Bar]
    votes_share: float | None
    low: float | None
    high: float | None


class Marked(TypedDict):
    """What stands on the axis of distances; ``reach`` is the certified radius, and 0 where nothing is certified."""

    reach: float
    reach_text: str
    is_frozen: bool
    falls_at: float | None
    falls_text: str
    turns_at: float | None
    turns_text: str


class Attacked(Message):
    """What the view shows at a step; the ``record`` comes with the last one, and what paper adds to it."""

    about: str
    notice: str
    original: str
    waypoints: list[Waypoint]
    marked: Marked
    record: dict[str, Any] | None
    report: views.Report | None


def idle() -> Message:
    """Before the first attack."""
    return {"state": "idle", "line": translate("Idle"), "fraction": 0.0, "sentence": translate(IDLE), "announce": ""}


def loading(model_name: str) -> Message:
    """Asked for, not yet begun."""
    line, announce = views.loading_line(model_name), translate("Getting ready …")
    return {**idle(), "state": "loading", "line": line, "announce": announce}


def downloading(name: str, done: int, total: int) -> Message:
    """A model on its way from the Hub."""
    return {**idle(), **views.download_words(name, done, total)}


def queued(place: int, size: int) -> Message:
    """Others have the computer."""
    line = views.queued_line(place, size)
    return {**idle(), "state": "queued", "line": line, "announce": line}


def failed(error: "PsmoothError | None") -> Message:
    """The sentence of an error of psmooth's; None is anything else."""
    words = views.error_words(error)
    return {**idle(), "state": "failed", "line": translate("Failed"), "sentence": words, "announce": words}


def stopped_early() -> Message:
    """Stopped by hand before anything was found."""
    return {**idle(), "state": "stopped", "line": translate("Stopped"), "announce": translate("Stopped.")}


def ended(progress: "AttackProgress", crop: "Crop", task: "Task", record: dict[str, Any]) -> Attacked:
    """Stopped by hand at this step: what was found stays found."""
    shown = attacked(progress, crop, task, record)
    return {
        **shown,
        "state": "stopped",
        "line": translate("Stopped: this is what was found so far"),
        "announce": translate("Stopped."),
        "record": record,
        "report": _report(progress, crop),
    }


def attacked(progress: "AttackProgress", crop: "Crop", task: "Task", record: dict[str, Any]) -> Attacked:
    """Everything that the view shows at this step; ``record`` is what a file of it would hold."""
    is_done, passing = progress.part == "done", said(progress, task)
    return {
        "state": "done" if is_done else "running",
        "line": _line(progress),
        "fraction": _fraction(progress),
        "sentence": passing,
        "about": about(progress, task),
        "notice": views.restart_notice(progress.restarted, progress.lost),
        "announce": passing if is_done else "",
        "original": views.picture(_upright(crop)),
        "waypoints": _waypoints(progress, crop, task),
        "marked": _marked(progress),
        "record": record if is_done else None,
        "report": _report(progress, crop) if is_done else None,
    }


def _report(progress: "AttackProgress", crop: "Crop") -> views.Report | None:
    """How the certificate was computed that is held against the attack."""
    return views.report(progress.result, crop.rule.size) if progress.result else None


def _line(progress: "AttackProgress") -> str:
    if progress.part == "done":
        return translate("Done after {time}", time=views.duration_text(progress.seconds))
    values = {"step": views.count_text(progress.step), "planned": views.count_text(progress.planned)}
    return translate(LINES[progress.part], **values)


def _fraction(progress: "AttackProgress") -> float:
    start, end = _SPANS.get(progress.part, (1, 1))
    return start + (end - start) * progress.step / max(1, progress.planned)


def _marked(progress: "AttackProgress") -> Marked:
    falls, turned = progress.plain and progress.plain.found, progress.turned
    result = progress.result
    return {
        "reach": progress.radius,
        "reach_text": views.radius_text(progress.radius) if progress.radius else "",
        "is_frozen": result is not None and result.guarantee == "frozen_prompt",
        "falls_at": falls.distance if falls else None,
        "falls_text": views.number_text(falls.distance, ".3f") if falls else "",
        "turns_at": turned.change.distance if turned else None,
        "turns_text": views.number_text(turned.change.distance, ".3f") if turned else "",
    }


# --- crops on the way


def _waypoints(progress: "AttackProgress", crop: "Crop", task: "Task") -> list[Waypoint]:
    """The points that were asked, and what was found beside them, by distance; the crop itself comes first."""
    known = [*(_at(point) for point in progress.points), *_found(progress)]
    if not any(one.distance == 0 for one in known) and progress.answer is not None:
        known.append(_unchanged(progress, crop))
    single = {one.crop.sha256: one for one in reversed(known)}  # a point knows more of a crop than what was found there
    ordered = sorted(single.values(), key=lambda one: one.distance)
    classes = _classes(ordered, task)
    return [_waypoint(one, progress, task, classes) for one in ordered]


@dataclass(frozen=True, eq=False)
class Asked:
    """What is known of one crop: by class the plain model's probabilities, and shares of the votes, where asked."""

    crop: "Crop"
    distance: float
    named: str | None = None
    probabilities: tuple[float, ...] = ()
    voted: str | None = None
    shares: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None


def _at(point: "Point") -> Asked:
    change, shares = point.change, _shares(point.counts, point.votes)
    return Asked(
        change.crop, change.distance, point.named, point.probabilities, point.vote, shares, point.low, point.high
    )


def _found(progress: "AttackProgress") -> list[Asked]:
    """The changes that were found; of each what found it has asked."""
    found = []
    if progress.plain is not None and (falls := progress.plain.found) is not None:
        found.append(Asked(falls.crop, falls.distance, progress.plain.named))
    if (turned := progress.turned) is not None:
        change, judged = turned.change, turned.judged
        shares = _shares(judged.votes.counts, judged.votes.total)
        found.append(Asked(change.crop, change.distance, voted=judged.predicted, shares=shares))
    return found


def _unchanged(progress: "AttackProgress", crop: "Crop") -> Asked:
    if progress.result is None:
        return Asked(crop, 0.0, progress.answer)
    votes = progress.result.votes
    return Asked(crop, 0.0, progress.answer, voted=progress.leader, shares=_shares(votes.counts, votes.total))


def _shares(counts: tuple[int, ...], total: int) -> tuple[float, ...]:
    return tuple(count / total for count in counts) if total else ()


def _classes(asked: list[Asked], task: "Task") -> list[int]:
    """Numbers of the classes that anything on the way speaks of, the largest first."""
    rows = [shares for one in asked for shares in (one.probabilities, one.shares) if shares]
    largest = np.max(rows, axis=0) if rows else np.zeros(len(task.class_ids))
    answered = {named for one in asked for named in (one.named, one.voted)}
    keys = [(one not in answered, -largest[place]) for place, one in enumerate(task.class_ids)]
    return sorted(range(len(keys)), key=keys.__getitem__)[:_MOST_CLASSES]


def _waypoint(asked: Asked, progress: "AttackProgress", task: "Task", classes: list[int]) -> Waypoint:
    ids, answer, leader = task.class_ids, progress.answer, progress.leader
    of_answer = asked.probabilities[ids.index(answer)] if asked.probabilities and answer in ids else None
    of_leader = asked.shares[ids.index(leader)] if asked.shares and leader in ids else None
    return {
        "distance": asked.distance,
        "distance_text": views.number_text(asked.distance, ".3f"),
        "attacked": views.picture(_upright(asked.crop)),
        "named": _words(task, asked.named),
        "fell": asked.named not in (None, answer),
        "named_bars": _bars(asked.probabilities, asked.named, task, classes),
        "probability": of_answer,
        "voted": _words(task, asked.voted),
        "turned": asked.voted not in (None, leader),
        "voted_bars": _bars(asked.shares, asked.voted, task, classes),
        "votes_share": of_leader if asked.low is not None else None,
        "low": asked.low,
        "high": asked.high,
    }


def _bars(shares: tuple[float, ...], leads: str | None, task: "Task", classes: list[int]) -> list[Bar]:
    return [
        {
            "label": class_words(task.class_names[place]),
            "share": shares[place] if shares else 0.0,
            "count": f"{views.number_text(100 * shares[place], '.0f')} %" if shares else "",
            "leads": task.class_ids[place] == leads,
        }
        for place in classes
    ]


def _words(task: "Task", class_id: str | None) -> str:
    return class_words(task.class_names[task.class_ids.index(class_id)]) if class_id in task.class_ids else ""


def _upright(crop: "Crop") -> np.ndarray:
    return crop.pixels.transpose(1, 2, 0)
