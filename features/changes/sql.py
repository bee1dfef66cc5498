"""The sequencer, a function in PostgreSQL: no typed call can lock, look again and number what it found; and
the log's end, whose oldest lines no typed call deletes by the clock of the database.
"""

from typing import Final

from core.database.client import Database

BATCH: Final = 1000
"""Upper bound of the events that get positions in one transaction."""
_SEQUENCE: Final = 'SELECT "handover_sequence_changes"($1::int) AS given'
# $1 seconds, $2 lines: the oldest of them that are old enough.
_DELETE: Final = """
DELETE FROM changes WHERE id IN (SELECT id FROM changes ORDER BY id LIMIT $2::int)
    AND at < clock_timestamp() - make_interval(secs => $1::float8)
"""


async def sequence(db: Database) -> None:
    """Give positions to all events that are committed by now; waits for another sequencer."""
    while True:
        [row] = await db.query_raw(_SEQUENCE, BATCH)
        if row["given"] < BATCH:
            return


async def delete_oldest(db: Database, seconds: float, *, limit: int) -> int:
    """Of the oldest lines of the log, at most so many, those of so long ago. Returns how many they were."""
    return await db.execute_raw(_DELETE, seconds, limit)
