"""Settles the machine under the model: the memory allocator, and the batch size and threads that run fastest here.

It knows nothing about scans, prompts or votes.
"""

import ctypes
import json
import math
import os
import platform
import sys
import time
from contextlib import closing, suppress
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psmooth.models import MedVLM

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_LARGEST = 2**31 - 1
_TRIAL_SECONDS = 1.0
_CPU_BATCHES = (16, 32, 64)
GPU_BATCH = 256  # copies, on any card
_SMALL_BATCH = 4  # of a model that is slow: the first votes come soon, and Stop waits for little
_PATIENCE = 0.5  # seconds that batches side by side may take
_MOST_BATCHES = 10_000  # of a turn, which its seconds end
_QUIET = 0.8  # of the cores' time, and nobody else was at work
_SECONDS_BUSY = 600.0  # for which this process goes by a trial that others have disturbed
_disturbed: dict[str, tuple[list[int], float]] = {}  # by key: (batch, threads), and until when it counts
_CGROUP = Path("/sys/fs/cgroup")


def tune_allocator() -> bool:
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


def raise_open_files() -> None:
    """Let this process have as many files and connections open as the system allows it; the usual limit is 1,024."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit, macOS one that it does not name
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def best_batch_size(model: "MedVLM") -> int:
    """Copies a batch that run fastest with what this process may use, and torch set to the threads that go with it.

    On the CPU a trial of about one second decides, of a slow model two small batches. It is remembered in the user's
    cache folder for these weights, these cores and this torch; where other programs had the cores meanwhile, for some
    minutes by this process alone. On a GPU 256.
    """
    import torch

    if model.device.type != "cpu":
        return GPU_BATCH
    cores = min(usable_cores(), threads_given())
    key = f"{model.revision[:16]}/{cores} cores/{platform.machine()}/{torch.__version__}{_runtime_of(model)}"
    known = _read_trials()
    batch, threads = known[key] if key in known else _tried(model, cores, key, known)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return batch


def _tried(model: "MedVLM", cores: int, key: str, known: dict[str, Any]) -> list[int]:
    """(batch, threads) by a trial, remembered for as long as it is worth."""
    pair, until = _disturbed.get(key, ([], 0.0))
    if time.monotonic() < until:
        return pair
    (batch, threads), quiet = trial(model, cores)
    if quiet:
        _write_trials({**known, key: [batch, threads]})
    else:
        _disturbed[key] = [batch, threads], time.monotonic() + _SECONDS_BUSY
    return [batch, threads]


def _runtime_of(model: "MedVLM") -> str:
    """What of a key tells another runtime than torch."""
    from psmooth.models import TORCH, runtime_versions

    return "" if model.precision == TORCH else f"/{model.precision} {runtime_versions(model.precision)['openvino']}"


# --- what this process may use


def usable_cores() -> int:
    """Cores that the system lets this process have: its affinity, and the quota of its container, rounded up."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _quota()))


def _quota() -> int:
    """The cores' worth of time that a control group gets, of version 2 or 1; as many as one likes without one."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):
            quota = " ".join((_CGROUP / name).read_text(encoding="ascii") for name in names).split()
            if quota[0] not in ("max", "-1"):
                return math.ceil(int(quota[0]) / int(quota[1]))
    return _LARGEST


@cache
def threads_given() -> int:
    """Threads that torch began with: as OMP_NUM_THREADS says, or the program that psmooth is part of."""
    import torch

    return torch.get_num_threads()


# --- the trial


def trial(model: "MedVLM", cores: int) -> tuple[tuple[int, int], bool]:
    """The (batch, threads) with the most copies a second, and whether the cores were ours meanwhile.

    Batches take turns with all cores while there is time: a model that takes long gains nothing from large ones. The
    best of them is tried with half the cores. Another program can only slow a turn down, so the faster one counts. On
    cores that were shared, half of them looks better than it is: then all are taken. A model so slow that the smallest
    of them would keep a visitor waiting gets small ones without further trial: they cost it next to nothing.
    """
    start, busy = time.perf_counter(), time.process_time()
    if is_slow(model, cores):
        wall = time.perf_counter() - start
        return (_SMALL_BATCH, cores), (time.process_time() - busy) / (wall * cores) > _QUIET
    start, busy = time.perf_counter(), time.process_time()
    speeds: dict[tuple[int, int], float] = {}
    share = _TRIAL_SECONDS / (2 * len(_CPU_BATCHES) + 2)
    for batch in cycle(_CPU_BATCHES):
        if speeds and time.perf_counter() - start > _TRIAL_SECONDS - 2 * share:
            break
        _keep_faster(speeds, (batch, cores), speed(model, batch, cores, share))
    wall = time.perf_counter() - start
    quiet = (time.process_time() - busy) / (wall * cores) > _QUIET
    batch, _ = max(speeds, key=lambda pair: speeds[pair])
    if cores > 1 and quiet:
        _keep_faster(speeds, (batch, cores // 2), speed(model, batch, cores // 2, 2 * share))
        return max(speeds, key=lambda pair: speeds[pair]), True
    return (batch, cores), quiet


def is_slow(model: "MedVLM", cores: int) -> bool:
    """Whether the smallest usual batches, one for each worker, take longer than a visitor should wait."""
    import torch

    from psmooth.sampling import most_workers

    torch.set_num_threads(cores)
    pixels = torch.rand(_SMALL_BATCH, 3, model.input_size, model.input_size)
    for _ in range(2):  # the first time lays out the weights: a model that is quick even so is quick
        start, busy = time.perf_counter(), time.process_time()
        model.embed_images(pixels)
        # Whatever else runs on the machine, the cores did not work for longer than this.
        a_copy = min(time.perf_counter() - start, (time.process_time() - busy) / cores) / _SMALL_BATCH
        if a_copy * _CPU_BATCHES[0] * most_workers(cores) <= _PATIENCE:
            return False
    return True


def _keep_faster(speeds: dict[tuple[int, int], float], pair: tuple[int, int], speed: float) -> None:
    speeds[pair] = max(speed, speeds.get(pair, 0.0))


def speed(model: "MedVLM", batch: int, threads: int, seconds: float) -> float:
    """Copies a second as a run draws them: batches side by side, each on its share of the threads."""
    import torch

    from psmooth.sampling import side_by_side

    torch.set_num_threads(threads)
    pixels = torch.rand(batch, 3, model.input_size, model.input_size)
    ends = []
    with closing(side_by_side(lambda _: model.embed_images(pixels), range(_MOST_BATCHES))) as parts:
        for _ in parts:
            ends.append(time.perf_counter())
            if len(ends) > 2 and ends[-1] - ends[0] > seconds:  # the first one lays out the weights
                break
    return (len(ends) - 1) * batch / (ends[-1] - ends[0])


# --- what is remembered


def _trials_file() -> Path:
    from platformdirs import user_cache_path  # not before a model is there: most commands never ask

    return user_cache_path("psmooth", appauthor=False) / "trials.json"


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
