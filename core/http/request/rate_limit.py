"""Rate limit: one token bucket per client, in Redis, shared by all workers and hosts, else inside the
process.

The bucket holds RATE_LIMIT_MAX tokens and fills evenly over RATE_LIMIT_WINDOW_S; a request takes one.

**Leases.** A busy client's tokens are taken from Redis in batches and used in this process, so that most
requests cost no round trip. A lease begins with one token, doubles while it is used up, and is at most a
sixteenth of what the bucket holds: near the limit tokens are taken one by one. It ends within a second, and
what is left goes back. The bucket never refills into the room of tokens that are lent, hence bucket and
leases together never hold more than the capacity; Redis notes what is lent by the second, so tokens of a
process that died are forgotten after two. `RateLimit-Remaining` does not count what others have borrowed.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from core.http.request.client import limit_key

log = structlog.get_logger("handover.http")

# KEYS[1] bucket; ARGV: capacity, tokens per millisecond, tokens wanted (0 to give back only), and the lease
# that ends: the second it was taken in, what was lent, what is left. Time is Redis' own: hosts need not agree
# on theirs. Answers {tokens granted, whole tokens left, ms until full, ms until the next token, this second}.
_EXCHANGE: Final = """
local capacity, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local second = tonumber(clock[1])
local now = second * 1000 + clock[2] / 1000
local held = redis.call('HMGET', KEYS[1], 't', 'a', 's', 'lent', 'before')
if wanted == 0 and not held[1] then return {0, 0, 0, 0, second} end
local tokens = tonumber(held[1]) or capacity
local lent, before = tonumber(held[4]) or 0, tonumber(held[5]) or 0
local passed = second - (tonumber(held[3]) or second)
if passed == 1 then before, lent = lent, 0 elseif passed ~= 0 then before, lent = 0, 0 end
local ended, size, unused = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if ended == second then lent, tokens = math.max(0, lent - size), math.min(capacity, tokens + unused)
elseif ended == second - 1 then
  before, tokens = math.max(0, before - size), math.min(capacity, tokens + unused)
end
local elapsed = math.max(0, now - (tonumber(held[2]) or now))
tokens = math.min(math.max(tokens, capacity - lent - before), tokens + elapsed * rate)
local granted = 0
if wanted > 0 and tokens >= 1 then
  granted = math.max(1, math.min(wanted, math.floor(tokens / 16)))
  tokens, lent = tokens - granted, lent + granted - 1
end
redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'a', string.format('%.3f', now),
  's', second, 'lent', lent, 'before', before)
local full = math.ceil((capacity - tokens) / rate)
redis.call('PEXPIRE', KEYS[1], full + 2000)
return {granted, math.floor(tokens), full, math.ceil(math.max(0, 1 - tokens) / rate), second}
"""
# Less than the second for which Redis is sure to remember it, so that what is left comes back in time.
_LEASE_S: Final = 0.75
_LARGEST_LEASE: Final = 1024
_MAX_LOCAL_CLIENTS: Final = 10_000
_REST_S: Final = 1.0
_MAX_CONNECTIONS: Final = 32
_FAILURES: Final = (RedisError, OSError, TimeoutError)


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
    """Lease of one client's tokens, which this process may use until `until` (monotonic seconds). `second` is
    that of Redis in which they were taken, `behind` the tokens left in the bucket after that.
    """

    size: int
    left: int
    until: float
    second: int
    behind: int

    def ended(self) -> tuple[int, int, int]:
        # The first token was used at once, so it never counted as lent.
        return self.second, self.size - 1, self.left


_NO_LEASE: Final = (-1, 0, 0)


class RateLimiter:
    def __init__(self, capacity: int, window_s: float) -> None:
        self.capacity = capacity
        self._rate = capacity / (window_s * 1000)
        self._local: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Verdict | None]] = {}
        self._returning: asyncio.Task[None] | None = None
        self._sweeps_on: asyncio.AbstractEventLoop | None = None
        self._script: tuple[Redis, AsyncScript] | None = None
        self._rests_until = -math.inf
        self._turns = asyncio.Semaphore(_MAX_CONNECTIONS)

    async def take(self, client: str, redis: Redis | None) -> Verdict:
        """Take a token. Never raises for want of Redis: then each process counts for itself for a second."""
        key = limit_key(client)
        while (verdict := self.take_leased(client)) is None:
            if redis is None or self._resting():
                return self._take_local(key)
            # One request asks Redis for all waiting ones of its client: they share the lease, or the refusal.
            asking = self._asking.get(key)
            # A task that is done may not have run its callback yet; awaiting it would not let it run.
            if asking is None or asking.done():
                asking = self._asking[key] = asyncio.create_task(self._ask(key, redis))
                asking.add_done_callback(lambda done: self._forget(key, done))
            refused = await asyncio.shield(asking)
            if refused is not None:
                return refused
        return verdict

    def _forget(self, key: str, done: asyncio.Task[Verdict | None]) -> None:
        if self._asking.get(key) is done:
            del self._asking[key]

    def take_leased(self, client: str) -> Verdict | None:
        """Verdict from the lease that this process holds; None when Redis has to be asked."""
        lease = self._leases.get(limit_key(client))
        if lease is None or not lease.left or time.monotonic() >= lease.until:
            return None
        lease.left -= 1
        remaining = lease.behind + lease.left
        return Verdict(True, remaining, _seconds((self.capacity - remaining) / self._rate), 0)

    async def close(self) -> None:
        """Give back what is left of all leases, when no more requests come."""
        if self._returning is not None:
            await self._returning
        await self._give_back([(key, self._leases.pop(key)) for key in list(self._leases)])

    async def _ask(self, key: str, redis: Redis) -> Verdict | None:
        """End the client's lease and take the next. Returns the verdict when that is refused."""
        async with self._turns:
            # Requests that waited for a turn while Redis failed need not try it themselves.
            if self._resting():
                return None
            earlier = self._leases.pop(key, None)
            wanted, ended = 1, _NO_LEASE
            if earlier is not None:
                ended = earlier.ended()
                wanted = min(_LARGEST_LEASE, max(1, (earlier.size - earlier.left) * 2))
            asked_at = time.monotonic()
            try:
                granted, tokens, full_ms, next_ms, second = await self._exchange(redis, key, wanted, ended)
            except _FAILURES as error:
                self._rest(error)
                return None
        if not granted:
            return Verdict(False, tokens, _seconds(full_ms), _seconds(next_ms))
        self._leases[key] = _Lease(granted, granted, asked_at + _LEASE_S, second, tokens)
        if len(self._leases) > _MAX_LOCAL_CLIENTS:
            self._leases.popitem(last=False)
        self._sweep_later()
        return None

    def _sweep_later(self) -> None:
        """Schedule a sweep when the oldest lease ends; it is the first, since each new one is put last."""
        loop = asyncio.get_running_loop()
        if self._sweeps_on is not loop:
            self._sweeps_on = loop
            oldest = next(iter(self._leases.values()))
            loop.call_later(max(0.0, oldest.until - time.monotonic()), self._sweep)

    def _sweep(self) -> None:
        """Give back leases that ended and were not renewed, together."""
        self._sweeps_on = None
        now = time.monotonic()
        ended = []
        while self._leases and next(iter(self._leases.values())).until <= now:
            ended.append(self._leases.popitem(last=False))
        if self._leases:
            self._sweep_later()
        if any(lease.left for _, lease in ended):
            self._returning = asyncio.create_task(self._give_back(ended))

    async def _give_back(self, leases: Iterable[tuple[str, _Lease]]) -> None:
        """Give back leases in one round trip. Without Redis they are lost, and the bucket refills anyway."""
        if self._script is None or self._resting():
            return
        redis = self._script[0]
        try:
            async with redis.pipeline(transaction=False) as pipe:
                for key, lease in leases:
                    if lease.left:
                        await self._exchange(redis, key, 0, lease.ended(), pipe)
                await pipe.execute()
        except _FAILURES as error:
            self._rest(error)

    async def _exchange(
        self, redis: Redis, key: str, wanted: int, ended: tuple[int, int, int], pipe: Redis | None = None
    ) -> tuple[int, int, int, int, int]:
        if self._script is None or self._script[0] is not redis:
            self._script = (redis, redis.register_script(_EXCHANGE))
        keys = [f"handover:rate:{self.capacity}:{key}"]
        arguments: list[int | str] = [self.capacity, repr(self._rate), wanted, *ended]
        answer: tuple[int, int, int, int, int] = await self._script[1](keys, arguments, client=pipe)
        return answer

    def _rest(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + _REST_S
        log.warning("http.rate_limit_local", error=type(error).__name__)

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


def _seconds(milliseconds: float) -> int:
    return math.ceil(milliseconds / 1000)
