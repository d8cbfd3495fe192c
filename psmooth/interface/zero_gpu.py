"""Runs a generator where a Hugging Face Space lends a graphics card; anywhere else it is left as it is.

It knows nothing about what is generated.

On ZeroGPU a card is lent call by call, to a forked worker: what a call is given and what it yields are pickled, so both
must be plain data. The service wants its functions decorated before the page is launched, and torch patched before CUDA
is touched, so both happen when this module is imported there. In the process that serves the page a card is only
pretended, and in its main thread alone: models are kept in ordinary memory, and a worker takes its own to the card.
Docs: huggingface.co/docs/hub/spaces-zerogpu.
"""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch

from psmooth.models import MedVLM

Yielded = TypeVar("Yielded")
Generating = Callable[..., Generator[Yielded, None, None]]
LONGEST = 300  # seconds of a visitor's quota that one run may ask for
_SERVING = os.getpid()  # the process that serves the page; workers are forked from it
_VOTES_A_SECOND = {0: 8_000, 600: 2_500, 1_700: 600}  # cautious, by megabytes of weights from which they hold


def on_zero_gpu() -> bool:
    """Whether this is a Space whose graphics card is lent call by call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def seconds_for(votes: int, megabytes: int) -> int:
    """How long to ask the card for: starting, and drawing the votes with a model of that size."""
    speed = next(speed for size, speed in reversed(_VOTES_A_SECOND.items()) if megabytes >= size)
    return min(LONGEST, 15 + -(-votes // speed))


def on_card(function: Generating[Yielded], seconds: Callable[..., int]) -> Generating[Yielded]:
    """The generator function on ZeroGPU's card, or itself where there is none.

    Args:
        function: of a module, so that it can be pickled by its name.
        seconds: given the same arguments, how long it may take; of a module as well.
    """
    return function if _lent is None else partial(_lent, _Errand(function, seconds))


@dataclass(frozen=True)
class _Errand:
    """What crosses to the worker: a generator function, and the function that says how long it may take."""

    function: Generating[Any]
    seconds: Callable[..., int]


def _run(errand: _Errand, *arguments: Any) -> Generator[Any, None, None]:
    """The one function that the service knows of."""
    yield from errand.function(*arguments)


def _duration(errand: _Errand, *arguments: Any) -> int:
    return errand.seconds(*arguments)


def _lend() -> Generating[Any] | None:
    if not on_zero_gpu():
        return None
    import spaces  # patches torch, and reports what is decorated when the page is launched

    lent: Any = spaces.GPU(duration=_duration)(_run)
    return lent


_lent = _lend()


# --- models


def home_device() -> str | None:
    """Where models are kept, as ``load_model`` has it: in ordinary memory on ZeroGPU, else on the fastest device."""
    return "cpu" if _lent is not None else None


def on_gpu(model: MedVLM) -> MedVLM:
    """In a worker the model on the card that was lent to it; anywhere else the model as it is."""
    if os.getpid() == _SERVING or not torch.cuda.is_available():
        return model
    card = torch.device("cuda")
    network = model.network.to(card)
    return replace(model, network=network, scale=model.scale.to(card), shift=model.shift.to(card), device=card)
