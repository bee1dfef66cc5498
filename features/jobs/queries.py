"""Queries of the clock and of the queue of jobs."""

from collections.abc import Iterable
from datetime import datetime

from prisma.types import JobWhereInput

from core.database.client import Database


async def next_runs(db: Database, kinds: Iterable[str]) -> dict[str, datetime]:
    """Next run of each of the kinds, the soonest first."""
    rows = await db.jobclock.find_many(
        where={"kind": {"in": list(kinds)}}, order=[{"next_at": "asc"}, {"kind": "asc"}]
    )
    return {row.kind: row.next_at for row in rows}


async def queue(db: Database) -> tuple[int, datetime | None]:
    """Number of jobs that wait to be claimed, and when the oldest of them was made."""
    where: JobWhereInput = {"state": "queued"}
    number = await db.job.count(where=where)
    oldest = await db.job.find_first(where=where, order={"created_at": "asc"})
    return number, None if oldest is None else oldest.created_at
