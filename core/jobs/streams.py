"""Event streams: one poll feeds all that a process has open, whatever their number and their jobs."""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from core.database.client import Database
from core.errors import Unavailable
from core.jobs import queries
from core.jobs.errors import TooManyStreams
from core.jobs.pause import pause
from core.jobs.views import JobEventView

MOST_STREAMS: Final = 500
"""Upper bound of the clients' streams in one process."""
POLL_S: Final = 0.3
CHECK_S: Final = 1.0
"""The interval in which a stream asks whether it may go on."""

log = structlog.get_logger(__name__)

Admitted = Callable[[], Awaitable[bool]]


@dataclass(eq=False, slots=True)
class _Stream:
    """Stream of one client. `after` is the number of the newest event that `pending` has or had."""

    job_id: str
    after: int
    pending: deque[JobEventView] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The event streams of one process. A poll reads what those that wait for something have not had yet. One
    whose client is slow keeps what it was given, 500 events at most, and is passed by meanwhile.
    """

    def __init__(self, db: Database, stopping: asyncio.Event, retry_s: float) -> None:
        self._db = db
        self._retry_s = retry_s
        self._stopping = stopping
        self._places = MOST_STREAMS
        self._streams: set[_Stream] = set()
        self._poller: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()

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

    async def follow(self, job_id: str, after: int, admitted: Admitted | None) -> AsyncIterator[JobEventView]:
        """Every event after that number; ends after the final one, when `admitted` says no, and at a stop."""
        stream = _Stream(job_id, after)
        check_at = time.monotonic() + CHECK_S
        self._streams.add(stream)
        self._joined.set()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="job-events", context=contextvars.Context())
        try:
            while not self._stopping.is_set():
                if admitted is not None and time.monotonic() >= check_at:
                    if not await admitted():
                        return
                    check_at = time.monotonic() + CHECK_S
                if not stream.pending:
                    stream.news.clear()
                    await pause(stream.news, CHECK_S)
                    continue
                event = stream.pending.popleft()
                yield event
                if event.final:
                    return
        finally:
            self._streams.discard(stream)

    async def stop(self) -> None:
        if self._poller is not None:
            await self._poller

    async def _poll(self) -> None:
        while self._streams and not self._stopping.is_set():
            self._joined.clear()
            try:
                rest_s = 0.0 if await self._feed() else POLL_S
            except Unavailable as unavailable:
                log.warning("jobs.follow_unavailable", error=str(unavailable))
                rest_s = self._retry_s
            except Exception:
                log.exception("jobs.follow_failed")
                rest_s = self._retry_s
            if not self._joined.is_set():
                await pause(self._joined, rest_s)
        for stream in self._streams:
            stream.news.set()

    async def _feed(self) -> bool:
        """Read new events for all streams at once; True if there is more to read."""
        waiting = [stream for stream in self._streams if not stream.pending]
        after: dict[str, int] = {}
        for stream in waiting:
            after[stream.job_id] = min(stream.after, after.get(stream.job_id, stream.after))
        if not after:
            return False
        found = await queries.events_of(self._db, after)
        for stream in waiting:
            stream.pending.extend(e for e in found.get(stream.job_id, ()) if e.sequence > stream.after)
            if stream.pending:
                stream.after = stream.pending[-1].sequence
                stream.news.set()
        return sum(map(len, found.values())) == queries.EVENTS_PER_READ
