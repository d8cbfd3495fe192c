"""Small models with random weights in the very formats of the published ones, beside their original implementations.

It knows nothing about psmooth: every model is made, and asked, by the library that it comes from.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import sentencepiece
import torch
from open_clip.tokenizer import HFTokenizer
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPConfig,
    CLIPModel,
    SiglipConfig,
    SiglipModel,
    SwinConfig,
    SwinModel,
)

TEXTS = ["a chest X-ray showing viral pneumonia.", "an H&E image patch of colon adenocarcinoma.", "a nevus"]
OPENAI = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
GREY = {"mean": [0.5862785803043838] * 3, "std": [0.27950088968644304] * 3}
WORDS = """
[PAD] [UNK] [CLS] [SEP] [MASK] a an chest x - ray showing viral pneumonia . h & e image patch of colon nevus
adeno ##carcinoma ##s bacterial normal lungs benign tissue photo scan the in long name
"""


@dataclass(frozen=True)
class Original:
    """A model of another library: normalised pixels → features, sentences → features."""

    size: int
    norm: dict[str, list[float]]
    images: Callable[[Tensor], Tensor]
    texts: Callable[[list[str]], Tensor]
    network: nn.Module

    @torch.no_grad()
    def embed_images(self, pixels: Tensor) -> Tensor:
        """Unit vectors of pixels in [0, 1]."""
        mean, std = (torch.tensor(self.norm[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
        return nn.functional.normalize(self.images((pixels - mean) / std), dim=-1)

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> Tensor:
        """Unit vectors of sentences."""
        return nn.functional.normalize(self.texts(texts), dim=-1)


def _spread(network: nn.Module) -> nn.Module:
    """Weights as large as trained ones, so that towers differ where they should: random ones sit near zero."""
    torch.manual_seed(7)
    for name, value in network.named_parameters():
        if value.ndim > 1:
            value.data = torch.randn_like(value) * (0.5 if "embedding" in name else 1.5 / value[0].numel() ** 0.5)
        elif "scale" not in name and "bias" in name:
            value.data = 0.1 * torch.randn_like(value)
    return network.eval()


# --- transformers' CLIP: PLIP, PubMedCLIP, MONET


def clip_of_transformers(folder: Path, weights: str = "model.safetensors", act: str = "quick_gelu") -> Original:
    """``config.json``, ``preprocessor_config.json`` and the weights; pickles as transformers of 2022 wrote them."""
    size = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "hidden_act": act}
    config = CLIPConfig(
        vision_config={"hidden_size": 32, "image_size": 32, "patch_size": 8, **size},
        text_config={"hidden_size": 48, "max_position_embeddings": 77, **size, "intermediate_size": 96},
        projection_dim=24,
    )
    network = _spread(CLIPModel(config))
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    if weights.endswith(".safetensors"):
        save_file(state, folder / weights)
    else:
        old = {f"{tower}_model.embeddings.position_ids": torch.arange(9)[None] for tower in ("text", "vision")}
        torch.save(state | old, folder / weights)
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    norm = {"image_mean": OPENAI["mean"], "image_std": OPENAI["std"], "resample": 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(norm))
    tokenizer = open_clip.SimpleTokenizer()
    return Original(
        32,
        OPENAI,
        lambda pixels: network.get_image_features(pixel_values=pixels).pooler_output,  # type: ignore[operator]
        lambda texts: network.get_text_features(input_ids=tokenizer(texts)).pooler_output,  # type: ignore[operator]
        network,
    )


# --- open_clip: QuiltNet


def clip_of_open_clip(folder: Path, weights: str = "open_clip_pytorch_model.bin", told: bool = True) -> Original:
    """QuickGELU weights; without ``told``, a configuration that does not say so."""
    model: dict[str, Any] = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 64, "layers": 2, "head_width": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    network = _spread(open_clip.CLIP(**model, quick_gelu=True))
    folder.mkdir(parents=True, exist_ok=True)
    _save(network.state_dict(), folder / weights)
    _write_open_clip_config(folder, model | ({"quick_gelu": True} if told else {}))
    tokenizer = open_clip.SimpleTokenizer()
    return Original(
        32,
        OPENAI,
        network.encode_image,  # type: ignore[arg-type]
        lambda texts: network.encode_text(tokenizer(texts)),  # type: ignore[operator]
        network,
    )


def _save(state: dict[str, Tensor], file: Path) -> None:
    state = {key: value.contiguous() for key, value in state.items()}
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)


def _write_open_clip_config(folder: Path, model: dict[str, Any]) -> None:
    told = {"model_cfg": model, "preprocess_cfg": OPENAI | {"interpolation": "bicubic"}}
    (folder / "open_clip_config.json").write_text(json.dumps(told))


# --- open_clip with BERT: BiomedCLIP, QuiltNet-B-16-PMB, UniMed-CLIP


def _write_vocabulary(folder: Path) -> None:
    letters = [*"bcdfgijklmnopqrstuvwyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*WORDS.split(), *letters]) + "\n")


def _bert_config(folder: Path) -> BertConfig:
    _write_vocabulary(folder)
    return BertConfig(
        vocab_size=len((folder / "vocab.txt").read_text().split()),
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=96,
        max_position_embeddings=64,
    )


def clip_with_bert(folder: Path, pool: str = "cls_last_hidden_state_pooler", proj: str = "mlp") -> Original:
    """A timm image tower beside open_clip's ``HFTextEncoder``; ``tokenizer.json`` as BiomedCLIP has it."""
    network, tokenizer = _open_clip_with_bert(
        folder, {"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "image_size": 32}, pool, proj
    )
    old = {"text.transformer.embeddings.position_ids": torch.arange(64)[None]}
    _save(network.state_dict() | old, folder / "open_clip_pytorch_model.bin")
    return _asked_as_open_clip(network, tokenizer)


def _open_clip_with_bert(
    folder: Path, vision: dict[str, Any], pool: str, proj: str, quick_gelu: bool = False
) -> tuple[nn.Module, HFTokenizer]:
    _bert_config(folder).save_pretrained(folder)
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    text = {"hf_proj_type": proj, "hf_pooler_type": pool, "context_length": 48, "hf_model_pretrained": False}
    model = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text | {"hf_model_name": str(folder)}}
    network = _spread(open_clip.CustomTextCLIP(**model, quick_gelu=quick_gelu))  # type: ignore[arg-type]
    tokenizer = HFTokenizer(str(folder), context_length=48)
    (folder / "config.json").unlink()  # BiomedCLIP's repository has none
    named = text | {"hf_model_name": "microsoft/BiomedNLP-BiomedBERT", "hf_tokenizer_name": "microsoft/BiomedNLP"}
    _write_open_clip_config(folder, model | {"text_cfg": named})
    return network, tokenizer


def _asked_as_open_clip(network: Any, tokenizer: Any) -> Original:
    return Original(32, OPENAI, network.encode_image, lambda texts: network.encode_text(tokenizer(texts)), network)


def unimed(folder: Path) -> Original:
    """A training checkpoint: ``module.`` before every name, the text tower under another one, a step beside it."""
    vision = {"image_size": 32, "patch_size": 8, "width": 128, "layers": 2, "head_width": 64}
    network, tokenizer = _open_clip_with_bert(folder, vision, "cls_last_hidden_state_pooler", "mlp", quick_gelu=True)
    state = {f"module.{re.sub('^text[.]', 'text_encoder.', key)}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "name": "unimed", "state_dict": state}, folder / "unimed-clip-vit-b16.pt")
    for name in ("open_clip_config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    return _asked_as_open_clip(network, tokenizer)


# --- MedCLIP


class _MedClip(nn.Module):
    """MedCLIP's own forward (medclip/modeling_medclip.py), without its cosine and its training."""

    def __init__(self, swin: SwinModel, bert: BertModel) -> None:
        super().__init__()
        self.vision_model, self.text_model = nn.Module(), nn.Module()
        self.vision_model.model, self.text_model.model = swin, bert
        self.vision_model.projection_head = nn.Linear(swin.num_features, 24, bias=False)
        self.text_model.projection_head = nn.Linear(128, 24, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))

    def images(self, pixels: Tensor) -> Tensor:
        return self.vision_model.projection_head(self.vision_model.model(pixels)["pooler_output"])  # type: ignore[operator]

    def texts(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.text_model.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)["hidden_states"]  # type: ignore[operator]
        layers = torch.stack([states[1], states[2], states[-1]]).permute(1, 0, 2, 3).mean(2).mean(1)
        return self.text_model.projection_head(layers)  # type: ignore[operator]


def medclip(folder: Path) -> Original:
    """``pytorch_model.bin`` with the names of transformers 4.23, and ``vocab.txt``."""
    swin = SwinConfig(image_size=224, patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[1, 2], window_size=7)
    network = _MedClip(SwinModel(swin), BertModel(_bert_config(folder)))
    _spread(network)
    state = {_old_swin_name(key): value for key, value in network.state_dict().items()}
    old = {
        "text_model.model.embeddings.position_ids": torch.arange(64)[None],
        "vision_model.model.encoder.layers.0.blocks.0.attention.self.relative_position_index": torch.zeros(49, 49),
    }
    torch.save(state | old, folder / "pytorch_model.bin")
    tokenizer = BertTokenizer(vocab=str(folder / "vocab.txt"))

    def texts(sentences: list[str]) -> Tensor:
        rows = tokenizer(sentences, padding="max_length", max_length=25, return_tensors="pt")
        return network.texts(rows["input_ids"], rows["attention_mask"])  # type: ignore[arg-type]

    return Original(224, GREY, network.images, texts, network)


_LONG_NAMES = {"q": "query", "k": "key", "v": "value"}


def _old_swin_name(key: str) -> str:
    """transformers 5 has renamed Swin's modules; the checkpoint has the old names."""
    if not key.startswith("vision_model.model."):
        return key
    for new, old in (
        (
            r"attention\.([qkv])_proj\.",
            lambda found: f"attention.self.{_LONG_NAMES[found[1]]}.",
        ),
        (r"attention\.o_proj\.", "attention.output.dense."),
        (r"attention\.relative_position_bias\.", "attention.self."),
        (r"mlp\.fc1\.", "intermediate.dense."),
        (r"mlp\.fc2\.", "output.dense."),
    ):
        key = re.sub(new, old, key)
    return key


# --- SigLIP: MedSigLIP


def siglip(folder: Path) -> Original:
    """``model.safetensors``, ``config.json`` and a vocabulary of pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus.txt"
    corpus.write_text(
        "\n".join(text.lower().replace(".", "") for text in TEXTS) + "\nbenign tissue\nnormal lungs\n" * 9
    )
    sentencepiece.SentencePieceTrainer.Train(
        input=str(corpus), model_prefix=str(folder / "spiece"), vocab_size=60, hard_vocab_limit=False, minloglevel=9,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
    )  # fmt: skip
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = SiglipConfig(
        text_config={**size, **special, "vocab_size": 64, "max_position_embeddings": 40, "projection_size": 32},
        vision_config={**size, "image_size": 32, "patch_size": 8},
    )
    network = _spread(SiglipModel(config))
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    norm = {"image_mean": HALF["mean"], "image_std": HALF["std"], "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(norm))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))

    def texts(sentences: list[str]) -> Tensor:
        plain = [re.sub(r"[^\w\s]", "", sentence.lower()) for sentence in sentences]
        rows = [(*pieces.encode(sentence), *[1] * 40)[:40] for sentence in plain]
        return network.get_text_features(input_ids=torch.tensor(rows)).pooler_output  # type: ignore[operator]

    return Original(
        32,
        HALF,
        lambda pixels: network.get_image_features(pixel_values=pixels).pooler_output,  # type: ignore[operator]
        texts,
        network,
    )


FAMILIES: dict[str, Callable[[Path], Original]] = {
    "PLIP and PubMedCLIP": lambda folder: clip_of_transformers(folder, "pytorch_model.bin"),
    "MONET": clip_of_transformers,
    "QuiltNet": clip_of_open_clip,
    "BiomedCLIP and QuiltNet-PMB": clip_with_bert,
    "BERT with the mean of words": lambda folder: clip_with_bert(folder, "mean_pooler", "linear"),
    "UniMed-CLIP": unimed,
    "MedCLIP": medclip,
    "MedSigLIP": siglip,
}
