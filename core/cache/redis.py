"""Entries in Redis: aiocache's `RedisCache`, with every time limit set and a circuit breaker before it.

Redis only stores. An entry begins with all that it depends on (key and tag versions of the host), and is used
only if it begins with exactly what the reader expects, so whatever Redis returns is current or a miss.
"""

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

import structlog
from aiocache import RedisCache
from aiocache.serializers import BaseSerializer
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.cache import metrics
from core.cache.policy import LARGEST_SHARE, Address, Entry
from core.cache.versions import WORD_BYTES
from core.errors import Unavailable

NAMESPACE: Final = "handover:entry"
FORMAT: Final = b"\x04"
REST_S: Final = 1.0
"""Seconds for which Redis is not asked after a failure."""
COMMANDS_AT_ONCE: Final = 32
"""Commands under way in one process; more wait for their turn within their time limit."""
MAX_CONNECTIONS: Final = 1000
"""A safety net: the cache holds itself to far fewer."""

_HEAD: Final = struct.Struct(">HHd")
_T = TypeVar("_T")
_Stored = tuple[bytes, Entry, float]
_log = structlog.get_logger(__name__)


class CacheUnavailable(Unavailable, code="cache.unavailable"):
    """Redis did not answer (in time), or refused."""

    def __init__(self) -> None:
        super().__init__("The cache does not answer, or cannot be written.")


class Serializer(BaseSerializer):  # type: ignore[misc]  # aiocache has no types
    """Entries as bytes: what they depend on, the entry, and when it expires (`time.monotonic`)."""

    DEFAULT_ENCODING = None

    def dumps(self, value: _Stored | bytes) -> bytes:
        if isinstance(value, bytes):
            return value
        depends_on, entry, expires_at = value
        etag = entry.etag.encode()
        head = _HEAD.pack(len(depends_on), len(etag), expires_at)
        return b"".join((FORMAT, head, depends_on, etag, entry.body))

    def loads(self, value: bytes | None) -> _Stored | None:
        """None for what is none of ours."""
        if value is None or value[:1] != FORMAT or len(value) < 1 + _HEAD.size:
            return None
        length, etag_length, expires_at = _HEAD.unpack_from(value, 1)
        etag_at = 1 + _HEAD.size + length
        body_at = etag_at + etag_length
        depends_on, etag = value[1 + _HEAD.size : etag_at], value[etag_at:body_at]
        return depends_on, Entry(value[body_at:], etag.decode("utf-8", "replace")), expires_at


def connect(url: str, timeout_s: float) -> Redis:
    """A client that connects on its first command. Raises ValueError for a URL that is none.

    The library's own defaults retry ten times and wait for seconds; here one attempt has to do, for whoever
    asks has a way to go on without Redis.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        health_check_interval=0,
        protocol=2,
        decode_responses=False,
        driver_info=None,
    )
    return Redis(connection_pool=pool)


class Breaker:
    """Circuit breaker: after a failure nobody asks for `rest_s` seconds, then one asks for all. `clock` never
    goes back.
    """

    def __init__(self, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest_s = rest_s
        self._clock = clock
        self._asks_again_at: float | None = None

    @property
    def closed(self) -> bool:
        return self._asks_again_at is None

    def admits(self) -> bool:
        """True if this caller may ask. After the rest only the first one may, until it has reported."""
        if self._asks_again_at is None:
            return True
        now = self._clock()
        if now < self._asks_again_at:
            return False
        self._asks_again_at = now + self._rest_s
        return True

    def failed(self) -> bool:
        """True when this failure opened the circuit."""
        opened = self._asks_again_at is None
        self._asks_again_at = self._clock() + self._rest_s
        return opened

    def succeeded(self) -> bool:
        """True when this success closed the circuit."""
        was_open = self._asks_again_at is not None
        self._asks_again_at = None
        return was_open


class RedisTier:
    """`timeout_s` limits each command, connecting included. Raises ValueError for a URL that is none."""

    def __init__(self, url: str, timeout_s: float, max_bytes: int) -> None:
        self._timeout_s = timeout_s
        self._max_entry_bytes = max_bytes // LARGEST_SHARE
        self._cache = RedisCache(namespace=NAMESPACE, serializer=Serializer(), timeout=None)
        # aiocache's constructor knows neither unix sockets nor time limits; its own client never connected.
        self._cache.client = self.client = connect(url, timeout_s)
        self._reads, self._writes = Breaker(REST_S), Breaker(REST_S)
        self._turns = asyncio.Semaphore(COMMANDS_AT_ONCE)

    @property
    def available(self) -> bool:
        return self._reads.closed

    async def ping(self) -> None:
        """Raises CacheUnavailable, also when Redis answers but takes nothing: full, or a replica by now."""
        await self._ask("read", lambda: self._cache.get("ping"), self._reads, insist=True)
        await self._ask("write", lambda: self._cache.set("ping", b"", ttl=1.0), self._writes, insist=True)

    async def find(self, address: Address, noted: bytes) -> tuple[Entry, float] | None:
        """The entry, if it was stored under exactly these tag versions, and when it expires
        (`time.monotonic`). None also where Redis cannot be read, which `available` tells.
        """
        stored: _Stored | None = None
        with suppress(CacheUnavailable):  # counted and logged where it failed; the caller can do without
            stored = await self._ask("read", lambda: self._cache.get(_key(address, noted)), self._reads)
        if stored is None or stored[0] != _depends_on(address, noted):
            return None
        return stored[1], stored[2]

    async def store(
        self, address: Address, noted: bytes, entry: Entry, expires_at: float, *, stale_until: float
    ) -> None:
        """Keep it. When it is too large, or Redis does not take it, nothing is kept."""
        if len(entry.body) > self._max_entry_bytes or not self.available:
            return
        value = (_depends_on(address, noted), entry, expires_at)
        left_s = max(stale_until - time.monotonic(), 0.001)
        with suppress(CacheUnavailable):
            await self._ask(
                "write", lambda: self._cache.set(_key(address, noted), value, ttl=left_s), self._writes
            )

    async def _ask(
        self, operation: str, command: Callable[[], Awaitable[_T]], breaker: Breaker, *, insist: bool = False
    ) -> _T:
        """Raises CacheUnavailable. A Redis that refuses writes may still be read."""
        if not breaker.admits() and not insist:
            raise CacheUnavailable
        try:
            async with asyncio.timeout(self._timeout_s), self._turns:
                began = time.perf_counter()
                answer = await command()
                metrics.redis_seconds.labels(operation).observe(time.perf_counter() - began)
        except (RedisError, OSError, TimeoutError) as error:
            metrics.errors.labels(operation).inc()
            if breaker.failed():
                _log.warning(
                    "cache.redis_unavailable",
                    operation=operation,
                    error=type(error).__name__,
                    detail=str(error),
                )
            raise CacheUnavailable from error
        if breaker.succeeded():
            _log.info("cache.redis_recovered", operation=operation)
        return answer


def _key(address: Address, noted: bytes) -> str:
    """Below the epoch: entries belong to one host and one life of it, whose processes share them."""
    return f"{noted[:WORD_BYTES].hex()}:{address.digest.hex()}"


def _depends_on(address: Address, noted: bytes) -> bytes:
    return address.digest + noted
