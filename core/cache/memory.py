"""Entries in the memory of this process: aiocache's memory cache, bounded by entries and by bytes.

aiocache removes expired entries by timers that tell nobody, so expiry is kept with the entry here; what has
expired goes when it is asked for, or when it has become the least recently used and room is needed.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aiocache import SimpleMemoryCache

from core.cache import metrics
from core.cache.policy import LARGEST_SHARE, Address, Entry
from core.cache.tier import Lookup

OVERHEAD_BYTES: Final = 600
"""What an entry costs beside its text: the objects around it, measured roughly."""


@dataclass(frozen=True, slots=True)
class _Kept:
    local: bytes
    expires_at: float
    entry: Entry


class _Backend(Protocol):
    def get(self, key: bytes) -> Awaitable[_Kept | None]: ...
    def set(self, key: bytes, value: _Kept) -> Awaitable[bool]: ...
    def delete(self, key: bytes) -> Awaitable[int]: ...


class MemoryTier:
    """`clock` answers in seconds and never goes back."""

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._backend: _Backend = SimpleMemoryCache(timeout=None)
        self._sizes: OrderedDict[bytes, int] = OrderedDict()
        self._bytes = 0

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        for key in list(self._sizes):
            await self._drop(key)

    async def ping(self) -> None:
        """Memory is always there."""

    async def find(self, address: Address, local: bytes) -> Lookup:
        key = address.digest
        kept = await self._backend.get(key)
        if kept is None:
            return Lookup(None)
        if kept.local != local or kept.expires_at <= self._clock():
            await self._drop(key)
            return Lookup(None)
        self._sizes.move_to_end(key)
        return Lookup(kept.entry)

    async def store(self, address: Address, local: bytes, stamps: bytes, entry: Entry, ttl_s: float) -> None:
        key = address.digest
        size = len(entry.body) + len(entry.etag) + OVERHEAD_BYTES
        await self._drop(key)
        if size > self._max_bytes // LARGEST_SHARE:
            return
        while self._sizes and (len(self._sizes) >= self._max_entries or self._bytes + size > self._max_bytes):
            await self._drop(next(iter(self._sizes)))
            metrics.evictions.inc()
        await self._backend.set(key, _Kept(local, self._clock() + ttl_s, entry))
        self._sizes[key] = size
        self._account(size)

    async def renew(self, tags: Sequence[bytes], *, insist: bool = False) -> None:
        """The host's stamps are the only ones that count here."""

    async def _drop(self, key: bytes) -> None:
        size = self._sizes.pop(key, None)
        if size is not None:
            await self._backend.delete(key)
            self._account(-size)

    def _account(self, size: int) -> None:
        self._bytes += size
        metrics.entries.set(len(self._sizes))
        metrics.used_bytes.set(self._bytes)
