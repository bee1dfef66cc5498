"""Many systems at once, each with one statement: SQL throughout, for the typed client has no words for half
of it.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from prisma.models import System as SystemRow

from core.database.client import Database
from core.http.timestamps import from_iso, to_iso
from features.systems.queries.rows import COLUMNS, system_of
from features.systems.schemas import (
    OrderBy,
    OrderDirection,
    StatusCounts,
    System,
    SystemFilter,
    SystemsStats,
    TypeCounts,
)

_WORDS: Final = "handover_words(name, description) @@ handover_query({})"
_CONDITIONS: Final = {
    "status": "status = {}",
    "type": "type = {}",
    "category": "category = {}",
    "owner": "owner = {}",
    "tag": "handover_tags(tags) @> ARRAY[{}::text]",
    "search": _WORDS,
}

# Each pair is one index, read forwards and backwards; the migration has the same expressions.
_CHANGED: Final = "coalesce(updated_at, created_at)"
_ORDERS: Final[dict[tuple[OrderBy, OrderDirection], str]] = {
    ("created_at", "desc"): "created_at DESC, id",
    ("created_at", "asc"): "created_at, id DESC",
    ("updated_at", "desc"): f"{_CHANGED} DESC, id DESC",
    ("updated_at", "asc"): f"{_CHANGED}, id",
    ("name", "desc"): "handover_fold(name) DESC, id DESC",
    ("name", "asc"): "handover_fold(name), id",
}

_SEARCH: Final = f"""
SELECT {COLUMNS} FROM systems, handover_query($1) AS query
WHERE handover_words(name, description) @@ query
ORDER BY ts_rank(handover_words(name, description), query) DESC, name, id LIMIT $2::int
"""

_NAMES: Final = "SELECT id, name FROM systems WHERE id = ANY($1::text[])"

_STATISTICS: Final = """
SELECT status, type, count(*)::int AS count, max(last_checked) AS last_checked
FROM systems GROUP BY status, type
"""

_CREATED_BY_DAY: Final = """
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count
FROM systems WHERE created_at >= $1::timestamptz GROUP BY day
"""


async def find_systems(
    db: Database,
    wanted: SystemFilter,
    order_by: OrderBy = "created_at",
    direction: OrderDirection = "desc",
    *,
    offset: int = 0,
    take: int | None = None,
) -> list[System]:
    matching, arguments = _matching(wanted)
    limit, skip = len(arguments) + 1, len(arguments) + 2
    statement = (
        f"SELECT {COLUMNS} {matching} ORDER BY {_ORDERS[order_by, direction]} "
        f"LIMIT ${limit}::int OFFSET ${skip}::int"
    )
    rows = await db.query_raw(statement, *arguments, take, offset, model=SystemRow)
    return [system_of(row) for row in rows]


async def count_systems(db: Database, wanted: SystemFilter) -> int:
    matching, arguments = _matching(wanted)
    [row] = await db.query_raw(f"SELECT count(*)::int AS total {matching}", *arguments)
    return int(row["total"])


async def search_systems(db: Database, text: str, *, limit: int | None = None) -> list[System]:
    """The best matches first; words in the name count more."""
    rows = await db.query_raw(_SEARCH, text, limit, model=SystemRow)
    return [system_of(row) for row in rows]


async def names_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    return {row["id"]: row["name"] for row in await db.query_raw(_NAMES, list(ids))}


async def statistics(db: Database) -> SystemsStats:
    by_status = dict.fromkeys(StatusCounts.model_fields, 0)
    by_type = dict.fromkeys(TypeCounts.model_fields, 0)
    checked: list[datetime] = []
    for row in await db.query_raw(_STATISTICS):
        status = "error" if row["status"] == "degraded" else row["status"]
        by_status[status] += row["count"]
        if row["type"] is not None:
            by_type[row["type"]] += row["count"]
        if row["last_checked"] is not None:
            checked.append(from_iso(row["last_checked"]))
    return SystemsStats(
        total=sum(by_status.values()),
        by_status=StatusCounts(**by_status),
        by_type=TypeCounts(**by_type),
        last_checked=max(checked, default=None),
    )


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    rows = await db.query_raw(_CREATED_BY_DAY, to_iso(since))
    return {row["day"]: row["count"] for row in rows}


def _matching(wanted: SystemFilter) -> tuple[str, list[str | int | None]]:
    """FROM and WHERE, with the arguments that they number."""
    given = wanted.model_dump(include=set(_CONDITIONS), exclude_none=True)
    conditions: list[str] = []
    if given.get("status") == "unknown":
        del given["status"]
        conditions.append("last_checked IS NULL")
    elif given.get("status") == "error":
        given["status"] = "degraded"
    arguments: list[str | int | None] = []
    for name, value in given.items():
        arguments.append(value)
        conditions.append(_CONDITIONS[name].format(f"${len(arguments)}"))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"FROM systems {where}", arguments
