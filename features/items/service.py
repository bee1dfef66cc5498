"""The rules of the idea bank: what a page may ask for, and what a write makes invalid."""

from dataclasses import replace
from uuid import uuid4

from core.database.client import Database
from core.database.transaction import retried
from core.deps import Writing
from core.errors import FieldError, Invalid
from core.http.pagination import Position, decode_position, position_cursor
from core.http.projection import Projected
from core.http.rows import Row, list_body, row_of
from features.items import queries
from features.items.cache import tags_of
from features.items.errors import ItemNotFound
from features.items.schemas import CreateItem, Item, ItemQuery, UpdateItem
from features.items.sql import match


async def list_items(db: Database, query: ItemQuery) -> bytes:
    """The whole answer: one page, or without limit, offset and cursor every item that matches."""
    if query.cursor is not None and query.offset:
        raise Invalid(
            "Validation failed", details=[FieldError("offset", "cannot be used together with cursor")]
        )
    after = None if query.cursor is None else decode_position(query.cursor)
    if query.tag is not None or query.q:
        return await _list_matching(db, query, after)
    rows = await queries.list_items(db, query, after=after, offset=query.offset, size=query.limit)
    total = rows.count if _is_all(query, rows) else await queries.count_items(db, query)
    return list_body(rows, total)


async def _list_matching(db: Database, query: ItemQuery, after: Position | None) -> bytes:
    take = None if query.limit is None else query.limit + 1
    found = await match.find_matching(db, query, after=after, offset=query.offset, take=take)
    shown = found[: query.limit]
    rows = await queries.items_by_id(db, [each.id for each in shown])
    if len(found) > len(shown):
        rows = replace(rows, next_cursor=position_cursor(shown[-1]))
    total = rows.count if _is_all(query, rows) else await match.count_matching(db, query)
    return list_body(rows, total)


def _is_all(query: ItemQuery, rows: Projected) -> bool:
    """Whether the first page shows every item that matches."""
    return not query.offset and query.cursor is None and rows.next_cursor is None


async def get_item(db: Database, item_id: str) -> Row:
    found = await queries.find_item(db, item_id)
    if found is None:
        raise ItemNotFound(item_id)
    return row_of(Item, found, found.version)


async def create_item(writer: Writing, values: CreateItem) -> tuple[str, Row]:
    """Its id, and the item."""
    item_id = str(uuid4())
    async with writer.cache.invalidating(*tags_of(item_id)):
        row = await retried(
            writer.db.acting_as(writer.actor), lambda tx: queries.create_item(tx, item_id, values)
        )
    return item_id, row_of(Item, row, row.version)


async def update_item(writer: Writing, item_id: str, values: UpdateItem) -> Row:
    """Merges the given fields and sets `updatedAt`, even when no field is given.

    Raises Invalid for values that only rows of the old service may keep; ItemNotFound; ItemChanged unless the
    item is as the writer's precondition says.
    """
    if values.held_back:
        found = await queries.find_item(writer.db, item_id)
        values.settle(None if found is None else found.model_dump())
    async with writer.cache.invalidating(*tags_of(item_id)):
        row = await retried(
            writer.db.acting_as(writer.actor),
            lambda tx: queries.update_item(tx, item_id, values, writer.precondition),
        )
    return row_of(Item, row, row.version)


async def delete_item(writer: Writing, item_id: str) -> Row:
    """The item as it was. Raises as `update_item` does."""
    async with writer.cache.invalidating(*tags_of(item_id)):
        row = await retried(
            writer.db.acting_as(writer.actor),
            lambda tx: queries.delete_item(tx, item_id, writer.precondition),
        )
    return row_of(Item, row, row.version)
