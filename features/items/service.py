"""The rules of the idea bank: what a page may ask for, and what a write changes."""

from dataclasses import replace
from functools import partial
from uuid import uuid4

from core.database.client import Database
from core.deps import Writing
from core.http.long_lists import LONG, LongList, Spool
from core.http.pagination import check_start, decode_position, position_cursor
from core.http.projection import Projected
from core.http.rows import Row, list_body, row_of
from features.items import queries
from features.items.errors import ItemNotFound
from features.items.schemas import CreateItem, Item, ItemQuery, UpdateItem
from features.items.sql import match


async def list_items(db: Database, query: ItemQuery) -> bytes:
    """The whole answer: one page, or without limit, offset and cursor every item that matches.

    Raises LongList for more of them than are held in memory.
    """
    check_start(query.cursor, query.offset)
    rows = await _page(db, query, query.cursor, query.offset, query.limit or LONG)
    if query.limit is None and rows.next_cursor is not None:
        raise LongList
    # The first page may show every item that matches.
    is_all = not query.offset and query.cursor is None and rows.next_cursor is None
    return list_body(rows, rows.count if is_all else await _count(db, query))


async def spool_items(db: Database, query: ItemQuery, spool: Spool) -> int:
    """Every item that matches, page by page; returns how many match without `offset` and `cursor`."""
    await spool.fill(partial(_page, db, query), query.cursor, query.offset)
    return await _count(db, query)


async def _page(db: Database, query: ItemQuery, cursor: str | None, offset: int, size: int) -> Projected:
    after = None if cursor is None else decode_position(cursor, queries.SCOPE)
    if query.tag is None and not query.q:
        return await queries.list_items(db, query, after=after, offset=offset, size=size)
    found = await match.find_matching(db, query, after=after, offset=offset, take=size + 1)
    rows = await queries.items_by_id(db, [each.id for each in found[:size]])
    if len(found) <= size:
        return rows
    return replace(rows, next_cursor=position_cursor(found[size - 1], queries.SCOPE))


async def _count(db: Database, query: ItemQuery) -> int:
    matching = query.tag is not None or query.q
    return await (match.count_matching(db, query) if matching else queries.count_items(db, query))


async def get_item(db: Database, item_id: str) -> Row:
    found = await queries.find_item(db, item_id)
    if found is None:
        raise ItemNotFound(item_id)
    return row_of(Item, found, found.version)


async def create_item(writer: Writing, values: CreateItem) -> tuple[str, Row]:
    """Its id, and the item."""
    item_id = str(uuid4())
    row = await writer.write(lambda tx: queries.create_item(tx, item_id, values))
    return item_id, row_of(Item, row, row.version)


async def update_item(writer: Writing, item_id: str, values: UpdateItem) -> Row:
    """Merges the given fields and sets `updatedAt`, even when no field is given.

    Raises Invalid for values that only rows of the old service may keep; ItemNotFound; ItemChanged unless the
    item is as the writer's precondition says.
    """
    if values.held_back:
        found = await queries.find_item(writer.db, item_id)
        values.settle(None if found is None else found.model_dump())
    row = await writer.write(lambda tx: queries.update_item(tx, item_id, values, writer.precondition))
    return row_of(Item, row, row.version)


async def delete_item(writer: Writing, item_id: str) -> Row:
    """The item as it was. Raises as `update_item` does."""
    row = await writer.write(lambda tx: queries.delete_item(tx, item_id, writer.precondition))
    return row_of(Item, row, row.version)
