"""The cache as the rest of the app sees it. Why no read is stale: see `core.cache`."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis

from core.cache import metrics
from core.cache.delivery import Delivery
from core.cache.flight import SingleFlight
from core.cache.home import stamps_folder
from core.cache.memory import MemoryTier
from core.cache.policy import Address, Entry, Outcome, Policy, tag_digest, tag_family
from core.cache.redis import RedisTier
from core.cache.stamps import Stamps
from core.cache.tier import Tier, UnreachableError
from core.errors import HandoverError, Unavailable

if TYPE_CHECKING:
    from core.settings import Settings

Load = Callable[[], Awaitable[Entry]]

STAMPS_FILE: Final = "cache.stamps"
TTL_JITTER: Final = 0.1
"""Entries stored together expire up to this share earlier or later, so they are not all loaded together
again.
"""


class CacheUnavailable(Unavailable):
    code = "cache.unavailable"


class Cache:
    """Finished answers, by policy and key. Belongs to one event loop; usable between `start` and `close`."""

    def __init__(
        self, tier: Tier, stamps_path: Path, *, default_ttl_s: float, keeps_entries: bool = True
    ) -> None:
        self._tier = tier
        self._stamps_path = stamps_path
        self._default_ttl_s = default_ttl_s
        self._keeps_entries = keeps_entries
        self._opened: Stamps | None = None
        self._flights = SingleFlight()
        self._delivery = Delivery(tier)

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Cache":
        """Redis when `REDIS_URL` names one, else memory. `CACHE_MAX_BYTES=0` switches caching off."""
        tier: Tier
        max_bytes = int(settings.cache_max_bytes)
        if settings.uses_redis and settings.redis_url:
            tier = RedisTier(settings.redis_url, settings.redis_timeout_s, max_bytes)
        else:
            tier = MemoryTier(settings.cache_max_entries, max_bytes)
        return cls(
            tier,
            stamps_folder(settings) / STAMPS_FILE,
            default_ttl_s=settings.cache_ttl_s,
            keeps_entries=max_bytes > 0,
        )

    @property
    def redis(self) -> Redis | None:
        """The client of this process, for others that need Redis too (rate limit); None without Redis."""
        return self._tier.client if isinstance(self._tier, RedisTier) else None

    @property
    def redis_available(self) -> bool:
        """False without Redis, and for about a second after it failed: do not ask it now."""
        return isinstance(self._tier, RedisTier) and self._tier.available

    async def start(self) -> None:
        """Raises OSError when the stamps file cannot be made. Redis need not be there."""
        self._opened = Stamps(self._stamps_path)
        await self._tier.start()

    async def close(self) -> None:
        """Ends loads that are under way and delivers what other hosts have not been told."""
        await self._flights.close()
        await self._delivery.close()
        await self._tier.close()
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    async def ping(self) -> float:
        """Seconds that the place of the entries took to answer. Raises CacheUnavailable."""
        started = time.perf_counter()
        try:
            await self._tier.ping()
        except UnreachableError:
            raise CacheUnavailable("The cache does not answer.") from None
        return time.perf_counter() - started

    async def get_or_load(self, policy: Policy, key: str, load: Load) -> tuple[Entry, Outcome]:
        """The entry, from the cache or from `load`. Raises only what `load` raises.

        `load` reads committed data; it may serve other readers of the same key and go on when this one is
        gone.
        """
        address = policy.address(key)
        local = self._stamps.read(address.tags)  # first of all: everything below is compared with it
        stamps: bytes | None = None
        outcome = Outcome.BYPASS
        if self._keeps_entries:
            try:
                found = await self._tier.find(address, local)
            except UnreachableError:
                pass
            else:
                if found.entry is not None:
                    metrics.count_request(policy.name, Outcome.HIT)
                    return found.entry, Outcome.HIT
                stamps, outcome = found.stamps, Outcome.MISS

        async def load_and_store() -> Entry:
            entry = await load()
            if stamps is not None and self._stamps.read(address.tags) == local:
                await self._tier.store(address, local, stamps, entry, self._ttl_s(policy))
            return entry

        metrics.count_request(policy.name, outcome)
        entry, joined = await self._flights.share((address.digest, local, stamps), load_and_store)
        if joined:
            metrics.count_joined(policy.name)
        return entry, outcome

    def peek(self, address: Address) -> Entry | None:
        """The entry, if this process has it in memory and may use it; never waits."""
        return None

    def stamps_of(self, *tags: str) -> bytes:
        """Others after each invalidation of one of these tags: for what a process must not keep as an entry."""
        return self._stamps.read([tag_digest(tag) for tag in tags])

    async def invalidate(self, *tags: str) -> None:
        """Call after the commit and before the answer. Never raises because of Redis.

        The processes of this host are told before the first suspension, so not even a cancelled request
        leaves them with old entries.
        """
        digests = tuple(tag_digest(tag) for tag in dict.fromkeys(tags))
        self._stamps.renew(digests)
        for tag in dict.fromkeys(tags):
            metrics.count_invalidation(tag_family(tag))
        await self._delivery.send(digests)

    @asynccontextmanager
    async def invalidating(self, *tags: str) -> AsyncIterator[None]:
        """Around a whole write, its transaction included: invalidates however that ends.

        A commit that was cancelled or whose confirmation got lost may have happened all the same, so only a
        refusal (an error of ours below 500) is taken to have changed nothing.
        """
        try:
            yield
        except HandoverError as error:
            if error.status >= 500:
                await self.invalidate(*tags)
            raise
        except BaseException:
            await self.invalidate(*tags)
            raise
        await self.invalidate(*tags)

    @property
    def _stamps(self) -> Stamps:
        if self._opened is None:
            raise RuntimeError("the cache is used before start() or after close()")
        return self._opened

    def _ttl_s(self, policy: Policy) -> float:
        base = self._default_ttl_s if policy.ttl_s is None else policy.ttl_s
        return base * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER)
