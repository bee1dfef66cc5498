"""Admission to the engine's connections: overload becomes a quick refusal, not a queue."""

import asyncio
import contextlib
from collections.abc import Iterator

from core.database import metrics
from core.database.errors import PoolExhausted

BUSY = "All database connections are busy; try again in a moment."


class Admission:
    """Admission to one pool. Counts what holds or waits for a connection: single calls, and transactions from
    before they open until they have ended. Calls inside a transaction have its connection and are not
    counted.

    Transactions hold their connection while Python works, so they may have all of the pool but a fifth (but
    one of a pool of less than ten): however many there are, single calls find connections that soon become
    free.
    """

    def __init__(self, size: int, max_waiting: int) -> None:
        self._limit = size + max_waiting
        self._present = 0
        self._turns = asyncio.Semaphore(max(1, size - max(1, size // 5)))
        self.waiting = 0
        """Number of transactions that wait for their turn; they have not asked the engine yet."""

    @contextlib.contextmanager
    def single_call(self) -> Iterator[None]:
        """Admission of a single call. Raises PoolExhausted at once when DB_MAX_WAITING others wait."""
        self._enter()
        try:
            yield
        finally:
            self._present -= 1

    async def begin(self, max_wait_s: float) -> None:
        """Wait for a transaction's turn; `end` has to follow. Raises PoolExhausted."""
        self._enter()
        self.waiting += 1
        try:
            async with asyncio.timeout(max_wait_s):
                await self._turns.acquire()
        except BaseException as error:
            self._present -= 1
            if isinstance(error, TimeoutError):
                raise refused("timeout") from None
            raise
        finally:
            self.waiting -= 1

    def end(self) -> None:
        self._present -= 1
        self._turns.release()

    def _enter(self) -> None:
        if self._present >= self._limit:
            raise refused("full")
        self._present += 1


def refused(reason: str) -> PoolExhausted:
    metrics.REFUSED.labels(reason).inc()
    return PoolExhausted(BUSY)
