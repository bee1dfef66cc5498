"""Service of changes: pages, and the streams of a process, which one reader feeds."""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import structlog

from core.database.client import Database
from core.errors import FieldError, Invalid
from core.platform import Platform
from features.changes import queries
from features.changes.errors import PositionGone, TooManyStreams
from features.changes.schemas import Audience, ChangeFilter, ChangePage, ChangeQuery, Event
from features.changes.sql import sequence

MOST_STREAMS: Final = 2500
"""Upper bound of the clients' streams in one process."""
MOST_PENDING: Final = 1000
"""Upper bound of the events that wait for a client; one that lags further behind is dropped."""
POLL_S: Final = 0.1
RETRY_S: Final = 1.0
CHECK_S: Final = 2.0
"""The interval in which the reader asks of each stream whether it may go on."""
READ_AHEAD: Final = 500
"""Upper bound of the events of one read."""
_CATCHING_UP: Final = 4
"""Streams that read what they missed at a time; others wait, and leave connections to requests."""
_AHEAD_US: Final = 3_600_000_000
_ALL: Final = ChangeFilter()

log = structlog.get_logger(__name__)

Admitted = Callable[[], Awaitable[bool]]


async def check_position(db: Database, position: int | None, name: str) -> None:
    """Raises PositionGone when events after it may be missing, Invalid when nobody was told it yet. `name` is
    that of the field.
    """
    if position is None:
        return
    if position > time.time_ns() // 1000 + _AHEAD_US:
        wrong = FieldError(name, "is not a position that was told: take it from a change", position)
        raise Invalid("Validation failed", details=[wrong])
    if position < await queries.kept_from(db):
        raise PositionGone(position)


async def page_of(db: Database, query: ChangeQuery, audience: Audience) -> ChangePage:
    """Page of changes, with all that were committed before. Raises as `check_position` does."""
    await sequence(db)
    start = await queries.kept_from(db) if query.after is None else query.after
    # From the beginning, the start may be a position. One more than asked for tells whether there is more.
    position = start - 1 if query.after is None else start
    found = await queries.events_after(db, position, query, audience, take=query.limit + 1)
    # Events are deleted only after `kept_from` says so: what is kept now was there to be read.
    await check_position(db, query.after, "after")
    shown = found[: query.limit]
    return ChangePage(
        count=len(shown),
        next=str(shown[-1].position if shown else start),
        has_more=len(found) > len(shown),
        data=[event.shown(audience) for event in shown],
    )


@dataclass(eq=False, slots=True)
class _Stream:
    """Stream of one client, with the events that wait for it."""

    wanted: ChangeFilter
    audience: Audience
    admitted: Admitted
    pending: deque[Event] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: bool = False
    ended: bool = False

    def offer(self, event: Event) -> None:
        if self.dropped or not event.seen_by(self.audience, self.wanted):
            return
        if len(self.pending) >= MOST_PENDING:
            self.dropped = True
            self.pending.clear()
        else:
            self.pending.append(event)
        self.news.set()

    def end(self) -> None:
        self.ended = True
        self.news.set()


class Streams:
    """Streams of one process. While there are any, one reader has committed events numbered, reads what
    is new, and offers it to all of them.
    """

    def __init__(self, platform: Platform) -> None:
        self._db = platform.db
        self._draining = platform.draining
        self._places = MOST_STREAMS
        self._streams: set[_Stream] = set()
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Place for the stream of a client. Raises TooManyStreams."""
        if self._places <= 0:
            raise TooManyStreams(MOST_STREAMS)
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def follow(
        self, after: int | None, wanted: ChangeFilter, audience: Audience, admitted: Admitted
    ) -> AsyncIterator[Event | None]:
        """Events after that position, or from now on: first those that are stored, then those that come. Ends
        with None for a client that is too slow, and without when `admitted` says no, and at a stop.
        """
        stream = _Stream(wanted, audience, admitted)
        # From here on the reader offers it what comes; what came before is stored, and read below.
        self._streams.add(stream)
        try:
            await self._running()
            if after is not None:
                async for event in self._stored(stream, after):
                    yield event
                    after = event.position
            while not stream.ended:
                if stream.dropped:
                    yield None
                    return
                if stream.pending:
                    event = stream.pending.popleft()
                    if after is None or event.position > after:
                        yield event
                    continue
                stream.news.clear()
                await stream.news.wait()
        finally:
            self._streams.discard(stream)

    async def _stored(self, stream: _Stream, after: int) -> AsyncIterator[Event]:
        full = True
        while full and not stream.ended and not stream.dropped:
            async with self._catching_up:
                events = await queries.events_after(
                    self._db, after, stream.wanted, stream.audience, take=READ_AHEAD
                )
                if after < await queries.kept_from(self._db):
                    stream.dropped = True
                    return
            for event in events:
                yield event
                after = event.position
            full = len(events) == READ_AHEAD

    async def _running(self) -> None:
        """Returns when the reader has a position to go on from."""
        if self._reader is None or self._reader.done():
            self._ready.clear()
            # Its context is its own: no request's deadline, log fields or query count.
            self._reader = asyncio.create_task(
                self._read(), name="change-streams", context=contextvars.Context()
            )
        await self._ready.wait()

    async def _read(self) -> None:
        position: int | None = None
        checks = iter(tuple[_Stream]())
        try:
            while self._streams and not self._draining.is_set():
                rest_s = POLL_S
                try:
                    await sequence(self._db)
                    if position is None:
                        position = await queries.newest_position(self._db)
                        self._ready.set()
                    events = await queries.events_after(self._db, position, _ALL, Audience(), take=READ_AHEAD)
                    for event in events:
                        for stream in self._streams:
                            stream.offer(event)
                        position = event.position
                    if len(events) == READ_AHEAD:
                        rest_s = 0.0
                    checks = await self._check(checks)
                except Exception as error:  # noqa: BLE001 - whatever it was, it goes on from its position
                    log.warning("changes.read_failed", error=type(error).__name__, reason=str(error))
                    rest_s = RETRY_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._draining.wait()
        finally:
            for stream in self._streams:
                stream.end()
            self._ready.set()

    async def _check(self, checks: Iterator[_Stream]) -> Iterator[_Stream]:
        """End those of a share of the streams whose keys are not valid any more; returns whom to ask next."""
        share = list(islice(checks, 1 + int(len(self._streams) * POLL_S / CHECK_S)))
        for stream in share:
            if not await stream.admitted():
                stream.end()
        return checks if share else iter(tuple(self._streams))
