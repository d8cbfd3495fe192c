"""Runs a generator where a Hugging Face Space lends a GPU; anywhere else it is left as it is.

It knows nothing about what is generated.

On ZeroGPU a GPU is lent call by call, to a forked worker: what a call is given and what it yields are pickled, so both
must be plain data. The service wants its functions decorated before the page is launched, and torch patched before CUDA
is touched, so both happen when this module is imported there. In the process that serves the page a GPU is only
pretended, and in its main thread alone: models are kept in ordinary memory, and a worker takes its own to the GPU.
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
    """Whether this is a Space whose GPU is lent call by call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def seconds_for(votes: int, megabytes: int) -> int:
    """How long to ask the GPU for: starting, and drawing the votes with a model of that size."""
    speed = next(speed for size, speed in reversed(_VOTES_A_SECOND.items()) if megabytes >= size)
    return min(LONGEST, 15 + -(-votes // speed))


def on_gpu(function: Generating[Yielded], seconds: Callable[..., int]) -> Generating[Yielded]:
    """The generator function on ZeroGPU's GPU, or itself where there is none.

    Args:
        function: of a module, so that it can be pickled by its name.
        seconds: given the same arguments, how long it may take; of a module as well.
    """
    return function if _lent is None else partial(_lent, GpuCall(function, seconds))


@dataclass(frozen=True)
class GpuCall:
    """What crosses to the worker: a generator function, and the function that says how long it may take."""

    function: Generating[Any]
    seconds: Callable[..., int]


def _run(call: GpuCall, *arguments: Any) -> Generator[Any, None, None]:
    """The one function that the service knows of."""
    yield from call.function(*arguments)


def _duration(call: GpuCall, *arguments: Any) -> int:
    return call.seconds(*arguments)


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


def to_gpu(model: MedVLM) -> MedVLM:
    """In a worker the model on the GPU that was lent to it; anywhere else the model as it is."""
    if os.getpid() == _SERVING or not torch.cuda.is_available():
        return model
    gpu = torch.device("cuda")
    network = model.network.to(gpu)
    return replace(model, network=network, scale=model.scale.to(gpu), shift=model.shift.to(gpu), device=gpu)
