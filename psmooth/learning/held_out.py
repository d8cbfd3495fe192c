"""Keeps some labelled scans from what is learned, so that what was learned can be scored on scans it never saw.

It knows nothing about learning, votes or pages.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

MOST_HELD_OUT = 32  # of all classes together: each of them casts votes of its own

ONE_IN = 4  # of the different pictures of a class, at most so many are held out


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scans that nothing is learned from, as many of every class: crops ``(n, 3, size, size)``, class numbers."""

    crops: Tensor
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Shortage:
    """Why nothing is held out: the class with the fewest different pictures; None where no folder names a class."""

    class_name: str | None = None
    pictures: int = 0
    least: int = ONE_IN


@dataclass(frozen=True)
class Share:
    """Of the scans held out, how many; and the 95 % interval for the share of all such scans."""

    hits: int
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """What hand-written prompts (the first of each pair) and learned ones make of the same noisy copies of the scans.

    Attributes:
        scans, each: held out in all, and of each class.
        votes: counted of each scan at ``noise_level``, at the ``failure_probability`` of one certificate.
        right: named as their class without noise.
        certified: their certificate names their class.
    """

    scans: int
    each: int
    votes: int
    noise_level: float
    failure_probability: float
    right: tuple[Share, Share]
    certified: tuple[Share, Share]


def held_out_rows(pictures: Sequence[str], labels: Sequence[int], classes: int, seed: int) -> list[int]:
    """Rows of the scans to hold out, as many of every class, drawn by the seed; none where a class has too few.

    A picture that comes several times is held out once and learned from never, and one that lies under two classes is
    not held out: nobody knows what it shows.

    Args:
        pictures: what tells one picture from another, such as the sha256 of its crop.
        labels: the class number of each.
    """
    known = different_pictures(pictures, labels, classes)
    each = min(min(map(len, known)) // ONE_IN, max(1, MOST_HELD_OUT // classes))
    draw = random.Random(seed)
    return sorted(row for rows in known for row in draw.sample(rows, each))


def different_pictures(pictures: Sequence[str], labels: Sequence[int], classes: int) -> list[list[int]]:
    """For each class, the row of the first of each picture that lies under this class alone."""
    found: dict[str, set[int]] = {}
    first: dict[str, int] = {}
    for row, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        found.setdefault(picture, set()).add(label)
        first.setdefault(picture, row)
    return [[row for picture, row in first.items() if found[picture] == {number}] for number in range(classes)]
