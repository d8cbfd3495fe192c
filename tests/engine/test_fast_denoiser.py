"""A learned denoiser in bfloat16: nearly the same function, each copy alone, part of what is certified and replayed."""

from importlib import util
from typing import Any

import pytest
import torch

from psmooth.attack import find_target
from psmooth.certificate import Plan
from psmooth.errors import ModelError
from psmooth.models import FAST, MedVLM, denoiser_of, is_fast_here, load_model, on_runtime, runtimes
from psmooth.models import load as loading
from psmooth.phantoms import draw_phantom
from psmooth.scans import open_scan
from psmooth.smoothing import certify, replay
from psmooth.smoothing.certification import drawn_votes, resolve

needs_openvino = pytest.mark.skipif(util.find_spec("openvino") is None, reason="OpenVINO is not installed")
needs_fast = pytest.mark.skipif(not is_fast_here(), reason="no OpenVINO, or a processor without bfloat16")


@pytest.fixture(scope="module")
def pocket() -> MedVLM:
    return load_model("pocket", "cpu")


@pytest.fixture(scope="module")
def fast(pocket: MedVLM, tmp_path_factory: pytest.TempPathFactory) -> MedVLM:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return on_runtime(pocket, FAST)


@pytest.fixture(scope="module")
def scan() -> Any:
    return open_scan(draw_phantom("blood_cells", "monocyte", seed=3).pixels)


def copies(number: int, level: float, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(number, 3, 1, 1, generator=generator) + level * torch.randn(
        number, 3, 128, 128, generator=generator
    )


@needs_fast
@pytest.mark.parametrize("level", [0.1, 0.25, 1.0])
def test_the_batch_mates_of_a_copy_change_nothing(fast: MedVLM, level: float) -> None:
    denoise = denoiser_of(fast, "learned")
    first, second = copies(13, level), 100 * copies(13, level, seed=4)
    alone = denoise(first, level)
    for place in (0, 5, 12):
        mixed = torch.cat([second[:place], first[place : place + 1], second[place + 1 :]])
        assert torch.equal(denoise(mixed, level)[place], alone[place])
    for size in (1, 3, 8):
        assert torch.equal(torch.cat([denoise(part, level) for part in first.split(size)]), alone)
    spoilt = first.clone()
    spoilt[2] = float("nan")
    kept = [row for row in range(13) if row != 2]
    assert torch.equal(denoise(spoilt, level)[kept], alone[kept])


@needs_openvino
@pytest.mark.parametrize("level", [0.1, 0.25, 1.0])
def test_the_export_is_the_network(pocket: MedVLM, level: float) -> None:
    found = denoiser_of(pocket, "learned")
    assert found.network is not None
    exported = runtimes.denoiser_on("openvino-float32", found.network, 128)
    shown = copies(7, level)
    assert (exported(shown, level) - found(shown, level)).abs().max() <= 1e-5


@needs_fast
@pytest.mark.parametrize("level", [0.1, 0.25, 1.0])
def test_bfloat16_moves_a_pixel_by_less_than_three_grey_levels_and_the_encoder_by_less_than_its_own(
    pocket: MedVLM, fast: MedVLM, level: float
) -> None:
    shown = copies(32, level)
    rounded, whole = denoiser_of(fast, "learned")(shown, level), denoiser_of(pocket, "learned")(shown, level)
    assert 0 < (rounded - whole).abs().max() < 3 / 255
    apart = (pocket.embed_images(rounded) - pocket.embed_images(whole)).norm(dim=1).max()
    assert apart < (fast.embed_images(whole) - pocket.embed_images(whole)).norm(dim=1).max()


@needs_fast
def test_only_a_learned_one_of_a_fast_model_runs_elsewhere_and_is_exported_once(
    pocket: MedVLM, fast: MedVLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, export = list[int](), loading.denoiser_on
    monkeypatch.setattr(loading, "denoiser_on", lambda *given: made.append(1) or export(*given))
    monkeypatch.setattr(loading, "_exported", {})
    assert all(denoiser_of(fast, name).runs is not None for name in ("learned", "learned-mirror", "learned"))
    assert len(made) == 1
    others = [(fast, name) for name in ("none", "gaussian", "wiener", "wavelet")] + [(pocket, "learned")]
    assert all(denoiser_of(model, name).runs is None for model, name in others)


@needs_fast
def test_votes_do_not_depend_on_the_batch_size_and_a_certificate_is_replayed(
    fast: MedVLM, scan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"task": "blood_cells", "noise_level": 0.5, "seed": 7, "denoiser": "learned-mirror"}
    wanted, *others = (
        drawn_votes(resolve(fast, scan, batch_size=batch, **asked), "template", "estimate", 64) for batch in (32, 5, 64)
    )
    assert all(torch.equal(votes, wanted) for votes in others)
    *_, last = certify(fast, scan, plan=Plan(max_votes=64), batch_size=32, **asked)
    monkeypatch.setattr("psmooth.smoothing.replaying.load_model", lambda *_, **__: fast)
    again = replay(last.results["template"], scan)
    assert (again.ok, again.differing) == (True, 0)


@needs_fast
def test_gradients_go_through_torch(fast: MedVLM, scan: Any) -> None:
    target = find_target(fast, scan, task="blood_cells", denoiser="learned", batch_size=16)
    pixels = copies(2, 0.25).requires_grad_()
    target.embed_noisy(pixels)[:, 0].sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0


@needs_openvino
def test_an_export_that_is_another_function_is_refused(pocket: MedVLM, monkeypatch: pytest.MonkeyPatch) -> None:
    found = denoiser_of(pocket, "learned")
    assert found.network is not None
    monkeypatch.setattr(runtimes, "WITHIN", -1.0)
    with pytest.raises(ModelError, match="another function"):
        runtimes.denoiser_on("openvino-float32", found.network, 128)
