"""Says what one step of a check came to, an error included.

It knows nothing about what is checked.
"""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Literal

import torch

from psmooth.errors import PsmoothError

_OURS = Path(__file__).resolve().parents[1]

Outcome = Literal["passed", "doubtful", "failed", "skipped"]


@dataclass(frozen=True)
class Step:
    """One step of the check of a model.

    Attributes:
        name: what was looked at, in a word or two.
        outcome: ``doubtful`` is what a person must look at, and no failure.
        found: what was found, in sentences without paths, user names or names of scans.
        advice: what to do next, a sentence; empty where it passed.
        lines: lines for the model's row in ``psmooth/models/table.py``, as they are to stand there.
    """

    name: str
    outcome: Outcome
    found: str
    advice: str = ""
    lines: tuple[str, ...] = ()


def sentence(error: PsmoothError) -> str:
    """What an error says, without the name of the model or the folders of a path: they are nobody's business."""
    values = {name: _last_part(value) for name, value in error.values.items()} | {"model": "this model"}
    return error.template.format(**values) if error.values else error.template


def _last_part(value: object) -> object:
    """Of a path from a root on, on whatever system, its last part; anything else as it is."""
    path = PureWindowsPath(value) if isinstance(value, str) else PureWindowsPath()
    return path.name if path.root or path.drive else value


def guarded(name: str, steps: Iterator[Step]) -> Iterator[Step]:
    """The steps; what is raised on the way is a failed one of that name, so that those after it are still taken."""
    try:
        yield from steps
    except PsmoothError as error:
        yield Step(name, "failed", sentence(error), "Do what it says, and run this again.")
    except (MemoryError, torch.OutOfMemoryError):
        advice = "Close other programs, or run this on another device or a larger machine."
        yield Step(name, "failed", "There is too little memory for it here.", advice)
    except Exception as error:
        advice = "This is a mistake in psmooth: report it with the text of --report."
        yield Step(name, "failed", f"{type(error).__name__} {_place(error)}.", advice)


def _place(error: Exception) -> str:
    """Where an error came from: the last line of psmooth's own that it went through, without the folder."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _OURS in Path(frame.filename).parents]
    return f"in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "in a library"
