"""Denoisers: closed forms against their formulas, and each a function of its own copy alone."""

from pathlib import Path

import pytest
import torch

from psmooth.denoise import (
    DENOISERS,
    MIRROR,
    LearnedDenoiser,
    _blur,
    find_denoiser,
    gaussian,
    save_denoisers,
    spectrum_of,
    wavelet,
    wiener,
    wiener_gain,
)
from psmooth.errors import DenoiserError, PlanError


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = LearnedDenoiser()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    file = tmp_path / "denoisers.safetensors"
    save_denoisers(file, torch.rand(3, 32, 32), network, {"model": "pocket", "model_revision": "a" * 64})
    return file


@pytest.mark.parametrize("name", DENOISERS)
def test_a_copy_is_denoised_by_itself(name: str, fitted: Path) -> None:
    denoiser = find_denoiser(name, fitted.parent)
    copies = torch.rand(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    others = torch.rand(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    others[2] = copies[2]
    assert torch.equal(denoiser(copies, 0.5)[2], denoiser(others, 0.5)[2])
    assert denoiser(copies, 0.5).shape == copies.shape


@pytest.mark.parametrize("name", DENOISERS)
def test_an_id_says_whether_mirror_images_are_averaged(name: str, fitted: Path) -> None:
    plain, mirrored = (find_denoiser(each, fitted.parent) for each in (name, name + MIRROR))
    assert (plain.id, plain.mirrored, mirrored.id, mirrored.mirrored) == (name, False, name + "-mirror", True)
    assert plain.sha256 == mirrored.sha256
    copies = torch.rand(2, 3, 32, 32)
    assert torch.equal(plain(copies, 0.5), mirrored(copies, 0.5))
    assert find_denoiser(str(fitted) + MIRROR).id == "learned-mirror"
    with pytest.raises(PlanError, match="no denoiser"):
        find_denoiser("none-mirror-mirror")


@pytest.mark.parametrize("name", ["gaussian", "wiener", "wavelet"])
def test_noise_becomes_less_and_a_flat_scan_stays(name: str) -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64).contiguous()
    torch.manual_seed(1)
    noisy = ramp + 0.25 * torch.randn(16, 3, 64, 64)
    apply = {"gaussian": gaussian, "wavelet": wavelet, "wiener": lambda x, s: wiener(x, s, spectrum_of(ramp))}[name]
    assert (apply(noisy, 0.25) - ramp).square().mean() < 0.3 * 0.25**2
    flat = torch.full((1, 3, 64, 64), 0.4)
    assert torch.allclose(apply(flat, 0.25), flat, atol=1e-5)


def test_white_noise_has_power_sigma_squared_everywhere() -> None:
    torch.manual_seed(2)
    power = spectrum_of(0.5 * torch.randn(4_000, 3, 16, 16))
    assert torch.allclose(power, torch.full_like(power, 0.25), rtol=0.15)


def test_the_gain_is_the_closed_form_and_the_best() -> None:
    torch.manual_seed(3)
    spectrum = torch.rand(3, 16, 16) * 4
    gain = wiener_gain(spectrum, 0.5)
    assert torch.allclose(gain[:, 1:], spectrum[:, 1:] / (spectrum[:, 1:] + 0.25))
    signal = spectrum.sqrt() * torch.randn(8_000, 3, 16, 16)
    noisy = signal + 0.5 * torch.randn(8_000, 3, 16, 16)

    def error(factor: float) -> float:
        return float(((factor * gain * noisy - signal)[:, :, 1:] ** 2).mean())

    assert error(1.0) < min(error(0.95), error(1.05))


def test_a_wiener_filter_keeps_what_its_gain_keeps() -> None:
    crops = torch.rand(4, 3, 32, 32)
    loud = torch.full((3, 32, 32), 1e6)
    assert torch.allclose(wiener(crops, 0.1, loud), crops, atol=1e-4)


def test_files_and_names_are_refused_in_words(fitted: Path) -> None:
    with pytest.raises(PlanError, match="no denoiser 'median'"):
        find_denoiser("median")
    with pytest.raises(DenoiserError, match="fitted for this model first"):
        find_denoiser("learned", fitted.parent / "nowhere")
    with pytest.raises(DenoiserError, match="'pocket', not this one"):
        find_denoiser("learned", fitted.parent, "b" * 64)
    with pytest.raises(DenoiserError, match="fitted on crops of 32"):
        find_denoiser("wiener", fitted.parent)(torch.rand(1, 3, 64, 64), 0.5)
    fitted.write_bytes(fitted.read_bytes()[:500])
    with pytest.raises(DenoiserError, match="damaged"):
        find_denoiser("learned", fitted.parent)


@pytest.mark.parametrize("noise_level", [0.05, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("size", [128, 224])
def test_a_blur_has_no_denormal_weights_and_still_sums_to_one(noise_level, size):
    """Products with denormal numbers are computed many times slower on some processors."""
    weights = _blur(size, noise_level)
    assert not ((weights != 0) & (weights < torch.finfo(torch.float32).tiny)).any()
    assert torch.allclose(weights.sum(1), torch.ones(size), atol=1e-6)
