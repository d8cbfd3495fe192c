"""Loads a model whose repository a visitor typed in: without the operator's token, and weighed before it is read.

It knows nothing about pages, queues or prompts.

A stranger chooses what is fetched here, so it goes into a folder of its own that is kept small, its configuration comes
before its weights, and it is refused where it does not fit into the memory that is free.
"""

import os
import shutil
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn
from torch.func import functional_call

from psmooth.errors import ModelError
from psmooth.hub import DEFAULT, Hub, Progress, fetch
from psmooth.hub.download import megabytes
from psmooth.models.cache import WORKING_ROOM, free_memory
from psmooth.models.files import Files
from psmooth.models.formats import check_configuration
from psmooth.models.load import find_device, find_spec, load_model, repository_of
from psmooth.models.med_vlm import MedVLM

_LARGEST_MODEL = 4_000_000_000  # bytes of a repository's weights: as large as MedSigLIP
LARGEST_WORDS = 64_000_000  # bytes of what stands beside them, and of a repository of banks
_MOST_WORK = 2 * 10**12  # of one picture: twice what the largest SigLIP needs at 448 pixels
MOST_KEPT = 10_000_000_000  # bytes of such repositories that stay on the disk
_reading = threading.Lock()  # what one model takes while it is read is not free for the next


def typed_allowed() -> bool:
    """Whether visitors may type in a repository: as PSMOOTH_TYPED_MODELS says, and by default not on a Space."""
    return os.environ.get("PSMOOTH_TYPED_MODELS", "0" if "SPACE_ID" in os.environ else "1").strip() != "0"


def visitors_hub(most: int = LARGEST_WORDS) -> Hub:
    """The Hub as a visitor sees it: no token, a cache of its own, and no more bytes than that."""
    cache = DEFAULT.own_folder() / "typed"
    _tidy(cache)
    return replace(DEFAULT, cache=cache, token=False, most=most)


def load_typed(name: str, device: str | None, progress: Progress | None) -> MedVLM:
    """As ``load_model``, for ``hf-hub:owner/name[@revision]`` as a visitor typed it.

    Raises:
        ModelError, HubError: as ``load_model``; it is too large for this server, or asks for another repository.
    """
    spec, place = find_spec(name), find_device(device)
    repo, revision = repository_of(spec)
    hub = visitors_hub()
    if spec.files:
        fetched = fetch(repo, revision, spec.files, hub=hub)
        check_configuration(fetched.folder)
        name = f"hf-hub:{repo}@{fetched.revision}"
    room = max(0, (free_memory(place) - WORKING_ROOM) // 2)  # while it is read, its weights are there twice
    hub = replace(hub, most=LARGEST_WORDS + min(_LARGEST_MODEL, room))
    with ExitStack() as held:

        def weigh(files: Files) -> None:
            held.enter_context(_reading)
            _check_memory(repo, files, place)

        model = load_model(name, device, progress, hub, weigh)
    if _work_of(model) > _MOST_WORK:
        raise ModelError(
            "{repo} takes too much work a picture for a server that others use too. Choose a smaller model.", repo=repo
        )
    return model


def _work_of(model: MedVLM) -> int:
    """Multiplications and additions of one picture, counted on shapes alone."""
    from torch.utils.flop_counter import FlopCounterMode  # slow to import, and seldom wanted

    tower: nn.Module = model.network.visual  # type: ignore[assignment]
    held = (*tower.named_parameters(), *tower.named_buffers())
    shapes = {name: torch.empty_like(value, device="meta") for name, value in held}
    pixels = torch.empty(1, 3, model.input_size, model.input_size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        functional_call(tower, shapes, (pixels,))
    return counter.get_total_flops()


def _check_memory(repo: str, files: Files, device: torch.device) -> None:
    """Raise ModelError unless the weights, as float32 and twice, fit beside all that is held."""
    wanted, free = 2 * sum(map(_float32_bytes, files.weights)) + WORKING_ROOM, free_memory(device)
    if wanted > free:
        raise ModelError(
            "{repo} needs {wanted:,} MB of memory, and {free:,} MB are free on this server. Try again later, or choose "
            "a smaller model.",
            repo=repo,
            wanted=megabytes(wanted),
            free=megabytes(free),
        )


def _float32_bytes(weights: Path) -> int:
    """What the tensors of a file become; a pickle does not say before it is read, so it counts as half precision."""
    if weights.suffix != ".safetensors":
        return 2 * weights.stat().st_size
    try:
        with safe_open(weights, "pt") as opened:
            shapes = [opened.get_slice(key).get_shape() for key in opened.keys()]  # noqa: SIM118  # it is no dict
    except Exception:  # whoever reads it says in words that it is damaged
        return 0
    return sum(4 * torch.Size(shape).numel() for shape in shapes)


def _tidy(cache: Path) -> None:
    """Remove the repositories that came longest ago, until what is left is little enough."""
    sizes = {folder: _bytes_in(folder) for folder in cache.glob("*s--*") if folder.is_dir()}
    for folder in sorted(sizes, key=lambda folder: folder.stat().st_mtime):
        if sum(sizes.values()) <= MOST_KEPT:
            return
        shutil.rmtree(folder, ignore_errors=True)
        del sizes[folder]


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("blobs/*") if file.is_file())
