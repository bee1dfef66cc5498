"""Streams of one kind, whatever their number, and the one reader that feeds them.

A client first gets what is stored after its position, page by page as it takes them; then what the reader
finds. One that takes too little of that is dropped, and told the position to go on after. One for which
nothing comes is told how far it is: at the beginning, and from time to time.
"""

import asyncio
import contextvars
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic

import structlog

from core.errors import HandoverError
from core.http.answers.event_streams import Event, Reached

MOST_PENDING: Final = 1000
"""Upper bound of the events that wait for a client; one that lags further behind is dropped."""
READ_AHEAD: Final = 500
"""Upper bound of the events of one read; of fewer there are no more."""
RETRY_S: Final = 1.0
CHECK_S: Final = 2.0
"""The interval in which the reader asks of each stream whether it may go on."""
REACHED_S: Final = 600.0
"""Interval in which a client for which nothing comes is told how far it is."""
_CATCHING_UP: Final = 4
"""Streams that read what is stored at a time; others wait, and leave connections to requests."""

log = structlog.get_logger(__name__)

Admitted = Callable[[], Awaitable[bool]]


@dataclass(eq=False, slots=True)
class Stream(Generic[Event]):
    """Stream of one client. `stored` reads the next events after a position, at most READ_AHEAD; None: some
    are gone. `present` makes of the reader's position that of a client which names none; without it, that
    gets no position before the first event. Of events of many things `topic` is the one that is followed,
    `newest` its newest position when the client came.
    """

    wants: Callable[[Event], bool]
    stored: Callable[[int], Awaitable[Sequence[Event] | None]]
    admitted: Admitted
    present: Callable[[int], Awaitable[int]] | None = None
    topic: str = ""
    newest: int = 0
    pending: deque[Event] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: bool = False
    ended: bool = False

    def offer(self, event: Event) -> None:
        if self.dropped or not self.wants(event):
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


class Streams(ABC, Generic[Event]):
    """Streams of one process. While there are any, one reader calls `read` every `poll_s`, and offers what it
    finds to all of them. They end when `draining` is set.
    """

    def __init__(
        self,
        draining: asyncio.Event,
        *,
        most: int,
        too_many: Callable[[int], HandoverError],
        poll_s: float,
    ) -> None:
        self._draining = draining
        self._most = self._places = most
        self._too_many = too_many
        self._poll_s = poll_s
        self.reached: int | None = None
        """Position before which nothing comes any more, where `read` knows one."""
        self._position: Any = None
        self._streams: set[Stream[Event]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)

    @abstractmethod
    async def read(self, position: Any, streams: Collection[Stream[Event]]) -> tuple[Any, Sequence[Event]]:
        """The position after the next events, and these, at most READ_AHEAD; after None those from now on."""

    @contextmanager
    def place(self) -> Iterator[None]:
        """Place for the stream of a client. Raises `too_many(most)`."""
        if self._places <= 0:
            raise self._too_many(self._most)
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def events(self, stream: Stream[Event], after: int | None) -> AsyncIterator[Event | Reached | None]:
        """Events after that position, or from now on: first those that are stored, then those that come. Ends
        with None for a client that is too slow, and without when `admitted` says no, and at a stop.
        """
        # From here on the reader offers it what comes; what came before is stored, and read below.
        self._streams.add(stream)
        try:
            await self._running()
            if after is not None:
                async for event in self._stored(stream, after):
                    yield event
                    after = event.position
            elif stream.present is not None and self._position is not None and not stream.pending:
                # What comes from here on is offered to it, and later than this position.
                position = self._position
                async with self._catching_up:
                    after = await stream.present(position)
                yield Reached(after)
            is_told = False
            while not stream.ended:
                if stream.dropped:
                    yield None
                    return
                if stream.pending:
                    event = stream.pending.popleft()
                    if after is None or event.position > after:
                        yield event
                        after = event.position
                    continue
                if not is_told and self.reached is not None and self.reached > (after or 0):
                    after = self.reached
                    yield Reached(after)
                    continue
                stream.news.clear()
                try:
                    async with asyncio.timeout(REACHED_S):
                        await stream.news.wait()
                    is_told = True
                except TimeoutError:
                    is_told = False
        finally:
            self._streams.discard(stream)

    async def _stored(self, stream: Stream[Event], after: int) -> AsyncIterator[Event]:
        full = True
        while full and not stream.ended and not stream.dropped:
            async with self._catching_up:
                events = await stream.stored(after)
            if events is None:
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
                self._read(), name="event-streams", context=contextvars.Context()
            )
        await self._ready.wait()

    async def _read(self) -> None:
        self._position = None
        checks = iter(tuple[Stream[Event]]())
        try:
            while self._streams and not self._draining.is_set():
                rest_s = self._poll_s
                try:
                    self._position, events = await self.read(self._position, self._streams)
                    self._ready.set()
                    for event in events:
                        for stream in self._streams:
                            stream.offer(event)
                    if len(events) == READ_AHEAD:
                        rest_s = 0.0
                    checks = await self._check(checks)
                except Exception as error:  # noqa: BLE001 - whatever it was, it goes on from its position
                    log.warning("streams.read_failed", error=type(error).__name__, reason=str(error))
                    rest_s = RETRY_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._draining.wait()
        finally:
            for stream in self._streams:
                stream.end()
            self._ready.set()

    async def _check(self, checks: Iterator[Stream[Event]]) -> Iterator[Stream[Event]]:
        """End those of a share of the streams whose keys are not valid any more; returns whom to ask next."""
        share = list(islice(checks, 1 + int(len(self._streams) * self._poll_s / CHECK_S)))
        for stream in share:
            if not await stream.admitted():
                stream.end()
        return checks if share else iter(tuple(self._streams))
