"""Says what a certificate records of the run that made it: model, crop rule, prompts, seed, versions.

It knows nothing about votes.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from platform import python_version
from typing import Any

import torch

from psmooth import __version__
from psmooth.certificate import Run, guarantee_of
from psmooth.models import TORCH, MedVLM, runtime_versions
from psmooth.scans import CropRule
from psmooth.smoothing.contender import Contender
from psmooth.smoothing.request import Request

_PACKAGES = ("torch", "open_clip_torch", "timm", "numpy", "scipy")


def run_facts(request: Request, contender: Contender) -> Run:
    """What a certificate of this contender records of everything that is fixed before the first vote."""
    model, denoiser, bank = request.model, request.denoiser, contender.bank or {}
    learned_on_scan = request.crop.sha256 in denoiser.pool if denoiser.pool else None
    return Run(
        method=contender.method,
        guarantee=guarantee_of(contender.method, bank.get("learned_on_scan"), learned_on_scan),
        denoiser=denoiser.id,
        denoiser_sha256=denoiser.sha256,
        denoiser_learned_on_scan=learned_on_scan,
        noise_level=request.noise_level,
        noise=request.noise,
        plan=request.plan,
        task=request.task.id,
        class_ids=request.task.class_ids,
        class_names=request.task.class_names,
        templates=contender.templates,
        seed=request.seed,
        seed_origin=request.seed_origin,
        first_seed=request.first_seed,
        attempts_before=request.attempts_before,
        crop_sha256=request.crop.sha256,
        preprocessing=_rule_facts(request.crop.rule),
        batch_size=request.batch_size,
        model={
            "id": model.spec.id,
            "weights": model.spec.weights,
            "revision": model.revision,
            "licence": model.spec.licence,
        },
        bank=contender.bank,
        gallery=request.gallery,
        scan_check=request.finding and request.finding.to_dict(),
        device=model.device.type,
        precision=_precision(model),
        versions=versions() | runtime_versions(model.precision),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def use_whole_float32(device: torch.device) -> None:
    """Turn off NVIDIA's TF32, which keeps ten of a float32's bits and which torch takes for convolutions."""
    if device.type == "cuda":
        for part in _products():
            part.fp32_precision = "ieee"


def _precision(model: MedVLM) -> str:
    """The runtime that was asked for and its number format; else that of torch's products, as it is set now."""
    if model.precision != TORCH:
        return model.precision
    used = [part.fp32_precision for part in _products()]
    return "tf32" if model.device.type == "cuda" and "tf32" in used else TORCH


def _products() -> tuple[Any, Any]:
    """The settings of matrix products and of convolutions on an NVIDIA card."""
    backends: Any = torch.backends
    return backends.cuda.matmul, backends.cudnn.conv


def _rule_facts(rule: CropRule) -> dict[str, object]:
    """What is not as usual is told, and nothing else: older programs read the certificates of other scans as before."""
    box = list(rule.box) if rule.box else None
    facts = {"size": rule.size, "fit": rule.fit, "interpolation": rule.interpolation, "box": box}
    window = rule.window and {name: value for name, value in asdict(rule.window).items() if value != "linear_exact"}
    region = rule.region and list(rule.region)
    seen = {"frame": rule.frame, "series": rule.series, "plane": rule.plane, "region": region}
    return {**facts, "window": window, **{name: value for name, value in seen.items() if value is not None}}


@cache
def versions() -> dict[str, str]:
    found = {"python": python_version(), "psmooth": __version__}  # installed or not: a Space runs from its folder
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
