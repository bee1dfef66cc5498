"""Changes for other slices: the forms in which they are told, the log for who reads all of it in order, and
`Streams` for events of their own.

A reader keeps a position: `present` to begin with, then that of the last event of `events_after`. Where
`lost_until` names a position it goes on from there, and says so.
"""

from core.database.client import Database
from features.changes import queries
from features.changes.schemas import STREAM, Action, Audience, Change, ChangeFilter, Entity, Event
from features.changes.service import POLL_S, check_entity, settled
from features.changes.sql import sequence
from features.changes.streams.reader import Admitted, Stream, Streams


async def present(db: Database) -> int:
    """Position before all that is committed from now on, and after all that was before."""
    await sequence(db)
    return (await queries.extent_of(db)).present


async def events_after(db: Database, position: int, *, take: int) -> list[Event]:
    """The next events after the position, of all that are committed by now."""
    await sequence(db)
    return await queries.events_after(db, position, ChangeFilter(), Audience(), take=take)


async def lost_until(db: Database, position: int) -> int | None:
    """The position before which events after this one may have been deleted; None: none were."""
    extent = await queries.extent_of(db)
    return extent.kept_from if extent.lacks(position) else None
