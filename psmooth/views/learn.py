"""Turns the learning of a prompt bank into what a visitor reads and sees: a state, a loss curve, the bank's facts.

It knows nothing about Gradio, torch, or how a bank is learned.
"""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypedDict

from psmooth import views
from psmooth.methods import METHODS
from psmooth.views.locale import translate

if TYPE_CHECKING:
    from psmooth.errors import PsmoothError
    from psmooth.learning.from_folders import TrainingProgress
    from psmooth.prompts import PromptBank

LEARN_WORDS: Final[dict[str, str]] = {
    "learn_title": "Teach this model your scans",
    "learn_loss": "Loss",
    "learn_loss_alt": "The loss at every step; the last value stands beside it.",
    "learn_progress": "Progress",
    "learn_stop": "Stop",
    "learn_download": "Download the bank",
    "learn_way": "Way",
    "learn_shots": "Labelled scans a class",
    "learn_shots_info": "More are left out, at random.",
    "learn_upload": "Upload a zip of scans",
    "learn_drawn": "Try it with drawn scans",
}
WAY_CHOICES: Final = tuple(
    (f"{method.name} prompts" if method.learned == "context" else method.name, method.id)
    for method in METHODS.values()
    if method.learned
)
_IDLE: Final = (
    "Few-shot and linear probe need a zip with one folder a class; the label-free ways take any scans of the modality: "
    "the model's own answers on clean scans are the teacher. The weights stay as they are."
)
_PHASES: Final = {"reading": "Reading scans", "encoding": "Encoding noisy copies", "learning": "Learning"}
_SHARES: Final = {"reading": (0.0, 0.1), "encoding": (0.1, 0.6), "learning": (0.6, 1.0)}


def way_choices() -> list[tuple[str, str]]:
    """(words, method id) as the page shows them."""
    return [(translate(words), method) for words, method in WAY_CHOICES]


class BankFile(TypedDict):
    """A bank to be downloaded: its file in base64, and pairs of a term and what it is."""

    title: str
    name: str
    file: str
    facts: list[list[str]]


class Learned(views.ViewState):
    """What the view shows at every step."""

    losses: list[float]
    bank: BankFile | None


def idle() -> Learned:
    """Before anything is learned."""
    return {
        "state": "idle",
        "line": translate("Idle"),
        "fraction": 0.0,
        "sentence": translate(_IDLE),
        "losses": [],
        "bank": None,
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
    if step.phase == "done" and step.bank is not None:
        return _learned(step, step.bank)
    low, high = _SHARES[step.phase]
    share = step.done / step.planned if step.planned else 0.5
    counted = views.count_text(step.done)
    if step.planned:
        counted = translate("{done} of {planned}", done=counted, planned=views.count_text(step.planned))
    return {
        "state": "running",
        "line": f"{translate(_PHASES[step.phase])} · {counted}",
        "fraction": low + share * (high - low),
        "sentence": translate(_IDLE),
        "losses": _thinned(step.losses),
        "bank": None,
    }


def _learned(step: "TrainingProgress", bank: "PromptBank") -> Learned:
    facts = bank.facts
    title = bank_title(bank)
    return {
        "state": "done",
        "line": translate("Learned · {steps} steps · loss {loss}", steps=facts.steps, loss=f"{step.losses[-1]:.3f}"),
        "fraction": 1.0,
        "sentence": translate(
            "The bank stands in the menu of prompts as “{title}”. It is yours until this page is closed.", title=title
        ),
        "losses": _thinned(step.losses),
        "bank": {
            "title": title,
            "name": f"{bank.name}.safetensors",
            "file": base64.b64encode(step.file).decode("ascii"),
            "facts": [
                [translate("Model"), facts.model],
                [translate("Task"), facts.task],
                [translate("Classes"), ", ".join(facts.class_names)],
                [translate("Denoiser"), views.denoiser_words(facts.denoiser)],
                [translate("Scans"), str(facts.pool)],
                [translate("Labels used"), _labels_used(facts.shots)],
                [translate("Noise levels"), ", ".join(f"{level:g}" for level in facts.noise_levels)],
                ["sha256", bank.sha256[:16] + "…"],
            ],
        },
    }


def _labels_used(shots: int | None) -> str:
    return translate("none") if shots is None else translate("up to {shots} a class", shots=shots)


def _thinned(losses: tuple[float, ...]) -> list[float]:
    return [round(loss, 4) for loss in losses[:: max(1, len(losses) // 150)]]
