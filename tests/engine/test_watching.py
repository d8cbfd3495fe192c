"""Many watch one run: each sees all of it, it is computed once, and it ends with the last who watches."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from psmooth.errors import BusyError
from psmooth.interface import watching as module
from psmooth.interface.watching import Watching


class Runs:
    """Counts the runs that were begun, those that are at work at once, and those that were closed before their end."""

    def __init__(self, steps: int = 5, error: Exception | None = None) -> None:
        self.steps, self.error = steps, error
        self.begun = self.closed = 0
        self.at_work = threading.Lock()

    def __call__(self) -> Generator[int | str, None, None]:
        self.begun += 1
        try:
            yield "waiting"
            for step in range(self.steps):
                assert self.at_work.acquire(blocking=False), "two threads in one run"
                self.at_work.release()
                yield step
            if self.error is not None:
                raise self.error
        except GeneratorExit:
            self.closed += 1
            raise


def watch(runs: Watching[int | str], begin: Callable[[], Generator[int | str, None, None]], about: str = "run"):
    return runs.watch(about, begin, lambda step: isinstance(step, str))


def test_a_hundred_watch_one_run_and_each_sees_all_of_it() -> None:
    runs, begin = Watching[int | str](), Runs(50)
    with ThreadPoolExecutor(100) as pool:
        seen = list(pool.map(lambda _: [step for step, _ in watch(runs, begin)], range(100)))
    assert begin.begun == 1
    assert all([step for step in one if step != "waiting"] == list(range(50)) for one in seen)


def test_who_comes_later_is_told_so_and_not_what_is_over() -> None:
    runs, begin = Watching[int | str](), Runs()
    assert list(watch(runs, begin)) == [("waiting", False), *((step, False) for step in range(5))]
    assert list(watch(runs, begin)) == [(step, True) for step in range(5)]
    assert [step for step, _ in watch(runs, begin, "another")] == ["waiting", *range(5)]
    assert begin.begun == 2


def test_steps_come_at_the_pace_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    def begin() -> Generator[int | str, None, None]:
        for step, seconds in enumerate((5.0, 2.0, 1.0)):
            clock[0] += seconds  # so long it takes
            yield step

    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.time, "sleep", sleep)
    runs = Watching[int | str]()
    list(watch(runs, begin))
    assert slept == [0, 0, 0], "who takes the steps waits for nothing else"
    slept.clear()
    clock[0] += 100
    list(watch(runs, begin))
    assert slept == [0, 2, 1]


def test_it_goes_on_while_one_is_left_and_ends_with_the_last() -> None:
    runs, begin = Watching[int | str](), Runs()
    first, second = watch(runs, begin), watch(runs, begin)
    assert [next(first)[0] for _ in range(3)] == ["waiting", 0, 1]
    assert [next(second) for _ in range(2)] == [(0, True), (1, True)]
    first.close()
    assert next(second) == (2, True)
    assert begin.closed == 0
    second.close()
    assert (begin.begun, begin.closed) == (1, 1)
    with closing(watch(runs, begin)) as third:
        assert next(third) == ("waiting", False), "a run of its own"


def test_what_it_raises_all_are_told_and_nobody_after_them() -> None:
    runs, begin = Watching[int | str](), Runs(1, BusyError("This server is full."))
    first, second = watch(runs, begin), watch(runs, begin)
    assert [next(first)[0], next(first)[0], next(second)[0]] == ["waiting", 0, 0]
    for one in (first, second):
        with pytest.raises(BusyError, match="full"):
            next(one)
    assert next(watch(runs, begin)) == ("waiting", False)


def test_a_run_is_forgotten_in_time_and_the_oldest_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, begin = Watching[int | str](), Runs()
    list(watch(runs, begin))
    later = module.time.monotonic() + module.SECONDS_KEPT + 1
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    list(watch(runs, begin))
    assert begin.begun == 2
    for number in range(module.MOST_KEPT):
        list(watch(runs, begin, f"run {number}"))
    list(watch(runs, begin))
    assert begin.begun == 3 + module.MOST_KEPT, "the oldest had made room"
