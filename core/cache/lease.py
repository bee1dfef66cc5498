"""Single flight across the workers of a host: a short lease in Redis says that somebody is at a load.

Only for loads that take a while: each worker loads once at most anyway (`flight`), and waiting for another
costs round trips and time of its own, more than a quick load. Entries hold stamps that only their host can
check, so hosts do not wait for each other.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from core.cache import metrics
from core.cache.policy import Address, Entry
from core.cache.redis import Lookup, RedisTier, UnreachableError

LEASE_S: Final = 1.0
"""What a loader that died costs the others at most. Whoever waited that long loads for itself."""
FIRST_POLL_S: Final = 0.004
LONGEST_POLL_S: Final = 0.05
WORTHWHILE_S: Final = 0.005
"""Loads that take less are not shared between workers."""
NEWEST_SHARE: Final = 0.25

Stored = tuple[Entry, float]
"""An entry and when it expires."""


class Leases:
    def __init__(self, redis: RedisTier) -> None:
        self._redis = redis
        self._load_s: dict[str, float] = {}

    async def share(
        self,
        policy: str,
        address: Address,
        local: bytes,
        stamps: bytes,
        load: Callable[[], Awaitable[Stored]],
    ) -> Stored:
        """From `load`, which stores what it loads, or from another worker that is at it. Raises what `load`
        raises.
        """
        if self._load_s.get(policy, WORTHWHILE_S) < WORTHWHILE_S:
            return await self._timed(policy, load)
        try:
            ours = await self._redis.take_lease(address, local, stamps, LEASE_S)
            if not ours:
                found = await self._wait(address, local, stamps)
                if found is not None and found.entry is not None:
                    metrics.count_joined_workers(policy)
                    return found.entry, found.expires_at
        except UnreachableError:
            ours = False
        try:
            return await self._timed(policy, load)
        finally:
            if ours:
                await self._redis.return_lease(address, local, stamps)

    async def _wait(self, address: Address, local: bytes, stamps: bytes) -> Lookup | None:
        """What the holder of the lease has stored; None when it stored nothing."""
        deadline = time.monotonic() + LEASE_S
        pause_s = FIRST_POLL_S
        while True:
            held = time.monotonic() < deadline and await self._redis.leased(address, local, stamps)
            found = await self._redis.find(address, local)
            if found.entry is not None and found.expires_at > time.monotonic():
                return found
            if not held:
                return None
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    async def _timed(self, policy: str, load: Callable[[], Awaitable[Stored]]) -> Stored:
        started = time.monotonic()
        stored = await load()
        took_s = time.monotonic() - started
        before_s = self._load_s.get(policy, took_s)
        self._load_s[policy] = before_s + NEWEST_SHARE * (took_s - before_s)
        return stored
