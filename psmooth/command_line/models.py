"""`psmooth models`: lists the models, and checks them from their files to a certificate.

It knows nothing about how one is loaded or checked.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psmooth.command_line.cli import CHECK_FAILED
from psmooth.command_line.options import Device, Json, check_folder
from psmooth.command_line.terminal import json_text, note, plain, show, show_json, telling_download

if TYPE_CHECKING:
    from psmooth.model_check import Checked, Settings

models = typer.Typer(help="List the models that `--model` knows, or check them.")


@models.callback(invoke_without_command=True)
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the models that `--model` knows."""
    if context.invoked_subcommand is not None:
        return
    from psmooth.models import MODELS

    rows = [
        {
            "id": spec.id,
            "name": spec.name,
            "about": spec.about,
            "weights": spec.weights,
            "licence": spec.licence,
            "tasks": list(spec.task_ids),
        }
        for spec in MODELS.values()
    ]
    if as_json:
        show_json(json_text(rows))
        return
    for row in rows:
        typer.echo(f"{row['id']}: {row['about']}\n    tasks: {', '.join(row['tasks'])}\n    licence: {row['licence']}")


@models.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Ids, hf-hub:OWNER/NAME, or local-dir:FOLDER.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every model of the list.")] = False,
    scans: Annotated[
        Path | None, typer.Option(help="Labelled scans: FOLDER/CLASS_ID/… of one task, or FOLDER/TASK/CLASS_ID/….")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Scans of a task, as many of each class.")] = 200,
    report: Annotated[Path | None, typer.Option(help="Where to write a report that may be published.")] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Fetch models, compare them with the table and with their originals, ask them, and certify with them."""
    import open_clip  # noqa: F401  # whole, with its BERT towers, before psmooth imports it without transformers

    from psmooth.model_check import Settings, facts
    from psmooth.model_check import report as text_of
    from psmooth.models import find_spec

    check_folder(report)
    chosen = _chosen(names or [], every)
    for name in chosen:
        find_spec(name)  # a slip of the pen is told before the first download
    checked = [_checked(name, Settings(device, scans, limit)) for name in chosen]
    if report is not None:  # before anything is printed, which may fail
        report.write_text(text_of(checked, device), encoding="utf-8")
    if as_json:
        show_json(json_text(facts(checked, device)))
    else:
        _show_table(checked)
    if report is not None:
        note("The report holds no path, user name or name of a scan: it can be published as it is.")
    raise typer.Exit(CHECK_FAILED if any(one.failed for one in checked) else 0)


def _chosen(names: Sequence[str], every: bool) -> Sequence[str]:
    from psmooth.errors import ModelError
    from psmooth.models import MODELS

    if bool(names) == every:
        raise ModelError("Name the models to check, or give --all. `psmooth models` lists them.")
    return list(MODELS) if every else names


def _checked(name: str, settings: "Settings") -> "Checked":
    """The steps of one model; each is told on stderr as it is done, for some take minutes."""
    from psmooth.model_check import Checked, check_model

    steps, label = [], _label(name)
    with telling_download(label) as download:
        for step in check_model(name, settings, download):
            steps.append(step)
            note(f"{label}, {step.name}: {step.outcome}")
    return Checked(label, tuple(steps))


def _label(name: str) -> str:
    """What a report calls a model: a folder has a name that is nobody's business."""
    from psmooth.models import find_spec

    spec = find_spec(name)
    return "a folder" if spec.weights.startswith("local-dir:") else spec.id


def _show_table(checked: "Sequence[Checked]") -> None:
    """One table for all models; under it what is to be done, and the lines for the table of models."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"passed": "green", "doubtful": "yellow", "failed": "red", "skipped": "dim"}
    table = Table("model", "step", "outcome", "found, and what to do next")
    for one in checked:
        for step in one.steps:
            words = f"{step.found} {step.advice}".strip()
            table.add_row(one.name, step.name, Text(step.outcome, colours[step.outcome]), Text(plain(words)))
        table.add_section()
    Console(markup=False, highlight=False).print(table)
    for one in checked:
        show([one.conclusion(), *(f"    {line}" for line in one.lines)])
