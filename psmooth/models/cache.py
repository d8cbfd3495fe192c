"""Keeps loaded models at hand: one at a time, or more where more fit into memory.

It knows nothing about what a model is asked.
"""

import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from weakref import WeakSet, WeakValueDictionary

import torch

from psmooth.hub import Progress
from psmooth.models.load import find_spec, folder_of, load_model
from psmooth.models.med_vlm import MedVLM

_UNKNOWN = 2_000_000_000  # bytes of a model that is typed in: as large as the largest CLIP in use
WORKING_ROOM = 1_000_000_000  # bytes for a batch on its way through


def fits(name: str, device: torch.device) -> bool:
    """Whether a model fits into memory beside what is there; while it is read, its weights are there twice."""
    return free_memory(device) > 2 * _size_of(name) + WORKING_ROOM


def free_memory(device: torch.device) -> int:
    """Bytes of the device's memory that nobody uses."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return min(_free_of_machine(), _free_of_container())


def _free_of_machine() -> int:
    table = Path("/proc/meminfo")
    if table.is_file():
        rows = dict(line.split(":") for line in table.read_text("utf-8").splitlines())
        return int(rows["MemAvailable"].split()[0]) * 1024
    if hasattr(os, "sysconf"):  # macOS does not tell what is free: half of what there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 4 * 2**30


def _free_of_container() -> int:
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (folder.joinpath(f"memory.{name}").read_text("utf-8").strip() for name in ("max", "current"))
        return int(limit) - int(used)
    except (OSError, ValueError):  # no container, or one without a limit
        return 2**62


def _size_of(name: str) -> int:
    spec = find_spec(name)
    if spec.megabytes:
        return spec.megabytes * 1_000_000
    if spec.weights.startswith("hf-hub:"):
        return _UNKNOWN
    files = folder_of(spec).glob("*") if spec.weights.startswith("local-dir:") else ()
    return max((file.stat().st_size for file in files if file.is_file()), default=0)


class ModelCache:
    """Loaded models by name; the one asked for longest ago goes first when the next one needs its room.

    Args:
        device: as for ``load_model``.
        fits: whether one more fits beside those that are held.
        load: how a model is loaded.
        guest: whether a model is a visitor's choice: it makes room for itself among its kind alone.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        fits: Callable[[str, torch.device], bool] = fits,
        load: Callable[[str, str | None, Progress | None], MedVLM] = load_model,
        guest: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._device, self._fits, self._load, self._guest = device, fits, load, guest
        self._models: OrderedDict[str, MedVLM] = OrderedDict()
        self.renew_locks()
        _caches.add(self)

    def renew_locks(self) -> None:
        """Locks that nobody holds, for a process that was just forked and has one thread."""
        self._lock = threading.Lock()
        self._loading: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()  # by name, while in use

    @property
    def names(self) -> tuple[str, ...]:
        """Those held, the one to go first in front."""
        return tuple(self._models)

    def get(self, name: str, progress: Progress | None = None) -> MedVLM:
        """The model of that name, loaded once; who asks while it is being loaded waits, who asks for another does not.

        Raises:
            ModelError, HubError: as ``load_model``; what was held and had to make room is gone by then.
        """
        if (model := self._held(name)) is not None:
            return model
        with self._lock_of(name):
            if (model := self._held(name)) is None:
                self._make_room(name)
                model = self._load(name, self._device, progress)
                with self._lock:
                    self._models[name] = model
        return model

    def _lock_of(self, name: str) -> threading.Lock:
        with self._lock:
            return self._loading.setdefault(name, threading.Lock())

    def _held(self, name: str) -> MedVLM | None:
        with self._lock:
            if name in self._models:
                self._models.move_to_end(name)
            return self._models.get(name)

    def _make_room(self, name: str) -> None:
        if self._guest(name):
            for held in filter(self._guest, self.names):
                self._let_go(held)
            return
        while self._models and not self._fits(name, next(iter(self._models.values())).device):
            self._let_go(next(iter(self._models)))

    def _let_go(self, name: str) -> None:
        with self._lock:
            del self._models[name]
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


_caches: WeakSet[ModelCache] = WeakSet()


def _after_fork() -> None:
    """A fork copies a lock that another thread holds, and nobody in the worker would ever let go of it."""
    for cache in _caches:
        cache.renew_locks()


if hasattr(os, "register_at_fork"):  # Windows has none, and does not fork
    os.register_at_fork(after_in_child=_after_fork)
