"""Items through the typed client. Functions take `db` first and open no transaction."""

from collections.abc import Sequence
from typing import Final, cast

from prisma.models import Item as ItemRow
from prisma.types import (
    ItemCreateInput,
    ItemOrderByInput,
    ItemTotalScalarFieldKeys,
    ItemTotalWhereInput,
    ItemUpdateInput,
    ItemWhereInput,
    ItemWhereUniqueInput,
)

from core.database.client import Database
from core.http.conditional import Precondition
from core.http.pagination import Position
from core.http.projection import Projected, projected
from core.http.rows import row_of
from core.http.timestamps import now
from features.items.errors import ItemChanged, ItemNotFound
from features.items.schemas import CreateItem, Item, ItemFilter, UpdateItem

NEWEST_FIRST: Final[list[ItemOrderByInput]] = [{"created_at": "desc"}, {"id": "asc"}]


async def list_items(
    db: Database, wanted: ItemFilter, *, after: Position | None, offset: int, size: int | None
) -> Projected:
    """Newest first, ties by id; without `size` all that match. `tag` and `q` are not looked at."""
    where = cast(ItemWhereInput, wanted.kinds)
    if after is not None:
        # The first condition repeats part of the second: it is the one that an index can jump to.
        where["AND"] = [
            {"created_at": {"lte": after.created_at}},
            {"OR": [{"created_at": {"lt": after.created_at}}, {"id": {"gt": after.id}}]},
        ]
    return await projected(
        db,
        Item,
        lambda take: db.item.find_many(where=where, order=NEWEST_FIRST, skip=offset or None, take=take),
        size=size,
    )


async def items_by_id(db: Database, ids: Sequence[str]) -> Projected:
    """Those of the ids that are stored, newest first."""
    return await projected(
        db, Item, lambda take: db.item.find_many(where={"id": {"in": list(ids)}}, order=NEWEST_FIRST)
    )


async def count_items(db: Database, wanted: ItemFilter | None = None) -> int:
    """The same cost whatever the size of the table. `tag` and `q` are not looked at."""
    where = cast(ItemTotalWhereInput, {} if wanted is None else wanted.kinds)
    by: list[ItemTotalScalarFieldKeys] = ["status"]
    kinds = await db.itemtotal.group_by(by, where=where, sum={"items": True})
    return sum(int(kind["_sum"]["items"]) for kind in kinds)


async def find_item(db: Database, item_id: str) -> ItemRow | None:
    return await db.item.find_unique(where={"id": item_id})


async def create_item(db: Database, item_id: str, values: CreateItem) -> ItemRow:
    data = {"id": item_id, **values.model_dump(), "created_at": now()}
    return await db.item.create(data=cast(ItemCreateInput, data))


async def update_item(db: Database, item_id: str, values: UpdateItem, seen: Precondition) -> ItemRow:
    """Raises ItemNotFound; ItemChanged when it is not as its writer has seen it."""
    data = {**values.model_dump(exclude_unset=True), "updated_at": now()}
    row = await db.item.update(where=await _as_seen(db, item_id, seen), data=cast(ItemUpdateInput, data))
    return row or await _refused(db, item_id, seen)


async def delete_item(db: Database, item_id: str, seen: Precondition) -> ItemRow:
    """The item as it was. Raises as `update_item` does."""
    row = await db.item.delete(where=await _as_seen(db, item_id, seen))
    return row or await _refused(db, item_id, seen)


async def _as_seen(db: Database, item_id: str, seen: Precondition) -> ItemWhereUniqueInput:
    """Of a row that is as its writer has seen it, the condition that it still is: without it a change between
    looking and writing would be lost. Versions begin anew when an id is imported again, by another job.
    """
    if seen.takes_any:
        return {"id": item_id}
    found = await find_item(db, item_id)
    if found is None:
        raise ItemNotFound(item_id)
    if not seen.takes(row_of(Item, found, found.version).etag):
        raise ItemChanged(item_id)
    return {"id": item_id, "version": found.version, "import_job_id": found.import_job_id}


async def _refused(db: Database, item_id: str, seen: Precondition) -> ItemRow:
    if seen.takes_any or not await db.item.count(where={"id": item_id}):
        raise ItemNotFound(item_id)
    raise ItemChanged(item_id)
