"""The only place that asks the database for items. Functions take `db` first and open no transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from prisma.models import Item as ItemRow
from prisma.types import ItemUpdateInput, ItemWhereInput

from core.database.client import Database
from core.http.timestamps import to_iso
from features.items import statements
from features.items.schemas import (
    Category,
    CreateItem,
    Item,
    ItemFilter,
    LoadCounts,
    Mismatch,
    Position,
    Priority,
    Status,
    StoredItem,
    UpdateItem,
)


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
        rows = await db.query_raw(statements.SEARCH, *arguments, model=ItemRow)
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
        [row] = await db.query_raw(statements.COUNT_MATCHES, *_search_arguments(wanted))
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
    """The row, held until the transaction ends: writers of one item come one after the other."""
    rows = await tx.query_raw(statements.LOCK, item_id, model=ItemRow)
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


async def delete_item(tx: Database, item_id: str) -> StoredItem | None:
    row = await tx.item.delete(where={"id": item_id})
    return None if row is None else _stored(row)


async def load_rows(tx: Database, rows_json: str, job_id: str, *, overwrite: bool) -> LoadCounts:
    """One statement for the whole batch; identical rows are left alone, so their version and ETag stay."""
    statement = statements.LOAD_OVERWRITING if overwrite else statements.LOAD_KEEPING
    [row] = await tx.query_raw(statement, rows_json, job_id)
    inserted, updated = int(row["inserted"]), int(row["updated"])
    rest = int(row["total"]) - inserted - updated
    return LoadCounts(inserted, updated, unchanged=rest if overwrite else 0, kept=0 if overwrite else rest)


async def compare(db: Database, ids: Sequence[str], digests: Sequence[str]) -> list[Mismatch]:
    """PostgreSQL computes each row's digest from its columns; only rows that differ or are missing travel."""
    rows = await db.query_raw(statements.COMPARE, list(ids), list(digests))
    return [Mismatch(**row) for row in rows]


async def existing_ids(db: Database, ids: Sequence[str], other_than_job: str | None = None) -> list[str]:
    rows = await db.query_raw(statements.EXISTING, list(ids), other_than_job)
    return [row["id"] for row in rows]


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
