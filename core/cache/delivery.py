"""Delivers invalidations to the other hosts, now or as soon as Redis can be reached again."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from core.cache import metrics
from core.cache.ending import end
from core.cache.redis import UnreachableError

MAX_WAITING: Final = 10_000
"""Tags kept for later; beyond, the oldest are given up and other hosts rely on the time to live."""

_log = structlog.get_logger(__name__)


class Announce(Protocol):
    """Raises UnreachableError; the tags may have been announced all the same."""

    async def __call__(self, tags: Sequence[bytes], *, insist: bool) -> None: ...


class Delivery:
    """`retry_s` is the time between two attempts while tags are waiting, in seconds."""

    def __init__(self, announce: Announce, retry_s: float) -> None:
        self._announce = announce
        self._retry_s = retry_s
        self._waiting: dict[bytes, int] = {}
        self._sequence = 0
        self._retrying: asyncio.Task[None] | None = None

    async def send(self, tags: Sequence[bytes]) -> None:
        """Returns when the tags are delivered or Redis did not answer; then they wait. Cancelled: they wait
        too.
        """
        for tag in tags:
            self._sequence += 1
            self._waiting.pop(tag, None)  # back in at the end: the oldest stay in front
            self._waiting[tag] = self._sequence
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        try:
            await self._deliver()
        except UnreachableError:
            pass  # counted and logged where it failed; the retry below takes over
        finally:
            metrics.undelivered.set(len(self._waiting))
            if self._waiting and self._retrying is None:
                self._retrying = asyncio.create_task(self._retry(), name="cache-delivery")

    async def close(self) -> None:
        """One last attempt for what waits."""
        if self._retrying is not None:
            await end([self._retrying])
        try:
            await self._deliver(insist=True)
        except UnreachableError:
            _log.warning("cache.invalidations_undelivered", tags=len(self._waiting))
        metrics.undelivered.set(0)

    async def _deliver(self, *, insist: bool = False) -> None:
        batch = dict(self._waiting)
        if not batch:
            return
        await self._announce(tuple(batch), insist=insist)
        for tag, sequence in batch.items():
            if self._waiting.get(tag) == sequence:  # otherwise it was asked for again meanwhile
                del self._waiting[tag]

    async def _retry(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._deliver(insist=True)
                except UnreachableError:
                    await asyncio.sleep(self._retry_s)
                finally:
                    metrics.undelivered.set(len(self._waiting))
        finally:
            self._retrying = None
