"""Hears of the writes of other hosts, and knows up to when everything has been heard.

One connection is subscribed to the channel on which every host announces its invalidations, and sends a PING
every few milliseconds. Redis answers on one connection in order, so the PONG of a PING proves that everything
announced before that PING was sent has been heard. The PONG repeats the moment of sending: up to that moment
plus the bound, memory may be used.

A connection that ends, or leaves `SILENT_PINGS` unanswered, is given up. Pings are counted instead of time,
since a process that stands still itself sends none. As a writer on another host may have failed to announce
something meanwhile, everything this host keeps is left behind then, in Redis too; and what a process noted
before its next subscription is never used under it.
"""

import asyncio
import math
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from core.cache import metrics, wire
from core.cache.ending import end

PINGS_WITHIN_BOUND: Final = 4
PINGS_WITHIN_TIMEOUT: Final = 16
SILENT_SHARE: Final = 0.85
"""Of what a writer waits for Redis (`REDIS_TIMEOUT_S`): a Redis that hangs is given up here before a writer
anywhere gives up on it, but hardly sooner, for giving up leaves all entries of the host behind.
"""
SILENT_PINGS: Final = 3
"""So many have to be unanswered too: a single one may wait for an event loop that was held up."""
RECONNECT_S: Final = 0.25

_MOMENT: Final = struct.Struct(">d")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Trust:
    """Whether memory may be used: `until` that moment of the monotonic clock, and only what was noted under
    the subscription number `since`. Without other hosts: for ever.
    """

    since: int = 0
    until: float = math.inf


class Listener(Protocol):
    def heard(self, message: wire.Message) -> None:
        """Another process, perhaps of this host, has invalidated these tags."""

    def lost(self) -> None:
        """Messages may have been missed."""


class Subscription:
    """`bound_s`: how long memory is used after the moment up to which everything has been heard.
    `timeout_s`: how long writers wait for Redis.
    """

    def __init__(self, pool: ConnectionPool, bound_s: float, timeout_s: float, trust: Trust) -> None:
        self._pool = pool
        self._bound_s = bound_s
        self._interval_s = min(bound_s / PINGS_WITHIN_BOUND, timeout_s / PINGS_WITHIN_TIMEOUT)
        self._trust = trust
        self._timeout_s = timeout_s
        self._confirmed = asyncio.Event()
        self._unanswered = 0
        self._silent_since = math.inf
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, listener: Listener) -> None:
        """Returns with the first confirmation, or after `timeout_s` without one; then it goes on trying."""
        self._task = asyncio.create_task(self._run(listener), name="cache-subscription")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                await self._confirmed.wait()

    async def close(self) -> None:
        if self._task is not None:
            await end([self._task])

    async def _run(self, listener: Listener) -> None:
        while True:
            try:
                await self._subscribe(listener)
            except* Exception as errors:  # noqa: BLE001 - whatever it was, it has to be heard again
                if not self._failing:
                    _log.warning("cache.subscription_failed", error=_first(errors))
                self._failing = True
            await asyncio.sleep(RECONNECT_S)

    async def _subscribe(self, listener: Listener) -> None:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_command(
                "SUBSCRIBE", wire.channel_of(self._pool.connection_kwargs), check_health=False
            )
            answer = await connection.read_response()
            if not isinstance(answer, list) or answer[:1] != [b"subscribe"]:
                raise RedisError("no answer to SUBSCRIBE")
            connection.socket_timeout = None  # from here on, silence is noticed by counting pings
            self._trust.since += 1
            if self._failing:
                _log.info("cache.subscription_recovered")
            self._failing = False
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._ping(connection))
                    group.create_task(self._listen(connection, listener))
            except* Exception:
                listener.lost()
                metrics.subscriptions_lost.inc()
                raise
        finally:
            self._trust.until = -math.inf
            await connection.disconnect(nowait=True)

    async def _ping(self, connection: AbstractConnection) -> None:
        self._unanswered = 0
        while True:
            now = time.monotonic()
            if self._unanswered == 0:
                self._silent_since = now
            silent_s = now - self._silent_since
            if self._unanswered >= SILENT_PINGS and silent_s >= SILENT_SHARE * self._timeout_s:
                raise TimeoutError("the subscription is silent")
            self._unanswered += 1
            await connection.send_command("PING", _MOMENT.pack(now), check_health=False)
            await asyncio.sleep(self._interval_s)

    async def _listen(self, connection: AbstractConnection, listener: Listener) -> None:
        while True:
            answer = await connection.read_response()
            match answer:
                case [b"pong", bytes(moment)] if len(moment) == _MOMENT.size:
                    self._confirm(*_MOMENT.unpack(moment))
                case [b"message", _, bytes(data)] if message := wire.decode_message(data):
                    metrics.messages.inc()
                    listener.heard(message)
                case _:  # not understood, so it may have been an announcement
                    raise RedisError("unexpected message")

    def _confirm(self, asked_at: float) -> None:
        self._unanswered = 0
        now = time.monotonic()
        if self._trust.until > 0:
            metrics.confirmation_seconds.observe(now - (self._trust.until - self._bound_s))
            if now > self._trust.until:
                metrics.lapses.inc()
        self._trust.until = asked_at + self._bound_s
        self._confirmed.set()


def _first(errors: BaseExceptionGroup[BaseException]) -> str:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else f"{type(error).__name__}: {error}"
