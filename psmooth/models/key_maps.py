"""Renames the tensors of published checkpoints to the names that the networks here have.

It knows nothing about files or networks: tensors by name go in, tensors by name come out, no value is changed.
"""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

State = dict[str, Tensor]


def without(state: State, *endings: str) -> State:
    """Drops constants that old libraries saved among the weights."""
    return {key: value for key, value in state.items() if not key.endswith(endings)}


def with_prefixes(state: State, prefixes: dict[str, str]) -> State:
    """Every key that begins with one of the prefixes gets the new one."""
    placed = {}
    for key, value in state.items():
        old = next((prefix for prefix in prefixes if key.startswith(prefix)), "")
        placed[prefixes.get(old, "") + key.removeprefix(old)] = value
    return placed


def _rename(state: State, names: Iterable[tuple[str, str]], qkv: tuple[str, str]) -> State:
    """New names for all; queries, keys and values become one tensor."""
    mapped, parts = {}, {}
    for key, value in state.items():
        split = re.search(qkv[0], key)
        for old, new in (*names, qkv):
            key = re.sub(old, new, key)
        if split:
            parts.setdefault(key, {})[split[1][0]] = value
        else:
            mapped[key] = value
    return mapped | {key: torch.cat([part[name] for name in "qkv"]) for key, part in parts.items() if len(part) == 3}


# --- CLIP of transformers (PLIP, PubMedCLIP, MONET) → open_clip

_CLIP_NAMES = (
    (r"vision_model\.encoder\.layers\.", "visual.transformer.resblocks."),
    (r"text_model\.encoder\.layers\.", "transformer.resblocks."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.layer_norm([12])\.", r".ln_\1."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual.conv1."),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"^vision_model\.embeddings\.class_embedding$", "visual.class_embedding"),
    (r"^vision_model\.pre_layrnorm\.", "visual.ln_pre."),  # misspelt in transformers
    (r"^vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"^visual_projection\.weight$", "visual.proj"),
    (r"^text_model\.embeddings\.token_embedding\.", "token_embedding."),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"^text_projection\.weight$", "text_projection"),
)
_CLIP_QKV = (r"\.self_attn\.([qkv])_proj\.(weight|bias)$", r".attn.in_proj_\2")


def map_hf_clip(state: State) -> State:
    """The tensors of transformers' ``CLIPModel`` under open_clip's names."""
    mapped = _rename(without(state, "embeddings.position_ids"), _CLIP_NAMES, _CLIP_QKV)
    for key in ("visual.proj", "text_projection"):
        if key in mapped:
            mapped[key] = mapped[key].T.contiguous()
    return mapped


# --- MedCLIP → timm's Swin and BERT

_SWIN_NAMES = (
    (r"embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"embeddings\.norm\.", "patch_embed.norm."),
    (r"(?<=swin\.)layernorm\.", "norm."),
    (r"encoder\.layers\.", "layers."),
    (r"layernorm_before\.", "norm1."),
    (r"layernorm_after\.", "norm2."),
    (r"attention\.output\.dense\.", "attn.proj."),
    (r"attention\.self\.relative_position_bias_table", "attn.relative_position_bias_table"),
    (r"intermediate\.dense\.", "mlp.fc1."),
    (r"(?<!attention\.)output\.dense\.", "mlp.fc2."),
)
_SWIN_QKV = (r"attention\.self\.(query|key|value)\.(weight|bias)$", r"attn.qkv.\2")


def map_medclip(state: State) -> State:
    """MedCLIP's tensors under the names of timm's Swin and of ``BertText``."""
    prefixes = {
        "vision_model.model.": "visual.swin.",
        "vision_model.projection_head.": "visual.proj.",
        "text_model.model.": "text.transformer.",
        "text_model.projection_head.": "text.proj.",
    }
    placed = with_prefixes(without(state, "embeddings.position_ids", "relative_position_index"), prefixes)
    # BERT's pooler is saved with it and is not part of the tower.
    placed = {key: value for key, value in placed.items() if not key.startswith("text.transformer.pooler.")}
    image = {key: value for key, value in placed.items() if key.startswith("visual.")}
    rest = {key: value for key, value in placed.items() if key not in image}
    renamed = _rename(image, _SWIN_NAMES, _SWIN_QKV)
    return rest | {_next_stage(key): value for key, value in renamed.items()}


def _next_stage(key: str) -> str:
    """timm halves the picture at the start of a stage, transformers at the end of the one before."""
    return re.sub(r"layers\.(\d+)\.downsample", lambda found: f"layers.{int(found[1]) + 1}.downsample", key)


# --- SigLIP of transformers, UniMed-CLIP → the towers of this package


def map_siglip(state: State) -> State:
    """SigLIP's tensors, each tower under a name of its own."""
    names = {"vision_model.": "visual.bare.", "text_model.": "text.bare."}
    return with_prefixes(without(state, "embeddings.position_ids"), names)


def map_unimed(state: State) -> State:
    """UniMed-CLIP's tensors under open_clip's names."""
    return with_prefixes(without(state, "embeddings.position_ids"), {"text_encoder.": "text."})
