"""Says what an attack on a scan has found: a sentence for a passer-by, and what a researcher needs beside it.

It knows nothing about where a sentence stands. Nothing is claimed that was not found, and of what a certificate
promises no more than it says.
"""

from typing import TYPE_CHECKING, Final

from psmooth.certificate import Abstention, Certificate
from psmooth.methods import METHODS
from psmooth.views.facts import encoder_words, runtime_of
from psmooth.views.locale import class_words, translate
from psmooth.views.numbers import number_text, radius_text
from psmooth.views.sentences import joint_alpha_text

if TYPE_CHECKING:
    from psmooth.attack import AttackProgress, Attempt, Change, Point
    from psmooth.tasks import Task

UNSEEN_LEVELS, UNSEEN_MEAN = (
    16,
    2.0,
)  # grey levels: what a change that nobody sees has at most, of a value and on average


def said(progress: "AttackProgress", task: "Task") -> str:
    """For a passer-by: what became of the plain answer, and what of the certified one."""
    return " ".join(filter(None, [_plain(progress, task), _certified(progress, task)]))


def about(progress: "AttackProgress", task: "Task") -> str:
    """For a researcher: how far what was found lies from what is certified, and what it does and does not prove."""
    parts = [_turned(progress, task), _encoder(progress), _tuning(progress)]
    parts.append(translate("An attack that fails proves nothing; the certificate does."))
    if progress.radius and progress.turned is None:
        parts.append(translate("Outside its radius nothing is promised."))
    return " ".join(filter(None, parts))


def _name(task: "Task", class_id: str | None) -> str:
    return class_words(task.class_names[task.class_ids.index(class_id)]) if class_id in task.class_ids else ""


def _plain(progress: "AttackProgress", task: "Task") -> str:
    before, plain = _name(task, progress.answer), progress.plain
    if progress.answer is None:
        return translate("Getting ready …")
    if not before:
        return translate("The plain model names no class.")
    if plain is None:
        return translate("The plain model answers {name}.", name=before)
    if plain.found is not None:
        after = _name(task, plain.named)
        return _fall(plain.found, before, after)
    if plain.done:
        return translate("No change was found that turns the plain answer, {name}.", name=before)
    return translate("No change has been found yet that turns the plain answer, {name}.", name=before)


def _fall(found: "Change", before: str, after: str) -> str:
    if found.largest <= UNSEEN_LEVELS and found.root_mean_square <= UNSEEN_MEAN:
        return translate(
            "A change nobody sees turns the plain answer from {before} to {after}.", before=before, after=after
        )
    return translate(
        "A change of at most {levels} of 255 grey levels turns the plain answer from {before} to {after}.",
        levels=found.largest,
        before=before,
        after=after,
    )


def _certified(progress: "AttackProgress", task: "Task") -> str:
    result = progress.result
    if isinstance(result, Abstention):
        if progress.part == "certify":
            return translate("Nothing is certified yet.")
        return translate("Nothing is certified here: no change is ruled out.")
    if result is None:
        return ""
    values = {"name": _name(task, result.leader), "radius": radius_text(result.radius)}
    if result.guarantee == "frozen_prompt":
        return translate("With its prompt frozen, the certified answer, {name}, must hold up to {radius}.", **values)
    return translate(_holding(progress, result), **values)


HOLDING: Final[dict[str, str]] = {
    "inside": "The certified answer, {name}, must hold there: nothing closer than {radius} turns it.",
    "holds": "The certified one, {name}, holds there, and must hold up to {radius}.",
    "turns": "The certified one, {name}, must hold up to {radius}; this change is larger, and turns it too.",
    "unasked": "The certified answer, {name}, must hold up to {radius}.",
}


def _holding(progress: "AttackProgress", result: Certificate) -> str:
    """Whether the vote holds at the change that turned the plain answer is said where it was asked, and clear."""
    fall = progress.plain.found if progress.plain else None
    if fall is None:
        return HOLDING["unasked"]
    if fall.distance < result.radius:
        return HOLDING["inside"]
    there = _point_at(progress, fall)
    if there is not None and there.vote == result.leader and there.low > 0.5:
        return HOLDING["holds"]
    return HOLDING["turns" if there is not None and there.high < 0.5 else "unasked"]


def _point_at(progress: "AttackProgress", change: "Change") -> "Point | None":
    return next((one for one in progress.points if one.change.crop.sha256 == change.crop.sha256), None)


def _turned(progress: "AttackProgress", task: "Task") -> str:
    """What was found that turns the certified answer, inside the radius or outside of it."""
    turned, result = progress.turned, progress.result
    if not isinstance(result, Certificate):
        return ""
    if turned is not None:
        if turned.change.distance < result.radius:
            return _inside(progress, turned, result, task)
        return _outside(progress, turned, result)
    searches = [one for one in (progress.inside, progress.smallest) if one is not None]
    if searches and progress.part in ("points", "done"):
        return translate("No change was found that turns the certified answer.")
    return ""


def _outside(progress: "AttackProgress", turned: "Attempt", result: Certificate) -> str:
    values = {
        "distance": number_text(turned.change.distance, ".3f"),
        "ratio": number_text(turned.change.distance / result.radius, ".2f"),
    }
    if progress.part == "smallest":
        return translate(
            "Found so far to turn the vote: L2 {distance}, {ratio} times the radius. Outside it nothing is promised.",
            **values,
        )
    return translate(
        "The smallest change found that turns the vote is L2 {distance}, {ratio} times the radius. Outside it nothing "
        "is promised.",
        **values,
    )


def _inside(progress: "AttackProgress", turned: "Attempt", result: Certificate, task: "Task") -> str:
    """Every judge of the attack might have been false: the chance that is told is that of all of them."""
    values = {"distance": number_text(turned.change.distance, ".3f"), "name": _name(task, turned.judged.predicted)}
    if METHODS[result.run.method].tunes:
        return translate(
            "Inside the radius, at L2 {distance}, the program tuned its prompt anew and certified {name}: that the "
            "radius has not ruled out.",
            **values,
        )
    searches = [one for one in (progress.inside, progress.smallest) if one is not None]
    judged = [attempt.judged for one in searches for attempt in one.attempts]
    return translate(
        "Inside the radius, at L2 {distance}, a fresh run certified {name}: this certificate or that run is false, for "
        "which noise has a chance of at most {alpha}.",
        alpha=joint_alpha_text([result, *judged]),
        **values,
    )


def _encoder(progress: "AttackProgress") -> str:
    """Where what answers has no gradients, whose they are."""
    if progress.result is None or not runtime_of(progress.result.run):
        return ""
    return translate(
        "Answers and votes are encoded in {encoder}; gradients are those of the same network in float32.",
        encoder=encoder_words(progress.result.run),
    )


def _tuning(progress: "AttackProgress") -> str:
    """What the radius of a prompt that is tuned on the scan does not promise."""
    if progress.result is None or not METHODS[progress.result.run.method].tunes:
        return ""
    return translate(
        "This prompt is tuned on each scan: what is attacked is the whole program, which tunes anew on what arrives. "
        "Its radius holds for the prompt as it was tuned on this scan, and promises nothing of that program."
    )
