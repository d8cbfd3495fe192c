"""`psmooth check-space`: walks a served page through its endpoints and verifies here what it answers.

It knows nothing about how that is done.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmooth.command_line.cli import CHECK_FAILED
from psmooth.command_line.options import Device, Json
from psmooth.command_line.terminal import json_text, note, show, show_json

if TYPE_CHECKING:
    from psmooth.deployment.walk import Outcome

_COLUMNS = ("endpoint", "result", "first word", "run begins", "end", "psmooth", "torch", "device", "precision", "votes")

_WIDEST = 24  # letters of a cell that a page fills


def check_space(
    url: Annotated[
        str, typer.Argument(help="The page's address; a Space's is https://OWNER-NAME.hf.space.", show_default=False)
    ],
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds that each endpoint may take.")] = 300.0,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Walk a served page through its endpoints with drawn scans, and verify its certificates on this machine."""
    from psmooth.deployment.walk import walk

    outcomes = []
    for outcome in walk(url, timeout, device):
        outcomes.append(outcome)
        note(f"{outcome.name}: {_result(outcome)}")
    ok = all(outcome.problem is None for outcome in outcomes)
    if as_json:
        show_json(json_text({"url": url, "ok": ok, "endpoints": [_facts(outcome) for outcome in outcomes]}))
    else:
        show(_lines(outcomes))
    raise typer.Exit(0 if ok else CHECK_FAILED)


def _facts(outcome: "Outcome") -> dict[str, Any]:
    names = ("name", "heard", "begun", "ended", "gradio", "device", "precision", "certificates", "votes", "differing")
    told = {name: getattr(outcome, name) for name in names}
    problem = None if outcome.problem is None else str(outcome.problem)
    return {**told, "versions": dict(outcome.versions), "said": outcome.said, "problem": problem}


def _lines(outcomes: "Sequence[Outcome]") -> Iterator[str]:
    """The table, what was said, and a sentence for each failure."""
    rows = [_COLUMNS, *(_row(outcome) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"{outcome.name}: {_in_a_line(outcome.said)}." for outcome in outcomes if outcome.said)
    yield from (f"{outcome.name}: {_in_a_line(str(outcome.problem))}" for outcome in outcomes if outcome.problem)


def _in_a_line(text: str, most: int = 1_000) -> str:
    """What may be a page's own words: they make no line of their own, which could look like one of this table."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _row(outcome: "Outcome") -> tuple[str, ...]:
    waits = (_seconds(outcome.heard), _seconds(outcome.begun), _seconds(outcome.ended))
    stated = (outcome.versions.get("psmooth"), outcome.versions.get("torch"), outcome.device, outcome.precision)
    votes = f"{outcome.votes - outcome.differing:,} of {outcome.votes:,} again" if outcome.votes else "–"
    return (outcome.name, _result(outcome), *waits, *(_in_a_line(word or "–", _WIDEST) for word in stated), votes)


def _result(outcome: "Outcome") -> str:
    return "passed" if outcome.problem is None else "failed"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
