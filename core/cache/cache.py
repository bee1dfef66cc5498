"""The cache as the rest of the app sees it. Why no read is stale: see `core.cache`."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis

from core.cache import metrics
from core.cache.filling import Filling, Load, Read
from core.cache.flight import SingleFlight
from core.cache.home import is_alone, stamps_folder
from core.cache.hosts import Hosts
from core.cache.memory import MemoryTier, Noted
from core.cache.policy import Address, Entry, Outcome, Policy, tag_digest, tag_family
from core.cache.redis import RedisTier, UnreachableError
from core.cache.stamps import STAMP_BYTES, Stamps, slot_of
from core.cache.subscription import Trust
from core.errors import HandoverError, Unavailable

if TYPE_CHECKING:
    from core.settings import Settings

STAMPS_FILE: Final = "cache.stamps"
COUNTING_S: Final = 0.25
"""How much later the figures know of entries that were peeked at: counting each at once would cost more than
finding it.
"""


class CacheUnavailable(Unavailable):
    code = "cache.unavailable"


class Cache:
    """Finished answers, by policy and key. Belongs to one event loop; usable between `start` and `close`."""

    def __init__(
        self,
        memory: MemoryTier,
        redis: RedisTier | None,
        hosts: Hosts | None,
        stamps_path: Path,
        *,
        default_ttl_s: float,
        keeps_entries: bool = True,
    ) -> None:
        """`hosts`: None where nobody else uses this Redis."""
        self._memory = memory
        self._redis = redis
        self._hosts = hosts
        self._trust = Trust() if hosts is None else hosts.trust
        self._stamps_path = stamps_path
        self._keeps_entries = keeps_entries
        self._opened: Stamps | None = None
        self._flights = SingleFlight()
        self._filling = Filling(memory, redis, default_ttl_s, self._note)
        self._peeked: Counter[str] = Counter()

    @classmethod
    def from_settings(cls, settings: "Settings") -> "Cache":
        """Redis when `REDIS_URL` names one, and memory in front of it unless `CACHE_STRICT`; else memory.
        `CACHE_MAX_BYTES=0` switches caching off.
        """
        max_bytes = memory_bytes = int(settings.cache_max_bytes)
        redis: RedisTier | None = None
        hosts: Hosts | None = None
        if settings.uses_redis and settings.redis_url:
            memory_bytes = 0 if settings.cache_strict else max_bytes
            shared = not is_alone(settings)
            redis = RedisTier(settings.redis_url, settings.redis_timeout_s, max_bytes, shared=shared)
            if shared:
                hosts = Hosts(redis, settings.cache_hosts_bound_ms / 1000, listens=not settings.cache_strict)
        return cls(
            MemoryTier(settings.cache_max_entries, memory_bytes),
            redis,
            hosts,
            stamps_folder(settings) / STAMPS_FILE,
            default_ttl_s=settings.cache_ttl_s,
            keeps_entries=max_bytes > 0,
        )

    @property
    def redis(self) -> Redis | None:
        """The client of this process, for others that need Redis too (rate limit); None without Redis."""
        return self._redis.client if self._redis is not None else None

    @property
    def redis_available(self) -> bool:
        """False without Redis, and for about a second after it failed: do not ask it now."""
        return self._redis is not None and self._redis.available

    async def start(self) -> None:
        """Raises OSError when the stamps file cannot be made. Redis need not be there."""
        self._opened = Stamps(self._stamps_path)
        if self._redis is not None:
            await self._redis.start()
        if self._hosts is not None:
            await self._hosts.start(self._opened)

    async def close(self) -> None:
        """Ends loads that are under way and delivers what other hosts have not been told."""
        await self._flights.close()
        if self._hosts is not None:
            await self._hosts.close()
        if self._redis is not None:
            await self._redis.close()
        self._count_peeked()
        self._memory.clear()
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    async def ping(self) -> float:
        """Seconds that Redis took to answer, if there is one. Raises CacheUnavailable."""
        started = time.perf_counter()
        try:
            if self._redis is not None:
                await self._redis.ping()
        except UnreachableError:
            raise CacheUnavailable("The cache does not answer.") from None
        return time.perf_counter() - started

    def peek(self, address: Address) -> Entry | None:
        """The entry, if this process has it in memory and may use it right now; never waits."""
        now = time.monotonic()
        if now > self._trust.until:
            return None
        kept = self._memory.get(address.digest)
        if (
            kept is None
            or now >= kept.expires_at
            or kept.noted.since != self._trust.since
            or kept.noted.local != self._stamps.read(address.slots)
        ):
            return None
        if not self._peeked:
            asyncio.get_running_loop().call_later(COUNTING_S, self._count_peeked)
        self._peeked[kept.policy] += 1
        return kept.entry

    def keep(self, address: Address, entry: Entry, *, of: Address, as_of: Entry) -> None:
        """Keep in memory, under `address`, what was made of the entry that was found at `of`.

        It carries what that one carries, and so is used exactly as long. Nothing is kept when memory holds
        something else at `of` by now.
        """
        kept = self._memory.get(of.digest)
        if kept is not None and kept.entry is as_of:
            self._memory.keep(address.digest, replace(kept, entry=entry))

    async def get_or_load(self, policy: Policy, key: str, load: Load) -> tuple[Entry, Outcome]:
        """The entry, from the cache or from `load`. Raises only what `load` raises.

        `load` reads committed data; it may serve other readers of the same key and go on when this one is
        gone.
        """
        address = policy.address(key)
        now = time.monotonic()
        noted = self._note(address)
        read = Read(policy, address, noted, load)
        if self._keeps_entries and now <= self._trust.until:
            kept = self._memory.get(address.digest)
            if kept is not None and kept.noted != noted:
                self._memory.drop(address.digest)
            elif kept is not None and now < kept.stale_until:
                metrics.count_hits(policy.name, "memory")
                self._refresh_if_expired(read, kept.expires_at)
                return kept.entry, Outcome.HIT
        stamps: bytes | None = None
        outcome = Outcome.MISS if self._keeps_entries else Outcome.BYPASS
        if self._redis is not None and self._keeps_entries:
            try:
                found = await self._redis.find(address, noted.local)
            except UnreachableError:
                outcome = Outcome.BYPASS
            else:
                if found.entry is not None:
                    metrics.count_hits(policy.name, "redis")
                    self._filling.remember(read, found.entry, found.expires_at)
                    self._refresh_if_expired(read, found.expires_at)
                    return found.entry, Outcome.HIT
                stamps = found.stamps
        metrics.count_request(policy.name, outcome)
        # Loads that Redis' stamps do not tell apart are told apart by time.
        told_apart = stamps if stamps is not None or self._hosts is None else self._hosts.window(now)
        entry, joined = await self._flights.share(
            (address.digest, noted, told_apart), lambda: self._filling.load(read, stamps)
        )
        if joined:
            metrics.count_joined(policy.name)
        return entry, outcome

    def stamps_of(self, *tags: str) -> bytes:
        """Others after each invalidation of one of these tags, for what a process keeps itself: note them
        first, then load. While invalidations of other hosts may go unheard, no two answers are equal.
        """
        if time.monotonic() > self._trust.until:
            return os.urandom(STAMP_BYTES)
        own = self._stamps.read([slot_of(tag_digest(tag)) for tag in tags])
        return own + self._trust.since.to_bytes(8, "big")

    async def invalidate(self, *tags: str) -> None:
        """Call after the commit and before the answer. Never raises because of Redis.

        The processes of this host are told before the first suspension, so not even a cancelled request
        leaves them with old entries.
        """
        digests = tuple(tag_digest(tag) for tag in dict.fromkeys(tags))
        self._stamps.renew(digests)
        for tag in dict.fromkeys(tags):
            metrics.count_invalidation(tag_family(tag))
        if self._hosts is not None:
            await self._hosts.tell(digests)

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

    def _refresh_if_expired(self, read: Read, expires_at: float) -> None:
        if time.monotonic() >= expires_at:
            metrics.count_stale(read.policy.name)
            self._flights.begin(
                (read.address.digest, read.noted.local, "refresh"), lambda: self._filling.refresh(read)
            )

    def _note(self, address: Address) -> Noted:
        return Noted(self._stamps.read(address.slots), self._trust.since)

    def _count_peeked(self) -> None:
        for policy, number in self._peeked.items():
            metrics.count_hits(policy, "memory", number)
        self._peeked.clear()

    @property
    def _stamps(self) -> Stamps:
        if self._opened is None:
            raise RuntimeError("the cache is used before start() or after close()")
        return self._opened
