"""Single flight: reads that want the same thing at the same time share one load."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Final

from core.cache.policy import Entry

_AGAIN_S: Final = 0.1


class SingleFlight:
    """A load runs in a task of its own, so a reader that goes away takes nothing from the others.

    It must therefore not depend on anything that ends with the request that started it.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[Entry]] = {}

    async def share(self, identity: Hashable, load: Callable[[], Awaitable[Entry]]) -> tuple[Entry, bool]:
        """The entry, and whether it came with the load of an earlier reader.

        A load that fails, fails for all who wait for it and is forgotten at once. One that is cancelled from
        within is no answer for the others: each then loads for itself.
        """
        joined = identity in self._flights
        task = self.begin(identity, load)
        await asyncio.wait({task})
        return (await load(), False) if task.cancelled() else (task.result(), joined)

    def begin(self, identity: Hashable, load: Callable[[], Awaitable[Entry]]) -> asyncio.Task[Entry]:
        """The load that is under way, or a new one."""

        async def run() -> Entry:
            return await load()

        if identity not in self._flights:
            task = self._flights[identity] = asyncio.create_task(run(), name="cache-load")
            task.add_done_callback(partial(self._landed, identity))
        return self._flights[identity]

    async def close(self) -> None:
        """Cancel what is under way and wait until it has ended.

        Once is not always enough: `asyncio.wait_for`, which the Redis client uses, loses a cancellation that
        comes together with its result (Python before 3.12).
        """
        left = set(self._flights.values())
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=_AGAIN_S)

    def _landed(self, identity: Hashable, task: asyncio.Task[Entry]) -> None:
        del self._flights[identity]
        if not task.cancelled():
            task.exception()  # whoever waits has it; without anybody it is nobody's fault
