"""`psmooth banks`: lists, fetches, publishes and imports prompt banks.

It knows nothing about how that is done.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from psmooth.command_line.options import BankModel, BankTask, Json, Revision, check_folder
from psmooth.command_line.terminal import json_text, load_with_bar, note, show, show_json

banks = typer.Typer(help="Prompt banks.", no_args_is_help=True)


@banks.command("list")
def list_(
    place: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER|REPO]", help="A folder, or OWNER/NAME on the Hub; else those that ship."),
    ] = None,
    revision: Revision = "main",
    model: BankModel = None,
    task: BankTask = None,
    as_json: Json = False,
) -> None:
    """List banks: those that ship, those of a folder, or those of a repository on the Hub."""
    from psmooth.prompts import list_banks
    from psmooth.prompts.hub import fitting, read_list

    _tell_banks(fitting(read_list(place, revision) if place else list_banks(), model, task), as_json)


@banks.command()
def pull(
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="A folder that gets copies; without it they are cached.")] = None,
    revision: Revision = "main",
    model: BankModel = None,
    task: BankTask = None,
    as_json: Json = False,
) -> None:
    """Fetch banks from the Hub; their sha256 is checked."""
    from psmooth.prompts.hub import pull as fetch

    found = fetch(repo, revision, model=model, task=task, out=out)
    _tell_banks([{"file": f"{bank.name}.safetensors", **bank.origin, **_bank_row(bank)} for bank in found], as_json)
    note(f"{len(found)} of {repo} at {found[0].revision}.")


@banks.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A folder of banks.", show_default=False)],
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="Visible to its owner alone.")] = False,
    as_json: Json = False,
) -> None:
    """Check the banks of a folder and upload them with manifest and card; HF_TOKEN says who you are."""
    from psmooth.prompts.hub import publish as upload

    address = upload(folder, repo, private=private)
    if as_json:
        show_json(json_text({"repo": repo, "address": address}))
    else:
        typer.echo(address)


@banks.command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="CoOp's prompt_learner/model.pth.tar-50.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where to write it: a .safetensors file.", show_default=False)],
    model: Annotated[str, typer.Option(help="The model it was learned for.", show_default=False)],
    task: Annotated[str, typer.Option(help="The task it was learned for.", show_default=False)],
    shots: Annotated[int, typer.Option(min=1, help="Labelled scans a class it was learned from.")] = 16,
    as_json: Json = False,
) -> None:
    """Turn a few-shot checkpoint of the reference implementation into a bank."""
    check_folder(out)
    from psmooth.prompts.coop import import_coop
    from psmooth.tasks import find_task

    bank = import_coop(checkpoint, load_with_bar(model, None), find_task(task), shots=shots).save(out)
    _tell_banks([{"file": out.name, "sha256": bank.sha256, **_bank_row(bank)}], as_json)


def _bank_row(bank: Any) -> dict[str, Any]:
    return {name: getattr(bank.facts, name) for name in ("method", "model", "model_revision", "task", "denoiser")}


def _tell_banks(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show_json(json_text(rows))
        return
    if not rows:
        note("No bank is listed for that model and task.")
        return
    show([f"{row['file']}: {row['method']} for {row['task']}, denoiser {row['denoiser']}" for row in rows])
