"""Entries in Redis, through aiocache's Redis cache on a client whose every time limit is set here.

Names. All keys begin with the `run_id` of the Redis process, which each new connection reads anew: a Redis
that was restarted, restored from a snapshot or replaced starts empty as far as we are concerned. Entries are
further named by the host's epoch, for they hold stamps that only this host can check; stamps of tags belong
to all hosts.

Stamps in Redis are random, never counted, and no token is sent twice: a stamp that was evicted, flushed or
set by a command that arrived late can only make an entry unusable, never usable again. A missing stamp is
minted by the reader before it loads.

An entry begins with everything it depends on (format, key, the host's stamps, Redis' stamps). It is used only
if it begins with exactly what the reader expects, so foreign data, a colliding key or a reply that belongs to
another command are a miss.
"""

import asyncio
import os
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import structlog
from aiocache import RedisCache
from aiocache.serializers import NullSerializer
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from core.cache import metrics
from core.cache.breaker import Breaker
from core.cache.connection import connect, run_id_of
from core.cache.policy import LARGEST_SHARE, Address, Entry
from core.cache.stamps import STAMP_BYTES
from core.cache.tier import Lookup, UnreachableError

FORMAT: Final = b"\x01"
STAMP_TTL_S: Final = 3600.0
"""Stamps of tags nobody asks for any more go after an hour; a stamp that is gone only costs one load."""
REST_S: Final = 1.0
"""How long Redis is left alone after a failure."""
COMMANDS_AT_ONCE: Final = 32
"""Commands under way in one process; more wait for their turn within their time limit."""

_HEAD: Final = struct.Struct(">HH")
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class _Backend(Protocol):
    client: Redis

    def multi_get(self, keys: list[str]) -> Awaitable[list[bytes | None]]: ...
    def multi_set(self, pairs: list[tuple[str, bytes]], ttl: float) -> Awaitable[bool]: ...
    def set(self, key: str, value: bytes, ttl: float) -> Awaitable[bool]: ...


class RedisTier:
    """`timeout_s` limits each command, connecting included. Raises ValueError for a URL that is none."""

    def __init__(self, url: str, timeout_s: float, max_bytes: int) -> None:
        self._timeout_s = timeout_s
        self._max_entry_bytes = max_bytes // LARGEST_SHARE
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
        async def read(run_id: str) -> Lookup:
            names = [_stamp_name(run_id, tag) for tag in address.tags]
            values = await self._backend.multi_get([_entry_name(run_id, address, local), *names])
            if len(values) != 1 + len(names):
                raise RedisError("unexpected number of values")
            value, *found = values
            stamps, minted = _complete(names, found)
            if minted:
                await self._backend.multi_set(minted, ttl=STAMP_TTL_S)
                return Lookup(None, stamps)
            return Lookup(_decode(value, _preamble(address, local, stamps)), stamps)

        return await self._ask("read", read)

    async def store(self, address: Address, local: bytes, stamps: bytes, entry: Entry, ttl_s: float) -> None:
        value = _encode(entry, _preamble(address, local, stamps))
        if len(value) > self._max_entry_bytes:
            return

        async def write(run_id: str) -> bool:
            return await self._backend.set(_entry_name(run_id, address, local), value, ttl=max(ttl_s, 0.001))

        try:
            await self._ask("write", write)
        except UnreachableError:
            return  # counted and logged where it failed; the caller has its answer already

    async def renew(self, tags: Sequence[bytes], *, insist: bool = False) -> None:
        async def write(run_id: str) -> bool:
            fresh = [(_stamp_name(run_id, tag), os.urandom(STAMP_BYTES)) for tag in tags]
            return await self._backend.multi_set(fresh, ttl=STAMP_TTL_S)

        await self._ask("invalidate", write, insist=insist)

    async def _ask(
        self, operation: str, command: Callable[[str], Awaitable[_T]], *, insist: bool = False
    ) -> _T:
        """Run a command under the run id of the server that carried it out. Raises UnreachableError."""
        if not self._breaker.admits() and not insist:
            raise UnreachableError
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s), self._slots:
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


def _entry_name(run_id: str, address: Address, local: bytes) -> str:
    epoch = local[:STAMP_BYTES]
    return f"handover:{run_id}:entry:{epoch.hex()}:{address.digest.hex()}"


def _stamp_name(run_id: str, tag: bytes) -> str:
    return f"handover:{run_id}:stamp:{tag.hex()}"


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


def _preamble(address: Address, local: bytes, stamps: bytes) -> bytes:
    return b"".join((FORMAT, address.digest, local, stamps))


def _encode(entry: Entry, preamble: bytes) -> bytes:
    etag = entry.etag.encode()
    return b"".join((preamble, _HEAD.pack(entry.status, len(etag)), etag, entry.body))


def _decode(value: bytes | None, preamble: bytes) -> Entry | None:
    if value is None or not value.startswith(preamble) or len(value) < len(preamble) + _HEAD.size:
        return None
    status, etag_length = _HEAD.unpack_from(value, len(preamble))
    body_at = len(preamble) + _HEAD.size + etag_length
    return Entry(value[body_at:], value[body_at - etag_length : body_at].decode(), status)
