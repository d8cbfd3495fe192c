"""Says what is asked of a run: everything that is fixed before the first vote, resolved once.

It knows nothing about how votes are cast.
"""

import secrets
import string
from dataclasses import dataclass
from typing import Literal

from psmooth.certificate import Plan
from psmooth.denoise import Denoiser
from psmooth.errors import PlanError
from psmooth.models import MedVLM
from psmooth.noise import SCHEME, Scheme
from psmooth.recognition import Finding
from psmooth.scans import Crop
from psmooth.smoothing.contender import Contender
from psmooth.tasks import Task


@dataclass(frozen=True, eq=False)
class Request:
    """A checked request: everything that is fixed before the first vote.

    After memory has run out, ``restarted`` holds the copies a batch, ``attempts_before`` how often it has,
    ``first_seed`` the seed of the first attempt and ``lost`` the contenders that had a radius in one of them.
    ``finding``: what the scan looks like; no vote depends on it.
    """

    model: MedVLM
    crop: Crop
    task: Task
    contenders: dict[str, Contender]
    noise_level: float
    denoiser: Denoiser
    plan: Plan
    seed: str
    seed_origin: Literal["fresh", "given"]
    batch_size: int
    gallery: dict[str, str | None] | None = None
    restarted: int | None = None
    first_seed: str | None = None
    attempts_before: int = 0
    lost: frozenset[str] = frozenset()
    finding: Finding | None = None
    noise: Scheme = SCHEME


def read_seed(seed: str | int | None) -> str:
    """128 bits as 32 hexadecimal digits; a shorter number is taken as decimal."""
    if seed is None:
        return secrets.token_hex(16)
    text = str(seed).strip().lower()
    if len(text) == 32 and set(text) <= set(string.hexdigits):
        return text
    if text.isdecimal() and int(text) < 2**128:
        return f"{int(text):032x}"
    raise PlanError("seed is '{seed}'; it must be a whole number below 2^128 or 32 hexadecimal digits.", seed=text[:40])
