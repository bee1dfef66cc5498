"""Counts of files by day."""

from datetime import datetime
from typing import Final

from core.database.client import Database
from core.http.timestamps import to_iso
from features.files.schemas import Audience

_CREATED_BY_DAY: Final = """
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count
FROM files WHERE created_at >= $1::timestamptz AND ($2::text IS NULL OR is_public OR uploaded_by = $2)
GROUP BY day
"""


async def created_by_day(db: Database, since: datetime, audience: Audience) -> dict[str, int]:
    rows = await db.query_raw(_CREATED_BY_DAY, to_iso(since), audience.name)
    return {row["day"]: row["count"] for row in rows}
