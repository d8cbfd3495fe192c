"""Turns frames of a scan into small pictures, to be looked through.

It knows nothing about how a frame is read.
"""

from typing import TypedDict

import numpy as np

from psmooth.views.strip import thumbnail

LONGEST = 384  # pixels of the longer side


class Frames(TypedDict):
    """``pictures`` of the frames from ``first`` on, "" for one that cannot be read, as answer to request ``asked``.

    ``frames``: how many the scan has. Request 0 stands for another scan, at frame ``first``, without pictures yet.
    """

    frames: int
    asked: int
    first: int
    pictures: list[str]


def frames(count: int, asked: int = 0, first: int = 1, pictures: list[np.ndarray | None] | None = None) -> Frames:
    """Some of so many, or none."""
    shown = ["" if one is None else thumbnail(one, LONGEST) for one in pictures or []]
    return {"frames": count, "asked": asked, "first": first, "pictures": shown}
