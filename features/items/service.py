"""The rules of the idea bank: what a page holds, and writes that are audited in the same transaction."""

from typing import Final
from uuid import uuid4

from pydantic import JsonValue

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import transaction
from core.deps import ActorName
from core.errors import FieldError, Invalid
from core.http.envelope import ListEnvelope, listed
from core.http.pagination import Position, decode_position, position_cursor
from core.http.timestamps import now
from features.audit import api as audit
from features.items import queries
from features.items.cache import tags_of
from features.items.errors import ItemNotFound
from features.items.schemas import CreateItem, Item, ItemQuery, StoredItem, UpdateItem

ENTITY: Final = "item"


async def list_items(db: Database, query: ItemQuery) -> ListEnvelope[Item]:
    """One page with at most two queries; without limit, offset and cursor one query and every item that
    matches.
    """
    if query.cursor is not None and query.offset:
        raise Invalid(
            "Validation failed", details=[FieldError("offset", "cannot be used together with cursor")]
        )
    after = None if query.cursor is None else decode_position(query.cursor)
    # One more than asked for tells whether there is a next page.
    take = None if query.limit is None else query.limit + 1
    items = await queries.find_items(db, query, after=after, offset=query.offset, take=take)
    complete = take is None or len(items) < take
    items = items[: query.limit]
    first = after is None and not query.offset
    total = len(items) if complete and first else await queries.count_items(db, query)
    cursor = None if complete else position_cursor(Position(items[-1].created_at, items[-1].id))
    return listed(items, total=total, next_cursor=cursor)


async def get_item(db: Database, item_id: str) -> StoredItem:
    stored = await queries.find_item(db, item_id)
    if stored is None:
        raise ItemNotFound(item_id)
    return stored


async def create_item(db: Database, cache: Cache, actor: ActorName, values: CreateItem) -> Item:
    item_id = str(uuid4())
    async with cache.invalidating(*tags_of(item_id)), transaction(db) as tx:
        created = (await queries.create_item(tx, item_id, values, now())).item
        await _audit(tx, actor, "created", item_id, before=None, after=created)
    return created


async def update_item(db: Database, cache: Cache, actor: ActorName, item_id: str, values: UpdateItem) -> Item:
    """Merges the given fields and sets `updatedAt`, even when no field is given."""
    async with cache.invalidating(*tags_of(item_id)), transaction(db) as tx:
        before = await queries.lock_item(tx, item_id)
        after = None if before is None else await queries.update_item(tx, item_id, values, now())
        if before is None or after is None:
            raise ItemNotFound(item_id)
        await _audit(tx, actor, "updated", item_id, before=before.item, after=after.item)
    return after.item


async def delete_item(db: Database, cache: Cache, actor: ActorName, item_id: str) -> Item:
    async with cache.invalidating(*tags_of(item_id)), transaction(db) as tx:
        deleted = await queries.lock_item(tx, item_id)
        if deleted is None:
            raise ItemNotFound(item_id)
        await queries.delete_item(tx, item_id)
        await _audit(tx, actor, "deleted", item_id, before=deleted.item, after=None)
    return deleted.item


async def _audit(
    tx: Database,
    actor: ActorName,
    action: audit.Action,
    item_id: str,
    *,
    before: Item | None,
    after: Item | None,
) -> None:
    await audit.record_change(tx, actor, action, ENTITY, item_id, before=_facts(before), after=_facts(after))


def _facts(item: Item | None) -> dict[str, JsonValue] | None:
    return None if item is None else item.model_dump(mode="json", by_alias=True)
