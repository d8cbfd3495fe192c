"""Builds a network from the files of a model, whatever format they have, and puts the weights in strictly.

It knows nothing about the Hub, devices or prompts.

Five formats: open_clip's, CLIP and SigLIP of Hugging Face's transformers, and what MedCLIP and UniMed-CLIP publish.
Sizes are read off the tensors, so that a configuration cannot contradict its weights.
"""

import json
import math
import pickle
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from psmooth._key_maps import State, map_hf_clip, map_medclip, map_siglip, map_unimed, without
from psmooth._model_table import OPEN_CLIP_WEIGHTS, ModelSpec
from psmooth._open_clip import open_clip
from psmooth._text_towers import POOLS, SentencePieces, SiglipText, Tokenizer, WordPieces, bert_text
from psmooth.errors import ModelError
from psmooth.scans import CropRule

_LARGEST_TOLD = 2**22  # bytes of a configuration
_LARGEST_SIDE = 1024  # pixels of a crop
_MOST_BLOCKS, _MOST_TENSORS = 256, 10_000  # several times what the largest CLIP has
_SLACK = 2**24  # numbers that a network holds beside its weights: masks and tables of places
_TIMM_NAME = re.compile(r"[\w.-]+")

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, eq=False)
class Parts:
    """What was built: the network with its weights, and how a scan and words become its input."""

    network: nn.Module
    tokenizer: Tokenizer
    crop_rule: CropRule
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Files:
    """Where the files of a model lie: its folder, its weights (several are read as one), its vocabulary."""

    folder: Path
    weights: tuple[Path, ...]
    words: Path

    def read_json(self, name: str) -> dict[str, Any]:
        """An optional JSON file: empty where it is missing."""
        file = self.folder / name
        if not file.is_file():
            return {}
        try:
            return read_told(file)
        except ValueError as error:
            raise ModelError("{name} is not JSON that can be read. Fetch the model again.", name=name) from error


def read_told(file: Path) -> dict[str, Any]:
    """What a JSON file says.

    Raises:
        ModelError: something else lies in its place.
        ValueError: it is no JSON object, nested too deeply, or too large for a configuration.
    """
    check_content(file)
    if file.stat().st_size > _LARGEST_TOLD:
        raise ValueError(file.name)
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(file.name) from error
    if not isinstance(told, dict):
        raise ValueError(file.name)
    return told


def shown(told: object) -> str:
    """A word of a configuration as a sentence can hold it: short, and without what cannot be encoded."""
    return str(told)[:60].encode("utf-8", "replace").decode()


def check_content(file: Path) -> None:
    """Raise ModelError where a file holds what often comes in its place."""
    with file.open("rb") as opened:
        head = opened.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"version https://git-lfs"):
        raise ModelError(
            "{file} is a Git LFS pointer, three lines that stand for the file. Run `git lfs pull` where it was cloned, "
            "or fetch the file itself.",
            file=file.name,
        )
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        raise ModelError(
            "{file} is a web page, as a proxy or a login sends it in the place of a file. Fetch the file again, or on "
            "another network.",
            file=file.name,
        )


class DualEncoder(nn.Module):
    """An image tower, a text tower, and the logarithm of the factor between cosines and logits."""

    def __init__(self, visual: nn.Module, text: nn.Module, bias: bool = False) -> None:
        super().__init__()
        self.visual, self.text = visual, text
        self.logit_scale = nn.Parameter(torch.zeros(()))
        if bias:
            self.logit_bias = nn.Parameter(torch.zeros(()))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.visual(pixels)


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
        _open_clip_config(file)
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


# --- weights


def read_state(spec: ModelSpec, files: Iterable[Path]) -> State:
    """All tensors of the files, those of floating point as float32; pickles are read without running any code."""
    state: State = {}
    files = tuple(files)
    for file in files:
        check_content(file)
    try:
        for file in files:
            state |= _named(load_file(file) if file.suffix == ".safetensors" else _read_pickle(file))
    except pickle.UnpicklingError as error:
        raise ModelError(
            "The weights of '{model}' hold more than tensors and could run code; they are not read. Convert them to "
            "safetensors on a machine that may run them.",
            model=spec.id,
        ) from error
    except (
        SafetensorError, RuntimeError, OSError, ValueError, EOFError, LookupError, TypeError, AttributeError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise _misfit(spec) from error
    _check_bytes(spec, state, sum(file.stat().st_size for file in files))
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def _read_pickle(file: Path) -> Any:
    with file.open("rb") as opened:
        zipped = opened.read(4) == b"PK\x03\x04"
    if zipped:
        _check_zip(file)
    found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)  # torch before 1.6 wrote no zip
    return found["state_dict"] if isinstance(found, dict) and "state_dict" in found else found


def _check_zip(file: Path) -> None:
    """Raise ValueError unless each entry stands in the file as it is, once: torch writes no other."""
    with zipfile.ZipFile(file) as opened:
        entries = opened.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > file.stat().st_size:
        raise ValueError(file.name)


def _named(found: Any) -> State:
    """Tensors by name, without what torch.compile and data parallel training put before the names; else ValueError."""
    plain = isinstance(found, dict) and all(isinstance(key, str) and _is_plain(value) for key, value in found.items())
    named = {key.replace("_orig_mod.", "").removeprefix("module."): value for key, value in found.items()}
    if not plain or len(named) != len(found) or len(named) > _MOST_TENSORS:
        raise ValueError
    return named


def _is_plain(value: Any) -> bool:
    dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized
    return dense and value.device.type == "cpu"


def _check_bytes(spec: ModelSpec, state: State, size: int) -> None:
    """Raise ModelError where a few bytes of the files stand for many: a pickle can repeat and expand what it stores."""
    expanded = any(value.nbytes > value.untyped_storage().nbytes() for value in state.values())
    if expanded or sum(value.nbytes for value in state.values()) > 2 * size + _LARGEST_TOLD:
        raise ModelError(
            "The weights of '{model}' are expanded: their tensors are larger than the file that they stand in, and are "
            "not read. Save them whole, as safetensors.",
            model=spec.id,
        )


def _mapped(spec: ModelSpec, files: Files, rename: Callable[[State], State]) -> State:
    state = read_state(spec, files.weights)
    try:
        return rename(state)
    except RuntimeError as error:  # queries, keys and values of different sizes
        raise _misfit(spec) from error


def _misfit(spec: ModelSpec) -> ModelError:
    return ModelError(
        "The weights of '{model}' do not fit its network or are damaged. Fetch the model again.", model=spec.id
    )


def _build(spec: ModelSpec, make: Callable[[], nn.Module], state: State) -> nn.Module:
    """The network, once it is known to be no larger than its weights: a first one has shapes and no memory."""
    try:
        if spec.family != "bundled":
            with torch.device("meta"):
                empty = make()
            held = sum(value.numel() for value in (*empty.parameters(), *empty.buffers()))
            if held > 2 * sum(value.numel() for value in state.values()) + _SLACK:
                raise _misfit(spec)
        return make()
    except ModelError:
        raise
    except KeyError as error:  # a size was to be read off a tensor that is not there
        raise _misfit(spec) from error
    except Exception as error:  # open_clip, timm and transformers raise anything on an unknown architecture
        raise ModelError("The network of '{model}' cannot be built from its configuration.", model=spec.id) from error


def _load(spec: ModelSpec, network: nn.Module, state: State) -> nn.Module:
    """Strictly: a missing or a surplus key is an error. A scalar may have been saved as a vector of one."""
    shapes = {key: value.shape for key, value in network.state_dict().items() if value.numel() == 1}
    scalars = {
        key: state[key].reshape(shape) for key, shape in shapes.items() if key in state and state[key].numel() == 1
    }
    try:
        network.load_state_dict(state | scalars)
    except RuntimeError as error:
        raise _misfit(spec) from error
    return network


def _count(state: State, prefix: str) -> int:
    """How many numbered blocks stand behind the prefix."""
    found = len({key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)})
    if found > _MOST_BLOCKS:
        raise ValueError(prefix)
    return found


# --- open_clip


def _read_open_clip(spec: ModelSpec, files: Files) -> Parts:
    config = _open_clip_config(files.folder / "open_clip_config.json")
    model, preprocess = config["model_cfg"], config["preprocess_cfg"]
    model["quick_gelu"] = _quick_gelu(spec, files, bool(model.get("quick_gelu", False)))
    state = without(read_state(spec, files.weights), "text.transformer.embeddings.position_ids")
    network = _load(spec, _build(spec, lambda: _open_clip_network(model, state), state), state)
    text = model["text_cfg"]
    tokenizer = (
        read_word_pieces(files.words)
        if text.get("hf_model_name")
        else open_clip.SimpleTokenizer(context_length=text.get("context_length", 77))
    )
    rule = CropRule(
        size=_side(model["vision_cfg"].get("image_size", 224)),
        fit="pad" if preprocess.get("resize_mode") == "longest" else "crop",
        interpolation="bilinear" if preprocess.get("interpolation") == "bilinear" else "bicubic",
    )
    mean, std = preprocess.get("mean", OPENAI_MEAN), preprocess.get("std", OPENAI_STD)
    return Parts(network, tokenizer, rule, _channels(mean), _channels(std, least=1e-6))


def _open_clip_config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ModelError(
            "The model is incomplete: {file} is missing from its folder. Fetch the folder again.", file=file.name
        )
    try:
        config = read_told(file)
        model = dict(config["model_cfg"])
        text, vision = dict(model["text_cfg"]), dict(model["vision_cfg"])
        preprocess = dict(config.get("preprocess_cfg") or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "{file} is not an open_clip configuration: it needs model_cfg and preprocess_cfg.", file=file.name
        ) from error
    _check_architecture(text, vision)
    return {
        "model_cfg": model | {"text_cfg": text, "vision_cfg": vision | {"timm_model_pretrained": False}},
        "preprocess_cfg": preprocess,
    }


def _check_architecture(text: dict[str, Any], vision: dict[str, Any]) -> None:
    """timm takes the name of a repository too, and would fetch it; a tower of a million blocks is built for ever."""
    name = vision.get("timm_model_name") or "none"
    sizes = [size for part in (text, vision) for size in _numbers(part)]
    blocks = [size for part in (text, vision) for size in _numbers([part.get("layers"), part.get("heads")])]
    local = isinstance(name, str) and _TIMM_NAME.fullmatch(name)
    if not local or not all(abs(size) <= 1e6 for size in sizes) or not all(size <= _MOST_BLOCKS for size in blocks):
        raise ModelError(
            "Its configuration asks for a network from another repository, or for one of a size that no model has. "
            "Choose another model."
        )


def _numbers(told: Any) -> list[float]:
    """All numbers in a part of a configuration."""
    if isinstance(told, dict | list):
        return [number for part in (told.values() if isinstance(told, dict) else told) for number in _numbers(part)]
    return [told] if isinstance(told, int | float) else []


def _quick_gelu(spec: ModelSpec, files: Files, stated: bool) -> bool:
    """Which GELU: a ``config.json`` beside the weights has the last word, then the table, then open_clip's own.

    open_clip loads weights that were trained with the other one without a word, and every feature is slightly wrong.
    """
    beside = files.read_json("config.json").get("vision_config") or {}
    if "hidden_act" in beside:
        return beside["hidden_act"] == "quick_gelu"
    return stated if spec.quick_gelu is None else spec.quick_gelu


def _open_clip_network(model: dict[str, Any], state: State) -> nn.Module:
    text = model["text_cfg"]
    if text.get("hf_model_name"):
        return _with_bert(model, state)
    _check_clip_text(text)
    custom = model.get("custom_text", False) and any(key.startswith("text.") for key in state)
    make = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    return make(**{key: value for key, value in model.items() if key != "custom_text"})


def _check_clip_text(text: dict[str, Any]) -> None:
    if text.get("pool_type", "argmax") != "argmax" or text.get("embed_cls") or text.get("hf_tokenizer_name"):
        raise ModelError("Its text tower is neither CLIP's nor BERT's, and no other is read. Choose another model.")


def _with_bert(model: dict[str, Any], state: State) -> nn.Module:
    """An image tower of open_clip's beside BERT; its sizes are in the weights, so no other repository is asked."""
    text = model["text_cfg"]
    pool, proj = text.get("hf_pooler_type"), text.get("hf_proj_type")
    name = str(text["hf_model_name"]).lower()
    known = "bert" in name and "roberta" not in name
    if not known or pool not in POOLS or proj not in ("linear", "mlp"):
        raise ModelError(
            "Its text tower is '{tower}' with {pool} and projection '{projection}'; read is BERT with "
            "cls_last_hidden_state_pooler or mean_pooler or medclip, and projection linear or mlp. Choose another "
            "model.",
            tower=shown(text["hf_model_name"]),
            pool=shown(pool),
            projection=shown(proj),
        )
    limit = text.get("context_length", 77)
    tower = bert_text(state, model["embed_dim"], pool, limit, mlp=proj == "mlp")
    return DualEncoder(_open_clip_image(model), tower, bias="logit_bias" in state)


def _open_clip_image(model: dict[str, Any]) -> nn.Module:
    smallest = {"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1}  # is thrown away
    picked = {key: model[key] for key in ("embed_dim", "vision_cfg", "quick_gelu") if key in model}
    return open_clip.CustomTextCLIP(**picked, text_cfg=smallest).visual  # type: ignore[arg-type]


def _side(size: Any) -> int:
    sides = set(size) if isinstance(size, list) else {size}
    side = sides.pop() if len(sides) == 1 else None
    if not isinstance(side, int) or not 0 < side <= _LARGEST_SIDE:
        raise ModelError(
            "The model sees pictures of {size} pixels; only square ones of at most {most} are supported.",
            size=shown(size),
            most=_LARGEST_SIDE,
        )
    return side


def _channels(values: Any, least: float = -math.inf) -> tuple[float, ...]:
    """A mean or a standard deviation of each colour; ValueError where they are no three numbers."""
    red, green, blue = (float(value) for value in values)
    if not all(least <= value < math.inf for value in (red, green, blue)):
        raise ValueError(values)
    return red, green, blue


def read_word_pieces(folder: Path) -> WordPieces:
    """BERT's vocabulary from a folder; small letters unless its configuration says otherwise, as transformers does."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    whole, plain = folder / "tokenizer.json", folder / "vocab.txt"
    for file in (whole, plain):
        if file.is_file():
            check_content(file)
    if whole.is_file():
        return WordPieces(Tokenizer.from_file(str(whole)))
    if not plain.is_file():
        raise ModelError("The model is incomplete: vocab.txt is missing from its folder. Fetch the folder again.")
    told = Files(folder, (), folder).read_json("tokenizer_config.json")
    return WordPieces(BertWordPieceTokenizer(str(plain), lowercase=told.get("do_lower_case", True)))


# --- CLIP of transformers (PLIP, PubMedCLIP, MONET)


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
    mapped = _mapped(spec, files, map_hf_clip)
    quick_gelu = "quick_gelu" in acts
    network = _load(spec, _build(spec, lambda: _clip_of_sizes(mapped, vision, text, quick_gelu), mapped), mapped)
    mean, std, interpolation = _hf_preprocessing(files, OPENAI_MEAN, OPENAI_STD)
    rule = CropRule(size=_side(_size_of(network)), interpolation=interpolation)
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
        "layers": _count(state, "transformer.resblocks."),
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
        "layers": _count(state, "visual.transformer.resblocks."),
        "mlp_ratio": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / width,
    }


def _hf_preprocessing(files: Files, mean: Any, std: Any) -> tuple[Any, Any, Any]:
    told = files.read_json("preprocessor_config.json")
    bilinear = told.get("resample") == 2  # Pillow's number
    mean, std = told.get("image_mean", mean), told.get("image_std", std)
    return _channels(mean), _channels(std, least=1e-6), "bilinear" if bilinear else "bicubic"


# --- SigLIP of transformers (MedSigLIP)


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
    mapped = _mapped(spec, files, map_siglip)
    network = _load(spec, _build(spec, lambda: _siglip_network(config), mapped), mapped)
    mean, std, interpolation = _hf_preprocessing(files, (0.5,) * 3, (0.5,) * 3)
    rule = CropRule(size=_side(config["vision_config"].get("image_size", 224)), interpolation=interpolation)
    return Parts(network, SentencePieces(SentencePieceProcessor(model_file=str(words))), rule, mean, std)


def _siglip_network(config: dict[str, Any]) -> nn.Module:
    from transformers import SiglipConfig, SiglipModel

    told = {name: {key: config[name][key] for key in _SIGLIP_SIZES & config[name].keys()} for name in _SIGLIP_PARTS}
    _check_architecture({}, {"layers": [told[name].get("num_hidden_layers") for name in _SIGLIP_PARTS], **told})
    whole = SiglipModel(SiglipConfig(text_config=told["text_config"], vision_config=told["vision_config"]))
    return DualEncoder(_SiglipImage(whole.vision_model), SiglipText(whole.text_model), bias=True)


# --- MedCLIP (Wang et al., 2022)

_MEDCLIP_MEAN, _MEDCLIP_STD, _MEDCLIP_SIZE = 0.5862785803043838, 0.27950088968644304, 224
_MEDCLIP_TOKENS = 25  # PromptSmooth's length; it belongs to the model, because what fills a row up counts in its mean


class _SwinImage(nn.Module):
    def __init__(self, swin: nn.Module, proj: nn.Linear) -> None:
        super().__init__()
        self.swin, self.proj = swin, proj

    def forward(self, pixels: Tensor) -> Tensor:
        return self.proj(self.swin(pixels))


def _read_medclip(spec: ModelSpec, files: Files) -> Parts:
    mapped = _mapped(spec, files, map_medclip)
    network = _load(spec, _build(spec, lambda: _medclip_network(mapped), mapped), mapped)
    rule = CropRule(size=_MEDCLIP_SIZE, fit="pad")
    return Parts(network, read_word_pieces(files.words), rule, (_MEDCLIP_MEAN,) * 3, (_MEDCLIP_STD,) * 3)


def _medclip_network(state: State) -> nn.Module:
    from timm.models.swin_transformer import SwinTransformer

    first = state["visual.swin.patch_embed.proj.weight"]
    stages = [f"visual.swin.layers.{stage}.blocks." for stage in range(_count(state, "visual.swin.layers."))]
    tables = [state[f"{stage}0.attn.relative_position_bias_table"] for stage in stages]
    swin = SwinTransformer(
        img_size=_MEDCLIP_SIZE,
        patch_size=first.shape[-1],
        embed_dim=first.shape[0],
        depths=tuple(_count(state, stage) for stage in stages),
        num_heads=tuple(table.shape[1] for table in tables),
        window_size=(math.isqrt(tables[0].shape[0]) + 1) // 2,
        num_classes=0,
    )
    dim = state["visual.proj.weight"].shape[0]
    text = bert_text(state, dim, "medclip", _MEDCLIP_TOKENS, _MEDCLIP_TOKENS)
    return DualEncoder(_SwinImage(swin, nn.Linear(swin.num_features, dim, bias=False)), text)


# --- UniMed-CLIP (Khattak et al., 2024)


def _read_unimed(spec: ModelSpec, files: Files) -> Parts:
    mapped = _mapped(spec, files, map_unimed)
    network = _load(spec, _build(spec, lambda: _unimed_network(mapped), mapped), mapped)
    rule = CropRule(size=_side(_size_of(network)))
    return Parts(network, read_word_pieces(files.words), rule, OPENAI_MEAN, OPENAI_STD)


def _unimed_network(state: State) -> nn.Module:
    width = state["visual.conv1.weight"].shape[0]
    vision = _vision_of_sizes(state, max(1, width // 64))
    model = {"embed_dim": state["visual.proj"].shape[1], "vision_cfg": vision, "quick_gelu": True}
    text = bert_text(state, model["embed_dim"], "cls_last_hidden_state_pooler", 256, mlp=True)
    return DualEncoder(_open_clip_image(model), text)


FORMATS: dict[str, Callable[[ModelSpec, Files], Parts]] = {
    "bundled": _read_open_clip,
    "open_clip": _read_open_clip,
    "hf_clip": _read_hf_clip,
    "siglip": _read_siglip,
    "medclip": _read_medclip,
    "unimed": _read_unimed,
}
