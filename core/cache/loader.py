"""The loader: how entries come about, kept in memory and in Redis, renewed in time."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from core.cache.memory import Kept, MemoryTier
from core.cache.policy import Address, Entry, Policy
from core.cache.redis import RedisTier, UnreachableError

TTL_JITTER: Final = 0.1
"""Entries stored together expire up to this share earlier or later, so they are not all loaded together
again.
"""

Load = Callable[[], Awaitable[Entry]]


@dataclass(frozen=True, slots=True)
class Read:
    """A read under way. `noted` comes first of all: everything it finds or stores is compared with that.
    `finds`: entries may be used; `keeps`: what it loads may be kept.
    """

    policy: Policy
    address: Address
    load: Load
    noted: bytes
    finds: bool
    keeps: bool


class Loader:
    """`note` answers what a read would note now; `default_ttl_s` is for policies that say nothing."""

    def __init__(
        self,
        memory: MemoryTier,
        redis: RedisTier | None,
        default_ttl_s: float,
        note: Callable[[Address], bytes],
    ) -> None:
        self._memory = memory
        self._redis = redis
        self._default_ttl_s = default_ttl_s
        self._note = note

    async def load(self, read: Read, *, shares: bool) -> Entry:
        """Raises what the load raises. `shares`: Redis can be asked."""
        entry = await read.load()
        base_s = self._default_ttl_s if read.policy.ttl_s is None else read.policy.ttl_s
        expires_at = time.monotonic() + base_s * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER)
        if read.keeps and self.remember(read, entry, expires_at) and shares and self._redis is not None:
            stale_until = expires_at + read.policy.stale_s
            await self._redis.store(read.address, read.noted, entry, expires_at, stale_until=stale_until)
        return entry

    async def refresh(self, read: Read) -> Entry:
        """From another worker, when that was quicker, or from a load of our own."""
        shares = self._redis is not None
        if self._redis is not None:
            try:
                found = await self._redis.find(read.address, read.noted)
            except UnreachableError:
                shares = False
            else:
                if found is not None and found[1] > time.monotonic():
                    self.remember(read, *found)
                    return found[0]
        return await self.load(read, shares=shares)

    def remember(self, read: Read, entry: Entry, expires_at: float) -> bool:
        """Keep in memory what was loaded, or found in Redis, after the read noted what it notes. False where
        that is in vain: nobody will note the same again.
        """
        if self._note(read.address) != read.noted:
            return False
        stale_until = expires_at + read.policy.stale_s
        kept = Kept(entry, read.policy.name, read.noted, expires_at, stale_until)
        self._memory.keep(read.address.digest, kept)
        return True
