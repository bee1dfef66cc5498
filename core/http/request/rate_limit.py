"""Rate limit: one token bucket per client, in Redis, shared by all workers and hosts, else inside the
process.

The bucket holds RATE_LIMIT_MAX tokens and fills evenly over RATE_LIMIT_WINDOW_S; a request takes one.

**Leases.** A busy client's tokens are taken from Redis in batches and used in this process, so that most
requests cost no round trip. A lease begins with one token, doubles when it was used up, and is at most a
sixteenth of what the bucket holds: near the limit tokens are taken one by one. It ends within a second, and
what is left goes back. `RateLimit-Remaining` does not count what others have borrowed.
"""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.types import Scope

from core.errors import RateLimited
from core.http.request.context import PROBES, SUBREQUEST, RequestContext

log = structlog.get_logger("handover.http")

# KEYS[1] bucket; ARGV: capacity, tokens per millisecond, tokens wanted, and tokens given back. Time is Redis'
# own: hosts need not agree on theirs. Answers {tokens granted, whole tokens left, ms until full, ms until the
# next token}.
_EXCHANGE: Final = """
local capacity, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local held = redis.call('HMGET', KEYS[1], 't', 'a')
local elapsed = math.max(0, now - (tonumber(held[2]) or now))
local tokens = (tonumber(held[1]) or capacity) + elapsed * rate + ARGV[4]
tokens = math.min(capacity, tokens)
local granted = 0
if tokens >= 1 then granted = math.min(wanted, math.max(1, math.floor(tokens / 16))) end
tokens = tokens - granted
redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'a', string.format('%.3f', now))
local full = math.ceil((capacity - tokens) / rate)
redis.call('PEXPIRE', KEYS[1], full + 1000)
return {granted, math.floor(tokens), full, math.ceil(math.max(0, 1 - tokens) / rate)}
"""
_LEASE_S: Final = 0.75
_LARGEST_LEASE: Final = 1024
_MAX_LOCAL_CLIENTS: Final = 10_000
_REST_S: Final = 1.0
_MAX_CONNECTIONS: Final = 32


class Verdict(NamedTuple):
    """Outcome of a request. `reset_s` until the bucket is full, `retry_s` until the next token: whole
    seconds, rounded up.
    """

    allowed: bool
    remaining: int
    reset_s: int
    retry_s: int


@dataclass(slots=True)
class _Lease:
    """Tokens of one client that this process may use; `behind` were left in the bucket."""

    redis: Redis
    size: int
    left: int
    behind: int


class RateLimiter:
    def __init__(self, capacity: int, window_s: float) -> None:
        self.capacity = capacity
        self._rate = capacity / (window_s * 1000)
        self._local: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._leases: dict[str, _Lease] = {}
        self._asking: dict[str, asyncio.Task[Verdict | None]] = {}
        self._returning: set[asyncio.Task[object]] = set()
        self._rests_until = -math.inf
        self._turns = asyncio.Semaphore(_MAX_CONNECTIONS)

    async def check(self, scope: Scope, context: RequestContext) -> None:
        """Raises RateLimited, but for probes and for what a request that was counted asks for."""
        if scope["path"] in PROBES or SUBREQUEST in scope["state"]:
            return
        cache = None if context.platform is None else context.platform.cache
        redis = cache.redis if cache is not None and cache.redis_available else None
        verdict = await self.take(context.client, redis)
        context.response_headers += (
            (b"ratelimit-limit", b"%d" % self.capacity),
            (b"ratelimit-remaining", b"%d" % verdict.remaining),
            (b"ratelimit-reset", b"%d" % verdict.reset_s),
        )
        if not verdict.allowed:
            message = "Too many requests, please try again later"
            raise RateLimited(message, code="http.rate_limited", retry_after=verdict.retry_s)

    async def take(self, client: str, redis: Redis | None) -> Verdict:
        """Take a token. Never raises for want of Redis: then each process counts for itself for a second."""
        key = limit_key(client)
        while (verdict := self._take_leased(key)) is None:
            if redis is None or time.monotonic() < self._rests_until:
                return self.take_local(key)
            # One request asks Redis for all waiting ones of its client: they share the lease, or the refusal.
            if key not in self._asking:
                self._asking[key] = asyncio.create_task(self._ask(key, redis))
            if (refused := await asyncio.shield(self._asking[key])) is not None:
                return refused
        return verdict

    def take_local(self, key: str) -> Verdict:
        """Take a token of the bucket that this process holds for itself."""
        now = time.monotonic() * 1000
        tokens, at = self._local.pop(key, (float(self.capacity), now))
        tokens = min(self.capacity, tokens + (now - at) * self._rate)
        allowed = tokens >= 1
        if allowed:
            tokens -= 1
        self._local[key] = (tokens, now)
        if len(self._local) > _MAX_LOCAL_CLIENTS:
            self._local.popitem(last=False)
        full_ms = (self.capacity - tokens) / self._rate
        return Verdict(allowed, int(tokens), _seconds(full_ms), _seconds(max(0.0, 1 - tokens) / self._rate))

    async def close(self) -> None:
        """Give back what is left of all leases, when no more requests come."""
        for key, lease in list(self._leases.items()):
            self._end(key, lease)
        await asyncio.gather(*self._returning)

    def _take_leased(self, key: str) -> Verdict | None:
        """Verdict from the lease that this process holds; None when Redis has to be asked."""
        lease = self._leases.get(key)
        if lease is None or not lease.left:
            return None
        lease.left -= 1
        remaining = lease.behind + lease.left
        return Verdict(True, remaining, _seconds((self.capacity - remaining) / self._rate), 0)

    async def _ask(self, key: str, redis: Redis) -> Verdict | None:
        """Take the client's next lease. Returns the verdict when that is refused."""
        try:
            earlier = self._leases.get(key)
            wanted = 1 if earlier is None else min(_LARGEST_LEASE, earlier.size * 2)
            answer = await self._exchange(redis, key, wanted, 0)
        finally:
            del self._asking[key]
        if answer is None:
            return None
        granted, tokens, full_ms, next_ms = answer
        if not granted:
            return Verdict(False, tokens, _seconds(full_ms), _seconds(next_ms))
        lease = self._leases[key] = _Lease(redis, granted, granted, tokens)
        asyncio.get_running_loop().call_later(_LEASE_S, self._end, key, lease)
        return None

    def _end(self, key: str, lease: _Lease) -> None:
        """End a lease, unless another has followed it, and give back what is left."""
        if self._leases.get(key) is lease:
            del self._leases[key]
            if lease.left:
                task = asyncio.create_task(self._exchange(lease.redis, key, 0, lease.left))
                self._returning.add(task)
                task.add_done_callback(self._returning.discard)

    async def _exchange(
        self, redis: Redis, key: str, wanted: int, unused: int
    ) -> tuple[int, int, int, int] | None:
        """Answer of Redis; None without it, also for those that waited for their turn while it failed."""
        keys = [f"handover:rate:{self.capacity}:{key}"]
        arguments: list[int | str] = [self.capacity, repr(self._rate), wanted, unused]
        async with self._turns:
            if time.monotonic() < self._rests_until:
                return None
            try:
                answer: tuple[int, int, int, int] = await redis.register_script(_EXCHANGE)(keys, arguments)
            except (RedisError, OSError, TimeoutError) as error:
                self._rests_until = time.monotonic() + _REST_S
                log.warning("http.rate_limit_local", error=type(error).__name__)
                return None
        return answer


@lru_cache(maxsize=4096)
def limit_key(client: str) -> str:
    """Key of a client's rate limit: its address, of IPv6 the /64 network, which one subscriber owns."""
    address = parse_address(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return client


@lru_cache(maxsize=4096)
def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Address in a text, also with a port (`1.2.3.4:80`, `[::1]:80`); None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _seconds(milliseconds: float) -> int:
    return math.ceil(milliseconds / 1000)
