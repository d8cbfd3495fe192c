"""Says what one step of a check came to, an error included.

It knows nothing about what is checked.
"""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from psmooth.errors import PsmoothError

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
    """What an error says, without the name of the model: that of a folder is nobody's business."""
    return error.template.format(**(error.values | {"model": "this model"})) if error.values else error.template


def guarded(name: str, steps: Iterator[Step]) -> Iterator[Step]:
    """The steps; what is raised on the way is a failed one of that name, so that those after it are still taken."""
    try:
        yield from steps
    except PsmoothError as error:
        yield Step(name, "failed", sentence(error), "Do what it says, and run this again.")
    except Exception as error:
        advice = "This is a mistake in psmooth: report it with the text of --report."
        yield Step(name, "failed", f"{type(error).__name__} {_place(error)}.", advice)


def _place(error: Exception) -> str:
    """Where an error came from: the last line of psmooth's own that it went through, without the folder."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "psmooth" in Path(frame.filename).parts]
    return f"in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "in a library"
