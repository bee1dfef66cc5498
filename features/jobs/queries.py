"""Queries of the clock of jobs."""

from collections.abc import Iterable
from datetime import datetime

from core.database.client import Database


async def next_runs(db: Database, kinds: Iterable[str]) -> dict[str, datetime]:
    """Next run of each of the kinds, the soonest first."""
    rows = await db.jobclock.find_many(
        where={"kind": {"in": list(kinds)}}, order=[{"next_at": "asc"}, {"kind": "asc"}]
    )
    return {row.kind: row.next_at for row in rows}
