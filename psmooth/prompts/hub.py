"""Brings prompt banks from the Hugging Face Hub and puts them there.

It knows nothing about noise, votes or pages. A repository of banks is a folder of safetensors files with a
``manifest.json`` and a card; nothing else of it is fetched, and nothing else is sent.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from psmooth.errors import BankError
from psmooth.files import make_folder, write_whole
from psmooth.hub import DEFAULT, Hub, Progress, fetch
from psmooth.hub.writing import in_writing
from psmooth.models import MedVLM, find_spec
from psmooth.prompts.bank import PromptBank, bank_unwritable, load_bank
from psmooth.prompts.card import card
from psmooth.prompts.folder import MANIFEST, list_banks, manifest_of, manifest_unwritable
from psmooth.tasks import Task

_ON_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?:([\w.-]+)")

_NONE_FITS = {  # by what was asked for
    ("model",): "{repo} has no bank for the model '{model}'. `psmooth banks list {repo}` shows what it has.",
    ("task",): "{repo} has no bank for the task '{task}'. `psmooth banks list {repo}` shows what it has.",
    ("name",): "{repo} has no bank for the name '{name}'. `psmooth banks list {repo}` shows what it has.",
    ("model", "task"): (
        "{repo} has no bank for the model '{model}' and the task '{task}'. `psmooth banks list {repo}` shows what it "
        "has."
    ),
    ("model", "name"): (
        "{repo} has no bank for the model '{model}' and the name '{name}'. `psmooth banks list {repo}` shows what it "
        "has."
    ),
    ("task", "name"): (
        "{repo} has no bank for the task '{task}' and the name '{name}'. `psmooth banks list {repo}` shows what it has."
    ),
    ("model", "task", "name"): (
        "{repo} has no bank for the model '{model}' and the task '{task}' and the name '{name}'. `psmooth banks list "
        "{repo}` shows what it has."
    ),
}


def bank_rows(repo: str, revision: str = "main", hub: Hub = DEFAULT) -> tuple[list[dict[str, Any]], str]:
    """The rows of a repository's manifest, and the commit they stand at.

    Raises:
        HubError: the repository cannot be had, or has no manifest.
        BankError: its manifest cannot be read, or lists no bank.
    """
    found = fetch(repo, revision, (MANIFEST,), hub=hub)
    rows = list_banks(found.folder, called=repo)
    if not rows:
        raise BankError("The manifest of {repo} lists no banks. Choose another repository or revision.", repo=repo)
    return rows, found.revision


def fitting(
    rows: Sequence[dict[str, Any]], model: MedVLM | str | None = None, task: Task | str | None = None
) -> list[dict[str, Any]]:
    """Those rows of a manifest that are for a model and a task; a model that is only named need not be loaded.

    Raises:
        ModelError: no model has that name.
    """
    task_id = task.id if isinstance(task, Task) else task
    return [row for row in rows if _is_for(row, model) and task_id in (None, row["task"])]


def _is_for(row: dict[str, Any], model: MedVLM | str | None) -> bool:
    if model is None:
        return True
    if isinstance(model, MedVLM):
        return row["model_revision"] == model.revision
    spec = find_spec(model)
    commit = spec.weights.partition("@")[2]  # what a table or a name pins; without it any revision may fit
    return row["model"] == spec.id and commit in ("", row["model_revision"])


def pull(
    repo: str,
    revision: str = "main",
    *,
    model: MedVLM | str | None = None,
    task: Task | str | None = None,
    names: Sequence[str] = (),
    out: Path | None = None,
    progress: Progress | None = None,
    hub: Hub = DEFAULT,
) -> list[PromptBank]:
    """The banks of a repository that fit; what was fetched once is read from the cache without a network.

    Args:
        model: a loaded model, whose very weights the banks must be for, or the name of one.
        names: only banks of these names.
        out: a folder that gets copies of them, byte for byte, and a manifest.

    Raises:
        HubError: the repository cannot be had.
        BankError: no bank fits, one was altered (its sha256 is not the one in the manifest), or ``out`` cannot be
            written.
    """
    rows, commit = bank_rows(repo, revision, hub)
    wanted = [row for row in fitting(rows, model, task) if not names or Path(row["file"]).stem in names]
    if not wanted:
        raise _none_fits(repo, model, task, names)
    found = fetch(repo, commit, [row["file"] for row in wanted], progress=progress, hub=hub)
    files = [(found.folder / row["file"], row["sha256"]) for row in wanted]
    banks = [replace(load_bank(file, sha256), repo=repo, revision=found.revision) for file, sha256 in files]
    if out is not None:
        _copy([file for file, _ in files], out)
    return banks


def _none_fits(repo: str, model: MedVLM | str | None, task: Task | str | None, names: Sequence[str]) -> BankError:
    asked = {
        "model": model.spec.id if isinstance(model, MedVLM) else model,
        "task": task.id if isinstance(task, Task) else task,
        "name": ", ".join(names),
    }
    given = {what: value for what, value in asked.items() if value}
    return BankError(_NONE_FITS[tuple(given)], repo=repo, **given)


def _copy(files: Sequence[Path], out: Path) -> None:
    make_folder(out, _no_folder)
    for file in files:
        write_whole(out / file.name, file.read_bytes(), bank_unwritable)
    banks = [load_bank(file) for file in sorted(out.glob("*.safetensors"))]
    write_whole(out / MANIFEST, manifest_of(banks), manifest_unwritable)


def _no_folder(path: Path, reason: str) -> BankError:
    return BankError("The folder {path} cannot be made: {reason}. Choose another one.", path=str(path), reason=reason)


def find_bank(place: str, hub: Hub = DEFAULT) -> PromptBank:
    """The bank of a file, or one of the Hub as ``OWNER/NAME[@REVISION]:BANK``.

    Raises:
        HubError, BankError: as ``load_bank`` and ``pull``.
    """
    found = _ON_HUB.fullmatch(place)
    if found is None or Path(place).is_file():
        return load_bank(place)
    repo, revision, name = found.groups()
    return pull(repo, revision or "main", names=(name.removesuffix(".safetensors"),), hub=hub)[0]


def read_list(place: str, revision: str = "main", hub: Hub = DEFAULT) -> list[dict[str, Any]]:
    """The rows of a folder of banks or, if there is no such folder, of a repository.

    Raises:
        HubError, BankError: as ``bank_rows``.
    """
    folder = Path(place)
    if not folder.is_dir():
        return bank_rows(place, revision, hub)[0]
    rows = list_banks(folder)
    if not rows:
        raise BankError(
            "There is no manifest.json with banks in {folder}. Choose a folder of banks.", folder=folder.name
        )
    return rows


def publish(folder: Path, repo: str, *, private: bool = False, hub: Hub = DEFAULT) -> str:
    """Check every bank of a folder, create the repository and upload them with a manifest and a card.

    They are copied aside first, so that nothing but banks that were checked, their manifest and their card leaves the
    machine, and nothing in the folder is changed. With a bank goes the sha256 of each crop it was learned on: it shows
    nothing of a scan, but lets whoever has the same crop recognise it.

    Args:
        hub: its ``token`` must be allowed to write; None takes HF_TOKEN, or that of ``hf auth login``.

    Returns:
        The address of the repository.

    Raises:
        BankError: there is no bank, or one that is not whole.
        HubError: the Hub refuses, or cannot be reached.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BankError(
            "There is no bank in {folder}. Make one with `psmooth learn`, and name its folder.", folder=folder.name
        )
    with tempfile.TemporaryDirectory() as aside:
        banks = [_staged(file, Path(aside)) for file in files]
        Path(aside, MANIFEST).write_bytes(manifest_of(banks))
        Path(aside, "README.md").write_text(card(repo, banks), encoding="utf-8")
        return _upload(Path(aside), repo, f"{len(banks)} prompt banks", private, hub)


def _staged(file: Path, aside: Path) -> PromptBank:
    sha256 = load_bank(file).sha256
    copy = aside / file.name
    copy.write_bytes(file.read_bytes())
    return load_bank(copy, sha256)


def _upload(folder: Path, repo: str, message: str, private: bool, hub: Hub) -> str:
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    with in_writing(repo):
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    return str(address)
