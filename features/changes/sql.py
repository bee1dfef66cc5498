"""The sequencer, a function in PostgreSQL: no typed call can lock, look again and number what it found."""

from typing import Final

from core.database.client import Database

BATCH: Final = 1000
"""Upper bound of the events that get positions in one transaction."""
_SEQUENCE: Final = 'SELECT "handover_sequence_changes"($1::int) AS given'


async def sequence(db: Database) -> None:
    """Give positions to all events that are committed by now; waits for another sequencer."""
    while True:
        [row] = await db.query_raw(_SEQUENCE, BATCH)
        if row["given"] < BATCH:
            return
