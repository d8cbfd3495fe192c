"""Turns the name of a medical vision-language model into two functions: images → vectors, prompts → vectors.

It knows nothing about noise, votes, certificates or the page.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.fusion import fuse_conv_bn_eval

from psmooth.errors import ModelError
from psmooth.resources import resource
from psmooth.scans import CropRule


@dataclass(frozen=True)
class ModelSpec:
    """One row of the model table: where the weights come from and what a visitor should know of them."""

    id: str
    name: str
    weights: str
    about: str
    licence: str
    task_ids: tuple[str, ...]


_POCKET_TASKS = (
    "blood_cells",
    "chest_xray",
    "lung_colon_histology",
    "oral_histology",
    "brain_mri",
    "breast_ultrasound",
    "dermoscopy",
)

MODELS: dict[str, ModelSpec] = {
    spec.id: spec
    for spec in (
        ModelSpec(
            id="pocket-noisy",
            name="pocket, trained with noise",
            weights="bundled:pocket-noisy",
            about="The pocket model retrained with Gaussian noise: what robustness costs when weights may change.",
            licence="Apache-2.0",
            task_ids=_POCKET_TASKS,
        ),
        ModelSpec(
            id="pocket",
            name="pocket",
            weights="bundled:pocket",
            about="A small Med-VLM of seven modalities that has seen no more noise than a scanner makes.",
            licence="Apache-2.0",
            task_ids=_POCKET_TASKS,
        ),
    )
}


@dataclass(frozen=True, eq=False)
class MedVLM:
    """A frozen dual encoder, ready to be asked.

    Attributes:
        spec: its row of the table.
        revision: sha256 of the weights, for a certificate.
        network: the open_clip model, in evaluation mode, on ``device``.
        encode: pixels of a batch, normalised → unnormalised embeddings. The encoder stands behind this one callable,
            so that another runtime can take its place.
        crop_rule: how a scan becomes what the model sees.
        scale, shift: the normalisation of a channel as one multiplication and one addition, ``(1, 3, 1, 1)``; it
            comes after the noise.
    """

    spec: ModelSpec
    revision: str
    network: nn.Module
    tokenizer: Callable[[list[str]], Tensor]
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
        """Unit vectors of sentences, ``(sentences, dim)`` float32."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        return normalize(self.network.encode_text(tokens).float(), dim=-1)  # type: ignore[operator]

    def embed_prompts(self, templates: Sequence[str], class_names: Sequence[str]) -> Tensor:
        """One unit vector a class: the normalised mean over the templates, ``(classes, dim)`` float32."""
        texts = [template.replace("{}", name) for template in templates for name in class_names]
        vectors = self.embed_texts(texts).view(len(templates), len(class_names), -1)
        return normalize(vectors.mean(0), dim=-1)

    def context_of(self, template: str) -> Tensor:
        """Token embeddings of what stands before the class name, ``(tokens, width)``: where learning starts."""
        tokens = self._encode_words(template.split("{}")[0])
        return self.network.token_embedding(torch.tensor(tokens, device=self.device)).detach().clone()  # type: ignore[operator]

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
        rest = [self._encode_words(name + template.split("{}")[1]) for name in class_names]
        longest = 2 + len(context) + max(map(len, rest))
        if longest > (limit := self.network.positional_embedding.shape[0]):  # type: ignore[union-attr]
            raise ModelError(f"A prompt has {longest} tokens and the text tower reads {limit}; shorten the class name.")
        start, end = self.tokenizer([""])[0][:2].tolist()
        ids = [[start, *[end] * len(context), *words, end] for words in rest]
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=self.device)
        tokens: Tensor = self.network.token_embedding(padded)  # type: ignore[operator]
        behind = tokens[:, 1 + len(context) :]
        prompts = torch.cat([tokens[:, :1], context.to(tokens).expand(len(ids), -1, -1), behind], 1)
        ends = torch.tensor([len(row) - 1 for row in ids], device=self.device)
        return normalize(_run_text_tower(self.network, prompts, ends).float(), dim=-1)

    def _encode_words(self, words: str) -> list[int]:
        """Token ids of words, without the marks of beginning and end."""
        row = self.tokenizer([words])[0].tolist()
        return row[1 : row.index(self.tokenizer([""])[0][1].item())]


def _run_text_tower(network: Any, prompts: Tensor, ends: Tensor) -> Tensor:
    """open_clip's own text tower from embedded tokens on: ``(classes, tokens, width)`` → ``(classes, dim)``."""
    length = prompts.shape[1]
    mask = network.attn_mask[:length, :length] if network.attn_mask is not None else None
    hidden = network.transformer(prompts + network.positional_embedding[:length], attn_mask=mask)
    pooled = network.ln_final(hidden)[torch.arange(len(prompts)), ends]
    project = network.text_projection
    return project(pooled) if isinstance(project, nn.Linear) else pooled @ project


def load_model(name: str, device: str | None = None) -> MedVLM:
    """Load a model of the table, or one from a folder.

    Args:
        name: an id of ``MODELS``, or ``local-dir:/path`` of a folder with ``open_clip_config.json`` and
            ``open_clip_model.safetensors``.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``; by default the fastest there is.

    Raises:
        ModelError: no such model or device, or weights that do not fit the network (a missing or surplus key).
    """
    spec = _find_spec(name)
    config_file, weight_files = _files_of(spec)
    config = _read_config(config_file)
    network = _build(config["model_cfg"], spec)
    _load_strictly(network, weight_files, spec)
    return _ready(spec, config, network, _sha256(weight_files), _find_device(device))


def _find_spec(name: str) -> ModelSpec:
    for spec in MODELS.values():
        if name in (spec.id, spec.weights):
            return spec
    if name.startswith("local-dir:"):
        folder = Path(name.removeprefix("local-dir:"))
        return ModelSpec(folder.name, folder.name, name, "A model from a folder.", "see its folder", ())
    raise ModelError(f"There is no model '{name}'. Known models: {', '.join(MODELS)}; or local-dir:FOLDER.")


def folder_of(spec: ModelSpec) -> Path:
    """The folder that holds the weights of a model, and what was fitted for it."""
    kind, place = spec.weights.split(":", 1)
    return resource("assets", "pocket") if kind == "bundled" else Path(place).expanduser()


def _files_of(spec: ModelSpec) -> tuple[Path, list[Path]]:
    folder, (kind, place) = folder_of(spec), spec.weights.split(":", 1)
    names = ("text", place) if kind == "bundled" else ("open_clip_model",)
    files = [folder / f"{name}.safetensors" for name in names]
    for file in (folder / "open_clip_config.json", *files):
        if not file.is_file():
            raise ModelError(
                f"The model is incomplete: {file.name} is missing from its folder. Fetch the folder again."
            )
    return folder / "open_clip_config.json", files


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        return {"model_cfg": dict(config["model_cfg"]), "preprocess_cfg": dict(config["preprocess_cfg"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file.name} is not an open_clip configuration: it needs model_cfg and preprocess_cfg."
        ) from error


def _build(model_cfg: dict[str, Any], spec: ModelSpec) -> nn.Module:
    try:
        return open_clip.CLIP(**{key: value for key, value in model_cfg.items() if key != "custom_text"})
    except Exception as error:  # open_clip and timm raise anything on an unknown architecture
        raise ModelError(f"The network of '{spec.id}' cannot be built from its configuration.") from error


def _load_strictly(network: nn.Module, files: list[Path], spec: ModelSpec) -> None:
    state: dict[str, Tensor] = {}
    try:
        for file in files:
            state |= load_file(file)
        network.load_state_dict(
            {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
        )
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(
            f"The weights of '{spec.id}' do not fit its network or are damaged. Fetch the model again."
        ) from error


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


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _find_device(device: str | None) -> torch.device:
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is None:
        return torch.device("cuda" if present["cuda"] else "mps" if present["mps"] else "cpu")
    if not present.get(device, False):
        raise ModelError(
            f"The device '{device}' is not on this machine. Here: {', '.join(d for d in present if present[d])}."
        )
    return torch.device(device)


def _ready(spec: ModelSpec, config: dict[str, Any], network: nn.Module, revision: str, device: torch.device) -> MedVLM:
    preprocess = config["preprocess_cfg"]
    network = _fold_batch_norms(network.eval()).requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean, std = (torch.tensor(preprocess[name], device=device).view(1, 3, 1, 1) for name in ("mean", "std"))
    text_cfg, vision_cfg = config["model_cfg"]["text_cfg"], config["model_cfg"]["vision_cfg"]
    return MedVLM(
        spec=spec,
        revision=revision,
        network=network,
        tokenizer=open_clip.SimpleTokenizer(context_length=text_cfg.get("context_length", 77)),
        encode=network.encode_image,  # type: ignore[arg-type]
        crop_rule=CropRule(size=vision_cfg["image_size"], interpolation=preprocess.get("interpolation", "bicubic")),
        scale=1 / std,
        shift=-mean / std,
        device=device,
    )
