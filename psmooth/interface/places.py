"""Gives the places at the device to clients in turn, and bounds how many runs a client may have waiting.

It knows nothing about models, runs or the page.

Turns go round among the addresses, within an address among its sessions, and within a session by age. A client with
twenty requests makes another one wait for one of them, not for twenty.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, zip_longest
from typing import TypeVar

from psmooth.errors import BusyError

Step = TypeVar("Step")
SECONDS_BETWEEN_WORDS = 0.5  # who waits is told the place that often, and can be ended that often


@dataclass(frozen=True)
class Client:
    """Who asks: a network address, and one of its sessions."""

    address: str
    session: str


@dataclass(frozen=True)
class Queued:
    """A run that waits: its place, from 1 up, among those that wait."""

    place: int
    size: int


@dataclass(eq=False)
class Visit:
    """A run that was let in."""

    places: "Places"
    client: Client
    weight: int = 0
    called: threading.Event = field(default_factory=threading.Event)

    def turn(self, steps: Callable[[], Generator[Step, None, None]]) -> Generator[Step | Queued, None, None]:
        """The steps, as soon as there is a place for them; until then where this run stands."""
        self.places.line_up(self)
        try:
            while not self.called.wait(SECONDS_BETWEEN_WORDS):
                yield self.places.standing(self)
            yield from steps()
        finally:
            self.places.step_back(self)


class Places:
    """The places at a device.

    Args:
        places: how many runs have the device at once.
        most: runs in here at once, waiting, fetching a model or running.
        of_a_session, of_an_address: how many of them one client may have.
        most_bytes: what they may hold in memory together, while they wait; one address may hold three quarters of it.
    """

    def __init__(
        self, places: int = 1, most: int = 64, of_a_session: int = 32, of_an_address: int = 48, most_bytes: int = 2**30
    ) -> None:
        self.most, self._of_a_session, self._of_an_address = most, of_a_session, of_an_address
        self._most_bytes = most_bytes
        self._free = places
        self._lock = threading.Lock()
        self._here: list[Visit] = []
        self._waiting: list[Visit] = []
        self._turns: dict[Hashable, int] = {}
        self._tickets = count()

    @contextmanager
    def admitted(self, client: Client, weight: int = 0) -> Iterator[Visit]:
        """Let a run in that holds ``weight`` bytes, until it has ended.

        Raises:
            BusyError: as many are here as may be, of all clients or of this one, or they hold as much as they may.
        """
        visit = Visit(self, client, weight)
        with self._lock:
            self._refuse(client)
            self._refuse_weight(visit)
            self._here.append(visit)
        try:
            yield visit
        finally:
            with self._lock:
                self._here.remove(visit)

    def _refuse(self, client: Client) -> None:
        clients = [visit.client for visit in self._here]
        if len(clients) >= self.most:
            raise BusyError(
                "This server is full: {count} runs are waiting or running. Try again in a minute or two.",
                count=len(clients),
            )
        if clients.count(client) >= self._of_a_session:
            raise BusyError(
                "You have {count} runs waiting or running here, as many as one visitor may. Wait for one, or stop it.",
                count=self._of_a_session,
            )
        if sum(one.address == client.address for one in clients) >= self._of_an_address:
            raise BusyError(
                "Your network address has {count} runs waiting or running here, as many as one may. Try again in a "
                "minute or two.",
                count=self._of_an_address,
            )

    def _refuse_weight(self, visit: Visit) -> None:
        """Scans that wait in memory fill it; one that is alone always fits."""
        held = sum(one.weight for one in self._here)
        own = sum(one.weight for one in self._here if one.client.address == visit.client.address)
        too_much = held + visit.weight > self._most_bytes or own + visit.weight > 0.75 * self._most_bytes
        if visit.weight and held and too_much:
            raise BusyError("The runs that wait here hold as many large scans as fit. Try again in a minute or two.")

    def line_up(self, visit: Visit) -> None:
        """Begin to wait; a client that has nothing waiting yet comes after those that have."""
        with self._lock:
            for key in _keys(visit):
                self._turns.setdefault(key, next(self._tickets))
            self._waiting.append(visit)
            self._call()

    def standing(self, visit: Visit) -> Queued:
        """Where a run stands."""
        with self._lock:
            line = self._line()
            return Queued(line.index(visit) + 1 if visit in line else 1, max(1, len(line)))

    def step_back(self, visit: Visit) -> None:
        """Give the place back, or cease to wait for one."""
        with self._lock:
            if visit.called.is_set():
                self._free += 1
            else:
                self._waiting.remove(visit)
            self._call()

    def _call(self) -> None:
        """Those who come next take the free places; whoever was served goes to the end of the round."""
        while self._free and self._waiting:
            visit = self._line()[0]
            self._waiting.remove(visit)
            self._turns |= {key: next(self._tickets) for key in _keys(visit)}
            self._free -= 1
            visit.called.set()
        wanted = {key for visit in self._waiting for key in _keys(visit)}
        self._turns = {key: turn for key, turn in self._turns.items() if key in wanted}

    def _line(self) -> list[Visit]:
        """Those who wait, the next one first."""
        addresses: defaultdict[str, defaultdict[Client, list[Visit]]] = defaultdict(lambda: defaultdict(list))
        for visit in self._waiting:
            addresses[visit.client.address][visit.client].append(visit)
        in_turn = sorted(addresses, key=self._turns.__getitem__)
        return _round([_round([addresses[one][key] for key in self._sorted(addresses[one])]) for one in in_turn])

    def _sorted(self, clients: Iterable[Client]) -> list[Client]:
        return sorted(clients, key=self._turns.__getitem__)


def _keys(visit: Visit) -> tuple[Hashable, ...]:
    return visit.client.address, visit.client


def _round(lines: list[list[Visit]]) -> list[Visit]:
    """One of each line, then the second of each, and so on."""
    return [visit for each in zip_longest(*lines) for visit in each if visit is not None]
