"""Turns the name of a medical vision-language model into the model, from files that are here or are fetched.

It knows nothing about noise, votes, certificates or the page.
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from psmooth import hub as hubs
from psmooth.denoise import Apply, Denoiser, find_denoiser
from psmooth.errors import ModelError
from psmooth.files import resource
from psmooth.hub import Hub, Progress
from psmooth.models.files import Files, Parts
from psmooth.models.fold import fold_batch_norms, fold_padding
from psmooth.models.formats import FORMATS, detect_format, read_model
from psmooth.models.med_vlm import MedVLM
from psmooth.models.runtimes import FAST, HALF, TORCH, check_precision, denoiser_on, encoder_on, in_half
from psmooth.models.table import BERT_FILES, HF_FILES, HF_WEIGHTS, MODELS, OPEN_CLIP_FILES, OPEN_CLIP_WEIGHTS, ModelSpec

_MOST_DENOISERS = 4

_LARGEST_STRIDE = 32  # of a tower that ends in a map: a side that it divides is even at every stride

_HUB_NAME = re.compile(r"hf-hub:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def load_model(
    name: str,
    device: str | None = None,
    progress: Progress | None = None,
    hub: Hub = hubs.DEFAULT,
    weigh: Callable[[Files], None] = lambda _: None,
    precision: str = TORCH,
) -> MedVLM:
    """Load a model of the table, one from the Hub, or one from a folder.

    Args:
        name: an id of ``MODELS``; ``hf-hub:owner/name[@revision]``; or ``local-dir:/path`` of a folder with the files
            of an open_clip, CLIP, SigLIP, MedCLIP or UniMed-CLIP model.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``; by default the fastest there is.
        progress: told the bytes as they are downloaded; not called where the cache has them.
        hub: which Hub, and where its files are kept.
        weigh: sees the files when they are there and before they are read; what it raises ends the loading.
        precision: the runtime of the image encoder and its number format, one of ``PRECISIONS``; those on OpenVINO run
            on the CPU and need ``pip install "psmooth[fast]"``, ``torch-float16`` needs an NVIDIA card.

    Raises:
        ModelError: no such model, device or precision, a runtime that is missing, or weights that do not fit the
            network (a missing or surplus key).
        HubError: the files cannot be had.
    """
    check_precision(precision, device)
    spec, place = find_spec(name), find_device(device if precision in (TORCH, HALF) else "cpu")
    if spec.family and spec.family not in FORMATS:
        raise ModelError(spec.access)
    spec, files, revision = _files_of(spec, progress, hub)
    weigh(files)
    model = _ready(spec, read_model(spec, files), revision, place)
    return model if precision == TORCH else on_runtime(model, precision)


def on_runtime(model: MedVLM, precision: str) -> MedVLM:
    """The same model with its image encoder in another of ``PRECISIONS``; raises ModelError as ``load_model`` does."""
    check_precision(precision, model.device.type)
    plain = model.differentiable or model.encode
    if precision == TORCH:
        return replace(model, encode=plain, precision=TORCH, differentiable=None)
    if precision == HALF:
        return replace(model, encode=in_half(plain, model.device), precision=HALF, differentiable=plain)
    encode = encoder_on(precision, model.network, model.input_size)
    return replace(model, encode=encode, precision=precision, differentiable=plain)


def denoiser_of(model: MedVLM, name: str) -> Denoiser:
    """``find_denoiser`` beside the model's weights; in bfloat16 where the model is, if it was learned.

    On OpenVINO in float32 a learned one gains too little: docs/speed.md.
    """
    found = find_denoiser(name, folder_of(model.spec), model.revision)
    if model.precision != FAST or found.network is None:
        return found
    key = str(found.sha256), model.input_size, torch.get_num_threads()
    with _exporting:
        if key not in _exported:
            _exported[key] = denoiser_on(FAST, found.network, model.input_size)
            while len(_exported) > _MOST_DENOISERS:
                del _exported[next(iter(_exported))]
        return replace(found, runs=_exported[key])


_exported: dict[tuple[str, int, int], Apply] = {}  # by file, side of a crop, and threads
_exporting = threading.Lock()


def find_spec(name: str) -> ModelSpec:
    """The row of a model, or one made up for a folder or a repository that is typed in; raises ModelError."""
    for spec in MODELS.values():
        if name in (spec.id, spec.weights):
            return spec
    if name.startswith("local-dir:"):
        folder = Path(name.removeprefix("local-dir:"))
        _check_reach(folder)
        return ModelSpec(folder.name, folder.name, name, "A model from a folder.", "see its folder", ())
    if found := _HUB_NAME.fullmatch(name):
        return _hub_spec(name, found[1])
    raise ModelError(
        "There is no model '{name}'. Known models: {known}; or hf-hub:OWNER/NAME, or local-dir:FOLDER.",
        name=name,
        known=", ".join(MODELS),
    )


def _check_reach(folder: Path) -> None:
    try:
        folder.expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # too long a name, a user that is not there, a zero byte
        raise ModelError("There is no folder of a model under that path. Check the path and try again.") from None


def _hub_spec(name: str, repo: str) -> ModelSpec:
    for spec in MODELS.values():
        if (found := _HUB_NAME.fullmatch(spec.weights)) and found[1] == repo:
            return replace(spec, weights=name, sha256=())
    return ModelSpec(
        id=repo.split("/")[1],
        name=repo,
        weights=name,
        about="A model from the Hub.",
        licence=f"see https://huggingface.co/{repo}",
        task_ids=(),
        files=(*OPEN_CLIP_FILES, *HF_FILES[1:], "spiece.model", *BERT_FILES),
        weight_files=(*OPEN_CLIP_WEIGHTS, *HF_WEIGHTS),
    )


def repository_of(spec: ModelSpec) -> tuple[str, str]:
    """``owner/name`` and the revision of a model that comes from the Hub."""
    repo, revision = _HUB_NAME.fullmatch(spec.weights).groups()  # type: ignore[union-attr]
    return repo, revision or "main"


def folder_of(spec: ModelSpec) -> Path:
    """The folder of what was fitted for a model: beside its weights, or psmooth's own for one from the Hub."""
    kind, place = spec.weights.split(":", 1)
    if kind == "bundled":
        return resource("assets", "pocket")
    if kind == "local-dir":
        return Path(place).expanduser()
    return hubs.DEFAULT.own_folder() / "fitted" / place.split("@")[0].strip("/").replace("/", "--")


def _files_of(spec: ModelSpec, progress: Progress | None, hub: Hub) -> tuple[ModelSpec, Files, str]:
    kind = spec.weights.split(":", 1)[0]
    if kind == "hf-hub":
        return _from_hub(spec, progress, hub)
    if kind == "https":
        return _from_zip(spec, progress, hub)
    folder = folder_of(spec)
    if kind == "bundled":
        weights = [folder / "text.safetensors", folder / spec.weight_files[0]]
    else:
        spec = replace(spec, family=detect_format(folder))
        weights = [weights_in(folder, spec)]
    if missing := [file.name for file in weights if not file.is_file()]:
        raise ModelError(
            "The model is incomplete: {file} is missing from its folder. Fetch the folder again.", file=missing[0]
        )
    return spec, Files(folder, tuple(weights), folder), hubs.sha256_of(weights)


def weights_in(folder: Path, spec: ModelSpec) -> Path:
    """The weights of a folder of that family, safetensors first; the name they should have if there are none."""
    if spec.family == "unimed":
        return next(folder.glob("*.pt"))
    names = spec.weight_files or (OPEN_CLIP_WEIGHTS if spec.family == "open_clip" else HF_WEIGHTS)
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[0])


def _from_hub(spec: ModelSpec, progress: Progress | None, hub: Hub) -> tuple[ModelSpec, Files, str]:
    repo, revision = repository_of(spec)
    found = hubs.fetch(repo, revision, spec.files, first_of=spec.weight_files, progress=progress, hub=hub)
    hubs.check_files(found.folder, dict(spec.sha256))
    spec = replace(spec, weights=f"hf-hub:{repo}@{found.revision}", family=spec.family or detect_format(found.folder))
    decides = found.folder / HF_FILES[1]  # the normalisation, which has a default where a repository does not tell
    if not found.listed and spec.family in ("hf_clip", "siglip") and not decides.is_file():
        raise hubs.no_answer(repo, hub)
    words = _words_of(spec, found.folder, hub)
    return spec, Files(found.folder, (weights_in(found.folder, spec),), words), found.revision


def _from_zip(spec: ModelSpec, progress: Progress | None, hub: Hub) -> tuple[ModelSpec, Files, str]:
    sums = dict(spec.sha256)
    found = hubs.fetch_zip(spec.weights, sums[spec.weights.rsplit("/", 1)[-1]], progress=progress, hub=hub)
    weights = next(found.folder.rglob(spec.weight_files[0]), found.folder / spec.weight_files[0])
    hubs.check_files(weights.parent, sums)
    return spec, Files(weights.parent, (weights,), _words_of(spec, weights.parent, hub)), found.revision


def _words_of(spec: ModelSpec, folder: Path, hub: Hub) -> Path:
    """Where the vocabulary lies: beside the weights, or in the repository that the row names."""
    if not spec.tokenizer or any((folder / name).is_file() for name in BERT_FILES[:2]):
        return folder
    repo, revision = _HUB_NAME.fullmatch(spec.tokenizer).groups()  # type: ignore[union-attr]
    return hubs.fetch(repo, revision or "main", BERT_FILES, hub=hub).folder


def _ready(spec: ModelSpec, parts: Parts, revision: str, device: torch.device) -> MedVLM:
    network = fold_batch_norms(parts.network.eval())
    if parts.crop_rule.size % _LARGEST_STRIDE == 0:
        network = fold_padding(network)
    network = network.requires_grad_(False)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side = parts.crop_rule.size
    mean, std = (_spread(values, side).to(device) for values in (parts.mean, parts.std))
    return MedVLM(
        spec=spec,
        revision=revision,
        network=network,
        tokenizer=parts.tokenizer,
        encode=network.encode_image,  # type: ignore[arg-type]
        crop_rule=parts.crop_rule,
        scale=1 / std,
        shift=-mean / std,
        device=device,
    )


def _spread(values: Sequence[float], side: int) -> Tensor:
    """A number a channel, at every pixel: adding it pixel by pixel is several times faster than channel by channel."""
    numbers = torch.tensor(values).view(1, 3, 1, 1).expand(1, 3, side, side)
    return numbers.contiguous(memory_format=torch.channels_last)


def find_device(device: str | None) -> torch.device:
    """The device of that name, or the fastest there is; raises ModelError."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is None:
        return torch.device("cuda" if present["cuda"] else "mps" if present["mps"] else "cpu")
    if not present.get(device, False):
        raise ModelError(
            "The device '{device}' is not on this machine. Here: {present}.",
            device=device,
            present=", ".join(d for d in present if present[d]),
        )
    return torch.device(device)
