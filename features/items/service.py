"""The rules of the idea bank: what a page may ask for, and what a write makes invalid."""

from uuid import uuid4

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import retried
from core.deps import ActorName
from core.errors import FieldError, Invalid
from core.http.pagination import decode_position
from core.http.rows import Row
from features.items import queries
from features.items.cache import tags_of
from features.items.errors import ItemNotFound
from features.items.schemas import CreateItem, ItemQuery, UpdateItem


async def list_items(db: Database, query: ItemQuery) -> bytes:
    """The whole answer: one page, or without limit, offset and cursor every item that matches."""
    if query.cursor is not None and query.offset:
        raise Invalid(
            "Validation failed", details=[FieldError("offset", "cannot be used together with cursor")]
        )
    after = None if query.cursor is None else decode_position(query.cursor)
    return await queries.list_items(db, query, after=after, offset=query.offset, size=query.limit)


async def get_item(db: Database, item_id: str) -> Row:
    return _found(item_id, await queries.find_item(db, item_id))


async def create_item(db: Database, cache: Cache, actor: ActorName, values: CreateItem) -> tuple[str, Row]:
    """Its id, and the item."""
    item_id = str(uuid4())
    async with cache.invalidating(*tags_of(item_id)):
        return item_id, await retried(db, lambda tx: queries.create_item(tx, actor, item_id, values))


async def update_item(
    db: Database,
    cache: Cache,
    actor: ActorName,
    item_id: str,
    values: UpdateItem,
    tags: list[str] | None = None,
) -> Row:
    """Merges the given fields and sets `updatedAt`, even when no field is given.

    Raises ItemChanged unless the item's ETag is one of the `tags`; None takes any.
    """
    async with cache.invalidating(*tags_of(item_id)):
        updated = await retried(db, lambda tx: queries.update_item(tx, actor, item_id, values, tags))
        return _found(item_id, updated)


async def delete_item(
    db: Database, cache: Cache, actor: ActorName, item_id: str, tags: list[str] | None = None
) -> Row:
    """The item as it was. Raises as `update_item` does."""
    async with cache.invalidating(*tags_of(item_id)):
        return _found(item_id, await retried(db, lambda tx: queries.delete_item(tx, actor, item_id, tags)))


def _found(item_id: str, row: Row | None) -> Row:
    if row is None:
        raise ItemNotFound(item_id)
    return row
