"""Reads as finished JSON: an item, and pages of the list with total and cursor in one statement."""

from typing import Final

from core.database.client import Database
from core.database.json import Arguments, list_answer, row_answer
from core.http.pagination import MAX_LIMIT, Position
from core.http.rows import Row
from core.http.timestamps import to_iso
from features.items.queries.shape import item_json
from features.items.schemas import ItemFilter

_ITEM: Final = item_json("row")
_FIND: Final = f"SELECT {row_answer('row.version', _ITEM)} FROM items AS row WHERE id = $1"
_SHOWN: Final = "id, title, description, category, priority, status, tags, created_at, updated_at"

COUNTED: Final = ("status", "category", "priority")
"""The conditions whose totals the counters of the table item_totals know."""

# Longer texts are searched as far as this, in characters: the index holds no more words of one row.
_WORDS: Final = "to_tsvector('simple'::regconfig, left(title || ' ' || description, 100000))"


async def list_items(
    db: Database,
    wanted: ItemFilter,
    *,
    after: Position | None = None,
    offset: int = 0,
    size: int | None = None,
) -> bytes:
    """The whole answer, newest first, ties by id; without `size` it holds all that match."""
    sql, arguments = list_statement(wanted, after=after, offset=offset, size=size)
    answer = await db.query_text(sql, *arguments)
    assert answer is not None  # an aggregate gives a row
    return answer


async def find_item(db: Database, item_id: str) -> Row | None:
    found = await db.query_text(_FIND, item_id)
    return None if found is None else Row.parse(found)


async def count_items(db: Database) -> int:
    """The same whatever the size of the table."""
    total = await db.query_text("SELECT coalesce(sum(items), 0)::text FROM item_totals")
    return int(total or 0)


def list_statement(
    wanted: ItemFilter, *, after: Position | None, offset: int, size: int | None
) -> tuple[str, Arguments]:
    arguments = Arguments()
    conditions = _conditions(wanted, arguments)
    total = _total(wanted, conditions)
    if after is not None:
        moment, row_id = f"{arguments.add(to_iso(after.created_at))}::timestamptz", arguments.add(after.id)
        # The first condition repeats part of the second: it is the one that an index can jump to.
        conditions = [*conditions, f"created_at <= {moment}", f"(created_at < {moment} OR id > {row_id})"]
    rows = f"SELECT {_SHOWN} FROM items{_where(conditions)} ORDER BY created_at DESC, id"
    if offset:
        rows += f" OFFSET {arguments.add(offset)}::int"
    limit = None
    if size is not None:
        limit = arguments.add(size)
        if not offset:
            # A plan for all limits reckons with a tenth of the rows that there can be, so of few.
            rows = f"SELECT * FROM ({rows} LIMIT {MAX_LIMIT + 1}) AS beginning"
        rows += f" LIMIT {limit}::int + 1"
    first = after is None and not offset
    place = ("row.created_at", "row.id")
    return list_answer(rows, _ITEM, total=total, first=first, size=limit, position=place), arguments


def _conditions(wanted: ItemFilter, arguments: Arguments) -> list[str]:
    # Enumerated values stand in the text: one of them is rare, another common, and each gets the plan that is
    # best for it.
    found = [f"{name} = '{value}'" for name in COUNTED if (value := getattr(wanted, name)) is not None]
    if wanted.tag is not None:
        found.append(f"handover_tags(tags) @> ARRAY[{arguments.add(wanted.tag)}::text]")
    if wanted.q:
        found.append(f"{_WORDS} @@ to_tsquery('simple'::regconfig, {arguments.add(_prefixes(wanted.q))})")
    return found


def _total(wanted: ItemFilter, conditions: list[str]) -> str:
    if wanted.tag is None and not wanted.q:
        return f"SELECT coalesce(sum(items), 0) FROM item_totals{_where(conditions)}"
    return f"SELECT count(*) FROM items{_where(conditions)}"


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _prefixes(q: str) -> str:
    """Each word becomes a quoted prefix, so that no character of it is an operator of the query language."""
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in q.split())
    return " & ".join(f"'{word}':*" for word in words)
