"""Settles the machine under the model: the memory allocator, and the batch size and threads that run fastest here.

It knows nothing about scans, prompts or votes.
"""

import ctypes
import json
import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psmooth.models import MedVLM

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_LARGEST = 2**31 - 1
_TRIAL_SECONDS = 1.0
_CPU_BATCHES = (16, 32, 64)
_GPU_BATCH = 256


def settle() -> bool:
    """Keep freed memory in the process, so that every batch finds its pages warm; True where it took hold.

    glibc gives large tensors back to the system on each free, and every page of the next one is a fault: on virtual
    machines the faults cost more than the arithmetic. One arena, because the others cannot hold a large tensor.
    Elsewhere than on glibc nothing is done. Call it before the first tensor.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, _LARGEST))
    taken = [mallopt(setting, value) == 1 for setting, value in settings]
    return all(taken)


def best_batch_size(model: "MedVLM") -> int:
    """Copies a batch that run fastest on this machine, and torch set to the threads that go with it.

    On the CPU a trial of about one second decides, and is remembered in the user's cache folder; on a GPU 256.
    """
    import torch

    if model.device.type != "cpu":
        return _GPU_BATCH
    key = f"{model.revision[:16]}/{os.cpu_count()}/{platform.machine()}/{torch.__version__}"
    known = _read_trials()
    if key not in known:
        known[key] = list(_trial(model))
        _write_trials(known)
    batch, threads = known[key]
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return batch


def _trial(model: "MedVLM") -> tuple[int, int]:
    """The (batch, threads) with the most copies a second: every batch with all cores, the best of them with half."""
    import torch

    cores = torch.get_num_threads()
    share = _TRIAL_SECONDS / (len(_CPU_BATCHES) + 1)
    speeds = {(batch, cores): _speed(model, batch, cores, share) for batch in _CPU_BATCHES}
    batch, _ = max(speeds, key=lambda pair: speeds[pair])
    if cores > 1:
        speeds[batch, cores // 2] = _speed(model, batch, cores // 2, share)
    return max(speeds, key=lambda pair: speeds[pair])


def _speed(model: "MedVLM", batch: int, threads: int, seconds: float) -> float:
    import torch

    torch.set_num_threads(threads)
    pixels = torch.rand(batch, 3, model.input_size, model.input_size)
    model.embed_images(pixels)  # the first pass lays out the weights
    start, passes = time.perf_counter(), 0
    while passes == 0 or time.perf_counter() - start < seconds:
        model.embed_images(pixels)
        passes += 1
    return passes * batch / (time.perf_counter() - start)


def _trials_file() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "psmooth" / "trials.json"


def _read_trials() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        trials = json.loads(_trials_file().read_text(encoding="utf-8"))
        if isinstance(trials, dict):
            return {key: pair for key, pair in trials.items() if _is_pair(pair)}
    return {}


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and 0 < n <= 4096 for n in pair)


def _write_trials(trials: dict[str, Any]) -> None:
    """Whole or not at all; a cache that cannot be written costs one second at the next start."""
    file = _trials_file()
    scratch = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(trials), encoding="utf-8")
        scratch.replace(file)
