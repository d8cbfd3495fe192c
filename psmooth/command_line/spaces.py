"""`psmooth spaces`: puts a checkout up as a Space.

It knows nothing about how that is done.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psmooth.command_line.options import Json
from psmooth.command_line.terminal import json_text, note, show, show_json

if TYPE_CHECKING:
    from psmooth.deployment.space import Plan

spaces = typer.Typer(help="Spaces of the Hugging Face Hub.", no_args_is_help=True)

_MOST_LINES = 40  # files that are named one by one


@spaces.callback()
def _group() -> None:
    """Spaces of the Hugging Face Hub."""


@spaces.command()
def push(
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="The checkout.")] = Path(),
    private: Annotated[bool, typer.Option("--private", help="Visible to its owner alone, if it is made now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is sent.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a Space of this checkout would change and, with --yes, make or update it; HF_TOKEN says who you are."""
    from psmooth.deployment import space

    found = space.plan(folder.resolve(), repo)
    address = space.push(found, private=private) if yes else None
    if as_json:
        show_json(json_text(_facts(found, address)))
    else:
        show(_lines(found, list(space.lines(found))))
    if private and found.parent:
        note("The Space is there already, and --private does not change who sees it. Its settings on the Hub do.")
    note(f"{address} · psmooth check-space {found.url}" if yes else "Nothing was sent. With --yes it is.")


def _facts(found: "Plan", address: str | None) -> dict[str, Any]:
    names = ("repo", "commit", "parent", "added", "changed", "removed", "kept", "size", "url")
    return {name: getattr(found, name) for name in names} | {"pushed": address is not None, "address": address}


def _lines(found: "Plan", files: list[str]) -> Iterator[str]:
    yield from (" ".join(file.split()) for file in files[:_MOST_LINES])
    if len(files) > _MOST_LINES:
        yield f"… and {len(files) - _MOST_LINES:,} more; --json names all"
    what = f"{found.repo}, {'there already' if found.parent else 'to be made'}, from {found.commit[:12]}"
    counts = f"{len(found.added):,} added, {len(found.changed):,} changed, {len(found.removed):,} removed"
    yield f"{what}: {counts}, {found.kept:,} as they are; {found.size / 1e6:,.1f} MB"
