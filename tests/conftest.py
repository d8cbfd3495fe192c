"""What every room of tests shares: small models that need no trained weights, and scans drawn on the spot."""

import os

# ruff: noqa: E402
# Tests run side by side, in workers and servers of their own: a thread that waits for a core leaves it to the others,
# and a worker has one thread, for several that wait for each other at every step are slow on cores that others use too.
# OpenMP reads this when torch loads it. What is started from here takes its threads from the machine, as anywhere.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ONE_THREAD = "PYTEST_XDIST_WORKER" in os.environ and "OMP_NUM_THREADS" not in os.environ
if ONE_THREAD:
    os.environ["OMP_NUM_THREADS"] = "1"

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from psmooth.models import MedVLM, load_model
from psmooth.scans import Crop, CropRule, Scan, crop_scan, open_scan
from tests.on_request import (  # noqa: F401  # hooks of pytest
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

if ONE_THREAD:
    del os.environ["OMP_NUM_THREADS"]

TINY_CONFIG = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 1, "head_width": 16},
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"},
}


def write_tiny_model(folder: Path, text_width: int = 16, layers: int = 1) -> Path:
    """A random-weight open_clip model of 32 × 32 pixels, in the format of a Hub repository."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    text = {**TINY_CONFIG["model_cfg"]["text_cfg"], "width": text_width}
    vision = {**TINY_CONFIG["model_cfg"]["vision_cfg"], "layers": layers}
    told = {**TINY_CONFIG, "model_cfg": {**TINY_CONFIG["model_cfg"], "text_cfg": text, "vision_cfg": vision}}
    network = open_clip.CLIP(**told["model_cfg"])
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is let go of goes by itself: not when Python tidies up what holds itself."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def slow_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of many layers: a run of many votes does not end by itself while a test looks at it."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "slow", layers=24)


@pytest.fixture(scope="session")
def models_served(tiny_model_folder: Path, slow_model_folder: Path) -> str:
    """The menu of the served page, as in PSMOOTH_MODELS."""
    return f"local-dir:{tiny_model_folder};local-dir:{slow_model_folder}"


@pytest.fixture(scope="session")
def tiny_model(tiny_model_folder: Path) -> MedVLM:
    return load_model(f"local-dir:{tiny_model_folder}", device="cpu")


@pytest.fixture(scope="session")
def scan() -> Scan:
    """A smooth coloured picture of 60 × 48 pixels."""
    rows, columns = np.mgrid[0:48, 0:60] / 60
    return open_scan((255 * np.stack([rows, columns, 1 - rows], -1).clip(0, 1)).astype(np.uint8))


@pytest.fixture(scope="session")
def crop(scan: Scan) -> Crop:
    return crop_scan(scan, CropRule(size=32))
