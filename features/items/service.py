"""Service of items: pages, and what a write changes."""

from dataclasses import replace
from typing import Final

from core.database.client import AuthoredDatabase, Database
from core.database.transaction import retried, unit_of_work
from core.http.answers.conditional import Precondition
from core.http.answers.envelope import Row, row_of
from core.http.answers.long_lists import Listing
from core.http.answers.pagination import decode_position, encode_place
from core.http.answers.projection import Projected
from features.items import queries
from features.items.errors import ItemNotFound
from features.items.schemas import CreateItem, Item, ItemOperations, ItemQuery, UpdateItem
from features.items.sql import match


async def _page(db: Database, query: ItemQuery, cursor: str | None, offset: int, size: int) -> Projected:
    after = None if cursor is None else decode_position(cursor, queries.SCOPE)
    if query.tag is None and not query.q:
        return await queries.list_items(db, query, after=after, offset=offset, size=size)
    places = await match.find_matching(db, query, after=after, offset=offset, take=size + 1)
    rows = await queries.items_by_id(db, [row_id for _, row_id in places[:size]])
    following = None if len(places) <= size else encode_place(queries.SCOPE, *places[size - 1])
    return replace(rows, next_cursor=following)


async def _count(db: Database, query: ItemQuery) -> int:
    matching = query.tag is not None or query.q
    return await (match.count_matching(db, query) if matching else queries.count_items(db, query))


LIST: Final = Listing(_page, _count)
"""Newest first."""


async def get_item(db: Database, item_id: str) -> Row:
    found = await queries.find_item(db, item_id)
    if found is None:
        raise ItemNotFound(item_id)
    return row_of(Item, found, found.version)


async def create_item(db: AuthoredDatabase, values: CreateItem) -> tuple[str, Row]:
    """Create an item; returns its id, and the item."""
    row = await retried(db, lambda tx: queries.create_item(tx, values))
    return row.id, row_of(Item, row, row.version)


async def update_item(
    db: AuthoredDatabase, item_id: str, values: UpdateItem, precondition: Precondition
) -> Row:
    """Update the given fields and set `updatedAt`, even when no field is given.

    Raises Invalid for values that only rows of the old service may keep; ItemNotFound; ItemChanged unless the
    item is as the precondition says.
    """
    if values.held_back:
        found = await queries.find_item(db, item_id)
        values.settle(None if found is None else found.model_dump())
    row = await retried(db, lambda tx: queries.update_item(tx, item_id, values, precondition))
    return row_of(Item, row, row.version)


async def delete_item(db: AuthoredDatabase, item_id: str, precondition: Precondition) -> Row:
    """Delete an item and return it. Raises as `update_item` does."""
    row = await retried(db, lambda tx: queries.delete_item(tx, item_id, precondition))
    return row_of(Item, row, row.version)


async def write_items(db: AuthoredDatabase, wanted: ItemOperations) -> bytes:
    """All of the operations or none. Raises as the first of those that fail would by itself."""
    return await unit_of_work(
        db, lambda tx: queries.TABLE.write(tx, wanted, queries.new_row, queries.changes)
    )
