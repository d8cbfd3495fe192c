"""Puts a denoiser in front of a model: noisy copies and their noise level → denoised copies.

It knows nothing about models, prompts or votes.

A denoiser is a function of one noisy copy and σ alone, fixed before the first vote, so model and denoiser together are
an ordinary classifier and its certificate stays unconditional (Salman et al. 2020, arXiv 2003.01908). Three are closed
forms; ``learned`` is a small network with σ as an input. All expect the noise unclipped, as `psmooth.sampling` adds it.
An id that ends with ``-mirror`` also shows the model each copy's mirror image and averages both embeddings.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, relu

from psmooth.errors import DenoiserError, PlanError
from psmooth.files import write_whole
from psmooth.scans.pool import pool_tensors, read_pool

DENOISERS = ("none", "gaussian", "wiener", "wavelet", "learned")
MIRROR = "-mirror"  # after an id: a copy and its mirror image are both looked at
FILE_NAME = "denoisers.safetensors"
_LARGEST_FILE = 64 * 2**20
_LEAST_WEIGHT = 1e-12  # of a pixel in a Gaussian blur
_NEGLIGIBLE = 0.003  # Wiener gains below this are taken as none: their rows need not be computed
_SHIFTS = ((0, 0), (1, 1), (2, 3), (3, 2))  # of the wavelet's grid, averaged
_LEVELS = 3
_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of a block of 2 × 2 pixels
_IN_CACHE = 16  # copies whose wavelets are taken at a time

Apply = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A denoiser ready to use: its id, the sha256 of the file it was fitted into (None for a closed form), itself.

    ``apply`` is the function of copies and σ; gradients flow through it to the copies.
    ``network``: what that is, where it was learned; ``runs``: the same on another runtime, for calls without gradients.
    ``mirrored``: the embedding of a copy is the mean over the copy and its mirror image, each denoised by itself.
    ``pool``: the sha256 of the crops it was fitted on: none for a closed form, None where its file does not say.
    """

    id: str
    sha256: str | None
    apply: Apply
    mirrored: bool = False
    pool: frozenset[str] | None = frozenset()
    network: nn.Module | None = None
    runs: Apply | None = None

    def __call__(self, copies: Tensor, noise_level: float) -> Tensor:
        """``(copies, 3, size, size)`` float32, unclipped → the same shape; row i depends on copy i alone."""
        with torch.inference_mode():
            return (self.runs or self.apply)(copies, noise_level)


class LearnedDenoiser(nn.Module):
    """Four 3 × 3 convolutions on a quarter of the side, with σ as an input map, added to a σ-dependent mean of blocks.

    The design of `psmooth learn denoiser`; about 84,000 parameters at width 48.
    """

    def __init__(self, width: int = 48, layers: int = 4) -> None:
        super().__init__()
        widths = [49, *[width] * (layers - 1), 48]
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(nn.Conv2d(inner, outer, 3, padding=1) for inner, outer in pairs)
        self.mix = nn.Parameter(torch.tensor([2.0, 1.0]))
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, copies: Tensor, noise_level: Tensor) -> Tensor:
        """``(batch, 3, size, size)`` and ``(batch,)`` or ``(1,)`` noise levels → denoised copies."""
        sigma = noise_level.view(-1, 1, 1, 1)
        hidden = pixel_unshuffle(copies - 0.5, 4)  # 4 × 4 pixels of a channel lie together
        blocks = hidden.unflatten(1, (3, 16))
        share = torch.sigmoid(self.mix[0] * (sigma.log() - math.log(0.25)) + self.mix[1])
        blurred = torch.lerp(blocks, blocks.mean(2, keepdim=True), share.unsqueeze(1)).flatten(1, 2)
        hidden = torch.cat([hidden, sigma.expand(len(copies), 1, *hidden.shape[2:])], 1)
        for layer in self.layers[:-1]:
            hidden = relu(layer(hidden))
        return pixel_shuffle(blurred + self.layers[-1](hidden), 4) + 0.5


def without_mirror(name: str) -> str:
    """The denoiser that an id names, whether or not it averages over mirror images."""
    return name.removesuffix(MIRROR)


def find_denoiser(name: str, beside: Path | None = None, model_revision: str | None = None) -> Denoiser:
    """The denoiser of that id; what was fitted is read from ``denoisers.safetensors`` in the model's folder.

    Args:
        name: one of ``DENOISERS``, or the path of a file made by ``psmooth learn denoiser`` for ``learned``; each also
            with ``MIRROR`` at its end.
        beside: the folder of the model's weights.
        model_revision: refuses a learned denoiser that was trained through another model.

    Raises:
        PlanError: no such denoiser.
        DenoiserError: its file is missing, damaged or another model's.
    """
    found = _plain(without_mirror(name), beside, model_revision)
    return replace(found, id=found.id + MIRROR, mirrored=True) if name.endswith(MIRROR) else found


def _plain(name: str, beside: Path | None, model_revision: str | None) -> Denoiser:
    if name in ("none", "gaussian", "wavelet"):
        return Denoiser(name, None, {"none": _untouched, "gaussian": gaussian, "wavelet": wavelet}[name])
    path = Path(name) if name.endswith(".safetensors") else (beside or Path()) / FILE_NAME
    if name not in DENOISERS and not name.endswith(".safetensors"):
        raise PlanError(
            "There is no denoiser '{name}'; it must be one of {known}, or a file.",
            name=name,
            known=", ".join(DENOISERS),
        )
    if not path.is_file():
        raise DenoiserError(
            "The denoiser '{name}' has to be fitted for this model first: psmooth learn denoiser FOLDER --model …",
            name=name,
        )
    tensors, facts, sha256 = read_denoisers(path)
    pool = _pool(tensors, path)
    if name == "wiener":
        return Denoiser(name, sha256, lambda copies, level: wiener(copies, level, tensors["spectrum"]), pool=pool)
    if model_revision is not None and facts.get("model_revision") != model_revision:
        raise DenoiserError(
            "The learned denoiser was trained through the model '{model}', not this one.", model=str(facts.get("model"))
        )
    network = _network(tensors)
    return Denoiser("learned", sha256, _applied(network), pool=pool, network=network)


def _pool(tensors: dict[str, Tensor], path: Path) -> frozenset[str] | None:
    try:
        return read_pool(tensors)
    except ValueError as error:
        raise _damaged(path) from error


def save_denoisers(
    path: Path,
    spectrum: Tensor,
    network: LearnedDenoiser,
    facts: dict[str, object],
    pool: frozenset[str] | None = None,
) -> None:
    """Write what was fitted for one model, whole or not at all; raises DenoiserError if it cannot be written.

    Args:
        pool: the sha256 of the crops it was fitted on.
    """
    tensors = {f"learned.{name}": value.half().contiguous() for name, value in network.state_dict().items()}
    tensors |= {"spectrum": spectrum.contiguous(), **pool_tensors(pool)}
    data = save(tensors, {"psmooth": json.dumps({"schema": 1, **facts})})
    write_whole(path, data, _unwritable)


def _unwritable(path: Path, reason: str) -> DenoiserError:
    return DenoiserError(
        "The file of denoisers cannot be written to {path}: {reason}. Choose another file or folder.",
        path=str(path),
        reason=reason,
    )


def read_denoisers(path: Path) -> tuple[dict[str, Tensor], dict[str, object], str]:
    """Tensors, facts and sha256 of a file of fitted denoisers; raises DenoiserError if it is none."""
    if path.stat().st_size > _LARGEST_FILE:
        raise DenoiserError("{file} is too large for a denoiser; at most 64 MB are read.", file=path.name)
    data = path.read_bytes()
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["psmooth"])
        return load(data), facts, hashlib.sha256(data).hexdigest()
    except (SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> DenoiserError:
    return DenoiserError("{file} is not a file of denoisers, or it is damaged. Fit it again.", file=path.name)


def _network(tensors: dict[str, Tensor]) -> LearnedDenoiser:
    state = {name.removeprefix("learned."): value.float() for name, value in tensors.items() if "learned." in name}
    network = LearnedDenoiser(width=state["layers.0.bias"].shape[0], layers=sum("weight" in name for name in state))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DenoiserError("The learned denoiser's tensors do not fit its network. Fit it again.") from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _applied(network: LearnedDenoiser) -> Apply:
    def apply(copies: Tensor, level: float) -> Tensor:
        with torch.inference_mode(False):  # tensors that are moved within it can have no gradients flow through them
            placed = network.to(copies.device)
        return placed(copies, torch.full((1,), level, device=copies.device))  # filled there: nothing is waited for

    return apply


def _untouched(copies: Tensor, _noise_level: float) -> Tensor:
    return copies


# --- closed forms


def gaussian(copies: Tensor, noise_level: float) -> Tensor:
    """A Gaussian blur of width 2σ + 0.4 pixels, mirrored at the border."""
    blur = _blur(copies.shape[-1], noise_level).to(copies.device)
    return blur @ copies.contiguous() @ blur.T


@cache
@torch.inference_mode(False)  # what is kept may be differentiated through later
def _blur(size: int, noise_level: float) -> Tensor:
    """``(size, size)``: row i averages the line around pixel i."""
    place = torch.arange(size, dtype=torch.float64)
    mirrored = torch.stack([place, -1 - place, 2 * size - 1 - place])  # itself, and beyond either border
    width = 2 * noise_level + 0.4
    rows = torch.exp(-((place[:, None, None] - mirrored) ** 2) / (2 * width**2)).sum(1)
    rows[rows < _LEAST_WEIGHT] = 0  # no float32 sum shows them, and denormal numbers slow some processors fifteenfold
    return (rows / rows.sum(1, keepdim=True)).float()


_OPPONENT = torch.tensor([[1, 1, 1], [1, -1, 0], [1, 1, -2]], dtype=torch.float32)
_OPPONENT /= _OPPONENT.norm(dim=1, keepdim=True)  # orthonormal: white noise stays white


def spectrum_of(crops: Tensor) -> Tensor:
    """The mean power of clean crops ``(n, 3, size, size)`` in [0, 1]: ``(3, size, size)``, opponent colours × DCT-II.

    The orthonormal DCT-II is the Fourier transform of the mirrored crop, so white noise of level σ has power σ² at
    every place of it.
    """
    return _to_frequencies(crops, crops.shape[-1]).square().mean(0)


def wiener_gain(spectrum: Tensor, noise_level: float) -> Tensor:
    """S / (S + σ²), the gain of least squared error for a signal of power S; the mean of a copy is kept as it is."""
    gain = spectrum / (spectrum + noise_level**2)
    gain[:, 0, 0] = 1.0
    return gain


def wiener(copies: Tensor, noise_level: float, spectrum: Tensor) -> Tensor:
    """The Wiener filter of that power spectrum, which must have been fitted on crops of the same size."""
    if spectrum.shape[-1] != copies.shape[-1]:
        raise DenoiserError(
            "The Wiener filter was fitted on crops of {width} pixels. Fit it again.", width=spectrum.shape[-1]
        )
    gain = wiener_gain(spectrum.to(copies.device), noise_level)
    kept = int((gain > _NEGLIGIBLE).any(0).nonzero().max()) + 1
    low = _to_frequencies(copies, kept) * gain[:, :kept, :kept]
    basis = _dct(copies.shape[-1]).to(copies.device)[:kept]
    return _mixed(_OPPONENT.T.to(copies.device), basis.T @ low @ basis)


def _to_frequencies(copies: Tensor, kept: int) -> Tensor:
    basis = _dct(copies.shape[-1]).to(copies.device)[:kept]
    return _mixed(_OPPONENT.to(copies.device), basis @ copies.contiguous() @ basis.T)


def _mixed(colours: Tensor, copies: Tensor) -> Tensor:
    return (colours @ copies.flatten(2)).view_as(copies)


@cache
@torch.inference_mode(False)
def _dct(size: int) -> Tensor:
    """The orthonormal DCT-II, ``(frequencies, pixels)``."""
    place = torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi / size * (place + 0.5) * place[:, None]) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows.float()


def wavelet(copies: Tensor, noise_level: float) -> Tensor:
    """Soft thresholds on a Haar transform, BayesShrink's for each copy, channel and band; four shifts are averaged.

    Chang, Yu & Vetterli 2000: the threshold of a band is σ²/σ_x with σ_x² = max(mean square − σ², 0).
    """
    return torch.cat([_shift_averaged(part.contiguous(), noise_level) for part in copies.split(_IN_CACHE)])


def _shift_averaged(copies: Tensor, noise_level: float) -> Tensor:
    total = torch.zeros_like(copies)
    for down, right in _SHIFTS:
        moved = torch.roll(copies, (down, right), (-2, -1))
        total += torch.roll(_shrink(moved, noise_level, _LEVELS), (-down, -right), (-2, -1))
    return total / len(_SHIFTS)


def _shrink(image: Tensor, noise_level: float, levels: int) -> Tensor:
    if levels == 0 or image.shape[-1] % 2:
        return image
    low, *bands = _haar(*(image[..., down::2, right::2] for down, right in _CORNERS))
    kept = [_shrink(low, noise_level, levels - 1), *(_soft(band, noise_level) for band in bands)]
    result = torch.empty_like(image)
    for (down, right), corner in zip(_CORNERS, _haar(*kept), strict=True):
        result[..., down::2, right::2] = corner
    return result


def _haar(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The orthonormal Haar transform of 2 × 2 pixels or bands; it is its own inverse."""
    top, bottom, left, right = (a + b) / 2, (c + d) / 2, (a - b) / 2, (c - d) / 2
    return top + bottom, left + right, top - bottom, left - right


def _soft(band: Tensor, noise_level: float) -> Tensor:
    signal = (band.square().mean((-2, -1), keepdim=True) - noise_level**2).clamp_min(1e-12).sqrt()
    threshold = noise_level**2 / signal
    return band - band.clamp(-threshold, threshold)
