"""Keeps which crops something was learned on, as their sha256, so that one of them is recognised when it comes again.

It knows nothing about what was learned, or how. A hash shows nothing of a scan, but whoever has the very same crop can
tell that it was in the pool.
"""

import hashlib
from itertools import pairwise

import torch
from torch import Tensor

from psmooth.scans.crop import crop_sha256

POOL = "pool_sha256"  # the tensor's name in a safetensors file
_MOST = 2**18  # rows that are read


def pool_of(crops: Tensor) -> frozenset[str]:
    """The `crop_sha256` of each of ``(n, 3, size, size)`` uint8 crops."""
    return frozenset(crop_sha256(crop.numpy()) for crop in crops.cpu())


def pool_tensors(pool: frozenset[str] | None) -> dict[str, Tensor]:
    """What a file holds of a pool: ``(n, 32)`` uint8, rows sorted and unique; nothing where the pool is not known."""
    if pool is None:
        return {}
    rows = [list(bytes.fromhex(digest)) for digest in sorted(pool)]
    return {POOL: torch.tensor(rows, dtype=torch.uint8).reshape(len(rows), 32)}


def pool_sha256(pool: frozenset[str] | None) -> str:
    """One sha256 of a whole pool, whatever its order; "unknown" where the pool is not known."""
    return hashlib.sha256("".join(sorted(pool)).encode()).hexdigest() if pool else "unknown"


def read_pool(tensors: dict[str, Tensor]) -> frozenset[str] | None:
    """The pool among a file's tensors; None where the file does not say.

    Raises:
        ValueError: it is not a list of sha256, sorted and each once, or longer than is read.
    """
    rows = tensors.get(POOL)
    if rows is None or not len(rows):  # nothing is learned from nothing: an empty list says as much as none
        return None
    if rows.dtype != torch.uint8 or rows.ndim != 2 or rows.shape[1] != 32 or len(rows) > _MOST:
        raise ValueError("no list of sha256")
    digests = [bytes(row).hex() for row in rows.numpy()]
    if not all(one < other for one, other in pairwise(digests)):
        raise ValueError("not sorted, or one of them twice")
    return frozenset(digests)
