"""Runs a generator where a Hugging Face Space lends a graphics card; anywhere else it is left as it is.

It knows nothing about what is generated. On ZeroGPU the call runs in a forked worker: what it is given and what it
yields are pickled, so both must be plain data; models are read before, in the process that is forked.
"""

import os
from collections.abc import Callable, Generator
from typing import Any, TypeVar

Yielded = TypeVar("Yielded")
LONGEST = 300  # seconds of a visitor's quota that one run may ask for
_VOTES_A_SECOND = {0: 8_000, 600: 2_500, 1_700: 600}  # cautious, by megabytes of weights from which they hold


def on_zero_gpu() -> bool:
    """Whether this is a Space whose graphics card is lent call by call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def seconds_for(votes: int, megabytes: int) -> int:
    """How long to ask the card for: starting, and drawing the votes with a model of that size."""
    speed = next(speed for size, speed in reversed(_VOTES_A_SECOND.items()) if megabytes >= size)
    return min(LONGEST, 15 + -(-votes // speed))


def on_card(
    function: Callable[..., Generator[Yielded, None, None]], seconds: Callable[..., int]
) -> Callable[..., Generator[Yielded, None, None]]:
    """The generator function on ZeroGPU's card; ``seconds`` is given the same arguments."""
    if not on_zero_gpu():
        return function
    import spaces  # has to come before CUDA is touched; it patches torch

    lent: Any = spaces.GPU(duration=seconds)(function)
    return lent
