"""Entries in Redis, through aiocache's Redis cache on a client whose every time limit is set here.

All names begin with the `run_id` of the Redis process, which each new connection reads anew (`wire`).

Stamps in Redis are random, never counted, and no token is sent twice: a stamp that was evicted, flushed or
set by a command that arrived late can only make an entry unusable, never usable again. A missing stamp is
minted by the reader before it loads.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import structlog
from aiocache import RedisCache
from aiocache.serializers import NullSerializer
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from core.cache import metrics, wire
from core.cache.breaker import Breaker
from core.cache.connection import connect, run_id_of
from core.cache.policy import LARGEST_SHARE, Address, Entry
from core.cache.stamps import STAMP_BYTES

STAMP_TTL_S: Final = 3600.0
"""Stamps of tags nobody asks for any more go after an hour; a stamp that is gone only costs one load."""
STAMP_TTL_MS: Final = int(STAMP_TTL_S * 1000)
REST_S: Final = 1.0
"""How long Redis is left alone after a failure."""
COMMANDS_AT_ONCE: Final = 32
"""Commands under way in one process; more wait for their turn within their time limit."""

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class UnreachableError(Exception):
    """Redis did not answer (in time). Never leaves `core.cache`."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What was found and when it expires (`time.monotonic`), and the stamps that Redis keeps for the tags,
    read at the same instant.
    """

    entry: Entry | None
    expires_at: float
    stamps: bytes


class _Backend(Protocol):
    client: Redis

    def multi_get(self, keys: list[str]) -> Awaitable[list[bytes | None]]: ...
    def multi_set(self, pairs: list[tuple[str, bytes]], ttl: float) -> Awaitable[bool]: ...
    def set(self, key: str, value: bytes, ttl: float) -> Awaitable[bool]: ...


class RedisTier:
    """`timeout_s` limits each command, connecting included. `shared`: other hosts use this Redis too, so tags
    have stamps here. Raises ValueError for a URL that is none.
    """

    def __init__(self, url: str, timeout_s: float, max_bytes: int, *, shared: bool = True) -> None:
        self.timeout_s = timeout_s
        self._max_entry_bytes = max_bytes // LARGEST_SHARE
        self._shared = shared
        self._backend: _Backend = RedisCache(serializer=NullSerializer(encoding=None), timeout=None)
        # aiocache's constructor knows neither sockets nor time limits; its own client never connected.
        self._backend.client = self.client = connect(url, timeout_s, self._connected)
        self._breaker = Breaker(REST_S)
        self._slots = asyncio.Semaphore(COMMANDS_AT_ONCE)
        self._run_id = ""
        self._connections_begun = 0
        self._newest_connection = 0

    @property
    def available(self) -> bool:
        return self._breaker.closed

    async def start(self) -> None:
        try:
            await self.ping()
        except UnreachableError:
            return  # reported by the failure itself; reads bypass until Redis is there

    async def close(self) -> None:
        await self.client.aclose(close_connection_pool=True)

    async def ping(self) -> None:
        await self._ask("ping", lambda _: self.client.ping(), insist=True)

    async def find(self, address: Address, local: bytes) -> Lookup:
        """The entry, if it was stored under exactly these stamps of the host, and Redis' own are still what
        they were. Raises UnreachableError.
        """

        async def read(run_id: str) -> Lookup:
            names = [wire.stamp_name(run_id, tag) for tag in address.tags] if self._shared else []
            values = await self._backend.multi_get([wire.entry_name(run_id, address, local), *names])
            if len(values) != 1 + len(names):
                raise RedisError("unexpected number of values")
            value, *found = values
            stamps, minted = _complete(names, found)
            if minted:
                await self._backend.multi_set(minted, ttl=STAMP_TTL_S)
                return Lookup(None, 0, stamps)
            entry = wire.decode_entry(value, wire.preamble(address, local, stamps))
            return Lookup(None, 0, stamps) if entry is None else Lookup(*entry, stamps)

        return await self._ask("read", read)

    async def store(
        self,
        address: Address,
        local: bytes,
        stamps: bytes,
        entry: Entry,
        *,
        expires_at: float,
        stale_until: float,
    ) -> None:
        """Keep it. When it is too large, or Redis does not answer, nothing is kept."""
        value = wire.encode_entry(entry, expires_at, wire.preamble(address, local, stamps))
        if len(value) > self._max_entry_bytes:
            return

        async def write(run_id: str) -> bool:
            left_s = max(stale_until - time.monotonic(), 0.001)
            return await self._backend.set(wire.entry_name(run_id, address, local), value, ttl=left_s)

        try:
            await self._ask("write", write)
        except UnreachableError:
            return  # counted and logged where it failed; the caller has its answer already

    async def announce(self, tags: Sequence[bytes], origin: bytes, *, insist: bool = False) -> None:
        """Give the tags new stamps and tell the other hosts, at one stroke.

        After UnreachableError it may have happened or not. `insist` asks even when Redis failed a moment ago:
        for callers nobody waits for.
        """

        async def write(run_id: str) -> object:
            strokes = self.client.pipeline(transaction=True)
            for tag in tags:
                strokes.set(wire.stamp_name(run_id, tag), os.urandom(STAMP_BYTES), px=STAMP_TTL_MS)
            strokes.publish(
                wire.channel_of(self.client.connection_pool.connection_kwargs),
                wire.encode_message(origin, tags),
            )
            return await strokes.execute()

        await self._ask("invalidate", write, insist=insist)

    async def take_lease(self, address: Address, local: bytes, stamps: bytes, lease_s: float) -> bool:
        """True when nobody else holds it. Raises UnreachableError."""

        async def take(run_id: str) -> bool:
            name = wire.lease_name(run_id, address, local, stamps)
            return bool(await self.client.set(name, b"", nx=True, px=int(lease_s * 1000)))

        return await self._ask("lease", take)

    async def leased(self, address: Address, local: bytes, stamps: bytes) -> bool:
        """Whether anybody holds the lease. Raises UnreachableError."""

        async def look(run_id: str) -> bool:
            return bool(await self.client.exists(wire.lease_name(run_id, address, local, stamps)))

        return await self._ask("lease", look)

    async def return_lease(self, address: Address, local: bytes, stamps: bytes) -> None:
        """Whoever holds it: were it another one's by now, one more load would be the price."""

        async def give(run_id: str) -> object:
            return await self.client.delete(wire.lease_name(run_id, address, local, stamps))

        try:
            await self._ask("lease", give)
        except UnreachableError:
            return  # it ends by itself

    async def _ask(
        self, operation: str, command: Callable[[str], Awaitable[_T]], *, insist: bool = False
    ) -> _T:
        """Run a command under the run id of the server that carried it out. Raises UnreachableError."""
        if not self._breaker.admits() and not insist:
            raise UnreachableError
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.timeout_s), self._slots:
                if not self._run_id:
                    await self.client.ping()
                run_id = self._run_id
                answer = await command(run_id)
                if self._run_id != run_id:  # a connection was renewed and found another server
                    run_id = self._run_id
                    answer = await command(run_id)
                if self._run_id != run_id:
                    raise RedisError("the server changes too often")
        except (RedisError, OSError, TimeoutError) as error:
            self._report_failure(operation, error)
            raise UnreachableError from error
        metrics.observe_redis(operation, time.perf_counter() - started)
        if self._breaker.succeeded():
            _log.info("cache.redis_recovered")
        return answer

    def _report_failure(self, operation: str, error: Exception) -> None:
        metrics.count_error(operation)
        if self._breaker.failed():
            _log.warning(
                "cache.redis_unavailable", operation=operation, error=type(error).__name__, detail=str(error)
            )

    async def _connected(self, connection: AbstractConnection) -> None:
        """Runs on every new connection before its first command."""
        self._connections_begun += 1
        number = self._connections_begun
        await connection.on_connect()
        run_id = await run_id_of(connection)
        if number < self._newest_connection:
            return  # a late answer, perhaps of a server that has gone since
        self._newest_connection = number
        if self._run_id and run_id != self._run_id:
            _log.info("cache.redis_changed")
        self._run_id = run_id


def _complete(names: Sequence[str], found: Sequence[bytes | None]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """All stamps in order, and those of them that have to be written because they were missing."""
    stamps: list[bytes] = []
    minted: list[tuple[str, bytes]] = []
    for name, stamp in zip(names, found, strict=True):
        if stamp is None or len(stamp) != STAMP_BYTES:
            stamp = os.urandom(STAMP_BYTES)
            minted.append((name, stamp))
        stamps.append(stamp)
    return b"".join(stamps), minted
