"""A unique filter takes other filters of the row beside its unique field, and its types say so.

`make check` proves the types: every line has to pass, and what an `ignore` stands at has to be refused.
"""

import uuid

import pytest
from prisma import errors
from prisma.types import ItemCreateInput, ItemWhereUniqueInput

from core.database.client import Database


def values() -> ItemCreateInput:
    return {
        "id": str(uuid.uuid4()),
        "title": "t",
        "description": "d",
        "category": "documentacao",
        "priority": "low",
        "tags": ["one"],
    }


async def test_reads_and_writes_of_a_row_as_it_was_seen(db: Database) -> None:
    item = await db.item.create(data=values())
    seen: ItemWhereUniqueInput = {"id": item.id, "version": item.version}
    stale: ItemWhereUniqueInput = {"id": item.id, "version": {"gt": item.version}}
    assert await db.item.find_unique(where=seen) == item
    assert await db.item.find_unique(where=stale) is None
    assert await db.item.find_unique(
        where={"id": item.id, "OR": [{"status": "old"}, {"tags": {"has": "one"}}]}
    )
    assert (
        await db.item.update(where={"id": item.id, "version": 7, "title": "t"}, data={"title": "no"}) is None
    )
    changed = await db.item.update(where=seen, data={"title": "changed", "version": {"increment": 1}})
    assert changed is not None
    assert (changed.title, changed.version) == ("changed", item.version + 1)
    upserted = await db.item.upsert(
        where={"id": item.id, "title": "changed"}, data={"create": values(), "update": {"title": "again"}}
    )
    assert (upserted.id, upserted.title, upserted.version) == (item.id, "again", changed.version + 1)
    assert await db.item.delete(where=seen) is None
    assert await db.item.delete(where={"id": item.id, "version": upserted.version}) is not None


async def test_of_several_unique_fields_one_is_needed(db: Database) -> None:
    assert await db.system.find_unique(where={"id": "none", "name": "a", "port": {"gt": 1}}) is None
    assert await db.system.find_unique(where={"name": "a", "NOT": [{"tags": {"is_empty": True}}]}) is None
    for refused in (
        db.item.find_unique(where={"version": 1}),  # type: ignore[typeddict-item]
        db.item.find_unique(where={"id": "1", "verison": 1}),  # type: ignore[typeddict-unknown-key]
        db.item.find_unique(where={"id": "1", "version": "one"}),  # type: ignore[typeddict-item]
        db.item.find_unique(where={"id": {"in": ["1"]}}),  # type: ignore[typeddict-item]
    ):
        with pytest.raises(errors.DataError, match=r"needs at least|verison|version|`id`"):
            await refused
