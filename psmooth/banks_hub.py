"""Brings prompt banks from the Hugging Face Hub and puts them there; reads the reference implementation's checkpoints.

It knows nothing about noise, votes or pages. A repository of banks is a folder of safetensors files with a
``manifest.json`` and a card; nothing else of it is fetched, and nothing else is sent.
"""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from psmooth.errors import BankError, HubError
from psmooth.hub import DEFAULT, HTTP_ERROR, Hub, Progress, Snapshot, fetch
from psmooth.models import MedVLM
from psmooth.prompts import BankFacts, PromptBank, list_banks, load_bank, write_manifest
from psmooth.tasks import Task

MANIFEST = "manifest.json"
_COOP_NOISE = (0.25, 0.5, 0.75, 1.0)  # what the paper's prompts were learned on


def bank_rows(repo: str, revision: str = "main", hub: Hub = DEFAULT) -> tuple[list[dict[str, Any]], str]:
    """The rows of a repository's manifest, and the commit they stand at.

    Raises:
        HubError: the repository cannot be had.
        BankError: it has no manifest, or one that cannot be read.
    """
    found = fetch(repo, revision, (MANIFEST,), hub=hub)
    return _rows(found, repo), found.revision


def _rows(found: Snapshot, repo: str) -> list[dict[str, Any]]:
    try:
        rows = list_banks(found.folder)
        whole = all(
            isinstance(row[name], str)
            for row in rows
            for name in ("file", "sha256", "model_revision", "task", "denoiser")
        )
        safe = all(Path(row["file"]).name == row["file"] and row["file"].endswith(".safetensors") for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise BankError(
            f"The manifest of {repo} cannot be read; it should list file, sha256, model and task."
        ) from error
    if not (rows and whole and safe):
        raise BankError(f"The manifest of {repo} lists no safetensors banks with their facts; nothing was fetched.")
    return rows


def pull(
    repo: str,
    revision: str = "main",
    *,
    model: MedVLM | None = None,
    task: Task | None = None,
    progress: Progress | None = None,
    hub: Hub = DEFAULT,
) -> list[PromptBank]:
    """The banks of a repository that fit a model and a task; what was fetched once is read without a network.

    Raises:
        HubError: the repository cannot be had.
        BankError: no bank fits, or one was altered: its sha256 is not the one in the manifest.
    """
    rows, commit = bank_rows(repo, revision, hub)
    wanted = [
        row
        for row in rows
        if (model is None or row["model_revision"] == model.revision) and (task is None or row["task"] == task.id)
    ]
    if not wanted:
        asked = " and ".join(
            part for part in (model and f"the model '{model.spec.id}'", task and f"the task '{task.id}'") if part
        )
        raise BankError(
            f"{repo} has no bank for {asked or 'any model'}. `psmooth banks list {repo}` shows what it has."
        )
    found = fetch(repo, commit, [row["file"] for row in wanted], progress=progress, hub=hub)
    banks = [load_bank(found.folder / row["file"], row["sha256"]) for row in wanted]
    return [replace(bank, repo=repo, revision=found.revision) for bank in banks]


def publish(folder: Path, repo: str, *, private: bool = False, hub: Hub = DEFAULT) -> str:
    """Check every bank of a folder, write manifest and card, create the repository and upload; gives its address.

    Raises:
        BankError: there is no bank, or one that is not whole.
        HubError: the Hub refuses, or cannot be reached.
    """
    banks = [load_bank(file) for file in sorted(folder.glob("*.safetensors"))]
    if not banks:
        raise BankError(f"There is no bank in {folder.name}. `psmooth learn … --out {folder.name}/NAME.safetensors`.")
    write_manifest(folder)
    (folder / "README.md").write_text(card(repo, banks), encoding="utf-8")
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        message = f"{len(banks)} prompt banks"
        api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            commit_message=message,
            allow_patterns=["*.safetensors", MANIFEST, "README.md"],
        )
    except HFValidationError as error:
        raise HubError(f"'{repo}' is no name of a repository; expected is OWNER/NAME.") from error
    except (HfHubHTTPError, HTTP_ERROR, OSError) as error:
        raise HubError(
            f"The banks could not be published to {repo}. Set HF_TOKEN to a token that may write there, and try again."
        ) from error
    return str(address)


def card(repo: str, banks: Sequence[PromptBank]) -> str:
    """The model card of a repository of banks."""
    first = banks[0].facts
    licence = "apache-2.0" if first.licence == "Apache-2.0" else "other"
    head = [
        "---",
        "library_name: psmooth",
        f"license: {licence}",
        "tags:",
        "- randomized-smoothing",
        "- prompt-learning",
        "---",
    ]
    lines = [
        *head,
        "",
        f"# {repo.split('/')[-1]}",
        "",
        f"{len(banks)} prompt banks for psmooth, learned for frozen models.",
    ]
    lines += ["They certify nothing by themselves and are not for clinical use.", ""]
    lines += ["| bank | method | model | task | denoiser | labels a class | licence |", "|---|---|---|---|---|---|---|"]
    for bank in banks:
        facts = bank.facts
        shots = "none" if facts.shots is None else str(facts.shots)
        lines.append(
            f"| {bank.name} | {facts.method} | {facts.model} @ {facts.model_revision[:12]} | {facts.task} | "
            f"{facts.denoiser} | {shots} | {facts.licence} |"
        )
    return "\n".join([*lines, "", f"    psmooth banks pull {repo}", ""])


def import_coop(path: Path, model: MedVLM, task: Task, *, shots: int = 16) -> PromptBank:
    """A few-shot bank from a checkpoint of the reference implementation (CoOp's ``prompt_learner/model.pth.tar-50``).

    Its context stands right before the class name and a full stop ends the prompt, as there.

    Raises:
        BankError: the file cannot be read safely, has no context, or one that does not fit the model.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        state = checkpoint.get("state_dict", checkpoint)
        context = next(value for key, value in state.items() if key.split(".")[-1] == "ctx")
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise BankError(
            f"{path.name} cannot be read as weights alone; other pickles can run code and are refused."
        ) from error
    except (KeyError, StopIteration, TypeError, AttributeError) as error:
        raise BankError(f"{path.name} holds no context 'ctx'; expected is CoOp's prompt_learner checkpoint.") from error
    if context.ndim != 2:
        raise BankError(
            f"{path.name} has a context for every class ({context.ndim} axes); one for all classes is read."
        )
    bank = PromptBank(_coop_facts(model, task, shots, checkpoint), context.float().contiguous(), path.name)
    bank.check(model, task, "none")
    return bank


def _coop_facts(model: MedVLM, task: Task, shots: int, checkpoint: Any) -> BankFacts:
    epochs = checkpoint.get("epoch", 50) if isinstance(checkpoint, dict) else 50
    return BankFacts(
        method="few_shot",
        model=model.spec.id,
        model_revision=model.revision,
        task=task.id,
        class_ids=task.class_ids,
        class_names=task.class_names,
        template="{}.",
        denoiser="none",
        denoiser_sha256=None,
        noise_levels=_COOP_NOISE,
        shots=shots,
        pool=shots * len(task.class_ids),
        seed=0,
        steps=int(epochs),
        sharpness=1.0,
        final_loss=None,
        scores={},
        licence="see where the checkpoint came from",
        created=datetime.now(UTC).date().isoformat(),
    )


def read_list(place: str, revision: str = "main", hub: Hub = DEFAULT) -> list[dict[str, Any]]:
    """The rows of a folder of banks or, if there is no such folder, of a repository."""
    folder = Path(place)
    return list_banks(folder) if folder.is_dir() else bank_rows(place, revision, hub)[0]
