"""The cache as the rest of the app sees it. Why no read is stale: see `core.cache`."""

import asyncio
import math
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from redis.asyncio import Redis

from core.cache import metrics
from core.cache.memory import Kept, MemoryTier, SingleFlight
from core.cache.policy import Address, Entry, Load, Outcome, Policy, Read, tag_digest
from core.cache.redis import CacheUnavailable, RedisTier
from core.cache.versions import WORD_BYTES, Follower, TagVersions, slot_of, versions_folder
from core.errors import HandoverError
from core.settings import Settings

VERSIONS_FILE: Final = "cache.versions"
COMMIT_S: Final = 5.0
"""Upper bound of a commit, in seconds."""
COUNTING_S: Final = 0.25
"""Delay in seconds of the figures of entries that were peeked at: counting each at once would cost more than
finding it.
"""


TTL_JITTER: Final = 0.1
"""Entries stored together expire up to this share earlier or later, so they are not all loaded together
again.
"""


_log = structlog.get_logger(__name__)


class Cache:
    """Finished answers, by policy and key. Belongs to one event loop; usable between `start` and `close`."""

    versions: TagVersions
    """There between the two."""

    def __init__(self, settings: Settings) -> None:
        """Memory, in front of Redis when `REDIS_URL` names one. `CACHE_MAX_BYTES=0` switches caching off."""
        max_bytes = int(settings.cache_max_bytes)
        self._memory = MemoryTier(settings.cache_max_entries, max_bytes)
        self._redis: RedisTier | None = None
        if settings.uses_redis and settings.redis_url:
            self._redis = RedisTier(settings.redis_url, settings.redis_timeout_s, max_bytes)
        self._keeps_entries = max_bytes > 0
        self._settings = settings
        self._follower: Follower | None = None
        self._bound_s = math.inf
        self._flights = SingleFlight()
        self._peeked: Counter[str] = Counter()

    @property
    def redis(self) -> Redis | None:
        """The client of this process, for others that need Redis too (rate limit); None without Redis."""
        return self._redis.client if self._redis is not None else None

    @property
    def redis_available(self) -> bool:
        """False without Redis, and for about a second after it failed: do not ask it now."""
        return self._redis is not None and self._redis.available

    async def start(self) -> None:
        """Raises OSError when the file of tag versions cannot be made. Redis need not be there."""
        self.versions = TagVersions(versions_folder(self._settings) / VERSIONS_FILE)
        if self._redis is not None:
            with suppress(CacheUnavailable):  # reported where it failed; reads bypass Redis until it is there
                await self._redis.ping()

    def follow(self, follower: Follower) -> None:
        """From now on use entries only while `follower` knows of all writes. Without one, all writers are
        taken to call `invalidate` on this host.
        """
        self._follower, self._bound_s = follower, follower.bound_s

    async def close(self) -> None:
        """Ends loads that are under way."""
        await self._flights.close()
        if self._redis is not None:
            await self._redis.client.aclose(close_connection_pool=True)
        self._count_peeked()
        self._memory.clear()
        self.versions.close()
        del self.versions

    async def ping(self) -> None:
        """Return when Redis has answered, if there is one. Raises CacheUnavailable, also when it can be read
        but takes nothing.
        """
        if self._redis is not None:
            await self._redis.ping()

    def peek(self, address: Address) -> Entry | None:
        """The entry, if this process has it in memory and may use it right now; never waits."""
        now = time.monotonic()
        versions = self.versions
        if versions.looked_at < now - self._bound_s:
            return None
        kept = self._memory.get(address.digest)
        if kept is None or now >= kept.expires_at or kept.noted != versions.read(address.slots):
            return None
        if not self._peeked:
            versions.wanted_at = now
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
        read = await self._begin(policy, policy.address(key), load)
        digest = read.address.digest
        if read.finds:
            kept = self._memory.get(digest)
            if kept is not None and kept.noted != read.noted:
                self._memory.drop(digest)
            elif kept is not None and time.monotonic() < kept.stale_until:
                metrics.count_hits(policy.name, "memory")
                self._refresh_if_expired(read, kept.expires_at)
                return kept.entry, Outcome.HIT
        found = await self._found_in_redis(read) if read.finds else None
        if found is not None:
            metrics.count_hits(policy.name, "redis")
            self._refresh_if_expired(read, found[1])
            return found[0], Outcome.HIT
        reachable = self._redis is None or self._redis.available
        outcome = Outcome.MISS if read.keeps and reachable else Outcome.BYPASS
        metrics.count_request(policy.name, outcome)
        # Where it is not known what others have written meanwhile, a load is nobody else's.
        identity: Hashable = (digest, read.noted) if read.finds else object()
        entry, joined = await self._flights.share(identity, partial(self._load, read))
        if joined:
            metrics.joined.labels(policy.name).inc()
        return entry, outcome

    def versions_of(self, *tags: str) -> bytes:
        """Others after each invalidation of one of these tags, for what a process keeps itself: note them
        first, then load. While writes of others may go unheard, no two answers are equal.
        """
        versions = self.versions
        versions.wanted_at = now = time.monotonic()
        if versions.looked_at < now - self._bound_s:
            versions.wake()
            return os.urandom(WORD_BYTES)
        return versions.read([slot_of(tag_digest(tag)) for tag in tags])

    async def invalidate(self, *tags: str) -> None:
        """Call after the commit and before the answer.

        The processes of this host know without a suspension, so not even a cancelled request leaves them with
        old entries; other hosts read of the write in the database's log.
        """
        each = dict.fromkeys(tags)
        self.versions.renew([tag_digest(tag) for tag in each])
        for tag in each:  # counted by the part before the first colon, which keeps labels few
            metrics.invalidations.labels(tag.partition(":")[0]).inc()

    def doubt(self) -> None:
        """Call when the outcome of a write of this process is unknown: PostgreSQL may still carry it out."""
        until = time.monotonic() + self._settings.db_statement_timeout_s + COMMIT_S
        self.versions.doubted_until = max(self.versions.doubted_until, until)

    @asynccontextmanager
    async def invalidating(self, *tags: str) -> AsyncIterator[None]:
        """Around a whole write, its transaction included: invalidates however that ends.

        A commit that was cancelled or whose confirmation got lost may have happened all the same, so only a
        refusal (an error of ours below 500) is taken to have changed nothing.
        """
        try:
            yield
        except BaseException as error:
            if not isinstance(error, HandoverError) or error.status >= 500:
                await self.invalidate(*tags)
            raise
        await self.invalidate(*tags)

    async def _begin(self, policy: Policy, address: Address, load: Load) -> Read:
        versions, follower = self.versions, self._follower
        versions.wanted_at = began = time.monotonic()
        late = versions.looked_at < began - self._bound_s
        if follower is not None and self._keeps_entries and (late or not follower.settled):
            await follower.catch_up()
        finds = self._keeps_entries and versions.looked_at >= began - self._bound_s
        noted = versions.read(address.slots)
        # After noting: a life that begins writes its own name first, then the epoch.
        keeps = self._keeps_entries and (follower is None or follower.settled)
        return Read(policy, address, load, noted, finds and keeps, keeps)

    def _refresh_if_expired(self, read: Read, expires_at: float) -> None:
        if time.monotonic() >= expires_at:
            metrics.stale.labels(read.policy.name).inc()
            self._flights.begin((read.address.digest, read.noted, "refresh"), partial(self._refresh, read))

    async def _refresh(self, read: Read) -> Entry:
        """From another worker, when that was quicker, or from a load of our own."""
        try:
            found = await self._found_in_redis(read)
            return found[0] if found and found[1] > time.monotonic() else await self._load(read)
        except Exception as error:  # nobody waits for it
            _log.warning("cache.refresh_failed", error=type(error).__name__, exc_info=error)
            raise

    async def _found_in_redis(self, read: Read) -> tuple[Entry, float] | None:
        """The entry and when it expires, kept in memory from here on."""
        found = None if self._redis is None else await self._redis.find(read.address, read.noted)
        if found is not None:
            self._remember(read, *found)
        return found

    async def _load(self, read: Read) -> Entry:
        """Raises what the load raises."""
        entry = await read.load()
        base_s = self._settings.cache_ttl_s if read.policy.ttl_s is None else read.policy.ttl_s
        expires_at = time.monotonic() + base_s * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER)
        if read.keeps and self._remember(read, entry, expires_at) and self._redis is not None:
            stale_until = expires_at + read.policy.stale_s
            await self._redis.store(read.address, read.noted, entry, expires_at, stale_until=stale_until)
        return entry

    def _remember(self, read: Read, entry: Entry, expires_at: float) -> bool:
        """Keep in memory what was loaded, or found in Redis, after the read noted what it notes. False where
        that is in vain: nobody will note the same again.
        """
        if self.versions.read(read.address.slots) != read.noted:
            return False
        stale_until = expires_at + read.policy.stale_s
        kept = Kept(entry, read.policy.name, read.noted, expires_at, stale_until)
        self._memory.keep(read.address.digest, kept)
        return True

    def _count_peeked(self) -> None:
        for policy, number in self._peeked.items():
            metrics.count_hits(policy, "memory", number)
        self._peeked.clear()
