"""Keeps learned prompts and class vectors in files that can be trusted: save, load, list, refuse.

It knows nothing about noise, votes or how anything was learned.

A bank is a safetensors file with one tensor, ``context`` or ``class_vectors``, and its facts as JSON; a folder of banks
has a ``manifest.json`` with the sha256 of each.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.functional import normalize

from psmooth.errors import BankError
from psmooth.models import MedVLM
from psmooth.resources import resource
from psmooth.tasks import Task

SCHEMA = 1
CONTEXT_METHODS = ("few_shot", "label_free")
PROBE_METHODS = ("linear_probe", "label_free_probe")
_LARGEST_FILE = 16 * 2**20


@dataclass(frozen=True)
class BankFacts:
    """What a bank was learned for and how; everything a certificate or a menu needs to know of it.

    ``shots`` are labelled scans a class (None: no label was used), ``pool`` the scans seen, ``sharpness`` the factor
    on the logit scale while learning, ``scores`` figures on the split it was chosen on, ``denoiser_sha256`` the file of
    a fitted denoiser.
    """

    method: str
    model: str
    model_revision: str
    task: str
    class_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    template: str
    denoiser: str
    denoiser_sha256: str | None
    noise_levels: tuple[float, ...]
    shots: int | None
    pool: int
    seed: int
    steps: int
    sharpness: float
    final_loss: float | None
    scores: dict[str, float]
    licence: str
    created: str


@dataclass(frozen=True, eq=False)
class PromptBank:
    """Learned ``vectors`` with their facts; ``name`` and ``sha256`` are those of the file, ``repo`` and ``revision``
    those of the Hub where it came from there.

    ``vectors`` is a context ``(tokens, width)`` for prompts, and class vectors ``(classes, dim)`` for probes.
    """

    facts: BankFacts
    vectors: Tensor
    name: str = ""
    sha256: str = ""
    repo: str | None = None
    revision: str | None = None

    @property
    def origin(self) -> dict[str, str | None]:
        """What a certificate records of it."""
        name = f"{self.repo}/{self.name}" if self.repo else self.name
        return {"id": name, "revision": self.revision, "sha256": self.sha256, "licence": self.facts.licence}

    def class_vectors(self, model: MedVLM) -> Tensor:
        """Unit vectors ``(classes, dim)`` on the model's device."""
        if self.facts.method in PROBE_METHODS:
            return normalize(self.vectors.to(model.device), dim=-1)
        with torch.no_grad():
            return model.embed_context(self.vectors.to(model.device), self.facts.template, self.facts.class_names)

    def check(self, model: MedVLM, task: Task, denoiser: str) -> None:
        """Raise BankError unless the bank was learned for this model, task and denoiser."""
        facts = self.facts
        if facts.model_revision != model.revision:
            raise BankError(f"The bank '{self.name}' was learned for the model '{facts.model}', not for this one.")
        if (facts.class_ids, facts.class_names) != (task.class_ids, task.class_names):
            raise BankError(f"The bank '{self.name}' was learned for the task '{facts.task}' and its class names.")
        if facts.denoiser != denoiser:
            raise BankError(
                f"The bank '{self.name}' was learned behind the denoiser '{facts.denoiser}'; use it with that one."
            )
        probe = facts.method in PROBE_METHODS
        width = _probe_width(model) if probe else model.context_of("a {}").shape[-1]
        if self.vectors.shape[-1] != width:
            raise BankError(f"The bank '{self.name}' is {self.vectors.shape[-1]} wide; this model needs {width}.")

    def save(self, path: Path) -> "PromptBank":
        """Write the file whole or not at all; gives the bank as it would be loaded."""
        name = "class_vectors" if self.facts.method in PROBE_METHODS else "context"
        tensor = self.vectors.detach().float().cpu().contiguous()
        data = save({name: tensor}, {"psmooth": json.dumps({"schema": SCHEMA, **asdict(self.facts)})})
        scratch = path.with_suffix(".part")
        try:
            scratch.write_bytes(data)
            scratch.replace(path)
        except OSError as error:
            raise BankError(f"The bank cannot be written to {path.name}: {error.strerror}.") from error
        return load_bank(path)


@lru_cache(maxsize=8)
def _probe_width(model: MedVLM) -> int:
    """The length of the model's embeddings; the text tower is asked once."""
    return len(model.embed_texts(["a"])[0])


def load_bank(path: str | Path, sha256: str | None = None) -> PromptBank:
    """Read a bank; ``sha256`` is what its manifest says.

    Raises:
        BankError: the file is missing, no safetensors file, too large, altered, or lacks facts or tensors.
    """
    path = Path(path)
    data = _bytes_of(path)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise BankError(
            f"The bank '{path.stem}' was altered: its sha256 is not the one in its manifest. Fetch it again."
        )
    try:
        tensors, facts = load(data), _read_facts(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BankError(
            f"{path.name} is not a prompt bank: it needs a safetensors file with psmooth's facts."
        ) from error
    wanted = "class_vectors" if facts.method in PROBE_METHODS else "context"
    if facts.method not in (*CONTEXT_METHODS, *PROBE_METHODS) or set(tensors) != {wanted}:
        raise BankError(f"The bank '{path.stem}' has the wrong tensors for its method; it needs '{wanted}' alone.")
    vectors = tensors[wanted]
    sized = vectors.ndim == 2 and (wanted == "context" or len(vectors) == len(facts.class_ids))
    if not sized or vectors.dtype != torch.float32 or not vectors.isfinite().all():
        raise BankError(f"The bank '{path.stem}' holds a tensor of the wrong shape or type, or one that is not finite.")
    return PromptBank(facts, vectors, path.stem, found)


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise BankError(f"There is no bank at {path.name}. `psmooth banks list` shows those that ship.")
    if path.suffix != ".safetensors":
        raise BankError(f"{path.name} is not a safetensors file; other formats can run code and are not read.")
    if path.stat().st_size > _LARGEST_FILE:
        raise BankError(f"{path.name} is too large for a prompt bank; at most 16 MB are read.")
    return path.read_bytes()


def _read_facts(data: bytes) -> BankFacts:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    told: dict[str, Any] = json.loads(header["__metadata__"]["psmooth"])
    if told.pop("schema") != SCHEMA:
        raise ValueError("another schema")
    lists = {field.name for field in fields(BankFacts) if str(field.type).startswith("tuple")}
    for name in lists:
        told[name] = tuple(told[name])
    return BankFacts(**told)


def list_banks(folder: Path | None = None) -> list[dict[str, Any]]:
    """The rows of a folder's manifest: file, sha256, method, model, task, denoiser; the shipped folder by default."""
    manifest = (folder or resource("prompts")) / "manifest.json"
    return json.loads(manifest.read_text("utf-8"))["banks"] if manifest.is_file() else []


def write_manifest(folder: Path) -> None:
    """List every bank of the folder with its sha256."""
    banks = [load_bank(file) for file in sorted(folder.glob("*.safetensors"))]
    rows = [
        {
            "file": f"{bank.name}.safetensors",
            "sha256": bank.sha256,
            **{name: getattr(bank.facts, name) for name in ("method", "model", "model_revision", "task", "denoiser")},
        }
        for bank in banks
    ]
    text = json.dumps({"schema": SCHEMA, "banks": rows}, indent=1) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def shipped_bank(model: MedVLM, task: Task, method: str, denoiser: str) -> PromptBank:
    """The bank that ships for them; raises BankError where none does."""
    wanted = {"method": method, "model_revision": model.revision, "task": task.id, "denoiser": denoiser}
    for row in list_banks():
        if all(row[name] == value for name, value in wanted.items()):
            return _shipped(row["file"], row["sha256"])
    raise BankError(
        f"No '{method}' bank ships for the model '{model.spec.id}', the task '{task.id}' and the denoiser "
        f"'{denoiser}'. Learn one with `psmooth learn`, or choose another method."
    )


@lru_cache(maxsize=64)
def _shipped(file: str, sha256: str) -> PromptBank:
    return load_bank(resource("prompts", file), sha256)
