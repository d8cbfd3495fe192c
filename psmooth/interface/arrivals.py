"""Brings a thing once for all who wait for it, and breaks off when nobody does any more.

It knows nothing about models, or about who waits.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

from psmooth.hub import Progress

Thing = TypeVar("Thing")
SECONDS_BETWEEN_WORDS = 0.3


class _NobodyWaitsError(Exception):
    """Ends a download that nobody waits for."""


class _Arrival(Generic[Thing]):
    """A thing on its way: how many wait for it, and the bytes that are here and in all as told last."""

    def __init__(self, bring: Callable[[Progress], Thing]) -> None:
        self.waiting, self.received = 0, (0, 0)
        self.future: Future[Thing] = Future()
        self._bring = bring

    def begin(self) -> None:
        """In a thread that nobody has to wait for."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.future.set_result(self._bring(self._tell))
        except BaseException as error:
            self.future.set_exception(error)

    def _tell(self, done: int, total: int) -> None:
        self.received = done, total
        if not self.waiting:
            raise _NobodyWaitsError


class Arrivals(Generic[Thing]):
    """Things on their way, by name.

    Args:
        bring: given a name and whom to tell, how it is brought; what telling raises must end it.
    """

    def __init__(self, bring: Callable[[str, Progress], Thing]) -> None:
        self._bring, self._lock = bring, threading.Lock()
        self._coming: dict[str, _Arrival[Thing]] = {}

    def wait_for(self, name: str) -> Generator[tuple[int, int], None, Thing]:
        """The thing; until it is here, the bytes that have come and those in all (0, 0 while they are not known)."""
        with self._joined(name) as arrival:
            while not wait([arrival.future], timeout=SECONDS_BETWEEN_WORDS).done:
                yield arrival.received
            return arrival.future.result()

    @contextmanager
    def _joined(self, name: str) -> "Iterator[_Arrival[Thing]]":
        with self._lock:
            arrival = self._coming.setdefault(name, _Arrival(lambda tell: self._bring(name, tell)))
            arrival.waiting += 1
            if arrival.waiting == 1:
                arrival.begin()
        try:
            yield arrival
        finally:
            with self._lock:
                arrival.waiting -= 1
                if not arrival.waiting and self._coming.get(name) is arrival:
                    del self._coming[name]  # who comes now begins anew, and goes on from what is on the disk
