"""Work that comes with every request, put off and done for many requests together: 10 ms later at most.

What is put off is done earlier when somebody is about to look: before other events are written to the log,
before the figures are read, and when the process ends.
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
    """Do all that was put off, now. Any thread may call it."""
    for each in _flushes:
        each()


atexit.register(flush)


class Deferred(Generic[T]):
    """`carry_out` gets what was added since it last ran, in that order. Made once per process."""

    def __init__(self, carry_out: Callable[[Sequence[T]], None]) -> None:
        self._carry_out = carry_out
        self._waiting: deque[T] = deque()
        self._due_on: asyncio.AbstractEventLoop | None = None
        _flushes.append(self.flush)

    def add(self, work: T) -> None:
        """Call it from an event loop."""
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
