"""Builds a network from the files of a model, whatever format they have, and puts the weights in strictly.

It knows nothing about the Hub, devices or prompts.

Five formats: open_clip's, CLIP and SigLIP of Hugging Face's transformers, and what MedCLIP and UniMed-CLIP publish.
Sizes are read off the tensors, so that a configuration cannot contradict its weights.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from psmooth.errors import ModelError
from psmooth.models.files import Files, Parts, check_content, shown
from psmooth.models.key_maps import State, map_hf_clip, map_medclip, map_siglip, map_unimed
from psmooth.models.light_open_clip import open_clip
from psmooth.models.open_clip_format import (
    OPENAI_MEAN,
    OPENAI_STD,
    channels,
    check_architecture,
    open_clip_config,
    open_clip_image,
    read_open_clip,
    read_word_pieces,
    side_of,
)
from psmooth.models.table import OPEN_CLIP_WEIGHTS, ModelSpec
from psmooth.models.text_towers import SentencePieces, SiglipText, bert_text
from psmooth.models.weights import DualEncoder, build, count, load_strictly, read_mapped
from psmooth.scans import CropRule


def read_model(spec: ModelSpec, files: Files) -> Parts:
    """Build the network of a model and load its weights.

    Raises:
        ModelError: a file is missing or damaged, the architecture is not one of these, or a key is missing or surplus.
    """
    try:
        return FORMATS[spec.family](spec, files)
    except ModelError:
        raise
    except Exception as error:  # the files are anybody's, and each library has its own word for what it cannot read
        raise ModelError(
            "The files of '{model}' are damaged or contradict each other. Fetch the model again.", model=spec.id
        ) from error


def check_configuration(folder: Path) -> None:
    """Raise ModelError where a configuration is damaged or asks for what is not read, before there are weights."""
    if (file := folder / "open_clip_config.json").is_file():
        open_clip_config(file)
    Files(folder, (), folder).read_json("config.json")


def detect_format(folder: Path) -> str:
    """The format of a folder, by its files; where nothing tells, open_clip's, whose reader says what is missing."""
    kind = Files(folder, (), folder).read_json("config.json").get("model_type")
    if (folder / "open_clip_config.json").is_file() or any((folder / name).is_file() for name in OPEN_CLIP_WEIGHTS):
        return "open_clip"
    if kind in ("clip", "siglip"):
        return {"clip": "hf_clip", "siglip": "siglip"}[kind]
    if any(folder.glob("*.pt")):
        return "unimed"
    return "medclip" if (folder / "vocab.txt").is_file() else "open_clip"


def _read_hf_clip(spec: ModelSpec, files: Files) -> Parts:
    if not (config := files.read_json("config.json")):
        raise ModelError("The model is incomplete: config.json is missing from its folder. Fetch the folder again.")
    vision, text = (
        (config.get(f"{name}_config") or {}) | (config.get(f"{name}_config_dict") or {}) for name in ("vision", "text")
    )
    acts = {vision.get("hidden_act", "quick_gelu"), text.get("hidden_act", "quick_gelu")}
    if len(acts) > 1 or not acts <= {"quick_gelu", "gelu"}:
        raise ModelError(
            "Its activations are {activations}; read is one of quick_gelu and gelu for both.",
            activations=", ".join(sorted(map(shown, acts))),
        )
    mapped = read_mapped(spec, files, map_hf_clip)
    quick_gelu = "quick_gelu" in acts
    network = load_strictly(spec, build(spec, lambda: _clip_of_sizes(mapped, vision, text, quick_gelu), mapped), mapped)
    mean, std, interpolation = _hf_preprocessing(files, OPENAI_MEAN, OPENAI_STD)
    rule = CropRule(size=side_of(_size_of(network)), interpolation=interpolation)
    return Parts(network, open_clip.SimpleTokenizer(), rule, mean, std)


def _size_of(network: Any) -> int:
    return network.visual.image_size[0]


def _clip_of_sizes(state: State, vision: dict[str, Any], text: dict[str, Any], quick_gelu: bool) -> nn.Module:
    """open_clip's CLIP of the sizes that its tensors tell."""
    context, width = state["positional_embedding"].shape
    text_cfg = {
        "context_length": context,
        "vocab_size": state["token_embedding.weight"].shape[0],
        "width": width,
        "heads": text.get("num_attention_heads", 8),
        "layers": count(state, "transformer.resblocks."),
        "mlp_ratio": state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / width,
        "norm_kwargs": {"eps": text.get("layer_norm_eps", 1e-5)},
    }
    vision_cfg = _vision_of_sizes(state, vision.get("num_attention_heads", 12))
    vision_cfg["norm_kwargs"] = {"eps": vision.get("layer_norm_eps", 1e-5)}
    return open_clip.CLIP(state["visual.proj"].shape[1], vision_cfg, text_cfg, quick_gelu)  # type: ignore[arg-type]


def _vision_of_sizes(state: State, heads: int) -> dict[str, Any]:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    patches = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
    return {
        "image_size": patches * patch,
        "patch_size": patch,
        "width": width,
        "head_width": width // heads,
        "layers": count(state, "visual.transformer.resblocks."),
        "mlp_ratio": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / width,
    }


def _hf_preprocessing(files: Files, mean: Any, std: Any) -> tuple[Any, Any, Any]:
    preprocessing = files.read_json("preprocessor_config.json")
    bilinear = preprocessing.get("resample") == 2  # Pillow's number
    mean, std = preprocessing.get("image_mean", mean), preprocessing.get("image_std", std)
    return channels(mean), channels(std, least=1e-6), "bilinear" if bilinear else "bicubic"


_SIGLIP_PARTS = ("text_config", "vision_config")

_SIGLIP_SIZES = {  # nothing else of a configuration reaches transformers, which fetches what some words name
    "bos_token_id", "eos_token_id", "hidden_act", "hidden_size", "image_size", "intermediate_size", "layer_norm_eps",
    "max_position_embeddings", "num_attention_heads", "num_hidden_layers", "pad_token_id", "patch_size",
    "projection_size", "vocab_size",
}  # fmt: skip


class _SiglipImage(nn.Module):
    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.bare = tower

    def forward(self, pixels: Tensor) -> Tensor:
        return self.bare(pixel_values=pixels).pooler_output


def _read_siglip(spec: ModelSpec, files: Files) -> Parts:
    from sentencepiece import SentencePieceProcessor

    if not (words := files.words / "spiece.model").is_file():
        raise ModelError("The model is incomplete: spiece.model is missing from its folder. Fetch the folder again.")
    check_content(words)
    config = files.read_json("config.json")
    mapped = read_mapped(spec, files, map_siglip)
    network = load_strictly(spec, build(spec, lambda: _siglip_network(config), mapped), mapped)
    mean, std, interpolation = _hf_preprocessing(files, (0.5,) * 3, (0.5,) * 3)
    rule = CropRule(size=side_of(config["vision_config"].get("image_size", 224)), interpolation=interpolation)
    return Parts(network, SentencePieces(SentencePieceProcessor(model_file=str(words))), rule, mean, std)


def _siglip_network(config: dict[str, Any]) -> nn.Module:
    from transformers import SiglipConfig, SiglipModel

    sizes = {name: {key: config[name][key] for key in _SIGLIP_SIZES & config[name].keys()} for name in _SIGLIP_PARTS}
    check_architecture({}, {"layers": [sizes[name].get("num_hidden_layers") for name in _SIGLIP_PARTS], **sizes})
    whole = SiglipModel(SiglipConfig(text_config=sizes["text_config"], vision_config=sizes["vision_config"]))
    return DualEncoder(_SiglipImage(whole.vision_model), SiglipText(whole.text_model), bias=True)


_MEDCLIP_MEAN, _MEDCLIP_STD, _MEDCLIP_SIZE = 0.5862785803043838, 0.27950088968644304, 224

_MEDCLIP_TOKENS = 25  # PromptSmooth's length; it belongs to the model, because what fills a row up counts in its mean


class _SwinImage(nn.Module):
    def __init__(self, swin: nn.Module, proj: nn.Linear) -> None:
        super().__init__()
        self.swin, self.proj = swin, proj

    def forward(self, pixels: Tensor) -> Tensor:
        return self.proj(self.swin(pixels))


def _read_medclip(spec: ModelSpec, files: Files) -> Parts:
    mapped = read_mapped(spec, files, map_medclip)
    network = load_strictly(spec, build(spec, lambda: _medclip_network(mapped), mapped), mapped)
    rule = CropRule(size=_MEDCLIP_SIZE, fit="pad")
    return Parts(network, read_word_pieces(files.words), rule, (_MEDCLIP_MEAN,) * 3, (_MEDCLIP_STD,) * 3)


def _medclip_network(state: State) -> nn.Module:
    from timm.models.swin_transformer import SwinTransformer

    first = state["visual.swin.patch_embed.proj.weight"]
    stages = [f"visual.swin.layers.{stage}.blocks." for stage in range(count(state, "visual.swin.layers."))]
    tables = [state[f"{stage}0.attn.relative_position_bias_table"] for stage in stages]
    swin = SwinTransformer(
        img_size=_MEDCLIP_SIZE,
        patch_size=first.shape[-1],
        embed_dim=first.shape[0],
        depths=tuple(count(state, stage) for stage in stages),
        num_heads=tuple(table.shape[1] for table in tables),
        window_size=(math.isqrt(tables[0].shape[0]) + 1) // 2,
        num_classes=0,
    )
    dim = state["visual.proj.weight"].shape[0]
    text = bert_text(state, dim, "medclip", _MEDCLIP_TOKENS, _MEDCLIP_TOKENS)
    return DualEncoder(_SwinImage(swin, nn.Linear(swin.num_features, dim, bias=False)), text)


def _read_unimed(spec: ModelSpec, files: Files) -> Parts:
    mapped = read_mapped(spec, files, map_unimed)
    network = load_strictly(spec, build(spec, lambda: _unimed_network(mapped), mapped), mapped)
    rule = CropRule(size=side_of(_size_of(network)))
    return Parts(network, read_word_pieces(files.words), rule, OPENAI_MEAN, OPENAI_STD)


def _unimed_network(state: State) -> nn.Module:
    width = state["visual.conv1.weight"].shape[0]
    vision = _vision_of_sizes(state, max(1, width // 64))
    model = {"embed_dim": state["visual.proj"].shape[1], "vision_cfg": vision, "quick_gelu": True}
    text = bert_text(state, model["embed_dim"], "cls_last_hidden_state_pooler", 256, mlp=True)
    return DualEncoder(open_clip_image(model), text)


FORMATS: dict[str, Callable[[ModelSpec, Files], Parts]] = {
    "bundled": read_open_clip,
    "open_clip": read_open_clip,
    "hf_clip": _read_hf_clip,
    "siglip": _read_siglip,
    "medclip": _read_medclip,
    "unimed": _read_unimed,
}
