"""Systems by day: a series over time."""

from datetime import datetime
from typing import Final

from core.database.client import Database
from core.http.timestamps import to_iso

_CREATED_BY_DAY: Final = """
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count
FROM systems WHERE created_at >= $1::timestamptz GROUP BY day
"""


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    """How many systems were registered on each day (UTC, `2025-10-23`) that had one."""
    rows = await db.query_raw(_CREATED_BY_DAY, to_iso(since))
    return {row["day"]: row["count"] for row in rows}
