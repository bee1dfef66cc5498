"""Files by day: a series over time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.database.client import Database
from core.database.conditions import Arguments, condition


async def created_by_day(db: Database, since: datetime, where: Mapping[str, Any]) -> dict[str, int]:
    """How many of the files were uploaded on each day (UTC, `2025-10-23`) that had one."""
    arguments = Arguments()
    found = condition({"created_at": {"gte": since}, **where}, arguments)
    rows = await db.query_raw(
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count "
        f"FROM files WHERE {found} GROUP BY day",
        *arguments,
    )
    return {row["day"]: row["count"] for row in rows}
