"""Learns a denoiser through a frozen model, from scans without labels.

It knows nothing about prompts, files or pages. After Denoised Smoothing (Salman et al. 2020, arXiv 2003.01908).
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from psmooth.denoise import LearnedDenoiser, spectrum_of
from psmooth.learning.config import Step
from psmooth.models import MedVLM

_PIXEL_WEIGHT = 10.0  # of the squared error beside the distance of embeddings

_DENOISER_BATCH = 48


def learn_denoiser(
    model: MedVLM, crops: Tensor, *, steps: int = 4_000, rate: float = 2e-3, seed: int = 0
) -> Iterator[tuple[Step, LearnedDenoiser]]:
    """Train a denoiser through the frozen model, without labels, one network for every noise level.

    The loss is ten times the squared error plus the distance of the embeddings of denoised and clean crop,
    1 − cosine; σ is uniform over (.05, 1).

    Args:
        crops: ``(n, 3, size, size)`` uint8, of the model's size.

    Yields:
        The step and the network, which is being trained; the last one is the result.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = LearnedDenoiser().to(model.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    running = 0.0
    for step in range(steps):
        clean = _augmented(crops, generator).to(model.device, memory_format=torch.channels_last)
        levels = (0.05 + 0.95 * torch.rand(len(clean), generator=generator)).to(model.device)
        noise = torch.randn(clean.shape, generator=generator).to(model.device)
        loss = _denoiser_loss(model, network, clean, clean + levels.view(-1, 1, 1, 1) * noise, levels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        value = float(loss.detach())
        running = value if step == 0 else 0.98 * running + 0.02 * value
        yield Step(step + 1, steps, running), network


def _denoiser_loss(model: MedVLM, network: LearnedDenoiser, clean: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
    with torch.no_grad():
        wanted = model.embed_images(clean)
    denoised = network(noisy, levels)
    found = model.embed_images_with_gradients(denoised)
    return _PIXEL_WEIGHT * mse_loss(denoised, clean) + (1 - (found * wanted.clone()).sum(1)).mean()


def _augmented(crops: Tensor, generator: torch.Generator) -> Tensor:
    """A batch of crops in [0, 1], each flipped at random and a little brighter or darker."""
    rows = torch.randint(len(crops), (_DENOISER_BATCH,), generator=generator)
    batch = crops[rows].float() / 255
    flips = torch.rand(len(batch), 3, generator=generator)
    for axis in (0, 1):
        turned = flips[:, axis] < 0.5
        batch[turned] = batch[turned].flip(2 + axis)
    return (batch * (0.85 + 0.3 * flips[:, 2]).view(-1, 1, 1, 1)).clamp(0, 1)


def wiener_spectrum(crops: Tensor, most: int = 2_000) -> Tensor:
    """The power spectrum that the Wiener filter needs, from up to ``most`` unlabelled uint8 crops."""
    chosen = crops[:: max(1, len(crops) // most)]
    return spectrum_of(chosen.float() / 255)
