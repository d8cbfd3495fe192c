"""Brings prompt banks from the Hugging Face Hub and puts them there; reads the reference implementation's checkpoints.

It knows nothing about noise, votes or pages. A repository of banks is a folder of safetensors files with a
``manifest.json`` and a card; nothing else of it is fetched, and nothing else is sent.
"""

import pickle
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from torch import Tensor

from psmooth.errors import BankError, HubError
from psmooth.files import make_folder, write_whole
from psmooth.hub import DEFAULT, HTTP_ERROR, Hub, Progress, fetch
from psmooth.models import MedVLM, find_spec
from psmooth.prompts import (
    MANIFEST,
    BankFacts,
    PromptBank,
    bank_unwritable,
    list_banks,
    load_bank,
    manifest_of,
    manifest_unwritable,
)
from psmooth.tasks import Task

_ON_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?:([\w.-]+)")
_COOP_NOISE = (0.25, 0.5, 0.75, 1.0)  # what the paper's prompts were learned on; a checkpoint does not say
_LARGEST_CHECKPOINT = 64 * 2**20
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


# --- from the Hub


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


# --- to the Hub


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
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    except HFValidationError as error:
        raise HubError("'{repo}' is no name of a repository; expected is OWNER/NAME.", repo=repo) from error
    except (HfHubHTTPError, HTTP_ERROR, OSError) as error:
        raise _refusal(repo, error) from error
    return str(address)


def _refusal(repo: str, error: BaseException) -> HubError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return HubError(
            "The Hub does not let you write to {repo}. Set HF_TOKEN to a token that may write there, and try again.",
            repo=repo,
        )
    if status is not None:
        return HubError(
            "The banks could not be published to {repo}: the Hub answered {status}. Try again later.",
            repo=repo,
            status=status,
        )
    return HubError(
        "The banks could not be published to {repo}: the Hub cannot be reached. Try again with a network.", repo=repo
    )


def card(repo: str, banks: Sequence[PromptBank]) -> str:
    """The model card of a repository of banks: what each was learned for and how, and the figures in its facts."""
    licences = {bank.facts.licence for bank in banks}
    licence = "apache-2.0" if licences == {"Apache-2.0"} else "other"
    head = ["library_name: psmooth", f"license: {licence}", "tags:", "- randomized-smoothing", "- prompt-learning"]
    what = [
        f"# {repo.split('/')[-1]}",
        f"Prompt banks for psmooth, {len(banks)} in all, learned for frozen models, whose weights are not in here. "
        "They certify nothing by themselves and are not for clinical use.",
        "Where a bank tells its pool, it lists the sha256 of each crop it was learned or chosen on: a hash shows "
        "nothing of a scan, but lets whoever has the same crop recognise it.",
        f"    psmooth banks pull {repo}",
    ]
    columns = ("bank", "method", "model", "task", "denoiser", "noise levels", "labels a class", "licence")
    rows = [_card_row(bank) for bank in banks]
    scores = [(bank.name, name, f"{value:g}") for bank in banks for name, value in bank.facts.scores.items()]
    tables = [_table(columns, rows)]
    if scores:
        told = "Figures on the split that a bank was chosen on; certified accuracy takes its labels, also where a bank "
        tables += [f"{told}was learned without any:", _table(("bank", "figure", "value"), scores)]
    return "\n\n".join(["\n".join(["---", *head, "---"]), *what, *tables]) + "\n"


def _card_row(bank: PromptBank) -> tuple[str, ...]:
    facts = bank.facts
    levels = ", ".join(f"{level:g}" for level in facts.noise_levels)
    shots = "none" if facts.shots is None else str(facts.shots)
    model = f"{facts.model} @ {facts.model_revision[:12]}"
    task = f"{facts.task}: {'; '.join(facts.class_names)}"
    return bank.name, facts.method, model, task, facts.denoiser, levels, shots, facts.licence


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |" for row in lines
    )


# --- from the reference implementation


class _Skipped:
    """Stands in for the optimizer and the schedule that CoOp keeps in a checkpoint: takes their state, does nothing."""

    def __setstate__(self, state: object) -> None:
        """Nothing is kept."""


def _plain_dict(*_: object) -> dict[Any, Any]:
    """Stands in for ``defaultdict``, in which an optimizer keeps its state."""
    return {}


# With these, ``weights_only`` reads such a checkpoint; anything else in a file still refuses it.
_OPTIMIZERS = ("sgd.SGD", "adam.Adam", "adamw.AdamW", "rmsprop.RMSprop")
_SCHEDULES = ("lr_scheduler.CosineAnnealingLR", "lr_scheduler.StepLR", "lr_scheduler.MultiStepLR")
_STAND_INS: list[Any] = [
    dict,
    (_plain_dict, "collections.defaultdict"),
    *((_Skipped, f"torch.optim.{name}") for name in (*_OPTIMIZERS, *_SCHEDULES)),
]


def import_coop(path: Path, model: MedVLM, task: Task, *, shots: int = 16) -> PromptBank:
    """A few-shot bank from a checkpoint of the reference implementation (CoOp's ``prompt_learner/model.pth.tar-50``).

    Its context stands right before the class name and a full stop ends the prompt, as there; ``token_prefix`` and
    ``token_suffix`` are those of another list of class names and are left out. Code in the file is never run.

    Args:
        shots: labelled scans a class; where the path tells, as ``vit_b32_ep50_16shots``, that holds.

    Raises:
        BankError: the file cannot be read safely, has no context, or one that does not fit the model.
    """
    where = "/".join(path.absolute().parts)
    if re.search(r"ctp(middle|front)|cscTrue", where):
        raise BankError(
            "The path of {file} says that its context stands around or behind the class name, or differs by class; "
            "only one that stands before every class name (cscFalse, ctpend) is read.",
            file=path.name,
        )
    told = re.search(r"(\d+)shots", where), re.search(r"seed(\d+)", where)
    checkpoint = _read_checkpoint(path)
    context = _context_in(checkpoint, path.name)
    facts = _coop_facts(model, task, checkpoint)
    shots, seed = (int(found[1]) if found else other for found, other in zip(told, (shots, 0), strict=True))
    facts = replace(facts, shots=shots, pool=shots * len(task.class_ids), seed=seed)
    bank = PromptBank(facts, context, path.name)
    bank.check(model, task, "none")
    return bank


def _read_checkpoint(path: Path) -> Any:
    if not path.is_file():
        raise BankError("There is no file {file}; expected is CoOp's prompt_learner/model.pth.tar-50.", file=path.name)
    if path.stat().st_size > _LARGEST_CHECKPOINT:
        raise BankError("{file} is too large for a checkpoint of prompts; at most 64 MB are read.", file=path.name)
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BankError(
            "{file} cannot be read as weights alone; other pickles can run code and are refused.", file=path.name
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BankError("{file} is damaged or no checkpoint of torch. Fetch it again.", file=path.name) from error


def _context_in(checkpoint: Any, name: str) -> Tensor:
    """The context ``(tokens, width)`` of a checkpoint, float32."""
    state = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, dict) else {}
    found = {str(key).split(".")[-1]: value for key, value in state.items()} if isinstance(state, dict) else {}
    context = found.get("ctx")
    if not isinstance(context, Tensor):
        raise BankError("{name} holds no context 'ctx'; expected is CoOp's prompt_learner checkpoint.", name=name)
    if context.ndim != 2:
        raise BankError(
            "{name} has a context for every class ({axes} axes); one for all classes is read.",
            name=name,
            axes=context.ndim,
        )
    if not context.isfinite().all():
        raise BankError("The context in {name} holds values that are not finite. Learn it again.", name=name)
    return context.detach().float().contiguous()


def _coop_facts(model: MedVLM, task: Task, checkpoint: Any) -> BankFacts:
    epochs = checkpoint.get("epoch", 50)
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
        shots=None,
        pool=0,
        seed=0,
        steps=epochs if isinstance(epochs, int) else 50,
        sharpness=1.0,
        final_loss=None,
        scores={},
        licence="see where the checkpoint came from",
        created=datetime.now(UTC).date().isoformat(),
    )
