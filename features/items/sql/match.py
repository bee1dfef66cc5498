"""Items by text or tag: full-text match and an index on an expression, which Prisma cannot say. Finds their
places in the list; the rows are read by typed calls.
"""

from datetime import datetime
from typing import Final

from core.database.client import Database
from core.database.conditions import Arguments, argument, beyond
from core.http.pagination import MAX_LIMIT, Position
from features.items.schemas import ItemFilter

# Longer texts are searched as far as this, in characters: the index holds no more words of one row.
_WORDS: Final = "to_tsvector('simple'::regconfig, left(title || ' ' || description, 100000))"


async def find_matching(
    db: Database, wanted: ItemFilter, *, after: Position | None, offset: int, take: int | None
) -> list[Position]:
    """Newest first, ties by id."""
    sql, arguments = match_statement(wanted, after=after, offset=offset, take=take)
    rows = await db.query_raw(sql, *arguments)
    return [Position(datetime.fromisoformat(row["created_at"]), row["id"]) for row in rows]


async def count_matching(db: Database, wanted: ItemFilter) -> int:
    arguments = Arguments()
    where = " AND ".join(_conditions(wanted, arguments))
    [row] = await db.query_raw(f"SELECT count(*) FROM items WHERE {where}", *arguments)
    return int(row["count"])


def match_statement(
    wanted: ItemFilter, *, after: Position | None, offset: int, take: int | None
) -> tuple[str, Arguments]:
    arguments = Arguments()
    conditions = _conditions(wanted, arguments)
    if after is not None:
        bound, row_id = argument(after.created_at, arguments), arguments.add(after.id)
        conditions.append(beyond("created_at", "desc", bound, row_id, ids_turned=True))
    rows = f"SELECT created_at, id FROM items WHERE {' AND '.join(conditions)} ORDER BY created_at DESC, id"
    if offset:
        rows += f" OFFSET {arguments.add(offset)}::int"
    elif take is not None and take <= MAX_LIMIT + 1:
        # A plan for all limits reckons with a tenth of the rows that there can be, so of few.
        rows = f"SELECT * FROM ({rows} LIMIT {MAX_LIMIT + 1}) AS beginning"
    if take is not None:
        rows += f" LIMIT {arguments.add(take)}::int"
    return rows, arguments


def _conditions(wanted: ItemFilter, arguments: Arguments) -> list[str]:
    # Enumerated values stand in the text: one of them is rare, another common, and each gets the plan that is
    # best for it.
    found = [f"{name} = '{value}'" for name, value in wanted.kinds.items()]
    if wanted.tag is not None:
        found.append(f"handover_tags(tags) @> ARRAY[{arguments.add(wanted.tag)}::text]")
    if wanted.q:
        found.append(f"{_WORDS} @@ to_tsquery('simple'::regconfig, {arguments.add(_prefixes(wanted.q))})")
    return found


def _prefixes(q: str) -> str:
    """Each word becomes a quoted prefix, so that no character of it is an operator of the query language."""
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in q.split())
    return " & ".join(f"'{word}':*" for word in words)
