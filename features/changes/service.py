"""Service of changes: pages, and the streams of a process."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from core.database.client import Database
from core.errors import FieldError, InvalidFields
from core.feature import Feature, entities_of
from core.http.answers.event_streams import Reached
from core.platform import Platform
from features.changes import queries
from features.changes.errors import PositionGone, TooManyStreams
from features.changes.schemas import Audience, ChangeFilter, ChangePage, ChangeQuery, Event
from features.changes.sql import sequence
from features.changes.streams.reader import READ_AHEAD, Admitted, Stream, Streams

MOST_STREAMS: Final = 2500
"""Upper bound of the clients' streams in one process."""
POLL_S: Final = 0.1
_ANY_CLOCK_US: Final = 3_600_000_000
"""Upper bound of the difference between two hosts' clocks."""
_ALL: Final = ChangeFilter()


def settled() -> int:
    """Position before all that is numbered from now on, whatever the clock by which it is; it tells nothing
    of what was changed.
    """
    return time.time_ns() // 1000 - _ANY_CLOCK_US


def check_entity(features: Sequence[Feature], entity: str | None) -> None:
    """Raises InvalidFields for a kind of row that no feature has: nothing would ever be told of it."""
    known = entities_of(features)
    if entity is not None and entity not in known:
        *others, last = (f"'{each}'" for each in known)
        wrong = FieldError("entity", f"must be one of {', '.join(others)} or {last}", entity)
        raise InvalidFields([wrong])


async def check_position(db: Database, position: int | None, name: str) -> None:
    """Raises PositionGone when events after it may be missing, Invalid when nobody was told it yet. `name` is
    that of the field.
    """
    if position is None:
        return
    if position > time.time_ns() // 1000 + _ANY_CLOCK_US:
        wrong = FieldError(name, "is not a position that was told: take it from a change", position)
        raise InvalidFields([wrong])
    if (await queries.extent_of(db)).lacks(position):
        raise PositionGone(position)


async def page_of(db: Database, query: ChangeQuery, audience: Audience) -> ChangePage:
    """Page of changes, with all that were committed before. Raises as `check_position` does."""
    behind = settled()
    await sequence(db)
    # From the beginning, the start may be a position. One more than asked for tells whether there is more.
    start = (await queries.extent_of(db)).kept_from if query.after is None else query.after
    position = start - 1 if query.after is None else start
    found = await queries.events_after(db, position, query, audience, take=query.limit + 1)
    # Events are deleted only after `kept_from` says so: what is kept now was there to be read.
    await check_position(db, query.after, "after")
    shown = found[: query.limit]
    has_more = len(found) > len(shown)
    told = shown[-1].position if shown else start
    return ChangePage(
        count=len(shown),
        # Past what the filter leaves out: who asks for rare changes would come back when all around is gone.
        next=str(told if has_more else max(told, behind)),
        has_more=has_more,
        data=[event.shown(audience) for event in shown],
    )


class ChangeStreams(Streams[Event]):
    """Streams of changes of one process."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform.draining, most=MOST_STREAMS, too_many=TooManyStreams, poll_s=POLL_S)
        self._db = platform.db

    def follow(
        self, after: int | None, wanted: ChangeFilter, audience: Audience, admitted: Admitted
    ) -> AsyncIterator[Event | Reached | None]:
        async def stored(position: int) -> list[Event] | None:
            found = await queries.events_after(self._db, position, wanted, audience, take=READ_AHEAD)
            return None if (await queries.extent_of(self._db)).lacks(position) else found

        async def present(position: int) -> int:
            return await queries.newest_seen(self._db, position, audience)

        def wants(event: Event) -> bool:
            return event.seen_by(audience, wanted)

        return self.events(Stream(wants, stored, admitted, present), after)

    async def read(self, position: int | None, streams: object) -> tuple[int, list[Event]]:
        """Has committed events numbered first."""
        behind = settled()
        await sequence(self._db)
        if position is None:
            return (await queries.extent_of(self._db)).present, []
        events = await queries.events_after(self._db, position, _ALL, Audience(), take=READ_AHEAD)
        if len(events) < READ_AHEAD:
            self.reached = behind
        return events[-1].position if events else position, events
