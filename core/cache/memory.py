"""Entries in the memory of this process, and loads that reads of it share.

Whether an entry may still be used is for the cache to say: it carries all that has to be compared.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Final

from core.cache import metrics
from core.cache.policy import LARGEST_SHARE, Entry, Load

OVERHEAD_BYTES: Final = 900
"""Bytes of an entry beside its text: the objects around it, measured roughly."""

_AGAIN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Kept:
    """`noted` are the tag versions that its reader noted before it looked anywhere. Times are those of
    `time.monotonic`, which all processes of a host share.
    """

    entry: Entry
    policy: str
    noted: bytes
    expires_at: float
    stale_until: float


class MemoryTier:
    """Bounded by entries and by bytes; the least recently used make room. With `max_bytes` 0 it keeps
    nothing.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, digest: bytes) -> Kept | None:
        kept = self._kept.get(digest)
        if kept is not None:
            self._kept.move_to_end(digest)
        return kept

    def keep(self, digest: bytes, kept: Kept) -> None:
        size = _size(kept)
        if size > self._max_bytes // LARGEST_SHARE:
            self.drop(digest)
        else:
            self._remove(digest)
            while self._kept and (
                len(self._kept) >= self._max_entries or self._bytes + size > self._max_bytes
            ):
                self._remove(next(iter(self._kept)))
                metrics.evictions.inc()
            self._kept[digest] = kept
            self._bytes += size
            self._show()

    def drop(self, digest: bytes) -> None:
        if digest in self._kept:
            self._remove(digest)
            self._show()

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0
        self._show()

    def _remove(self, digest: bytes) -> None:
        kept = self._kept.pop(digest, None)
        if kept is not None:
            self._bytes -= _size(kept)

    def _show(self) -> None:
        metrics.entries.set(len(self._kept))
        metrics.used_bytes.set(self._bytes)


def _size(kept: Kept) -> int:
    return len(kept.entry.body) + len(kept.entry.etag) + OVERHEAD_BYTES


class SingleFlight:
    """Reads that want the same thing at the same time share one load.

    A load runs in a task of its own, so a reader that goes away takes nothing from the others.

    It must therefore not depend on anything that ends with the request that started it.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[Entry]] = {}

    async def share(self, identity: Hashable, load: Load) -> tuple[Entry, bool]:
        """The entry, and whether it came with the load of an earlier reader.

        A load that fails, fails for all who wait for it and is forgotten at once. One that is cancelled from
        within is no answer for the others: each then loads for itself.
        """
        joined = identity in self._flights
        task = self.begin(identity, load)
        await asyncio.wait({task})
        return (await load(), False) if task.cancelled() else (task.result(), joined)

    def begin(self, identity: Hashable, load: Load) -> asyncio.Task[Entry]:
        """The load that is under way, or a new one."""
        if identity not in self._flights:
            task = self._flights[identity] = asyncio.create_task(load(), name="cache-load")
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
