"""A stream is ended when nobody hears it, and not when a busy server sends late."""

import asyncio
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from psmooth import views
from psmooth.interface import visitors
from psmooth.interface.places import Client
from psmooth.interface.requests import ChosenScan
from psmooth.interface.session import Session
from psmooth.scans import open_scan
from tests.serving import in_a_loop


def test_a_stream_is_unheard_after_it_was_behind_for_long_and_not_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now, behind = 100.0, True
    monkeypatch.setattr(visitors.time, "monotonic", lambda: now)
    monkeypatch.setattr(visitors, "is_behind", lambda: behind)
    is_unheard = visitors.listening()
    assert not is_unheard(), "however much has come in one moment"
    now += visitors.SECONDS_UNHEARD
    assert not is_unheard()
    behind = False
    now += 1
    assert not is_unheard(), "it was fetched meanwhile"
    behind = True
    now += 1
    assert not is_unheard(), "from here on it counts again"
    now += visitors.SECONDS_UNHEARD + 1
    assert is_unheard()


def test_an_address_has_a_few_threads_for_what_takes_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a hundred of them lets the next one in from elsewhere at once, and those that pick an example."""
    address, go_on, begun = "10.0.0.1", threading.Event(), []
    monkeypatch.setattr(visitors, "caller", lambda: Client(address, ""))

    @visitors.aside
    def read(name: str) -> str:
        begun.append(name)
        assert name == "honest" or go_on.wait(60)
        return name

    async def many() -> list[str]:
        nonlocal address
        flood = [asyncio.ensure_future(read(str(number))) for number in range(100)]
        await asyncio.sleep(0.1)
        address = "10.0.0.2"
        assert await read("honest") == "honest"
        assert "honest" in begun
        assert len(begun) <= visitors.MOST_ASIDE_OF_AN_ADDRESS + 1
        assert await asyncio.to_thread(lambda: "picked") == "picked"
        go_on.set()
        return await asyncio.gather(*flood)

    assert in_a_loop(many()) == [str(number) for number in range(100)]
    assert not visitors._lines


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("in_hand", [True, False])
def test_a_session_that_is_dropped_takes_its_scan_along(in_hand: bool) -> None:
    """At once: not when Python next tidies up what holds itself, and not when an event that has it in hand ends."""
    session = Session(ChosenScan(open_scan(np.full((40, 40, 3), 90, np.uint8))))
    session.show("certify", views.idle)
    scan = weakref.ref(session.chosen.scan)  # type: ignore[union-attr]
    queue = SimpleNamespace(pending_messages_per_session={}, pending_event_ids_session={})
    holder = SimpleNamespace(session_data={"a": SimpleNamespace(state_data={7: session})}, time_last_used={})
    blocks: Any = SimpleNamespace(_queue=queue, state_holder=holder)
    if not in_hand:
        del session
        holder.session_data.clear()
    visitors.drop(blocks, "a")
    assert scan() is None
