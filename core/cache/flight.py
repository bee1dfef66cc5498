"""Single flight: reads that want the same thing at the same time share one load."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final

import structlog

from core.cache.policy import Entry

_AGAIN_S: Final = 0.1
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Entry]
    waiting: int = 0


class SingleFlight:
    """A load runs in a task of its own, so a reader that goes away takes nothing from the others.

    It must therefore not depend on anything that ends with the request that started it.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    async def share(self, identity: Hashable, load: Callable[[], Awaitable[Entry]]) -> tuple[Entry, bool]:
        """The entry, and whether it came with the load of an earlier reader.

        A load that fails, fails for all who wait for it and is forgotten at once. One that is cancelled from
        within is no answer for the others: each then loads for itself.
        """
        flight = self._flights.get(identity)
        joined = flight is not None
        if flight is None:
            flight = self._launch(identity, load)
        flight.waiting += 1
        try:
            await asyncio.wait({flight.task})
        finally:
            flight.waiting -= 1
        if flight.task.cancelled():
            return await load(), False
        return flight.task.result(), joined

    def begin(self, identity: Hashable, load: Callable[[], Awaitable[Entry]]) -> None:
        """Load without waiting for it, unless that is under way already."""
        if identity not in self._flights:
            self._launch(identity, load)

    async def close(self) -> None:
        """End what is under way and wait until it has ended."""
        await _end({flight.task for flight in self._flights.values()})

    def _launch(self, identity: Hashable, load: Callable[[], Awaitable[Entry]]) -> _Flight:
        async def run() -> Entry:
            return await load()

        flight = _Flight(asyncio.create_task(run(), name="cache-load"))
        self._flights[identity] = flight

        def landed(task: asyncio.Task[Entry]) -> None:
            del self._flights[identity]
            if not task.cancelled() and (error := task.exception()) and not flight.waiting:
                _log.warning("cache.load_failed_unobserved", error=type(error).__name__, exc_info=error)

        flight.task.add_done_callback(landed)
        return flight


async def _end(tasks: set[asyncio.Task[Entry]]) -> None:
    """Cancel them and wait until they have ended.

    Once is not always enough: `asyncio.wait_for`, which the Redis client uses, loses a cancellation that
    comes together with its result (Python before 3.12).
    """
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_AGAIN_S)
