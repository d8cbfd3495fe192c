"""Builds a network from files as open_clip writes them.

It knows nothing about the Hub, devices or prompts.
"""

import math
import re
from pathlib import Path
from typing import Any

from torch import nn

from psmooth.errors import ModelError
from psmooth.models.files import Files, Parts, check_content, read_config, shown
from psmooth.models.key_maps import State, without
from psmooth.models.light_open_clip import open_clip
from psmooth.models.table import ModelSpec
from psmooth.models.text_towers import POOLS, WordPieces, bert_text
from psmooth.models.weights import MOST_BLOCKS, DualEncoder, build, load_strictly, read_state
from psmooth.scans import CropRule

_LARGEST_SIDE = 1024  # pixels of a crop

_TIMM_NAME = re.compile(r"[\w.-]+")

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)

OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


def read_open_clip(spec: ModelSpec, files: Files) -> Parts:
    config = open_clip_config(files.folder / "open_clip_config.json")
    model, preprocess = config["model_cfg"], config["preprocess_cfg"]
    model["quick_gelu"] = quick_gelu(spec, files, bool(model.get("quick_gelu", False)))
    state = without(read_state(spec, files.weights), "text.transformer.embeddings.position_ids")
    network = load_strictly(spec, build(spec, lambda: _open_clip_network(model, state), state), state)
    text = model["text_cfg"]
    tokenizer = (
        read_word_pieces(files.words)
        if text.get("hf_model_name")
        else open_clip.SimpleTokenizer(context_length=text.get("context_length", 77))
    )
    rule = CropRule(
        size=side_of(model["vision_cfg"].get("image_size", 224)),
        fit="pad" if preprocess.get("resize_mode") == "longest" else "crop",
        interpolation="bilinear" if preprocess.get("interpolation") == "bilinear" else "bicubic",
    )
    mean, std = preprocess.get("mean", OPENAI_MEAN), preprocess.get("std", OPENAI_STD)
    return Parts(network, tokenizer, rule, channels(mean), channels(std, least=1e-6))


def open_clip_config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ModelError(
            "The model is incomplete: {file} is missing from its folder. Fetch the folder again.", file=file.name
        )
    try:
        config = read_config(file)
        model = dict(config["model_cfg"])
        text, vision = dict(model["text_cfg"]), dict(model["vision_cfg"])
        preprocess = dict(config.get("preprocess_cfg") or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "{file} is not an open_clip configuration: it needs model_cfg and preprocess_cfg.", file=file.name
        ) from error
    check_architecture(text, vision)
    return {
        "model_cfg": model | {"text_cfg": text, "vision_cfg": vision | {"timm_model_pretrained": False}},
        "preprocess_cfg": preprocess,
    }


def check_architecture(text: dict[str, Any], vision: dict[str, Any]) -> None:
    """timm takes the name of a repository too, and would fetch it; a tower of a million blocks is built for ever."""
    name = vision.get("timm_model_name") or "none"
    sizes = [size for part in (text, vision) for size in _numbers(part)]
    blocks = [size for part in (text, vision) for size in _numbers([part.get("layers"), part.get("heads")])]
    local = isinstance(name, str) and _TIMM_NAME.fullmatch(name)
    if not local or not all(abs(size) <= 1e6 for size in sizes) or not all(size <= MOST_BLOCKS for size in blocks):
        raise ModelError(
            "Its configuration asks for a network from another repository, or for one of a size that no model has. "
            "Choose another model."
        )


def _numbers(part: Any) -> list[float]:
    """All numbers in a part of a configuration."""
    if isinstance(part, dict | list):
        return [number for one in (part.values() if isinstance(part, dict) else part) for number in _numbers(one)]
    return [part] if isinstance(part, int | float) else []


def quick_gelu(spec: ModelSpec, files: Files, stated: bool) -> bool:
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
    return DualEncoder(open_clip_image(model), tower, bias="logit_bias" in state)


def open_clip_image(model: dict[str, Any]) -> nn.Module:
    smallest = {"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1}  # is thrown away
    picked = {key: model[key] for key in ("embed_dim", "vision_cfg", "quick_gelu") if key in model}
    return open_clip.CustomTextCLIP(**picked, text_cfg=smallest).visual  # type: ignore[arg-type]


def side_of(size: Any) -> int:
    sides = set(size) if isinstance(size, list) else {size}
    side = sides.pop() if len(sides) == 1 else None
    if not isinstance(side, int) or not 0 < side <= _LARGEST_SIDE:
        raise ModelError(
            "The model sees pictures of {size} pixels; only square ones of at most {most} are supported.",
            size=shown(size),
            most=_LARGEST_SIDE,
        )
    return side


def channels(values: Any, least: float = -math.inf) -> tuple[float, ...]:
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
    config = Files(folder, (), folder).read_json("tokenizer_config.json")
    return WordPieces(BertWordPieceTokenizer(str(plain), lowercase=config.get("do_lower_case", True)))
