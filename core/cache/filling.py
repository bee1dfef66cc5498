"""How entries come about: loaded once for all who want them, kept in both tiers, renewed in time."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from core.cache.lease import Leases, Stored
from core.cache.memory import Kept, MemoryTier, Noted
from core.cache.policy import Address, Entry, Policy
from core.cache.redis import RedisTier, UnreachableError

Load = Callable[[], Awaitable[Entry]]

TTL_JITTER: Final = 0.1
"""Entries stored together expire up to this share earlier or later, so they are not all loaded together
again.
"""


@dataclass(frozen=True, slots=True)
class Read:
    """A read under way. `noted` comes first of all: everything it finds or stores is compared with that."""

    policy: Policy
    address: Address
    noted: Noted
    load: Load


class Filling:
    """`note` answers what a read would note now; `default_ttl_s` is for policies that say nothing."""

    def __init__(
        self,
        memory: MemoryTier,
        redis: RedisTier | None,
        default_ttl_s: float,
        note: Callable[[Address], Noted],
    ) -> None:
        self._memory = memory
        self._redis = redis
        self._leases = None if redis is None else Leases(redis)
        self._default_ttl_s = default_ttl_s
        self._note = note

    def remember(self, read: Read, entry: Entry, expires_at: float) -> None:
        """Keep in memory what was loaded, or found in Redis, after the read noted what it notes."""
        if self._note(read.address) == read.noted:  # otherwise in vain: nobody will note the same again
            stale_until = expires_at + read.policy.stale_s
            kept = Kept(entry, read.policy.name, read.noted, expires_at, stale_until)
            self._memory.keep(read.address.digest, kept)

    async def load(self, read: Read, stamps: bytes | None) -> Entry:
        """`stamps` are those of Redis; None when it is not to be asked. Raises what the load raises."""
        if self._leases is None or stamps is None:
            entry, expires_at = await self._load_and_store(read, None)
        else:
            entry, expires_at = await self._leases.share(
                read.policy.name,
                read.address,
                read.noted.local,
                stamps,
                lambda: self._load_and_store(read, stamps),
            )
        self.remember(read, entry, expires_at)
        return entry

    async def refresh(self, read: Read) -> Entry:
        """From another worker, when that was quicker, or from a load of our own."""
        stamps: bytes | None = None
        if self._redis is not None:
            try:
                found = await self._redis.find(read.address, read.noted.local)
            except UnreachableError:
                pass
            else:
                if found.entry is not None and found.expires_at > time.monotonic():
                    self.remember(read, found.entry, found.expires_at)
                    return found.entry
                stamps = found.stamps
        return await self.load(read, stamps)

    async def _load_and_store(self, read: Read, stamps: bytes | None) -> Stored:
        entry = await read.load()
        base_s = self._default_ttl_s if read.policy.ttl_s is None else read.policy.ttl_s
        expires_at = time.monotonic() + base_s * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER)
        unchanged = self._note(read.address).local == read.noted.local
        if self._redis is not None and stamps is not None and unchanged:
            await self._redis.store(
                read.address,
                read.noted.local,
                stamps,
                entry,
                expires_at=expires_at,
                stale_until=expires_at + read.policy.stale_s,
            )
        return entry, expires_at
