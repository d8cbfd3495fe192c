"""Runs an image encoder or a denoiser on OpenVINO, exported and held against its network, or in half precision.

It knows nothing about files of models, prompts, noise or votes.

A vote must not depend on its batch-mates. Every copy therefore runs in blocks of one fixed shape, a last one filled up
with zeros, and no scale or statistic is taken over a block: no dynamic quantisation, in any precision.
"""

import hashlib
import json
import os
import secrets
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module, metadata, util
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from psmooth.errors import ModelError

Encode = Callable[[Tensor], Tensor]

TORCH = "float32"  # the precision of every model that nobody asked another one of
FAST = "openvino-bfloat16"  # what a page means that offers a fast one
HALF = "torch-float16"  # on an NVIDIA card
ON_OPENVINO = ("openvino-float32", FAST)
RUNTIMES = (*ON_OPENVINO, HALF)
PRECISIONS = (TORCH, *RUNTIMES)
BLOCK = 4  # copies that are encoded at once
WITHIN = 1e-5  # of the network's own unit vectors or pixels, in float32

_MOST_STREAMS = 4  # as many as sampling has workers
_PROBED_LEVELS = (torch.tensor([0.1]), torch.tensor([1.0]))  # of noise, at which a denoiser is
_PROBES = 2  # images on which the export is held against the network
_PACKAGES = ("openvino", "torch", "timm", "open_clip_torch")
_EXPORT = 1  # raised whenever what is kept is made otherwise
_NAMES = ("encoder.xml", "encoder.bin")


def check_precision(precision: str, device: str | None) -> None:
    """Raise ModelError for a precision that is not known, or that cannot run here."""
    if precision not in PRECISIONS:
        raise ModelError(
            "There is no precision '{precision}'; it must be one of {known}.",
            precision=precision,
            known=", ".join(PRECISIONS),
        )
    if precision == TORCH:
        return
    if precision == HALF:
        _check_card(device)
        return
    if device not in (None, "cpu"):
        raise ModelError(
            "The precision '{precision}' runs on the processor, not on '{device}'. Choose the device cpu, or float32.",
            precision=precision,
            device=device,
        )
    if util.find_spec("openvino") is None:
        raise ModelError(
            "The precision '{precision}' needs OpenVINO, which is not installed here: pip install 'psmooth[fast]'.",
            precision=precision,
        )


def _check_card(device: str | None) -> None:
    if device != "cuda" and not (device is None and torch.cuda.is_available()):
        raise ModelError(
            "The precision '{precision}' runs on an NVIDIA card alone. Choose the device cuda where there is one, or "
            "float32.",
            precision=HALF,
        )


@cache
def is_fast_here() -> bool:
    """Whether OpenVINO is installed and this processor has instructions for bfloat16: without, it is only imitated.

    OpenVINO by itself computes in bfloat16 exactly where they are. Asking it takes some 80 milliseconds, once.
    """
    if util.find_spec("openvino") is None:
        return False
    try:
        return _core().get_property("CPU", "INFERENCE_PRECISION_HINT") == _openvino().Type.bf16
    except (ImportError, OSError, RuntimeError):  # an installation that is broken, or made for another system
        return False


def runtime_versions(precision: str) -> dict[str, str]:
    """By package, the version of the runtime of a precision; empty for torch, whose version is told anyway."""
    return {} if precision in (TORCH, HALF) else {"openvino": metadata.version("openvino")}


def in_half(encode: Encode, device: torch.device) -> Encode:
    """The same encoder with its products in float16, ``(batch, dim)`` float32; what needs more bits keeps them.

    Batches keep one shape, so row i depends on image i alone here too: no scale is taken over a batch.
    """

    def run(pixels: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.float16):
            return encode(pixels).float()

    return run


def encoder_on(precision: str, network: nn.Module, side: int) -> Encode:
    """``network.encode_image`` in that precision: ``(batch, 3, side, side)`` normalised pixels → embeddings.

    Row i depends on image i alone, to the last bit, wherever it stands in a batch of whichever size. It may be asked
    from several threads at once. No gradient flows through it.

    Raises:
        ModelError: the export differs from the network, or this processor does not compute in that format.
    """
    probe, folder = _probe(network, side), _folder(network, side)
    model = _kept(folder, probe)
    if model is None:
        model = _export(network, side, probe)
        _keep(model, folder, probe)
    return InBlocks(_compiled(model, precision))


def denoiser_on(precision: str, network: nn.Module, side: int) -> Callable[[Tensor, float], Tensor]:
    """A denoising network in that precision: copies ``(batch, 3, side, side)`` and σ → the same, denoised.

    As with ``encoder_on`` row i depends on copy i and σ alone, and no gradient flows. Such a network is small: its
    export is not kept. Raises ModelError likewise.
    """
    model = _converted(network, side, torch.ones(1))
    run, images = InBlocks(_compiled(model, "openvino-float32")), _images(side)
    for level in _PROBED_LEVELS:
        _check(run(images, level), network(images, level))
    run = InBlocks(_compiled(model, precision))
    return lambda copies, level: run(copies, torch.tensor([level]))


class InBlocks:
    """A compiled network, asked in blocks of one shape; those who ask at once each have a request of their own."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: LifoQueue[Any] = LifoQueue()

    def __call__(self, pixels: Tensor, *beside: Tensor) -> Tensor:
        """``(batch, 3, side, side)`` float32, and what else the network takes → ``(batch, dim)``, or images again."""
        images = pixels.detach().permute(0, 2, 3, 1).contiguous()
        rows = torch.cat([self._block(part, *beside) for part in images.split(BLOCK)])
        return rows.permute(0, 3, 1, 2) if rows.ndim == 4 else rows

    def _block(self, images: Tensor, *beside: Tensor) -> Tensor:
        count = len(images)
        if count < BLOCK:
            images = torch.cat([images, images.new_zeros(BLOCK - count, *images.shape[1:])])
        try:
            request = self._idle.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        given = [one.numpy() for one in (images, *beside)]
        rows = torch.from_numpy(request.infer(given, share_inputs=True)[0].copy())
        self._idle.put(request)
        return rows[:count]


@cache
def _openvino() -> Any:
    """The package, without the one beside it that tells Intel of every import: psmooth asks nobody on the network."""
    telling = "openvino_telemetry"
    before = sys.modules.get(telling)
    sys.modules[telling] = None  # type: ignore[assignment]  # as if it were not installed, which OpenVINO provides for
    try:
        return import_module("openvino")
    finally:
        del sys.modules[telling]
        if before is not None:
            sys.modules[telling] = before


@cache
def _core() -> Any:
    return _openvino().Core()


def _compiled(model: Any, precision: str) -> Any:
    openvino, cores = _openvino(), torch.get_num_threads()
    streams = min(_MOST_STREAMS, cores)
    wanted = openvino.Type.bf16 if precision.endswith("bfloat16") else openvino.Type.f32
    compiled = _core().compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": wanted,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": cores // streams * streams,
            "ENABLE_CPU_PINNING": False,  # other programs have these cores too
            "ENABLE_HYPER_THREADING": True,
        },
    )
    if compiled.get_property("INFERENCE_PRECISION_HINT") != wanted:
        raise ModelError(
            "This processor does not compute as '{precision}' asks. Choose openvino-float32 or float32.",
            precision=precision,
        )
    return compiled


# --- the export


class _Tower(nn.Module):
    """The image side of a network as a module of its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.encode_image(pixels)  # type: ignore[operator]


def _export(network: nn.Module, side: int, probe: Tensor) -> Any:
    """The image side as a model of OpenVINO; ModelError if it is not the same function."""
    model = _converted(_Tower(network), side)
    run = InBlocks(_compiled(model, "openvino-float32"))
    _check(normalize(run(_images(side)), dim=-1), probe)
    return model


def _converted(network: nn.Module, side: int, *beside: Tensor) -> Any:
    """A network of a block of images, and of what stands beside them, as a model of OpenVINO of rows of pixels."""
    openvino, images = _openvino(), torch.zeros(BLOCK, 3, side, side)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have its newer tracer taken
        traced = torch.jit.trace(network.eval(), (images, *beside), check_trace=False)
    frontend = import_module("openvino.frontend").FrontEndManager().load_by_framework("pytorch")
    decoder = import_module("openvino.frontend.pytorch.ts_decoder").TorchScriptPythonDecoder(traced)
    model = frontend.convert(frontend.load(decoder))
    model.reshape({place: list(one.shape) for place, one in enumerate((images, *beside))})
    steps = openvino.preprocess.PrePostProcessor(model)
    for pictures in (steps.input(0), *([steps.output(0)] if len(model.output(0).shape) == 4 else [])):
        pictures.tensor().set_layout(openvino.Layout("NHWC"))
        pictures.model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


def _check(found: Tensor, wanted: Tensor) -> None:
    """Raise ModelError where the export is another function than the network; written so that NaN is none."""
    if not float((found - wanted).abs().max()) <= WITHIN:
        raise ModelError("This model comes out of OpenVINO as another function than it went in. Choose float32.")


def _images(side: int) -> Tensor:
    """What network and export are both shown: noise, which excites every channel."""
    return torch.randn(_PROBES, 3, side, side, generator=torch.Generator().manual_seed(0))


def _probe(network: nn.Module, side: int) -> Tensor:
    """The network's own unit vectors of these images."""
    with torch.inference_mode():
        return normalize(_Tower(network)(_images(side).contiguous(memory_format=torch.channels_last)).float(), dim=-1)


# --- what is kept


def _folder(network: nn.Module, side: int) -> Path:
    """Where the export of these very weights by these versions lies."""
    from platformdirs import user_cache_path

    versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    made_by = json.dumps([_EXPORT, *versions, side, BLOCK, sys.byteorder])
    weights = weights_sha256(network)
    name = f"{weights[:32]}-{hashlib.sha256(made_by.encode()).hexdigest()[:16]}"
    return user_cache_path("psmooth", appauthor=False) / "openvino" / name


def weights_sha256(network: nn.Module) -> str:
    """Of the image side as it was loaded: its layers, and every number in them."""
    tower = getattr(network, "visual", network)
    digest = hashlib.sha256(repr(tower).encode())
    for name, value in tower.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _kept(folder: Path, probe: Tensor) -> Any:
    """The export that was made before, if its files are whole and the network is the one that it was made from."""
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        same = facts["sums"] == _sums(folder) and _close(facts["probe"], probe)
        return _core().read_model(folder / _NAMES[0]) if same else None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None


def _close(recorded: list[list[float]], probe: Tensor) -> bool:
    return torch.allclose(torch.tensor(recorded), probe, rtol=0, atol=WITHIN)


def _sums(folder: Path) -> dict[str, str]:
    sums = {}
    for name in _NAMES:
        with (folder / name).open("rb") as file:
            sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _keep(model: Any, folder: Path, probe: Tensor) -> None:
    """Whole or not at all; a cache that cannot be written costs an export at the next start.

    Exports of the same weights by other versions go.
    """
    scratch = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        scratch.mkdir(parents=True)
        _openvino().serialize(model, scratch / _NAMES[0], scratch / _NAMES[1])
        facts = {"sums": _sums(scratch), "probe": probe.tolist()}
        (scratch / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        with suppress(OSError):
            shutil.rmtree(folder)
        os.replace(scratch, folder)  # noqa: PTH105  (the same on every system, for folders too)
        for other in folder.parent.glob(f"{folder.name.split('-')[0]}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    except (OSError, RuntimeError):
        pass
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
