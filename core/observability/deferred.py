"""Deferred work: what comes with every request is done for many requests together, 10 ms later at most.

It is flushed earlier where it would be missed: before other events are written to the log, before the metrics
are read, and when the process ends.
"""

import asyncio
import atexit
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

DELAY_S: Final = 0.01
_flushes: Final[list[Callable[[], None]]] = []


def flush() -> None:
    """Do all deferred work now. Any thread may call it."""
    for each in _flushes:
        each()


atexit.register(flush)


class Deferred(Generic[T]):
    """Queue of deferred work, one per process. `carry_out` gets the work added since its last run."""

    def __init__(self, carry_out: Callable[[Sequence[T]], None]) -> None:
        self._carry_out = carry_out
        self._waiting: deque[T] = deque()
        self._due_on: asyncio.AbstractEventLoop | None = None
        _flushes.append(self.flush)

    def add(self, work: T) -> None:
        """Defer work. Call it from an event loop."""
        self._waiting.append(work)
        loop = asyncio.get_running_loop()
        if self._due_on is not loop:  # nothing is due yet, or it was on a loop that has ended since
            self._due_on = loop
            loop.call_later(DELAY_S, self.flush)

    def flush(self) -> None:
        self._due_on = None
        waiting = []
        try:
            while True:  # one by one: whichever thread takes a piece does it, and none is lost
                waiting.append(self._waiting.popleft())
        except IndexError:
            if waiting:
                self._carry_out(waiting)
