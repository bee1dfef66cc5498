"""Ideas over time."""

from datetime import datetime
from typing import Final

from core.database.client import Database
from core.http.timestamps import to_iso

# A series over time: Prisma groups by columns only, not by the day of a moment.
_CREATED_BY_DAY: Final = """
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count
FROM ideas WHERE created_at >= $1::timestamptz GROUP BY day
"""


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    rows = await db.query_raw(_CREATED_BY_DAY, to_iso(since))
    return {row["day"]: row["count"] for row in rows}
