"""What comes once for all who wait is broken off when the last one leaves, and nobody waits for its thread."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from psmooth.errors import HubError
from psmooth.interface.arrivals import Arrivals


class Source:
    """Sends bytes one after the other until it is told to finish, or until telling raises."""

    def __init__(self) -> None:
        self.begun, self.ended = 0, threading.Event()
        self.finish, self.quiet = threading.Event(), threading.Event()
        self.broken_off = False

    def bring(self, name: str, tell: Callable[[int, int], None]) -> str:
        self.begun += 1
        done = 0
        try:
            while not self.finish.wait(0.01):
                done += 1
                if not self.quiet.is_set():
                    tell(done, 1_000)
        except Exception:
            self.broken_off = True
            raise
        finally:
            self.ended.set()
        return f"{name} is here"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psmooth.interface.arrivals.SECONDS_BETWEEN_WORDS", 0.02)


def drained(arrivals: Arrivals, name: str) -> str:
    steps = arrivals.wait_for(name)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_many_wait_for_one_and_all_get_it():
    source = Source()
    arrivals = Arrivals(source.bring)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(drained, arrivals, "a") for _ in range(3)]
        source.finish.set()
        assert {one.result(5) for one in asked} == {"a is here"}


def test_the_last_who_leaves_breaks_it_off_and_the_one_before_does_not():
    source = Source()
    arrivals = Arrivals(source.bring)
    first, second = arrivals.wait_for("a"), arrivals.wait_for("a")
    next(first)
    next(second)
    first.close()
    assert not source.ended.wait(0.1)
    second.close()
    assert source.ended.wait(5)
    assert source.broken_off
    assert source.begun == 1


def test_leaving_does_not_wait_for_a_source_that_says_nothing():
    source = Source()
    source.quiet.set()
    steps = Arrivals(source.bring).wait_for("a")
    assert next(steps) == (0, 0)
    steps.close()  # returns although the source goes on
    assert not source.ended.is_set()
    source.finish.set()
    assert source.ended.wait(5)


def test_whoever_comes_after_a_break_begins_anew():
    source = Source()
    arrivals = Arrivals(source.bring)
    steps = arrivals.wait_for("a")
    next(steps)
    steps.close()
    assert source.ended.wait(5)
    source.finish.set()
    assert drained(arrivals, "a") == "a is here"
    assert source.begun == 2


def test_what_goes_wrong_reaches_those_who_wait_and_not_those_who_come_later():
    answers = iter([HubError("no"), "here"])

    def bring(name: str, tell: Callable[[int, int], None]) -> str:  # noqa: ARG001
        answer = next(answers)
        if isinstance(answer, HubError):
            raise answer
        return answer

    arrivals = Arrivals(bring)
    with pytest.raises(HubError, match="no"):
        drained(arrivals, "a")
    assert drained(arrivals, "a") == "here"
