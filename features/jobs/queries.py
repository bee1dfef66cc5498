"""Queries of the clock and of the queue of jobs."""

from collections.abc import Iterable
from datetime import datetime

from prisma.types import JobScalarFieldKeys

from core.database.client import Database


async def next_runs(db: Database, kinds: Iterable[str]) -> dict[str, datetime]:
    """Next run of each of the kinds, the soonest first."""
    rows = await db.jobclock.find_many(
        where={"kind": {"in": list(kinds)}}, order=[{"next_at": "asc"}, {"kind": "asc"}]
    )
    return {row.kind: row.next_at for row in rows}


async def queue(db: Database) -> tuple[int, datetime | None]:
    """Number of jobs that wait to be claimed, and when the oldest of them was made."""
    by: list[JobScalarFieldKeys] = ["state"]
    groups = await db.job.group_by(by, where={"state": "queued"}, count=True, min={"created_at": True})
    for found in groups:
        # Of groups, moments come as they are sent: as texts.
        return found["_count"]["_all"], datetime.fromisoformat(str(found["_min"]["created_at"]))
    return 0, None
