"""Turns the learning of a prompt bank into what a visitor reads and sees: a state, a loss curve, the bank's facts.

It knows nothing about Gradio, torch, or how a bank is learned.
"""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from psmooth import views

if TYPE_CHECKING:
    from psmooth.lessons import Lessons
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
WAY_CHOICES: Final = (
    ("few-shot prompts", "few_shot"),
    ("label-free prompts", "label_free"),
    ("linear probe", "linear_probe"),
    ("label-free probe", "label_free_probe"),
)
_IDLE: Final = (
    "Few-shot and linear probe need a zip with one folder a class; the label-free ways take any scans of the modality: "
    "the model's own answers on clean scans are the teacher. The weights stay as they are."
)
_PHASES: Final = {"reading": "Reading scans", "encoding": "Encoding noisy copies", "learning": "Learning"}
_SHARES: Final = {"reading": (0.0, 0.1), "encoding": (0.1, 0.6), "learning": (0.6, 1.0)}


def idle() -> dict[str, Any]:
    """Before anything is learned."""
    return {"state": "idle", "line": "Idle", "fraction": 0.0, "sentence": _IDLE, "losses": [], "bank": None}


def loading(model_name: str) -> dict[str, Any]:
    """Asked for, not yet begun."""
    return {**idle(), "state": "loading", "line": f"Loading {model_name}"}


def downloading(name: str, done: int, total: int) -> dict[str, Any]:
    """A model on its way from the Hub."""
    return {**idle(), **views.download_words(name, done, total)}


def failed(error: str) -> dict[str, Any]:
    """The sentence of a `PsmoothError`."""
    return {**idle(), "state": "failed", "line": "Failed", "sentence": error}


def stopped() -> dict[str, Any]:
    """Stopped before the last step: there is no bank."""
    return {**idle(), "state": "stopped", "line": "Stopped", "sentence": "Stopped before the end: no bank was kept."}


def bank_title(bank: "PromptBank") -> str:
    """How the menu of prompts calls a visitor's bank."""
    origin = bank.repo or "mine"
    return f"{origin}: {views.METHOD_NAMES[bank.facts.method]}, {bank.facts.pool} scans"


def fetched(banks: "Sequence[PromptBank]") -> str:
    """What came from the Hub."""
    first = banks[0]
    pin = (first.revision or "")[:8]
    return f"{len(banks)} banks of {first.repo} @ {pin} stand in the menu of prompts. Licence: {first.facts.licence}."


def lessons(step: "Lessons") -> dict[str, Any]:
    """Everything that the view shows at this step."""
    if step.phase == "done" and step.bank is not None:
        return _learned(step, step.bank)
    low, high = _SHARES[step.phase]
    share = step.done / step.planned if step.planned else 0.5
    counted = f"{views.count_text(step.done)}" + (f" of {views.count_text(step.planned)}" if step.planned else "")
    return {
        "state": "running",
        "line": f"{_PHASES[step.phase]} · {counted}",
        "fraction": low + share * (high - low),
        "sentence": _IDLE,
        "losses": _thinned(step.losses),
        "bank": None,
    }


def _learned(step: "Lessons", bank: "PromptBank") -> dict[str, Any]:
    facts = bank.facts
    title = bank_title(bank)
    return {
        "state": "done",
        "line": f"Learned · {facts.steps} steps · loss {step.losses[-1]:.3f}",
        "fraction": 1.0,
        "sentence": f"The bank stands in the menu of prompts as “{title}”. It is yours until this page is closed.",
        "losses": _thinned(step.losses),
        "bank": {
            "title": title,
            "name": f"{bank.name}.safetensors",
            "file": base64.b64encode(step.file).decode("ascii"),
            "facts": [
                ["Model", facts.model],
                ["Task", facts.task],
                ["Classes", ", ".join(facts.class_names)],
                ["Denoiser", views.DENOISER_NAMES[facts.denoiser]],
                ["Scans", str(facts.pool)],
                ["Labels used", "none" if facts.shots is None else f"up to {facts.shots} a class"],
                ["Noise levels", ", ".join(f"{level:g}" for level in facts.noise_levels)],
                ["sha256", bank.sha256[:16] + "…"],
            ],
        },
    }


def _thinned(losses: tuple[float, ...]) -> list[float]:
    return [round(loss, 4) for loss in losses[:: max(1, len(losses) // 150)]]
