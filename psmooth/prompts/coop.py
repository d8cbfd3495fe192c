"""Turns a few-shot checkpoint of the reference implementation, which is CoOp's, into a prompt bank.

It knows nothing about the Hub, noise or votes.
"""

import pickle
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from psmooth.errors import BankError
from psmooth.models import MedVLM
from psmooth.prompts.bank import BankFacts, PromptBank
from psmooth.tasks import Task

_COOP_NOISE = (0.25, 0.5, 0.75, 1.0)  # what the paper's prompts were learned on; a checkpoint does not say

_LARGEST_CHECKPOINT = 64 * 2**20


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
    matches = re.search(r"(\d+)shots", where), re.search(r"seed(\d+)", where)
    checkpoint = _read_checkpoint(path)
    context = _context_in(checkpoint, path.name)
    facts = _coop_facts(model, task, checkpoint)
    shots, seed = (int(found[1]) if found else other for found, other in zip(matches, (shots, 0), strict=True))
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
