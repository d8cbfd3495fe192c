"""Lets many watch one run: what everybody is shown who opens the page is computed once, not once for each of them.

It knows nothing about what a step is, nor about models, sessions or Gradio.
"""

import threading
import time
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Step = TypeVar("Step")

SECONDS_KEPT = 300.0  # after its end, for those who come later
MOST_KEPT = 16  # runs, the latest


@dataclass(eq=False)
class Watched(Generic[Step]):
    """A run that is on, or was a moment ago, with the steps it has come to and when.

    Whoever needs a step that is not there yet takes it from the run; the others wait for him, and find it there. So
    nobody is its owner: it goes on while one of those who watch is left.
    """

    source: Generator[Step, None, None]
    watchers: int = 0
    steps: list[tuple[float, Step]] = field(default_factory=list)
    ended: float | None = None
    error: Exception | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, place: int) -> tuple[float, Step] | None:
        """The step at a place, and when it came; None after the last one. Raises what the run raised there."""
        with self.lock:
            if place == len(self.steps) and self.ended is None:
                self._take()
            if place < len(self.steps):
                return self.steps[place]
        if self.error is not None:
            raise self.error
        return None

    def _take(self) -> None:
        try:
            step = next(self.source)
            self.steps.append((time.monotonic(), step))
        except StopIteration:
            self.ended = time.monotonic()
        except Exception as error:
            self.ended, self.error = time.monotonic(), error

    def close(self) -> None:
        """Ends the run, where nobody is left who would take a step."""
        with self.lock:
            self.source.close()
            self.ended = self.ended or time.monotonic()


class Watching(Generic[Step]):
    """The runs that can be watched, by what they are about."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[Hashable, Watched[Step]] = {}

    def watch(
        self, about: Hashable, begin: Callable[[], Generator[Step, None, None]], passing: Callable[[Step], bool]
    ) -> Generator[tuple[Step, bool], None, None]:
        """The steps of the run about something, at the pace at which they came, and whether somebody came before.

        Args:
            about: what the run is about: two that are equal are one run.
            begin: makes the run, where there is none.
            passing: whether a step is of its moment alone, such as a place in a line: who comes later is not told.
        """
        run, is_late = self._join(about, begin)
        try:
            place, shift = 0, None
            while (found := run.step(place)) is not None:
                place += 1
                at, step = found
                if passing(step) and place < len(run.steps):
                    continue
                shift = time.monotonic() - at if shift is None and not passing(step) else shift
                time.sleep(max(0.0, at + (shift or 0.0) - time.monotonic()))
                yield step, is_late
        finally:
            self._leave(about, run)

    def _join(self, about: Hashable, begin: Callable[[], Generator[Step, None, None]]) -> tuple[Watched[Step], bool]:
        with self._lock:
            self._tidy()
            is_late = about in self._runs
            if not is_late:
                self._runs[about] = Watched(begin())
            run = self._runs[about]
            run.watchers += 1
            return run, is_late

    def _leave(self, about: Hashable, run: Watched[Step]) -> None:
        """Who leaves last before the end takes the run along; so does one that failed."""
        with self._lock:
            run.watchers -= 1
            is_left = run.watchers == 0 and run.ended is None
            if (is_left or run.error) and self._runs.get(about) is run:
                del self._runs[about]
        if is_left:
            run.close()

    def _tidy(self) -> None:
        now = time.monotonic()
        old = [about for about, run in self._runs.items() if run.ended and now - run.ended > SECONDS_KEPT]
        over = [about for about, run in self._runs.items() if run.ended][: max(0, len(self._runs) - MOST_KEPT)]
        for about in {*old, *over}:
            del self._runs[about]
