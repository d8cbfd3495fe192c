"""Writes what a check came to as text that can be pasted into a public bug report.

It knows nothing about how it was found. Sentences of steps hold no path, user name or name of a scan, and nothing here
adds one.
"""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import torch

from psmooth.model_check.step import Outcome, Step
from psmooth.models import find_device
from psmooth.runtime import usable_cores
from psmooth.smoothing.provenance import versions

_MORE_PACKAGES = ("transformers", "huggingface_hub", "tokenizers", "sentencepiece", "safetensors")


@dataclass(frozen=True)
class Checked:
    """The steps of one model.

    Attributes:
        name: its id or repository, and of a folder no more than that it is one.
        ended: somebody ended the check before its last step.
    """

    name: str
    steps: tuple[Step, ...]
    ended: bool = False

    @property
    def failed(self) -> bool:
        return any(step.outcome == "failed" for step in self.steps)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is to be added to, or changed in, the model's row of the table."""
        return tuple(dict.fromkeys(line for step in self.steps for line in step.lines))

    def conclusion(self) -> str:
        """What to do with the model, in a sentence."""
        if failed := self._those("failed"):
            if failed == "files":  # mostly the network or the disk here, and nothing that the model can do about it
                return f"{self.name} failed at files: do what it says there; nothing else was looked at."
            return f"{self.name} failed at {failed}: do not use it before that is mended, and report it."
        if self.ended:
            return f"{self.name}: the check was ended and says nothing yet; run it again, what was fetched is kept."
        if doubtful := self._those("doubtful"):
            return f"{self.name}: nothing failed; look at {doubtful}."
        if skipped := self._those("skipped"):
            return f"{self.name}: nothing failed, and not done was {skipped}."
        return f"{self.name} passed every step; report that too."

    def _those(self, outcome: Outcome) -> str:
        return ", ".join(step.name for step in self.steps if step.outcome == outcome)


def machine(device: str | None) -> dict[str, str]:
    """What a report says of this machine: versions, system, and the device."""
    found = find_device(device)
    more = {name: version for name in _MORE_PACKAGES if (version := _version(name))}
    return {
        **versions(),
        **more,
        "system": f"{platform.system()} {platform.machine()}, {usable_cores()} cores",
        "device": torch.cuda.get_device_name(found) if found.type == "cuda" else found.type,
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def report(checked: Sequence[Checked], device: str | None) -> str:
    """The whole report in Markdown."""
    return "\n".join(_lines(checked, device)) + "\n"


def _lines(checked: Sequence[Checked], device: str | None) -> Iterator[str]:
    yield "### psmooth models check"
    yield ""
    yield ", ".join(f"{name} {words}" for name, words in machine(device).items())
    for one in checked:
        yield ""
        yield f"#### {one.name}"
        yield ""
        yield "| step | outcome | found | next |"
        yield "|---|---|---|---|"
        yield from (_row(step) for step in one.steps)
        yield ""
        yield one.conclusion()
        if one.lines:
            yield from ("", "For its row in `psmooth/models/table.py`:", "", "```python", *one.lines, "```")


def _row(step: Step) -> str:
    return f"| {' | '.join(map(_cell, (step.name, step.outcome, step.found, step.advice)))} |"


def _cell(text: str) -> str:
    """Text that says what it says: names from a stranger's file are no markup, link or call of a person."""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return "".join(f"&#{ord(letter)};" if letter in "|<>&[]`@!*~" else letter for letter in shown)


def facts(checked: Sequence[Checked], device: str | None) -> dict[str, Any]:
    """The same as JSON has it."""
    return {
        "machine": machine(device),
        "models": [
            {
                "model": one.name,
                "ok": not (one.failed or one.ended),
                "conclusion": one.conclusion(),
                "lines": list(one.lines),
                "steps": [_step_facts(step) for step in one.steps],
            }
            for one in checked
        ],
    }


def _step_facts(step: Step) -> dict[str, str]:
    return {"step": step.name, "outcome": step.outcome, "found": step.found, "next": step.advice}
