"""Philox 4×64-10 in torch: the very words that NumPy's generator gives, all at once, on any device.

It knows nothing about noise.

Philox (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a counter and a key into
four words by ten rounds of multiplications. No word needs the one before it, so a device draws them side by side.
torch has no unsigned 64-bit arithmetic: a word is the int64 of the same bits, whose sums and products wrap as they
should, and the high half of a product is put together from halves of 32 bits.
"""

import torch
from torch import Tensor

WORDS = 4  # of a counter

_ROUNDS = 10
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)  # from the key of a round to that of the next
_LOW = 0xFFFFFFFF

State = tuple[Tensor, Tensor, Tensor, Tensor]  # the words of a counter


def philox_words(keys: Tensor, count: int, stream: int = 0) -> Tensor:
    """The first words of a stream, by key: row i is ``np.random.Philox(key=keys[i], counter=stream << 64)``'s.

    Args:
        keys: ``(streams, 2)`` int64.
        count: words of each.
        stream: below 2^63; those of one key share no word.

    Returns:
        ``(streams, count)`` int64, on the device of the keys.
    """
    counters = -(-count // WORDS)
    first = torch.arange(1, counters + 1, device=keys.device).expand(len(keys), -1)  # NumPy counts on before it draws
    nothing = torch.zeros_like(first)
    state = (first, torch.full_like(first, stream), nothing, nothing)
    one, other = keys[:, :1], keys[:, 1:]
    for number in range(_ROUNDS):
        state = _round(state, one + _wrapped(number * _STEPS[0]), other + _wrapped(number * _STEPS[1]))
    return torch.stack(state, -1).flatten(1)[:, :count]


def _round(state: State, one: Tensor, other: Tensor) -> State:
    high, low = _product(state[0], _MULTIPLIERS[0])
    upper, lower = _product(state[2], _MULTIPLIERS[1])
    return upper ^ state[1] ^ one, lower, high ^ state[3] ^ other, low


def _product(words: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """The high and the low word of a product of 128 bits."""
    upper, lower = _high(words), words & _LOW
    above, below = factor >> 32, factor & _LOW
    middle = lower * above + _high(lower * below)
    inner = upper * below + (middle & _LOW)
    return upper * above + _high(middle) + _high(inner), words * _wrapped(factor)


def _high(words: Tensor) -> Tensor:
    """The upper 32 bits, as a number from 0 up."""
    return (words >> 32) & _LOW


def _wrapped(number: int) -> int:
    """The int64 of the same last 64 bits."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
