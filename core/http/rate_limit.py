"""One token bucket per client: in Redis, shared by all workers and hosts, else inside the process.

The bucket holds RATE_LIMIT_MAX tokens and fills evenly over RATE_LIMIT_WINDOW_S; a request takes one.
"""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from core.http.client import limit_key

log = structlog.get_logger("handover.http")

# KEYS[1] bucket; ARGV: capacity, tokens per millisecond. Time is Redis' own: hosts need not agree on theirs.
# Answers {1 when allowed, whole tokens left, milliseconds until full, milliseconds until the next token}.
_TAKE: Final = """
local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local held = redis.call('HMGET', KEYS[1], 't', 'a')
local tokens = tonumber(held[1]) or capacity
local elapsed = math.max(0, now - (tonumber(held[2]) or now))
tokens = math.min(capacity, tokens + elapsed * rate)
local allowed = 0
if tokens >= 1 then
  tokens = tokens - 1
  allowed = 1
end
redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'a', string.format('%.3f', now))
local full = math.ceil((capacity - tokens) / rate)
redis.call('PEXPIRE', KEYS[1], full + 1000)
return {allowed, math.floor(tokens), full, math.ceil(math.max(0, 1 - tokens) / rate)}
"""
_MAX_LOCAL_CLIENTS: Final = 10_000
_REST_S: Final = 1.0
_MAX_CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reset_s` until the bucket is full, `retry_s` until the next token: whole seconds, rounded up."""

    allowed: bool
    remaining: int
    reset_s: int
    retry_s: int


class RateLimiter:
    def __init__(self, capacity: int, window_s: float) -> None:
        self.capacity = capacity
        self._rate = capacity / (window_s * 1000)
        self._local: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._script: tuple[Redis, AsyncScript] | None = None
        self._rests_until = -math.inf
        self._turns = asyncio.Semaphore(_MAX_CONNECTIONS)

    async def take(self, client: str, redis: Redis | None) -> Verdict:
        """Never raises for want of Redis: then each process counts for itself and asks again in a second."""
        key = limit_key(client)
        if redis is None or self._resting():
            return self._take_local(key)
        async with self._turns:
            # Those who waited for a turn while Redis failed need not find out for themselves.
            if self._resting():
                return self._take_local(key)
            try:
                allowed, remaining, full_ms, next_ms = await self._script_of(redis)(
                    keys=[f"handover:rate:{self.capacity}:{key}"], args=[self.capacity, repr(self._rate)]
                )
            except (RedisError, OSError, TimeoutError) as error:
                self._rests_until = time.monotonic() + _REST_S
                log.warning("http.rate_limit_local", error=type(error).__name__)
                return self._take_local(key)
        return Verdict(bool(allowed), remaining, _seconds(full_ms), _seconds(next_ms))

    def _resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _take_local(self, key: str) -> Verdict:
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

    def _script_of(self, redis: Redis) -> AsyncScript:
        if self._script is None or self._script[0] is not redis:
            self._script = (redis, redis.register_script(_TAKE))
        return self._script[1]


def _seconds(milliseconds: float) -> int:
    return math.ceil(milliseconds / 1000)
