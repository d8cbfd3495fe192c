"""Turns the learning of a prompt bank into what a visitor reads and sees: a state, a loss curve, the bank's facts.

It knows nothing about Gradio, torch, or how a bank is learned.
"""

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypedDict

from psmooth import views
from psmooth.methods import METHODS, WAYS, Way
from psmooth.views.locale import translate

if TYPE_CHECKING:
    from psmooth.errors import PsmoothError
    from psmooth.learning.from_folders import TrainingProgress
    from psmooth.learning.held_out import Scores, Share, Shortage
    from psmooth.prompts import PromptBank

LEARN_WORDS: Final[dict[str, str]] = {
    "learn_title": "Teach this model your scans",
    "learn_loss": "Loss while learning",
    "learn_loss_alt": "The loss at every step; the last value stands beside it.",
    "learn_loss_about": "Cross-entropy on noisy copies of the scans that are learned from, a running mean: it says how "
    "well these are fitted, not how well others will be named.",
    "learn_loss_axis": "Loss",
    "learn_step_axis": "Step",
    "learn_certify": "Certify with it",
    "learn_before": "before",
    "learn_after": "after",
    "learn_progress": "Progress",
    "learn_stop": "Stop",
    "learn_download": "Download the bank",
    "learn_way": "How to learn",
    "learn_shots": "Labelled scans a class",
    "learn_shots_info": "More are left out, at random.",
    "learn_upload": "Upload a zip of scans",
    "learn_drawn": "Try it with drawn scans",
}


def _way_words(way: Way) -> str:
    method = METHODS[way.method]
    if way.closed_form:
        return f"{method.name}, closed form (no steps)"
    return f"{method.name} prompts" if method.learned == "context" else method.name


WAY_CHOICES: Final = tuple((_way_words(way), way.id) for way in WAYS.values())
IDLE: Final = (
    "Few-shot and linear probe need a zip with one folder a class; the label-free ways take any scans of the modality: "
    "the model's own answers on clean scans are the teacher. The weights stay as they are. Where there are enough "
    "scans, some are held out: on these you see what learning has changed."
)
PHASES: Final = {
    "reading": "Reading scans",
    "encoding": "Encoding noisy copies",
    "learning": "Learning",
    "scoring": "Certifying scans that were held out",
}
_SHARES: Final = {"reading": (0.0, 0.1), "encoding": (0.1, 0.5), "learning": (0.5, 0.7), "scoring": (0.7, 1.0)}


def way_choices() -> list[tuple[str, str]]:
    """(words, id of the way) as the page shows them."""
    return [(translate(words), way) for words, way in WAY_CHOICES]


class BankFile(TypedDict):
    """A bank to be downloaded: its file in base64, and pairs of a term and what it is."""

    title: str
    name: str
    file: str
    facts: list[list[str]]


class Score(TypedDict):
    """A share of the scans that were held out, with the ends of its interval, and the same in words."""

    share: float
    low: float
    high: float
    words: str


class Measure(TypedDict):
    """What is counted, with hand-written prompts and with those that were learned."""

    name: str
    before: Score
    after: Score


class HeldOut(TypedDict):
    """What learning has changed on scans that were not learned from."""

    title: str
    about: str
    measures: list[Measure]


class Learned(views.ViewState):
    """What the view shows at every step; ``steps`` of learning are done and planned, ``losses`` spread over them."""

    losses: list[float]
    steps: list[int]
    bank: BankFile | None
    scores: HeldOut | None


def idle() -> Learned:
    """Before anything is learned."""
    return {
        "state": "idle",
        "line": translate("Idle"),
        "fraction": 0.0,
        "sentence": translate(IDLE),
        "losses": [],
        "steps": [0, 1],
        "bank": None,
        "scores": None,
    }


def loading(model_name: str) -> Learned:
    """Asked for, not yet begun."""
    return {**idle(), "state": "loading", "line": views.loading_line(model_name)}


def downloading(name: str, done: int, total: int) -> Learned:
    """A model on its way from the Hub."""
    return {**idle(), **views.download_words(name, done, total)}


def queued(place: int, size: int) -> Learned:
    """Others have the computer."""
    return {**idle(), "state": "queued", "line": views.queued_line(place, size)}


def failed(error: "PsmoothError | None") -> Learned:
    """The sentence of an error of psmooth's; None is anything else."""
    return {**idle(), "state": "failed", "line": translate("Failed"), "sentence": views.error_words(error)}


def stopped_early() -> Learned:
    """Stopped before the last step: there is no bank."""
    sentence = translate("Stopped before the end: no bank was kept.")
    return {**idle(), "state": "stopped", "line": translate("Stopped"), "sentence": sentence}


def bank_title(bank: "PromptBank") -> str:
    """How the menu of prompts calls a visitor's bank."""
    return translate(
        "{origin}: {method}, {pool} scans",
        origin=bank.repo or translate("mine"),
        method=translate(views.METHOD_NAMES[bank.facts.method]),
        pool=bank.facts.pool,
    )


def fetched(banks: "Sequence[PromptBank]") -> str:
    """What came from the Hub."""
    first = banks[0]
    return translate(
        "{count} banks of {repo} @ {revision} stand in the menu of prompts. Licence: {licence}.",
        count=len(banks),
        repo=first.repo or "",
        revision=(first.revision or "")[:8],
        licence=first.facts.licence,
    )


def learning(step: "TrainingProgress") -> Learned:
    """Everything that the view shows at this step."""
    if step.phase == "done":
        return _learned(step)
    low, high = _SHARES[step.phase]
    share = step.done / step.planned if step.planned else 0.5
    counted = views.count_text(step.done)
    if step.planned:
        counted = translate("{done} of {planned}", done=counted, planned=views.count_text(step.planned))
    return {
        "state": "running",
        "line": f"{translate(PHASES[step.phase])} · {counted}",
        "fraction": low + share * (high - low),
        "sentence": translate(IDLE) if step.bank is None else _where(step.bank),
        "losses": _thinned(step.losses),
        "steps": _steps(step),
        "bank": _bank_file(step),
        "scores": None,
    }


def ended(step: "TrainingProgress") -> Learned:
    """Stopped by hand while the bank, which is there, was being scored."""
    left = translate("Scoring was stopped, so nothing is said of scans that were held out.")
    return {**_learned(step), "line": translate("Stopped"), "sentence": f"{left} {_where(step.bank)}"}


def _learned(step: "TrainingProgress") -> Learned:
    assert step.bank is not None
    steps, loss = step.bank.facts.steps, views.number_text(step.losses[-1], ".3f")
    if steps:
        line = translate("Learned · {steps} steps · loss {loss}", steps=steps, loss=loss)
    else:
        line = translate("Learned in closed form, without a step · loss {loss}", loss=loss)
    return {
        "state": "done",
        "line": line,
        "fraction": 1.0,
        "sentence": " ".join(filter(None, [_where(step.bank), step.shortage and _short_of(step.shortage)])),
        "losses": _thinned(step.losses),
        "steps": _steps(step),
        "bank": _bank_file(step),
        "scores": step.scores and _held_out(step.scores),
    }


def _where(bank: "PromptBank | None") -> str:
    title = bank_title(bank) if bank else ""
    return translate(
        "The bank stands in the menu of prompts as “{title}”. It is yours until this page is closed.", title=title
    )


def _bank_file(step: "TrainingProgress") -> BankFile | None:
    bank = step.bank
    if bank is None:
        return None
    facts = bank.facts
    levels = views.listed(views.number_text(level) for level in facts.noise_levels)
    return {
        "title": bank_title(bank),
        "name": f"{bank.name}.safetensors",
        "file": base64.b64encode(step.file).decode("ascii"),
        "facts": [
            [translate("Model"), facts.model],
            [translate("Task"), facts.task],
            [translate("Classes"), ", ".join(facts.class_names)],
            [translate("Denoiser"), views.denoiser_words(facts.denoiser)],
            [translate("Scans learned from"), views.count_text(facts.pool)],
            [translate("Labels used"), _labels_used(facts.shots)],
            [translate("Noise levels"), levels],
            ["sha256", bank.sha256[:16] + "…"],
        ],
    }


def _held_out(scores: "Scores") -> HeldOut:
    noise = views.number_text(scores.noise_level)
    measures = {
        translate("Named right without noise"): scores.right,
        translate("Certified as their class at σ = {noise}", noise=noise): scores.certified,
    }
    return {
        "title": translate("Held out, never learned from: {count} scans", count=scores.scans),
        "about": translate(
            "{each} of each class, drawn by a fixed seed; the same picture is never on both sides, but scans of one "
            "patient may be, and then the shares are too high. Certified: {votes} votes a scan, each certificate with "
            "confidence {confidence}. The lines are 95 % intervals of Clopper and Pearson.",
            each=scores.each,
            votes=views.count_text(scores.votes),
            confidence=views.confidence_text(scores.failure_probability),
        ),
        "measures": [
            {"name": name, "before": _score(before, scores.scans), "after": _score(after, scores.scans)}
            for name, (before, after) in measures.items()
        ],
    }


def _score(share: "Share", scans: int) -> Score:
    words = translate(
        "{hits} of {scans} · {low} to {high} %",
        hits=share.hits,
        scans=scans,
        low=math.floor(100 * share.low),
        high=math.ceil(100 * share.high),
    )
    return {"share": share.hits / scans, "low": share.low, "high": share.high, "words": words}


def _short_of(shortage: "Shortage") -> str:
    """Why nothing was held out."""
    if shortage.class_name is None:
        return translate("Nothing was held out to score it on: the folders do not name the classes.")
    return translate(
        "Nothing was held out to score it on: that takes at least {least} different scans of every class, and of "
        "“{name}” there are {count}.",
        least=shortage.least,
        name=shortage.class_name,
        count=shortage.pictures,
    )


def _labels_used(shots: int | None) -> str:
    return translate("none") if shots is None else translate("up to {shots} a class", shots=shots)


def _steps(step: "TrainingProgress") -> list[int]:
    done = max(1, len(step.losses))
    return [done, step.planned if step.phase == "learning" else done]


def _thinned(losses: tuple[float, ...]) -> list[float]:
    every = max(1, len(losses) // 150)
    return [round(loss, 4) for loss in losses[::-every][::-1]]  # the last one always stays
