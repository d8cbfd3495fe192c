"""Turns words into features through any text tower, with a seam where learned vectors stand in for words.

It knows nothing about images, files or the Hub.

The seam is the same for all: a prompt is marks of the start, context vectors, words, marks of the end; what differs is
how words become tokens, how long a prompt is made, and what reads it.
"""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from psmooth.errors import ModelError


class Tokenizer(Protocol):
    """Words → token ids, without the marks of start and end, however many there are."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True, eq=False)
class TextTower:
    """One text tower, ready to read.

    Attributes:
        encode: words → token ids.
        start, end, pad: ids of the marks, and what fills up a short row.
        limit: tokens it reads, marks included.
        embed: token ids → vectors, before anything is added to them.
        read: vectors ``(rows, tokens, width)`` and lengths ``(rows,)`` → features ``(rows, dim)``.
        text_length, prompt_length: rows of sentences, and of prompts with context, are filled up to this length; None
            is as long as the longest. It matters where the tower's features depend on it.
    """

    encode: Callable[[str], list[int]]
    start: tuple[int, ...]
    end: tuple[int, ...]
    pad: int
    limit: int
    embed: nn.Embedding
    read: Callable[[Tensor, Tensor], Tensor]
    text_length: int | None = None
    prompt_length: int | None = None

    def read_texts(self, texts: Sequence[str]) -> Tensor:
        """Features of sentences, ``(sentences, dim)``; raises ModelError where one is too long."""
        rows = [[*self.start, *self.encode(text), *self.end] for text in texts]
        ids, lengths = self._fill(rows, self.text_length)
        return self.read(self.embed(ids), lengths)

    def read_prompts(self, context: Tensor, template: str, class_names: Sequence[str]) -> Tensor:
        """Features of prompts that begin with ``context``, ``(tokens, width)``, and go on with the class name.

        Only what stands in ``template`` from ``{}`` on is read; gradients flow to the context.
        """
        behind = template.split("{}")[1]
        held = [self.pad] * len(context)
        rows = [[*self.start, *held, *self.encode(name + behind), *self.end] for name in class_names]
        ids, lengths = self._fill(rows, self.prompt_length)
        tokens, first = self.embed(ids), len(self.start)
        after = tokens[:, first + len(context) :]
        return self.read(torch.cat([tokens[:, :first], context.to(tokens).expand(len(ids), -1, -1), after], 1), lengths)

    def context_of(self, template: str) -> Tensor:
        """Vectors of the words before the class name, ``(tokens, width)``."""
        ids = torch.tensor(self.encode(template.split("{}")[0]), dtype=torch.long, device=self.embed.weight.device)
        return self.embed(ids).detach().clone()

    def _fill(self, rows: list[list[int]], length: int | None) -> tuple[Tensor, Tensor]:
        longest = max(map(len, rows))
        if longest > self.limit:
            raise ModelError(
                "A prompt has {longest} tokens and the text tower reads {limit}; shorten the class name.",
                longest=longest,
                limit=self.limit,
            )
        filled = [row + [self.pad] * ((length or longest) - len(row)) for row in rows]
        device = self.embed.weight.device
        return torch.tensor(filled, device=device), torch.tensor([len(row) for row in rows], device=device)


def text_tower(network: nn.Module, tokenizer: Any) -> TextTower:
    """The text tower of a network of this package or of open_clip."""
    text: Any = getattr(network, "text", network)
    return text.tower(tokenizer) if isinstance(text, BertText | SiglipText) else clip_tower(text, tokenizer)


# --- CLIP's own (Radford et al., 2021)


def clip_tower(text: Any, tokenizer: Any) -> TextTower:
    """open_clip's text tower: ``open_clip.CLIP``, or the ``text`` of a ``CustomTextCLIP``."""
    limit = text.positional_embedding.shape[0]
    marks = (tokenizer.sot_token_id,), (tokenizer.eot_token_id,)
    return TextTower(
        tokenizer.encode, *marks, 0, limit, text.token_embedding, partial(_read_clip, text), text_length=limit
    )


def _read_clip(text: Any, prompts: Tensor, lengths: Tensor) -> Tensor:
    length = prompts.shape[1]
    mask = text.attn_mask[:length, :length] if text.attn_mask is not None else None
    hidden = text.transformer(prompts + text.positional_embedding[:length], attn_mask=mask)
    pooled = text.ln_final(hidden)[torch.arange(len(prompts)), lengths - 1]
    project = text.text_projection
    if project is None:
        return pooled
    return project(pooled) if isinstance(project, nn.Linear) else pooled @ project


# --- BERT (BiomedCLIP, QuiltNet-B-16-PMB, UniMed-CLIP, MedCLIP)


def _first_token(states: Sequence[Tensor], _: Tensor) -> Tensor:
    return states[-1][:, 0]


def _mean_of_words(states: Sequence[Tensor], mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(states[-1])
    return (states[-1] * weights).sum(1) / weights.sum(1)


def _mean_of_layers(states: Sequence[Tensor], _: Tensor) -> Tensor:
    """MedCLIP: the mean of three layers over all positions; what fills a row up counts as well."""
    return torch.stack([states[1], states[2], states[-1]]).mean(2).mean(0)


POOLS: dict[str, Callable[[Sequence[Tensor], Tensor], Tensor]] = {
    "cls_last_hidden_state_pooler": _first_token,
    "mean_pooler": _mean_of_words,
    "medclip": _mean_of_layers,
}


class BertText(nn.Module):
    """BERT with a pool and a projection; its keys are those of open_clip's ``HFTextEncoder``."""

    def __init__(self, bert: nn.Module, pool: str, proj: nn.Module, limit: int, length: int | None = None) -> None:
        super().__init__()
        self.transformer, self.proj = bert, proj
        self.pool, self.limit, self.length = POOLS[pool], limit, length

    def read(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """From word vectors on; BERT adds positions and normalises by itself."""
        mask = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]).long()
        out = self.transformer(inputs_embeds=tokens, attention_mask=mask, output_hidden_states=True)
        return self.proj(self.pool(out.hidden_states, mask))

    def tower(self, tokenizer: "WordPieces") -> TextTower:
        """This tower with that vocabulary."""
        words: nn.Embedding = self.transformer.embeddings.word_embeddings  # type: ignore[union-attr, assignment]
        start, end, pad = (tokenizer.id_of(mark) for mark in ("[CLS]", "[SEP]", "[PAD]"))
        return TextTower(
            tokenizer.encode, (start,), (end,), pad, self.limit, words, self.read, self.length, self.length
        )


def bert_text(
    state: dict[str, Tensor], dim: int, pool: str, limit: int, length: int | None = None, mlp: bool = False
) -> BertText:
    """A BERT text tower with features of ``dim``, of the sizes that its tensors tell, with random weights."""
    from transformers import BertModel  # a second to import: only for those who need it

    config = bert_config(state)
    width = config.hidden_size
    proj: nn.Module = nn.Linear(width, dim, bias=False)
    if mlp:
        middle = state["text.proj.0.weight"].shape[0]
        proj = nn.Sequential(nn.Linear(width, middle, bias=False), nn.GELU(), nn.Linear(middle, dim, bias=False))
    limit = min(limit, config.max_position_embeddings)
    return BertText(BertModel(config, add_pooling_layer=False), pool, proj, limit, length)


def bert_config(state: dict[str, Tensor], prefix: str = "text.transformer.") -> Any:
    """The ``BertConfig`` of transformers that the tensors behind a prefix tell; their number of heads is Google's."""
    from transformers import BertConfig

    vocabulary, width = state[f"{prefix}embeddings.word_embeddings.weight"].shape
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=len({key.split("layer.")[1].split(".")[0] for key in state if f"{prefix}encoder.l" in key}),
        num_attention_heads=max(1, width // 64),  # so in every BERT that Google published
        intermediate_size=state[f"{prefix}encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=state[f"{prefix}embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=state[f"{prefix}embeddings.token_type_embeddings.weight"].shape[0],
    )


class WordPieces:
    """BERT's tokenizer, from ``tokenizer.json`` or ``vocab.txt``."""

    def __init__(self, pieces: Any) -> None:
        pieces.no_truncation()
        pieces.no_padding()
        self._pieces, self.vocab_size = pieces, pieces.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        return self._pieces.encode(text, add_special_tokens=False).ids

    def id_of(self, mark: str) -> int:
        found = self._pieces.token_to_id(mark)
        if found is None:
            raise ModelError("The vocabulary of the text tower lacks {mark}. Fetch the model again.", mark=mark)
        return found


# --- SigLIP (Zhai et al., 2023)


class SiglipText(nn.Module):
    """SigLIP's text tower as transformers has it; it was trained on rows filled up to its limit."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.bare: Any = tower

    def read(self, tokens: Tensor, _: Tensor) -> Tensor:
        """From word vectors on: no mask, and the last position speaks."""
        hidden = self.bare.encoder(inputs_embeds=self.bare.embeddings(inputs_embeds=tokens)).last_hidden_state
        return self.bare.head(self.bare.final_layer_norm(hidden)[:, -1])

    def tower(self, tokenizer: "SentencePieces") -> TextTower:
        """This tower with that vocabulary."""
        embeddings, end = self.bare.embeddings, tokenizer.end
        limit = embeddings.position_embedding.weight.shape[0]
        return TextTower(tokenizer.encode, (), (end,), end, limit, embeddings.token_embedding, self.read, limit, limit)


class SentencePieces:
    """SigLIP's tokenizer, from ``spiece.model``: small letters, no punctuation."""

    def __init__(self, pieces: Any) -> None:
        self._pieces, self.end, self.vocab_size = pieces, pieces.eos_id(), pieces.get_piece_size()

    def encode(self, text: str) -> list[int]:
        plain = text.lower().translate(str.maketrans("", "", string.punctuation))
        return self._pieces.encode(re.sub(r"\s+", " ", plain).strip())
