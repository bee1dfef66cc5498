"""Queries of items by the typed client. Functions take `db` first and open no transaction."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Any, Final, cast
from uuid import uuid4

from prisma.bases import BaseItem
from prisma.models import Item as ItemRow
from prisma.types import (
    ItemCreateInput,
    ItemOrderByInput,
    ItemTotalGroupByOutput,
    ItemTotalScalarFieldKeys,
    ItemTotalWhereInput,
    ItemUpdateInput,
    ItemWhereInput,
)

from core.database.client import Database
from core.http.answers.conditional import Precondition, RowState, WriteRow, conditional_write
from core.http.answers.envelope import row_of
from core.http.answers.pagination import Position, beyond
from core.http.answers.projection import Projected, projected, total_of
from core.http.bulk import BulkTable
from core.http.request.fields import now
from features.items.errors import ItemChanged, ItemNotFound
from features.items.schemas import CreateItem, Item, ItemFilter, UpdateItem

SCOPE: Final = ("items",)
TABLE: Final = BulkTable(
    "items", "Item", Item, lambda db: db.item, ItemNotFound, ItemChanged, version="version"
)
NEWEST_FIRST: Final[list[ItemOrderByInput]] = [{"created_at": "desc"}, {"id": "asc"}]


class ItemTitle(BaseItem):
    """Columns of an item that is only named: a description can be large."""

    id: str
    title: str


async def list_items(
    db: Database,
    wanted: ItemFilter,
    *,
    after: Position | None,
    offset: int,
    size: int | None,
) -> Projected:
    """Items, newest first, ties by id; without `size` all that match. `tag` and `q` are ignored."""
    where = cast(ItemWhereInput, wanted.kinds)
    if after is not None:
        where["AND"] = beyond(after)
    return await projected(
        db,
        Item,
        lambda take: db.item.find_many(where=where, order=NEWEST_FIRST, skip=offset or None, take=take),
        total=lambda: _totals(db, wanted),
        size=size,
        scope=SCOPE,
    )


async def items_by_id(db: Database, ids: Sequence[str]) -> Projected:
    """Items of those ids that are stored, newest first."""
    return await projected(
        db, Item, lambda take: db.item.find_many(where={"id": {"in": list(ids)}}, order=NEWEST_FIRST)
    )


async def count_items(db: Database, wanted: ItemFilter | None = None) -> int:
    """The same cost whatever the size of the table. `tag` and `q` are not looked at."""
    return total_of(await _totals(db, wanted or ItemFilter()))


def _totals(db: Database, wanted: ItemFilter) -> Awaitable[list[ItemTotalGroupByOutput]]:
    by: list[ItemTotalScalarFieldKeys] = ["status"]
    return db.itemtotal.group_by(by, where=cast(ItemTotalWhereInput, wanted.kinds), sum={"items": True})


async def titles_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """Titles of the items that exist, by id."""
    rows = await ItemTitle.prisma(db).find_many(where={"id": {"in": list(ids)}})
    return {row.id: row.title for row in rows}


async def find_item(db: Database, item_id: str) -> ItemRow | None:
    return await db.item.find_unique(where={"id": item_id})


def new_row(values: CreateItem) -> dict[str, Any]:
    return {"id": str(uuid4()), **values.model_dump(), "created_at": now()}


def changes(values: UpdateItem) -> dict[str, Any]:
    return {**values.model_dump(exclude_unset=True), "updated_at": now()}


async def create_item(db: Database, values: CreateItem) -> ItemRow:
    return await db.item.create(data=cast(ItemCreateInput, new_row(values)))


async def update_item(db: Database, item_id: str, values: UpdateItem, seen: Precondition) -> ItemRow:
    """Update an item. Raises ItemNotFound; ItemChanged if it is not as its writer has seen it."""
    data = cast(ItemUpdateInput, changes(values))
    return await _change(db, item_id, seen, lambda where: db.item.update(where=where, data=data))


async def delete_item(db: Database, item_id: str, seen: Precondition) -> ItemRow:
    """Delete an item and return it. Raises as `update_item` does."""
    return await _change(db, item_id, seen, lambda where: db.item.delete(where=where))


async def _change(db: Database, item_id: str, seen: Precondition, write: WriteRow[ItemRow]) -> ItemRow:
    async def find() -> RowState | None:
        if (row := await find_item(db, item_id)) is None:
            return None
        columns = {"version": row.version, "import_job_id": row.import_job_id}
        return RowState(row_of(Item, row, row.version).etag, columns)

    return await conditional_write(seen, item_id, find, write, ItemNotFound, ItemChanged)
