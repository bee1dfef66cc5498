"""Single items and pages of the list. In SQL only what the typed client cannot say: full text, a lock."""

from datetime import datetime
from typing import Final, cast

from prisma.models import Item as ItemRow
from prisma.types import ItemUpdateInput, ItemWhereInput

from core.database.client import Database
from core.http.pagination import Position
from core.http.timestamps import to_iso
from features.items.schemas import (
    Category,
    CreateItem,
    Item,
    ItemFilter,
    Priority,
    Status,
    StoredItem,
    UpdateItem,
)

_COLUMNS: Final = "id, title, description, category, priority, status, tags, created_at, updated_at"

# Longer texts are searched as far as this, in characters: the index holds no more words of one row.
_MATCHES: Final = """
FROM items
WHERE to_tsvector('simple'::regconfig, left(title || ' ' || description, 100000))
        @@ to_tsquery('simple'::regconfig, $1)
    AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR category = $3)
    AND ($4::text IS NULL OR priority = $4) AND ($5::text IS NULL OR tags @> ARRAY[$5])
"""

_SEARCH: Final = f"""
SELECT {_COLUMNS}, version {_MATCHES}
    AND ($6::timestamptz IS NULL OR created_at <= $6 AND (created_at < $6 OR id > $7))
ORDER BY created_at DESC, id LIMIT $8::int OFFSET $9::int
"""

_COUNT_MATCHES: Final = f"SELECT count(*)::int AS total {_MATCHES}"

# Whoever waits holds a connection, so nobody waits long: an import holds the rows of a batch for a while.
_LOCK: Final = f"""
SELECT {_COLUMNS}, version
FROM items, (SELECT set_config('lock_timeout', '2s', true)) AS patience
WHERE id = $1 FOR UPDATE OF items
"""


async def find_item(db: Database, item_id: str) -> StoredItem | None:
    row = await db.item.find_unique(where={"id": item_id})
    return None if row is None else _stored(row)


async def find_items(
    db: Database,
    wanted: ItemFilter,
    *,
    after: Position | None = None,
    offset: int = 0,
    take: int | None = None,
) -> list[Item]:
    """Newest first, ties by id."""
    if wanted.q:
        moment, item_id = (None, None) if after is None else (to_iso(after.created_at), after.id)
        arguments = (*_search_arguments(wanted), moment, item_id, take, offset)
        rows = await db.query_raw(_SEARCH, *arguments, model=ItemRow)
    else:
        where = _where(wanted)
        if after is not None:
            # The first condition repeats part of the second: it is the one that an index can jump to.
            where["created_at"] = {"lte": after.created_at}
            where["OR"] = [{"created_at": {"lt": after.created_at}}, {"id": {"gt": after.id}}]
        rows = await db.item.find_many(
            where=where, order=[{"created_at": "desc"}, {"id": "asc"}], skip=offset or None, take=take
        )
    return [_item(row) for row in rows]


async def count_items(db: Database, wanted: ItemFilter) -> int:
    if wanted.q:
        [row] = await db.query_raw(_COUNT_MATCHES, *_search_arguments(wanted))
        return int(row["total"])
    return await db.item.count(where=_where(wanted))


async def create_item(tx: Database, item_id: str, values: CreateItem, created_at: datetime) -> StoredItem:
    """Raises prisma's UniqueViolationError for an id that is stored."""
    row = await tx.item.create(
        data={
            "id": item_id,
            "title": values.title,
            "description": values.description,
            "category": values.category,
            "priority": values.priority,
            "tags": values.tags,
            "created_at": created_at,
        }
    )
    return _stored(row)


async def lock_item(tx: Database, item_id: str) -> StoredItem | None:
    """The row, held until the transaction ends: writers of one item come one after the other.

    Raises WriteConflict after two seconds of waiting.
    """
    rows = await tx.query_raw(_LOCK, item_id, model=ItemRow)
    return _stored(rows[0]) if rows else None


async def update_item(
    tx: Database, item_id: str, values: UpdateItem, updated_at: datetime
) -> StoredItem | None:
    """Changes the fields that `values` was given, and counts the version up."""
    given = cast(ItemUpdateInput, values.model_dump(exclude_unset=True))
    row = await tx.item.update(
        where={"id": item_id}, data={**given, "updated_at": updated_at, "version": {"increment": 1}}
    )
    return None if row is None else _stored(row)


async def delete_item(tx: Database, item_id: str) -> None:
    await tx.item.delete(where={"id": item_id})


def _where(wanted: ItemFilter) -> ItemWhereInput:
    where: ItemWhereInput = {}
    if wanted.status is not None:
        where["status"] = wanted.status
    if wanted.category is not None:
        where["category"] = wanted.category
    if wanted.priority is not None:
        where["priority"] = wanted.priority
    if wanted.tag is not None:
        where["tags"] = {"has": wanted.tag}
    return where


def _search_arguments(wanted: ItemFilter) -> tuple[str | None, ...]:
    """Each word of q becomes a quoted prefix, so that no character of it is an operator of the query
    language.
    """
    words = (word.replace("\\", "\\\\").replace("'", "''") for word in (wanted.q or "").split())
    query = " & ".join(f"'{word}':*" for word in words)
    return query, wanted.status, wanted.category, wanted.priority, wanted.tag


def _stored(row: ItemRow) -> StoredItem:
    return StoredItem(_item(row), row.version)


def _item(row: ItemRow) -> Item:
    """Not validated again: the database's own constraints hold for what it returns."""
    return Item.model_construct(
        id=row.id,
        title=row.title,
        description=row.description,
        category=cast(Category, row.category),
        priority=cast(Priority, row.priority),
        status=cast(Status, row.status),
        tags=row.tags,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
