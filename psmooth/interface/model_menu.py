"""The models on offer: those of the menu, those that a visitor types in, and their way to the device.

It knows nothing about scans, runs or the page.
"""

import os
import re
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from weakref import WeakKeyDictionary

import torch

from psmooth import views
from psmooth.errors import ModelError
from psmooth.files import resource
from psmooth.interface.arrivals import Arrivals
from psmooth.interface.zero_gpu import home_device, on_zero_gpu, to_gpu
from psmooth.models import FAST, MODELS, MedVLM, find_device, is_fast_here, load_model, on_runtime
from psmooth.models.cache import ModelCache
from psmooth.models.typed import load_typed, typed_allowed
from psmooth.runtime import best_batch_size, threads_given, usable_cores

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w./-]+)?", re.ASCII)

LONGEST_NAME = 200  # characters of a repository and its revision


def is_typed(choice: str) -> bool:
    """Whether a visitor typed a model in, rather than choosing what the operator offers."""
    return choice not in [known for _, known in model_choices()]


def _load(name: str, device: str | None, progress: Callable[[int, int], None] | None) -> MedVLM:
    return (load_typed if is_typed(name) else load_model)(name, device, progress)


models = ModelCache(home_device(), load=_load, guest=is_typed)

arrivals = Arrivals(models.get)


def model_choices() -> list[tuple[str, str]]:
    """(words, id or weights): models named in ``PSMOOTH_MODELS`` (semicolons between), the bundled ones, the Hub's."""
    extra = [weights.strip() for weights in os.environ.get("PSMOOTH_MODELS", "").split(";") if weights.strip()]
    rows = [(views.model_words(spec), spec.id) for spec in MODELS.values() if _is_here(spec.weights)]
    return [*[(_short(weights), weights) for weights in extra], *rows]


def _is_here(weights: str) -> bool:
    source, _, name = weights.partition(":")
    return source != "bundled" or resource("assets", "pocket", f"{name}.safetensors").is_file()


def _short(weights: str) -> str:
    return weights.rstrip("/").rsplit("/", 1)[-1].removeprefix("local-dir:")


@dataclass(frozen=True)
class Download:
    """A model on its way: bytes that are here and bytes in all."""

    done: int
    total: int


def check_choice(choice: str | None) -> str:
    """The model that may be loaded: one of the menu, or ``hf-hub:owner/name`` typed in; never a folder of the server.

    ``owner/name`` alone is one of the Hub too.

    Raises:
        ModelError: nothing was chosen, or a model that is neither.
    """
    if not choice:
        raise ModelError(views.NO_MODEL)
    if not isinstance(choice, str):
        raise ModelError(views.STRANGE_MODEL)
    if is_typed(choice):
        choice = f"hf-hub:{choice.strip()}" if HUB_NAME.fullmatch(choice.strip()) else choice
        if not (choice.startswith("hf-hub:") and choice.isprintable() and len(choice) <= LONGEST_NAME):
            raise ModelError(views.STRANGE_MODEL)
        if not typed_allowed():
            raise ModelError(
                "This server runs the models of its menu alone, and no repository that is typed in. Choose one of them."
            )
    return choice


@cache
def offers_fast() -> bool:
    """Whether a run can be fast here: models are on the processor, no GPU is lent, and it computes bfloat16."""
    return not on_zero_gpu() and find_device(home_device()).type == "cpu" and is_fast_here()


def check_speed(choice: str | None, speed: str) -> None:
    """Raise ModelError where that model does not run at that speed here."""
    if speed not in views.SPEEDS:
        raise ModelError(
            "There is no speed '{speed}'; it must be one of {known}.",
            speed=str(speed)[:40],
            known=", ".join(views.SPEEDS),
        )
    if speed == "usual":
        return
    if not offers_fast():
        raise ModelError(
            "This server cannot run fast: that takes OpenVINO, a processor that computes bfloat16, and no GPU. Choose "
            "the usual speed under More."
        )
    if is_typed(check_choice(choice)):  # its export would lie on this disk, and strangers choose it
        raise ModelError(
            "A model that is typed in runs at the usual speed alone. Choose that under More, or a model of the menu."
        )


_faster: WeakKeyDictionary[MedVLM, MedVLM] = WeakKeyDictionary()  # by the model that is held, with which they go
_exporting = threading.Lock()


def _fast_form(model: MedVLM) -> MedVLM:
    """The same model with its encoder in bfloat16, made once; on all cores, however few the last run took."""
    with _exporting:
        if model not in _faster:
            torch.set_num_threads(min(usable_cores(), threads_given()))
            _faster[model] = on_runtime(model, FAST)
        return _faster[model]


def is_made(choice: str | None, speed: str) -> bool:
    """Whether nothing has to be exported before a run at that speed; the model itself is at hand."""
    return speed == "usual" or models.get(check_choice(choice)) in _faster


def model_of(choice: str | None, speed: str = "usual") -> MedVLM:
    """The model, read once; whoever asks while it is being read waits for it."""
    model = to_gpu(models.get(check_choice(choice)))
    model = _fast_form(model) if speed == "fast" else model
    best_batch_size(model)  # tried out once, and before the first run
    return model


def fetch_model(choice: str | None) -> Generator[Download, None, None]:
    """Have the model at hand, telling about three times a second how much of it has come.

    It comes once for all who wait for it. When the last of them leaves it is broken off; what has come is kept.
    """
    name = check_choice(choice)
    if name not in models.names:
        for done, total in arrivals.wait_for(name):
            yield Download(done, total)
