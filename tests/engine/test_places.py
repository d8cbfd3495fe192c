"""Places are given round and round among clients, and nobody fills the line; the oracle is who waits for whom."""

import threading
from collections.abc import Generator

import pytest

from psmooth.errors import BusyError
from psmooth.interface.places import Client, Places, Queued

ALICE, BOB, CAROL = (Client(name, name) for name in ("alice", "bob", "carol"))


class Run:
    """A run that notes when it has the place, and ends when it is told to."""

    def __init__(self, places: Places, client: Client, served: list[Client]) -> None:
        self.client = client
        self.steps = self._steps(places, served)

    def _steps(self, places: Places, served: list[Client]) -> Generator[object, None, None]:
        def steps() -> Generator[str, None, None]:
            served.append(self.client)
            yield "running"

        with places.admitted(self.client) as visit:
            yield "let in"
            yield from visit.turn(steps)


def serve_all(runs: list[Run]) -> None:
    """Every run by itself, as a page would take its steps."""
    threads = [threading.Thread(target=lambda run=run: list(run.steps)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def lined_up(places: Places, clients: list[Client]) -> tuple[list[Run], list[Client]]:
    """Runs that stand in line in this order, while somebody else has the place."""
    served: list[Client] = []
    runs = [Run(places, client, served) for client in clients]
    for run in runs:
        next(run.steps)
        next(run.steps)
    return runs, served


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmooth.interface.places.SECONDS_BETWEEN_WORDS", 0.01)


@pytest.fixture
def held(quick: None) -> Generator[tuple[Places, Generator[object, None, None]], None, None]:  # noqa: ARG001
    """One place, taken by somebody who gives it back when the test says so."""
    places = Places()
    holder = Run(places, Client("holder", "holder"), []).steps
    next(holder)
    assert next(holder) == "running"
    yield places, holder
    holder.close()


def test_twenty_of_one_make_another_wait_for_one(held):
    places, holder = held
    runs, served = lined_up(places, [*[ALICE] * 20, BOB])
    holder.close()
    serve_all(runs)
    assert served == [ALICE, BOB, *[ALICE] * 19]


def test_addresses_take_turns_and_within_them_their_sessions(held):
    places, holder = held
    many = [Client("school", f"pupil {number}") for number in range(3)]
    runs, served = lined_up(places, [many[0], many[0], many[1], many[2], BOB, BOB, BOB])
    holder.close()
    serve_all(runs)
    assert served == [many[0], BOB, many[1], BOB, many[2], BOB, many[0]]


def test_who_was_served_comes_after_those_who_wait(held):
    places, holder = held
    runs, served = lined_up(places, [ALICE, BOB])
    holder.close()
    list(runs[0].steps)
    more, again = lined_up(places, [ALICE, CAROL])
    serve_all([runs[1], *more])
    assert served + again == [ALICE, BOB, ALICE, CAROL]


def test_who_waits_is_told_the_place_in_the_order_of_turns(held):
    places, _ = held
    runs, _ = lined_up(places, [ALICE, ALICE, BOB])
    assert [next(run.steps) for run in runs] == [Queued(1, 3), Queued(3, 3), Queued(2, 3)]
    runs[0].steps.close()
    assert [next(run.steps) for run in runs[1:]] == [Queued(1, 2), Queued(2, 2)]


def test_whoever_leaves_gives_the_place_back_or_the_turn(held):
    places, holder = held
    runs, served = lined_up(places, [ALICE, BOB, CAROL])
    runs[1].steps.close()
    holder.close()
    assert next(runs[0].steps) == "running"
    assert isinstance(next(runs[2].steps), Queued)
    runs[0].steps.close()
    assert next(runs[2].steps) == "running"
    assert served == [ALICE, CAROL]


def test_a_place_is_given_back_by_whoever_was_called_and_never_began(held):
    places, holder = held
    runs, _ = lined_up(places, [ALICE, BOB])
    holder.close()
    runs[0].steps.close()
    assert next(runs[1].steps) == "running"


@pytest.mark.usefixtures("quick")
def test_as_many_as_may_are_let_in_and_the_next_is_told_why():
    places = Places(most=3, of_a_session=2, of_an_address=2)
    runs = [Run(places, client, []).steps for client in (ALICE, ALICE)]
    for run in runs:
        next(run)
    for client, words in ((ALICE, "one visitor"), (Client("alice", "another tab"), "network address")):
        with pytest.raises(BusyError, match=words):
            next(Run(places, client, []).steps)
    third = Run(places, BOB, []).steps
    next(third)
    with pytest.raises(BusyError, match="full"):
        next(Run(places, CAROL, []).steps)
    runs[0].close()
    next(Run(places, CAROL, []).steps)


@pytest.mark.usefixtures("quick")
def test_what_waits_in_memory_is_bounded_and_one_address_leaves_room_for_others():
    places = Places(most_bytes=100)
    with places.admitted(ALICE, 50):
        with pytest.raises(BusyError, match="large scans"), places.admitted(ALICE, 30):
            pass
        with (
            places.admitted(BOB, 40),
            places.admitted(ALICE, 0),
            pytest.raises(BusyError, match="large scans"),
            places.admitted(CAROL, 20),
        ):
            pass
    with places.admitted(CAROL, 1_000), pytest.raises(BusyError), places.admitted(BOB, 1):
        pass
    with places.admitted(ALICE, 75):
        pass
