"""The models on offer: those of the menu, those that a visitor types in, and their way to the device.

It knows nothing about scans, runs or the page.
"""

import os
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass

from psmooth import views
from psmooth.errors import ModelError
from psmooth.files import resource
from psmooth.interface.arrivals import Arrivals
from psmooth.interface.zero_gpu import home_device, to_gpu
from psmooth.models import MODELS, MedVLM, load_model
from psmooth.models.cache import ModelCache
from psmooth.models.typed import load_typed, typed_allowed
from psmooth.runtime import best_batch_size

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


def model_of(choice: str | None) -> MedVLM:
    """The model, read once; whoever asks while it is being read waits for it."""
    model = to_gpu(models.get(check_choice(choice)))
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
