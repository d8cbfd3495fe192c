"""Says what a medical vision-language model is here: images → vectors, prompts → vectors.

It knows nothing about files, noise, votes or the page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from psmooth.models.runtimes import TORCH
from psmooth.models.table import ModelSpec
from psmooth.models.text_towers import TextTower, Tokenizer, text_tower
from psmooth.scans import CropRule


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
        precision: the runtime of ``encode`` and its number format, one of ``psmooth.models.PRECISIONS``.
        differentiable: the encoder that gradients flow through, where ``encode`` lets none pass.
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
    precision: str = TORCH
    differentiable: Callable[[Tensor], Tensor] | None = None

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
        return self._embed(pixels, self.encode)

    def embed_images_with_gradients(self, pixels: Tensor) -> Tensor:
        """The same vectors, through which gradients flow back to the pixels; from torch, whatever the precision."""
        return self._embed(pixels, self.differentiable or self.encode)

    def _embed(self, pixels: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
        pixels = pixels.to(self.device, memory_format=torch.channels_last)
        return normalize(encode(torch.addcmul(self.shift, pixels, self.scale)).float(), dim=-1)

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
