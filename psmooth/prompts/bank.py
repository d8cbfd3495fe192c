"""Keeps learned prompts and class vectors in files that can be trusted: save, load, list, refuse.

It knows nothing about noise, votes or how anything was learned.

A bank is a safetensors file with one tensor, ``context`` or ``class_vectors``, and its facts as JSON; beside it
``pool_sha256`` lists the crops it was learned and chosen on (`psmooth.scans.pool`). A folder of banks has a
``manifest.json`` with the sha256 of each.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.functional import normalize

from psmooth.denoise import without_mirror
from psmooth.errors import BankError, TaskError
from psmooth.files import write_whole
from psmooth.methods import CONTEXT_METHODS, PROBE_METHODS
from psmooth.models import MedVLM
from psmooth.scans.pool import POOL, pool_tensors, read_pool
from psmooth.schemas import schema_problems
from psmooth.tasks import Task

SCHEMA = 1

_LARGEST_FILE = 16 * 2**20


@dataclass(frozen=True)
class BankFacts:
    """What a bank was learned for and how; everything a certificate or a menu needs to know of it.

    ``shots`` are labelled scans a class (None: learned without a label), ``pool`` the scans learned on, ``sharpness``
    the factor on the logit scale while learning, ``scores`` figures on the split it was chosen on (``val_certified…``
    are measured with that split's labels, also where none was learned from), ``denoiser_sha256`` the file of a fitted
    denoiser. Class vectors that were fitted in closed form took no ``steps``, and there is one set of them for
    each of the ``noise_levels``.
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

    ``vectors`` is a context ``(tokens, width)`` for prompts; for probes it is class vectors ``(classes, dim)``, or
    ``(noise levels, classes, dim)`` with the levels in rising order. ``pool`` holds the sha256 of every crop that the
    bank was learned or chosen on; None where its file does not say.
    """

    facts: BankFacts
    vectors: Tensor
    name: str = ""
    sha256: str = ""
    repo: str | None = None
    revision: str | None = None
    pool: frozenset[str] | None = None

    def learned_on(self, crop_sha256: str) -> bool | None:
        """Whether this crop was in the pool, so that the prompt depends on the scan; None where nobody knows.

        Pixel for pixel: the same scan cut otherwise, or saved anew with losses, is another crop.
        """
        return crop_sha256 in self.pool if self.pool else None

    @property
    def origin(self) -> dict[str, str | None]:
        """What a certificate records of it."""
        name = f"{self.repo}/{self.name}" if self.repo else self.name
        return {"id": name, "revision": self.revision, "sha256": self.sha256, "licence": self.facts.licence}

    def class_vectors(self, model: MedVLM, noise_level: float) -> Tensor:
        """Vectors ``(classes, dim)`` on the model's device, for copies at that noise level; 0 is the clean scan."""
        vectors = self.vectors.to(model.device)
        if vectors.ndim == 3:
            return _between(self.facts.noise_levels, vectors, noise_level)
        if self.facts.method in PROBE_METHODS:
            return normalize(vectors, dim=-1)
        with torch.no_grad():
            return model.embed_context(vectors, self.facts.template, self.facts.class_names)

    def check(self, model: MedVLM, task: Task, denoiser: str) -> None:
        """Raise BankError unless the bank was learned for this model, task and denoiser."""
        facts, denoiser = self.facts, without_mirror(denoiser)
        if facts.model_revision != model.revision:
            raise BankError(
                "The bank '{bank}' was learned for the model '{model}', not for this one.",
                bank=self.name,
                model=facts.model,
            )
        if (facts.class_ids, facts.class_names) != (task.class_ids, task.class_names):
            raise BankError(
                "The bank '{bank}' was learned for the task '{task}' and its class names.",
                bank=self.name,
                task=facts.task,
            )
        if facts.denoiser != denoiser:
            raise BankError(
                "The bank '{bank}' was learned behind the denoiser '{denoiser}'; use it with that one.",
                bank=self.name,
                denoiser=facts.denoiser,
            )
        probe = facts.method in PROBE_METHODS
        width = _embedding_width(model) if probe else model.text.embed.embedding_dim
        if self.vectors.shape[-1] != width:
            raise BankError(
                "The bank '{bank}' is {width} wide; this model needs {expected}.",
                bank=self.name,
                width=self.vectors.shape[-1],
                expected=width,
            )

    def save(self, path: Path) -> "PromptBank":
        """Write the file whole or not at all; gives the bank as it would be loaded. Raises BankError."""
        name = "class_vectors" if self.facts.method in PROBE_METHODS else "context"
        tensor = self.vectors.detach().float().cpu().contiguous()
        data = save(
            {name: tensor, **pool_tensors(self.pool)}, {"psmooth": json.dumps({"schema": SCHEMA, **asdict(self.facts)})}
        )
        write_whole(path, data, bank_unwritable)
        return load_bank(path)


def _between(levels: Sequence[float], vectors: Tensor, noise_level: float) -> Tensor:
    """Those of a fitted level; between two of them a mixture by the logarithm of σ; beyond all the nearest."""
    sought = math.log(max(noise_level, levels[0]))
    place = float(np.interp(sought, [math.log(level) for level in levels], range(len(levels))))
    below = min(int(place), len(levels) - 2) if len(levels) > 1 else 0
    return torch.lerp(vectors[below], vectors[min(below + 1, len(levels) - 1)], place - below)


_widths: WeakKeyDictionary[MedVLM, int] = WeakKeyDictionary()


def _embedding_width(model: MedVLM) -> int:
    """The length of the model's embeddings. Its text tower is asked once; a model that is let go of is forgotten."""
    if model not in _widths:
        _widths[model] = model.embed_texts(["a"]).shape[-1]
    return _widths[model]


def load_bank(path: str | Path, sha256: str | None = None) -> PromptBank:
    """Read a bank; ``sha256`` is what its manifest says.

    Raises:
        BankError: the file is missing, no safetensors file, too large, altered, or lacks facts or tensors, or has
            facts that cannot be.
    """
    path = Path(path)
    data = _bytes_of(path)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise BankError(
            "The bank '{bank}' was altered: its sha256 is not the one in its manifest. Fetch it again.", bank=path.stem
        )
    try:
        tensors, facts = load(data), _read_facts(data)
    except (SafetensorError, AttributeError, KeyError, TaskError, TypeError, ValueError, RecursionError) as error:
        raise BankError(
            "{file} is not a prompt bank: it needs a safetensors file with psmooth's facts.", file=path.name
        ) from error
    wanted = "class_vectors" if facts.method in PROBE_METHODS else "context"
    if facts.method not in (*CONTEXT_METHODS, *PROBE_METHODS) or set(tensors) - {POOL} != {wanted}:
        raise BankError(
            "The bank '{bank}' has the wrong tensors for its method; it needs '{wanted}' and may have '{pool}'.",
            bank=path.stem,
            wanted=wanted,
            pool=POOL,
        )
    vectors = tensors[wanted]
    if not _has_its_shape(vectors, facts) or vectors.dtype != torch.float32 or not vectors.isfinite().all():
        raise BankError(
            "The bank '{bank}' holds a tensor of the wrong shape or type, or one that is not finite.", bank=path.stem
        )
    return PromptBank(facts, vectors, path.stem, found, pool=_pool(tensors, path.stem))


def _pool(tensors: dict[str, Tensor], name: str) -> frozenset[str] | None:
    try:
        return read_pool(tensors)
    except ValueError as error:
        raise BankError(
            "The bank '{bank}' has no sound list of the crops it was learned on: expected are sorted sha256, each "
            "once. Fetch or learn it again.",
            bank=name,
        ) from error


def _has_its_shape(vectors: Tensor, facts: BankFacts) -> bool:
    if facts.method in CONTEXT_METHODS:
        return vectors.ndim == 2
    levels, classes = facts.noise_levels, len(facts.class_ids)
    rising = all(low < high for low, high in pairwise((0.0, *levels)))
    return vectors.shape[:-1] == (classes,) or (vectors.shape[:-1] == (len(levels), classes) and rising)


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise BankError("There is no bank at {file}. `psmooth banks list` shows those that ship.", file=path.name)
    if path.suffix != ".safetensors":
        raise BankError(
            "{file} is not a safetensors file; other formats can run code and are not read.", file=path.name
        )
    if path.stat().st_size > _LARGEST_FILE:
        raise BankError("{file} is too large for a prompt bank; at most 16 MB are read.", file=path.name)
    return path.read_bytes()


def _read_facts(data: bytes) -> BankFacts:
    """The facts of a file; raises one of the errors that ``load_bank`` turns into words."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    told = json.loads(header["__metadata__"]["psmooth"])
    if not isinstance(told, dict):
        raise ValueError("facts are an object")
    for _, sentence in schema_problems("bank", told):
        raise ValueError(sentence)
    del told["schema"]
    settled: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    facts = BankFacts(**settled)
    Task(facts.task, facts.task, "any", facts.class_ids, facts.class_names, (facts.template,))  # refuses what is none
    if len(set(facts.class_ids)) != len(facts.class_names):
        raise ValueError("as many ids as names")
    return facts


def bank_unwritable(path: Path, reason: str) -> BankError:
    """The error for a bank that cannot be written."""
    return BankError(
        "The bank cannot be written to {path}: {reason}. Choose another file or folder.", path=str(path), reason=reason
    )
