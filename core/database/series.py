"""Series over time: Prisma groups by columns only, not by the day of a moment."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.database.client import Database
from core.database.conditions import Arguments, condition


async def created_by_day(
    db: Database, table: str, since: datetime, where: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Numbers of the table's rows made on each day (UTC, `2025-10-23`) from `since` on, without
    days that had none. `where` holds conditions of a typed call.
    """
    arguments = Arguments()
    found = condition({"created_at": {"gte": since}, **(where or {})}, arguments)
    rows = await db.query_raw(
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count "
        f"FROM {table} WHERE {found} GROUP BY day",
        *arguments,
    )
    return {row["day"]: row["count"] for row in rows}
