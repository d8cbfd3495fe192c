"""Turns the name of a medical vision-language model into two functions: images → vectors, prompts → vectors.

It knows nothing about noise, votes, certificates or the page.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.functional import normalize, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from psmooth import hub as hubs
from psmooth._model_formats import FORMATS, Files, Parts, detect_format, read_model
from psmooth._model_table import (
    BERT_FILES,
    HF_FILES,
    HF_WEIGHTS,
    MODELS,
    OPEN_CLIP_FILES,
    OPEN_CLIP_WEIGHTS,
    ModelSpec,
)
from psmooth._text_towers import TextTower, Tokenizer, text_tower
from psmooth.errors import ModelError
from psmooth.hub import Hub, Progress
from psmooth.resources import resource
from psmooth.scans import CropRule

_LARGEST_STRIDE = 32  # of a tower that ends in a map: a side that it divides is even at every stride
_HUB_NAME = re.compile(r"hf-hub:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


@dataclass(frozen=True, eq=False)
class MedVLM:
    """A frozen dual encoder, ready to be asked.

    Attributes:
        spec: its row of the table; ``spec.weights`` names the commit that was loaded.
        revision: of the weights, for a certificate: the commit on the Hub, else the sha256 of the file.
        network: the model, in evaluation mode, on ``device``.
        encode: pixels of a batch, normalised → unnormalised embeddings. The encoder stands behind this one callable,
            so that another runtime can take its place.
        crop_rule: how a scan becomes what the model sees.
        scale, shift: the normalisation of a channel as one multiplication and one addition, ``(1, 3, size, size)``;
            it comes after the noise.
    """

    spec: ModelSpec
    revision: str
    network: nn.Module
    tokenizer: Tokenizer
    encode: Callable[[Tensor], Tensor]
    crop_rule: CropRule
    scale: Tensor
    shift: Tensor
    device: torch.device

    @property
    def input_size(self) -> int:
        """The side of a crop, in pixels."""
        return self.crop_rule.size

    @property
    def logit_scale(self) -> float:
        """The factor between cosines and logits."""
        return float(self.network.logit_scale.exp())  # type: ignore[operator]

    @property
    def text(self) -> TextTower:
        """The text tower, whichever it is."""
        return text_tower(self.network, self.tokenizer)

    @torch.inference_mode()
    def embed_images(self, pixels: Tensor) -> Tensor:
        """Unit vectors of images.

        Args:
            pixels: ``(batch, 3, size, size)`` float32, where [0, 1] is black to white; noisy copies may leave it.

        Returns:
            ``(batch, dim)`` float32 on the model's device; row i depends on image i alone.
        """
        pixels = pixels.to(self.device, memory_format=torch.channels_last)
        return normalize(self.encode(torch.addcmul(self.shift, pixels, self.scale)).float(), dim=-1)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of sentences, ``(sentences, dim)`` float32.

        Raises:
            ModelError: a sentence is longer than the text tower reads.
        """
        return normalize(self.text.read_texts(texts).float(), dim=-1)

    def embed_prompts(self, templates: Sequence[str], class_names: Sequence[str]) -> Tensor:
        """One unit vector a class: the normalised mean over the templates, ``(classes, dim)`` float32.

        Raises:
            ModelError: a prompt is longer than the text tower reads.
        """
        texts = [template.replace("{}", name) for template in templates for name in class_names]
        vectors = self.embed_texts(texts).view(len(templates), len(class_names), -1)
        return normalize(vectors.mean(0), dim=-1)

    def context_of(self, template: str) -> Tensor:
        """Token embeddings of what stands before the class name, ``(tokens, width)``: where learning starts."""
        return self.text.context_of(template)

    def embed_context(self, context: Tensor, template: str, class_names: Sequence[str]) -> Tensor:
        """Unit class vectors under learned context vectors; gradients flow to the context alone.

        Args:
            context: ``(tokens, width)``, put where the words before the class name stood.
            template: only what stands from ``{}`` on is read.
            class_names: one prompt each.

        Returns:
            ``(classes, dim)`` float32.

        Raises:
            ModelError: a prompt is longer than the text tower reads.
        """
        return normalize(self.text.read_prompts(context, template, class_names).float(), dim=-1)


def load_model(
    name: str,
    device: str | None = None,
    progress: Progress | None = None,
    hub: Hub = hubs.DEFAULT,
    weigh: Callable[[Files], None] = lambda _: None,
) -> MedVLM:
    """Load a model of the table, one from the Hub, or one from a folder.

    Args:
        name: an id of ``MODELS``; ``hf-hub:owner/name[@revision]``; or ``local-dir:/path`` of a folder with the files
            of an open_clip, CLIP, SigLIP, MedCLIP or UniMed-CLIP model.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``; by default the fastest there is.
        progress: told the bytes as they are downloaded; not called where the cache has them.
        hub: which Hub, and where its files are kept.
        weigh: sees the files when they are there and before they are read; what it raises ends the loading.

    Raises:
        ModelError: no such model or device, or weights that do not fit the network (a missing or surplus key).
        HubError: the files cannot be had.
    """
    spec, place = find_spec(name), find_device(device)
    if spec.family and spec.family not in FORMATS:
        raise ModelError(spec.access)
    spec, files, revision = _files_of(spec, progress, hub)
    weigh(files)
    return _ready(spec, read_model(spec, files), revision, place)


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


# --- from a row to files


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
        weights = [_weights_in(folder, spec)]
    if missing := [file.name for file in weights if not file.is_file()]:
        raise ModelError(
            "The model is incomplete: {file} is missing from its folder. Fetch the folder again.", file=missing[0]
        )
    return spec, Files(folder, tuple(weights), folder), hubs.sha256_of(weights)


def _weights_in(folder: Path, spec: ModelSpec) -> Path:
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
    return spec, Files(found.folder, (_weights_in(found.folder, spec),), words), found.revision


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


# --- from files to a model


def _ready(spec: ModelSpec, parts: Parts, revision: str, device: torch.device) -> MedVLM:
    network = _fold_batch_norms(parts.network.eval())
    if parts.crop_rule.size % _LARGEST_STRIDE == 0:
        network = _fold_padding(network)
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


def _fold_batch_norms(network: nn.Module) -> nn.Module:
    """Put every batch norm of a timm tower into the convolution before it: the same function, one pass less a layer."""
    for parent in network.modules():
        before: nn.Conv2d | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                before = child
            elif isinstance(child, BatchNormAct2d) and before is not None:
                fused = fuse_conv_bn_eval(before, child)  # type: ignore[arg-type]
                before.weight, before.bias, before = fused.weight, fused.bias, None
                setattr(parent, name, child.act)
    return network


def _fold_padding(network: nn.Module) -> nn.Module:
    """Put the one-sided padding of TensorFlow's strided convolutions into their kernels, as a first row of zeros.

    The same function wherever stride 2 meets an even side, without a padded copy of each image.
    """
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2dSame) and child.stride == (2, 2):  # type: ignore[arg-type]
                setattr(parent, name, _padded_within(child))
    return network


def _padded_within(conv: Any) -> nn.Conv2d:
    side = conv.kernel_size[0]
    wide = nn.Conv2d(
        conv.in_channels, conv.out_channels, side + 1, 2, side // 2, groups=conv.groups, bias=conv.bias is not None
    )
    wide.weight = nn.Parameter(pad(conv.weight.detach(), (1, 0, 1, 0)))
    wide.bias = conv.bias
    return wide


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
