"""`psmooth models`: lists the models, and checks them from their files to a certificate.

It knows nothing about how one is loaded or checked.
"""

import gc
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psmooth.command_line.cli import CHECK_FAILED
from psmooth.command_line.options import Device, Json, check_folder
from psmooth.command_line.terminal import json_text, note, plain, show, show_json, telling_download
from psmooth.errors import CertificateError, ModelError
from psmooth.files import write_whole

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
        list[str] | None, typer.Argument(metavar="MODEL", help="Ids, hf-hub:OWNER/NAME, or local-dir:FOLDER.")
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
    from psmooth.models import find_device, find_spec

    find_device(device)
    check_folder(report, "--report")
    chosen = _chosen(names or [], every)
    for name in chosen:
        find_spec(name)  # a slip of the pen is told before the first download
    checked: list[Checked] = []
    for name in chosen:
        checked.append(_checked(name, Settings(device, scans, limit)))
        if report is not None:  # after each model: the next one may take hours
            write_whole(report, text_of(checked, device).encode(), _refusal)
        if checked[-1].ended:
            break
    if as_json:
        show_json(json_text(facts(checked, device)))
    else:
        _show_table(checked)
    if report is not None:
        note("The report holds no path, user name or name of a scan: it can be published as it is.")
    if checked[-1].ended:
        note(f"Ended by Ctrl-C at model {len(checked):,} of {len(chosen):,}.")
    raise typer.Exit(CHECK_FAILED if any(one.failed or one.ended for one in checked) else 0)


def _chosen(names: Sequence[str], every: bool) -> Sequence[str]:
    from psmooth.models import MODELS

    if bool(names) == every:
        raise ModelError("Name the models to check, or give --all. `psmooth models` lists them.")
    return list(MODELS) if every else names


def _checked(name: str, settings: "Settings") -> "Checked":
    """The steps of one model; each is told on stderr as it is done, for some take minutes. Ctrl-C ends them."""
    from psmooth.model_check import Checked, check_model

    steps, label, ended = [], _label(name), False
    try:
        with ExitStack() as drawn:
            for step in check_model(name, settings, drawn.enter_context(telling_download(label))):
                drawn.close()  # all bytes are here
                steps.append(step)
                note(f"{label}, {step.name}: {step.outcome}")
    except KeyboardInterrupt:  # what is done by then is told
        ended = True
    gc.collect()
    return Checked(label, tuple(steps), ended)


def _refusal(path: Path, reason: str) -> CertificateError:
    return CertificateError(
        "The report cannot be written to {path}: {reason}. Choose another file or folder.",
        path=str(path),
        reason=reason,
    )


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
    several = len(checked) > 1
    table = Table(*(["model"] if several else []), "step", "outcome")
    table.add_column("found, and what to do next", overflow="fold")  # a sha256 is worth nothing without its end
    for one in checked:
        for step in one.steps:
            words, outcome = f"{step.found} {step.advice}".strip(), Text(step.outcome, colours[step.outcome])
            table.add_row(*([plain(one.name)] if several else []), step.name, outcome, Text(plain(words)))
        table.add_section()
    Console(markup=False, highlight=False).print(table)
    for one in checked:
        show([one.conclusion(), *(f"    {line}" for line in one.lines)])
