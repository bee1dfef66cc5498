"""Items read the typed way: what the statements of the slice are held against."""

from typing import cast

from prisma.models import Item as ItemRow
from prisma.types import ItemWhereInput

from core.database.client import Database
from core.http.answers.envelope import listed
from core.http.answers.pagination import Position, encode_place
from features.items.queries import SCOPE
from features.items.schemas import Category, Item, ItemFilter, Priority, Status


async def list_items(
    db: Database,
    wanted: ItemFilter,
    *,
    after: Position | None = None,
    offset: int = 0,
    size: int | None = None,
) -> bytes:
    where = cast(
        ItemWhereInput, wanted.model_dump(include={"status", "category", "priority"}, exclude_none=True)
    )
    if wanted.tag is not None:
        where["tags"] = {"has": wanted.tag}
    total = await db.item.count(where=where)
    if after is not None:
        where["OR"] = [
            {"created_at": {"lt": after.created_at}},
            {"created_at": after.created_at, "id": {"gt": after.id}},
        ]
    rows = await db.item.find_many(
        where=where, order=[{"created_at": "desc"}, {"id": "asc"}], skip=offset or None
    )
    items = [item_of(row) for row in rows[:size]]
    cursor = None
    if len(rows) > len(items):
        cursor = encode_place(SCOPE, items[-1].created_at, items[-1].id)
    return listed(items, total=total, next_cursor=cursor).model_dump_json(by_alias=True).encode()


async def find_item(db: Database, item_id: str) -> tuple[int, bytes]:
    row = await db.item.find_unique_or_raise(where={"id": item_id})
    return row.version, item_of(row).model_dump_json(by_alias=True).encode()


def item_of(row: ItemRow) -> Item:
    return Item(
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
