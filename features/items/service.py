"""The rules of the idea bank: what a page may ask for, and what a write makes invalid."""

from typing import Final
from uuid import uuid4

import orjson

from core.database.client import Database
from core.database.transaction import retried
from core.deps import Writing
from core.errors import FieldError, Invalid
from core.group_commit import GroupCommit
from core.http.pagination import decode_position
from core.http.rows import Row
from features.items import queries
from features.items.cache import tags_of
from features.items.errors import ItemNotFound
from features.items.schemas import CreateItem, ItemQuery, UpdateItem

_CREATIONS: Final = GroupCommit(queries.create_items, tags_of)
_CHANGES: Final = GroupCommit(queries.update_items, tags_of)


async def list_items(db: Database, query: ItemQuery) -> bytes:
    """The whole answer: one page, or without limit, offset and cursor every item that matches."""
    if query.cursor is not None and query.offset:
        raise Invalid(
            "Validation failed", details=[FieldError("offset", "cannot be used together with cursor")]
        )
    after = None if query.cursor is None else decode_position(query.cursor)
    return await queries.list_items(db, query, after=after, offset=query.offset, size=query.limit)


async def get_item(db: Database, item_id: str) -> Row:
    found = await queries.find_item(db, item_id)
    if found is None:
        raise ItemNotFound(item_id)
    return found


async def create_item(writer: Writing, values: CreateItem) -> tuple[str, Row]:
    """Its id, and the item."""
    item_id = str(uuid4())
    return item_id, await _CREATIONS.carry_out(
        writer.db, writer.cache, queries.creation(writer.actor, item_id, values)
    )


async def update_item(
    writer: Writing,
    item_id: str,
    values: UpdateItem,
    tags: list[str] | None = None,
) -> Row:
    """Merges the given fields and sets `updatedAt`, even when no field is given.

    Raises Invalid for values that only rows of the old service may keep;
    ItemNotFound; ItemChanged unless the item's ETag is one of the `tags`; None takes any.
    """
    if values.held_back:
        found = await queries.find_item(writer.db, item_id)
        values.settle(None if found is None else orjson.loads(found.data))
    return await _CHANGES.carry_out(
        writer.db, writer.cache, queries.change(writer.actor, item_id, values, tags)
    )


async def delete_item(writer: Writing, item_id: str, tags: list[str] | None = None) -> Row:
    """The item as it was. Raises as `update_item` does."""
    async with writer.cache.invalidating(*tags_of(item_id)):
        return await retried(writer.db, lambda tx: queries.delete_item(tx, writer.actor, item_id, tags))
