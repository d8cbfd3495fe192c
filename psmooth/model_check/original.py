"""Loads the files of a model with the library that they were made for, to hold psmooth's loading against it.

It knows nothing about how psmooth loads a model, but for reading the tensors of a file without running code.

CLIP and SigLIP are transformers' own; open_clip reads what it wrote, and UniMed-CLIP, which was trained with it.
MedCLIP is put together from transformers' Swin and BERT as its paper (Wang et al., 2022) and its released code have it.
A BERT tower needs sizes that stand in another repository: they are read off the tensors instead.
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from psmooth.errors import ModelError
from psmooth.models.files import Files
from psmooth.models.open_clip_format import check_architecture
from psmooth.models.table import ModelSpec
from psmooth.models.text_towers import bert_config
from psmooth.models.weights import read_state

_MEDCLIP = {"mean": 0.5862785803043838, "std": 0.27950088968644304, "tokens": 25}


@dataclass(frozen=True, eq=False)
class Original:
    """A model in the library that it was made for: a picture of the model's size → features, sentences → features."""

    library: str
    images: Callable[[Image.Image], Tensor]
    texts: Callable[[list[str]], Tensor]

    @torch.inference_mode()
    def embed_image(self, picture: Image.Image) -> Tensor:
        """The unit vector of a picture, ``(1, dim)``."""
        return normalize(self.images(picture).float(), dim=-1)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of sentences, ``(sentences, dim)``."""
        return normalize(self.texts(list(texts)).float(), dim=-1)


def needed_library(family: str) -> str:
    """The name under which the library of a format is imported; empty for what this project itself made."""
    libraries = {"hf_clip": "transformers", "siglip": "transformers", "medclip": "transformers", "bundled": ""}
    return libraries.get(family, "open_clip")


def load_original(spec: ModelSpec, files: Files) -> Original:
    """The model of these files in its own library, on the CPU; raises whatever that library raises."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    load = {"hf_clip": _hf_clip, "siglip": _siglip, "medclip": _medclip, "unimed": _unimed, "open_clip": _open_clip}
    return load[spec.family](spec, files)


def _named(package: str, more: str = "") -> str:
    return f"{package} {metadata.version(package)}{more}"


# --- transformers


def _check_size(files: Files, state: Mapping[str, Tensor], config: Any, network: Any) -> None:
    """Raise ModelError where config.json asks for a network that is larger than the weights: here it decides sizes."""
    told = files.read_json("config.json")
    parts = [told.get(f"{name}_config") or {} for name in ("vision", "text")]
    check_architecture({}, {"layers": [part.get("num_hidden_layers") for part in parts], "sizes": parts})
    with torch.device("meta"):  # shapes, and no memory
        empty = network(config.from_pretrained(files.folder, local_files_only=True))
    wanted, held = (sum(value.numel() for value in values) for values in (empty.parameters(), state.values()))
    if wanted > 2 * held:
        raise ModelError(
            "config.json asks for a network of {wanted:,} numbers, and the weights have {held:,}. Expected was one "
            "that they fill; choose another model.",
            wanted=wanted,
            held=held,
        )


def _hf_clip(spec: ModelSpec, files: Files) -> Original:
    import open_clip
    from transformers import CLIPConfig, CLIPModel

    _check_size(files, read_state(spec, files.weights), CLIPConfig, CLIPModel)
    network: Any = CLIPModel.from_pretrained(files.folder, local_files_only=True).float().eval()
    words = open_clip.SimpleTokenizer(context_length=network.config.text_config.max_position_embeddings)
    return Original(
        _named("transformers", ", words by open_clip's tokenizer"),
        lambda picture: _features(network.get_image_features(pixel_values=_hf_pixels(files, picture))),
        lambda texts: _features(network.get_text_features(input_ids=words(texts))),
    )


def _siglip(spec: ModelSpec, files: Files) -> Original:
    from sentencepiece import SentencePieceProcessor
    from transformers import SiglipConfig, SiglipModel

    _check_size(files, read_state(spec, files.weights), SiglipConfig, SiglipModel)
    network: Any = SiglipModel.from_pretrained(files.folder, local_files_only=True).float().eval()
    pieces = SentencePieceProcessor(model_file=str(files.words / "spiece.model"))
    length, pad = network.config.text_config.max_position_embeddings, pieces.eos_id()

    def ids(text: str) -> list[int]:
        plain = re.sub(r"\s+", " ", re.sub(r"[^\w\s]|_", "", text.lower())).strip()
        return [*pieces.encode(plain), *[pad] * length][:length]

    return Original(
        _named("transformers", ", words by sentencepiece"),
        lambda picture: _features(network.get_image_features(pixel_values=_hf_pixels(files, picture))),
        lambda texts: _features(network.get_text_features(input_ids=torch.tensor([ids(text) for text in texts]))),
    )


def _features(output: Any) -> Tensor:
    """transformers 5 gives an object where transformers 4 gave the features."""
    return output if isinstance(output, Tensor) else output.pooler_output


def _hf_pixels(files: Files, picture: Image.Image) -> Tensor:
    """As preprocessor_config.json has it; nothing is resized, for the picture has the model's size."""
    told = files.read_json("preprocessor_config.json")
    siglip = files.read_json("config.json").get("model_type") == "siglip"
    from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    mean = told.get("image_mean", [0.5] * 3 if siglip else OPENAI_CLIP_MEAN)
    std = told.get("image_std", [0.5] * 3 if siglip else OPENAI_CLIP_STD)
    return _pixels(picture, mean, std)


def _pixels(picture: Image.Image, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    from torchvision.transforms.functional import normalize as normalise
    from torchvision.transforms.functional import to_tensor

    return normalise(to_tensor(picture), list(mean), list(std))[None]


# --- open_clip


def _open_clip(spec: ModelSpec, files: Files) -> Original:
    import open_clip

    text = files.read_json("open_clip_config.json")["model_cfg"]["text_cfg"]
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if text.get("hf_model_name"):
            bert_config(read_state(spec, files.weights)).save_pretrained(scratch)
            told = {"text_cfg": text | {"hf_model_name": scratch, "hf_model_pretrained": False}}
        network, transform = open_clip.create_model_from_pretrained(f"local-dir:{files.folder}", **told)  # type: ignore[misc]
    length = text.get("context_length", 77)
    words = _word_pieces(files, length) if told else open_clip.SimpleTokenizer(context_length=length)
    return _asked_as_open_clip(network, lambda picture: transform(picture)[None], words)  # type: ignore[operator]


def _unimed(spec: ModelSpec, files: Files) -> Original:
    import open_clip

    state = {re.sub(r"^text_encoder\.", "text.", key): value for key, value in read_state(spec, files.weights).items()}
    state = {key: value for key, value in state.items() if not key.endswith("position_ids")}
    width, _, patch, _ = state["visual.conv1.weight"].shape
    blocks = {key.split(".")[3] for key in state if key.startswith("visual.transformer.resblocks.")}
    side = patch * round((len(state["visual.positional_embedding"]) - 1) ** 0.5)
    vision = {"image_size": side, "patch_size": patch, "width": width, "layers": len(blocks), "head_width": 64}
    text = {"hf_proj_type": "mlp", "hf_pooler_type": "cls_last_hidden_state_pooler", "hf_model_pretrained": False}
    with tempfile.TemporaryDirectory() as scratch:
        bert_config(state).save_pretrained(scratch)
        told: Any = vision, text | {"hf_model_name": scratch}
        network = open_clip.CustomTextCLIP(state["visual.proj"].shape[1], *told, quick_gelu=True).eval()
    network.load_state_dict(state)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return _asked_as_open_clip(network, lambda picture: _pixels(picture, mean, std), _word_pieces(files, 256))


def _asked_as_open_clip(network: Any, pixels: Callable[[Image.Image], Tensor], words: Any) -> Original:
    asked = network.eval()
    return Original(
        _named("open_clip_torch"),
        lambda picture: asked.encode_image(pixels(picture)),
        lambda texts: asked.encode_text(words(texts)),
    )


def _word_pieces(files: Files, length: int) -> Callable[[list[str]], Tensor]:
    """Ids as transformers' BERT tokenizer makes them, filled up with zeros to the longest."""
    from transformers import BertTokenizer

    tokenizer = BertTokenizer.from_pretrained(files.words, local_files_only=True)
    return lambda texts: (
        tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt").input_ids
    )


# --- MedCLIP


def _medclip(spec: ModelSpec, files: Files) -> Original:
    from transformers import BertModel, BertTokenizer

    state = read_state(spec, files.weights)
    towers = {name: _part(state, f"{name}_model.model.") for name in ("vision", "text")}
    heads = {name: state[f"{name}_model.projection_head.weight"] for name in ("vision", "text")}
    swin = _swin(towers["vision"])
    bert = BertModel.from_pretrained(None, config=bert_config(towers["text"], ""), state_dict=towers["text"]).eval()
    tokenizer = BertTokenizer.from_pretrained(files.words, local_files_only=True)

    def images(picture: Image.Image) -> Tensor:
        grey = _pixels(picture, [_MEDCLIP["mean"]] * 3, [_MEDCLIP["std"]] * 3)
        return swin(grey)["pooler_output"] @ heads["vision"].T

    def texts(sentences: list[str]) -> Tensor:
        """The mean of three layers over all positions, those that fill up too; the length is PromptSmooth's."""
        rows = tokenizer(sentences, padding="max_length", max_length=int(_MEDCLIP["tokens"]), return_tensors="pt")
        states = bert(**rows, output_hidden_states=True)["hidden_states"]
        return torch.stack([states[1], states[2], states[-1]]).mean(2).mean(0) @ heads["text"].T

    return Original(_named("transformers", ", put together as MedCLIP has it"), images, texts)


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    kept = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return {key: value for key, value in kept.items() if not key.endswith(("position_ids", "relative_position_index"))}


def _swin(state: dict[str, Tensor]) -> nn.Module:
    """transformers' Swin of these tensors; it renames those of older versions by itself."""
    from transformers import SwinConfig, SwinModel

    table = "encoder.layers.{}.blocks.{}.attention.self.relative_position_bias_table"
    depths: list[int] = []
    while table.format(len(depths), 0) in state:
        blocks = {key.split(".")[4] for key in state if key.startswith(f"encoder.layers.{len(depths)}.blocks.")}
        depths.append(len(blocks))
    tables = [state[table.format(stage, 0)] for stage in range(len(depths))]
    config = SwinConfig(
        embed_dim=state["embeddings.patch_embeddings.projection.weight"].shape[0],
        patch_size=state["embeddings.patch_embeddings.projection.weight"].shape[-1],
        depths=depths,
        num_heads=[one.shape[1] for one in tables],
        window_size=(round(len(tables[0]) ** 0.5) + 1) // 2,
    )
    return SwinModel.from_pretrained(None, config=config, state_dict=state).eval()
