"""Lists a folder of prompt banks by its manifest, and finds the banks that ship.

It knows nothing about noise, votes or how anything was learned.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from psmooth.denoise import without_mirror
from psmooth.errors import BankError
from psmooth.files import resource, write_whole
from psmooth.models import MedVLM
from psmooth.prompts.bank import SCHEMA, PromptBank, load_bank
from psmooth.tasks import Task

MANIFEST = "manifest.json"

_ROW = ("method", "model", "model_revision", "task", "denoiser")  # of a manifest, beside file and sha256


def list_banks(folder: Path | None = None, called: str = "") -> list[dict[str, Any]]:
    """The rows of a folder's manifest: file, sha256, method, model, task, denoiser; the shipped folder by default.

    ``called`` is the folder's name in errors.

    Raises:
        BankError: the manifest cannot be read, or lists something that is no bank beside it.
    """
    folder = folder or resource("prompts")
    manifest, called = folder / MANIFEST, called or folder.name
    if not manifest.is_file():
        return []
    try:
        rows = json.loads(manifest.read_text("utf-8"))["banks"]
        if not all(isinstance(row[name], str) for row in rows for name in ("file", "sha256", *_ROW)):
            raise TypeError("a row has a value that is no text")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BankError(
            "The manifest of {called} cannot be read; it should list file, sha256, model and task of each bank.",
            called=called,
        ) from error
    if not all(_is_file_name(row["file"]) for row in rows):
        raise BankError(
            "The manifest of {called} lists something else than safetensors files beside it.", called=called
        )
    return rows


def _is_file_name(name: str) -> bool:
    """Whether it names a safetensors file of the same folder, on any system."""
    bare = PurePosixPath(name).name == name == PureWindowsPath(name).name
    return bare and name.endswith(".safetensors") and not set(name) & set("*?[]")


def manifest_of(banks: Sequence[PromptBank]) -> bytes:
    """The manifest of banks that lie in one folder, under their names."""
    rows = [
        {
            "file": f"{bank.name}.safetensors",
            "sha256": bank.sha256,
            **{name: getattr(bank.facts, name) for name in _ROW},
        }
        for bank in banks
    ]
    return (json.dumps({"schema": SCHEMA, "banks": rows}, indent=1) + "\n").encode()


def write_manifest(folder: Path) -> None:
    """List every bank of the folder with its sha256; raises BankError if one is not whole."""
    banks = [load_bank(file) for file in sorted(folder.glob("*.safetensors"))]
    write_whole(folder / MANIFEST, manifest_of(banks), manifest_unwritable)


def manifest_unwritable(path: Path, reason: str) -> BankError:
    """The error for a manifest that cannot be written."""
    return BankError(
        "The manifest cannot be written to {path}: {reason}. Choose another file or folder.",
        path=str(path),
        reason=reason,
    )


def shipped_bank(model: MedVLM, task: Task, method: str, denoiser: str) -> PromptBank:
    """The bank that ships for them; raises BankError where none does."""
    wanted = {"method": method, "model_revision": model.revision, "task": task.id}
    wanted["denoiser"] = without_mirror(denoiser)
    for row in list_banks():
        if all(row[name] == value for name, value in wanted.items()):
            return _shipped(row["file"], row["sha256"])
    raise BankError(
        "No '{method}' bank ships for the model '{model}', the task '{task}' and the denoiser '{denoiser}'. Learn one "
        "with `psmooth learn`, or choose another method.",
        method=method,
        model=model.spec.id,
        task=task.id,
        denoiser=denoiser,
    )


@lru_cache(maxsize=64)
def _shipped(file: str, sha256: str) -> PromptBank:
    return load_bank(resource("prompts", file), sha256)
