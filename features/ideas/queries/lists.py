"""Lists of ideas. By time of creation they come from the typed client; for other orders and for texts it has
no words, so SQL finds the ids and the rows are then read by id: always the same number of queries.
"""

from collections.abc import Sequence
from typing import Final, cast

from prisma.types import IdeaOrderByInput, IdeaWhereInput

from core.database.client import Database
from core.http.pagination import Position
from core.http.timestamps import to_iso
from features.ideas.queries.rows import WITH_SYSTEM, IdeaRow, idea_of
from features.ideas.schemas import Direction, Idea, IdeaFilter, OrderBy

_IDS_PER_QUERY: Final = 5000
"""More ideas than this are read by the filter instead of by their ids."""

_CONDITIONS: Final = ("status", "category", "priority", "system_id", "assigned_to")

_MATCHES: Final = """
FROM ideas
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR category = $2)
    AND ($3::text IS NULL OR priority = $3) AND ($4::text IS NULL OR system_id = $4)
    AND ($5::text IS NULL OR assigned_to = $5)
    AND ($6::text IS NULL OR handover_words(title, description) @@ handover_query($6))
"""

_AFTER: Final[dict[Direction, str]] = {
    "desc": "created_at <= $7 AND (created_at < $7 OR id > $8)",
    "asc": "created_at >= $7 AND (created_at > $7 OR id < $8)",
}

# Each pair of lines is one index, read forwards and backwards; the migration has the same expressions.
_TITLE: Final = "handover_fold(title)"
_CHANGED: Final = "coalesce(updated_at, created_at)"
_PRIORITY: Final = "array_position(ARRAY['low', 'medium', 'high', 'critical'], priority)"
_STATUS: Final = (
    "array_position(ARRAY['new', 'triage', 'in_progress', 'review', 'completed', 'rejected'], status)"
)
_ORDERS: Final[dict[tuple[OrderBy, Direction], str]] = {
    ("created_at", "desc"): "created_at DESC, id",
    ("created_at", "asc"): "created_at, id DESC",
    ("updated_at", "desc"): f"{_CHANGED} DESC, id DESC",
    ("updated_at", "asc"): f"{_CHANGED}, id",
    ("title", "desc"): f"{_TITLE} DESC, id DESC",
    ("title", "asc"): f"{_TITLE}, id",
    ("priority", "desc"): f"{_PRIORITY} DESC, id DESC",
    ("priority", "asc"): f"{_PRIORITY}, id",
    ("status", "desc"): f"{_STATUS} DESC, id DESC",
    ("status", "asc"): f"{_STATUS}, id",
    ("due_date", "desc"): "coalesce(due_date, '-infinity'::timestamptz) DESC, id DESC",
    ("due_date", "asc"): "coalesce(due_date, 'infinity'::timestamptz), id",
}


async def find_ideas(
    db: Database,
    wanted: IdeaFilter,
    order_by: OrderBy = "created_at",
    direction: Direction = "desc",
    *,
    after: Position | None = None,
    offset: int = 0,
    take: int | None = None,
) -> list[Idea]:
    """With their systems. `after` belongs to the order by creation."""
    if order_by != "created_at" or wanted.search is not None:
        ids = await find_ids(db, wanted, order_by, direction, after=after, offset=offset, take=take)
        return await _in_order(db, wanted, ids)
    newest_first = direction == "desc"
    where = _where(wanted)
    if after is not None:
        # The first condition repeats part of the second: it is the one that an index can jump to.
        if newest_first:
            where["created_at"] = {"lte": after.created_at}
            where["OR"] = [{"created_at": {"lt": after.created_at}}, {"id": {"gt": after.id}}]
        else:
            where["created_at"] = {"gte": after.created_at}
            where["OR"] = [{"created_at": {"gt": after.created_at}}, {"id": {"lt": after.id}}]
    order: list[IdeaOrderByInput] = [{"created_at": direction}, {"id": "asc" if newest_first else "desc"}]
    rows = await IdeaRow.prisma(db).find_many(
        where=where, order=order, skip=offset or None, take=take, include=WITH_SYSTEM
    )
    return [idea_of(row) for row in rows]


async def count_ideas(db: Database, wanted: IdeaFilter) -> int:
    if wanted.search is None:
        return await db.idea.count(where=_where(wanted))
    [row] = await db.query_raw(f"SELECT count(*)::int AS total {_MATCHES}", *_arguments(wanted))
    return int(row["total"])


async def find_ids(
    db: Database,
    wanted: IdeaFilter,
    order_by: OrderBy,
    direction: Direction,
    *,
    after: Position | None,
    offset: int,
    take: int | None,
) -> list[str]:
    arguments: list[str | int | None] = [*_arguments(wanted)]
    condition = ""
    if after is not None:
        condition = f"AND {_AFTER[direction]}".replace("$7", "$7::timestamptz")
        arguments += [to_iso(after.created_at), after.id]
    limit, skip = len(arguments) + 1, len(arguments) + 2
    order = _ORDERS[order_by, direction]
    if order_by in _CONDITIONS and getattr(wanted, order_by) is not None:
        # All have the same rank: without this the index of ranks would be read up to it.
        order = "id DESC" if direction == "desc" else "id"
    statement = f"SELECT id {_MATCHES} {condition} ORDER BY {order} LIMIT ${limit}::int OFFSET ${skip}::int"
    rows = await db.query_raw(statement, *arguments, take, offset)
    return [row["id"] for row in rows]


async def _in_order(db: Database, wanted: IdeaFilter, ids: Sequence[str]) -> list[Idea]:
    """An idea that was deleted since its id was found is left out."""
    where: IdeaWhereInput = {"id": {"in": list(ids)}} if len(ids) <= _IDS_PER_QUERY else _where(wanted)
    rows = await IdeaRow.prisma(db).find_many(where=where, include=WITH_SYSTEM)
    by_id = {row.id: row for row in rows}
    return [idea_of(by_id[idea_id]) for idea_id in ids if idea_id in by_id]


def _where(wanted: IdeaFilter) -> IdeaWhereInput:
    """All conditions but the text."""
    return cast(IdeaWhereInput, wanted.model_dump(include=set(_CONDITIONS), exclude_none=True))


def _arguments(wanted: IdeaFilter) -> tuple[str | None, ...]:
    return (*(getattr(wanted, name) for name in _CONDITIONS), wanted.search)
