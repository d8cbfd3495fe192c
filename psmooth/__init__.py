"""Certified robustness of medical vision-language models, by randomized smoothing with prompts.

One screen of names; what each module does stands at its top. Names load when they are first used, so that a certificate
can be verified without loading a network library.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from psmooth.environment import mend

if TYPE_CHECKING:
    from psmooth.certificate import Abstention, Certificate, Plan, read_certificate, verify
    from psmooth.errors import PsmoothError
    from psmooth.models import MODELS, MedVLM, load_model
    from psmooth.phantoms import PHANTOMS, draw_phantom
    from psmooth.prompts import PromptBank, load_bank
    from psmooth.scans import Contents, Crop, CropRule, Scan, Series, Window, crop_scan, list_series, open_scan
    from psmooth.smoothing import Progress, Replay, certify, replay, stopped
    from psmooth.tasks import TASKS, Task, own_task

__version__ = "0.1.0"

# Read once, when torch is loaded: idle threads of an encoder leave their cores to the noise after half a millisecond.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
mend()

_HOMES = {
    "certificate": ("Abstention", "Certificate", "Plan", "read_certificate", "verify"),
    "smoothing": ("Progress", "Replay", "certify", "replay", "stopped"),
    "errors": ("PsmoothError",),
    "models": ("MODELS", "MedVLM", "load_model"),
    "prompts": ("PromptBank", "load_bank"),
    "phantoms": ("PHANTOMS", "draw_phantom"),
    "scans": ("Contents", "Crop", "CropRule", "Scan", "Series", "Window", "crop_scan", "list_series", "open_scan"),
    "tasks": ("TASKS", "Task", "own_task"),
}

__all__ = [
    "MODELS",
    "PHANTOMS",
    "TASKS",
    "Abstention",
    "Certificate",
    "Contents",
    "Crop",
    "CropRule",
    "MedVLM",
    "Plan",
    "Progress",
    "PromptBank",
    "PsmoothError",
    "Replay",
    "Scan",
    "Series",
    "Task",
    "Window",
    "certify",
    "crop_scan",
    "draw_phantom",
    "list_series",
    "load_bank",
    "load_model",
    "open_scan",
    "own_task",
    "read_certificate",
    "replay",
    "stopped",
    "verify",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"psmooth.{module}"), name)
    raise AttributeError(f"module 'psmooth' has no attribute '{name}'")
