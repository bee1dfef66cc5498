"""A rule on a row's own state, in the form that CONTRIBUTING.md names: what is completed may not change. It
holds whoever closes, opens or deletes the row between the reads and the write.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import pytest
from prisma.models import Item as ItemRow

from core.database.client import Database
from core.database.transaction import retried
from core.errors import Conflict, HandoverError
from core.http.answers.conditional import Precondition, RowState, WriteRow, conditional_write
from features.items.errors import ItemChanged, ItemNotFound
from features.items.tests.factories import create
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.waiting import wait_for

Change = Callable[[Database, str, Precondition], Awaitable[ItemRow]]
ANY: Final = Precondition()
SEEN: Final = Precondition(tags=('"1"',))
"""The state in which an item is made."""
CLOSE: Final = "UPDATE items SET status = 'completed' WHERE id = $1"
OPEN: Final = "UPDATE items SET status = 'review' WHERE id = $1"
DELETE: Final = "DELETE FROM items WHERE id = $1"


class ItemClosed(Conflict, code="items.closed"):
    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id {item_id} is completed: open it again first")


async def rename(db: Database, item_id: str, seen: Precondition) -> ItemRow:
    return await _change(db, item_id, seen, lambda where: db.item.update(where=where, data={"title": "New"}))


async def remove(db: Database, item_id: str, seen: Precondition) -> ItemRow:
    return await _change(db, item_id, seen, lambda where: db.item.delete(where=where))


async def _change(db: Database, item_id: str, seen: Precondition, write: WriteRow[ItemRow]) -> ItemRow:
    async def find() -> RowState | None:
        if (row := await db.item.find_unique(where={"id": item_id})) is None:
            return None
        if row.status == "completed":
            raise ItemClosed(item_id)
        return RowState(f'"{row.version}"', {"version": row.version})

    return await conditional_write(
        seen,
        item_id,
        find,
        lambda where: write({**where, "status": {"not": "completed"}}),
        ItemNotFound,
        ItemChanged,
    )


every_change = pytest.mark.parametrize("change", [rename, remove])


@every_change
async def test_the_error_says_in_which_state_the_row_is(
    client: httpx.AsyncClient, db: Database, connection: Connection, change: Change
) -> None:
    item_id = (await create(client))["id"]
    await connection.execute(CLOSE, item_id)
    for seen in (ANY, SEEN, Precondition(tags=('"2"',)), Precondition(others=('"7"',))):
        with pytest.raises(ItemClosed):
            await change(db, item_id, seen)
        with pytest.raises(ItemNotFound):
            await change(db, "none", seen)
    await connection.execute(OPEN, item_id)
    with pytest.raises(ItemChanged):
        await change(db, item_id, SEEN)
    assert (await change(db, item_id, ANY)).id == item_id


@every_change
@pytest.mark.parametrize("seen", [ANY, SEEN], ids=["any", "seen"])
@pytest.mark.parametrize(
    ("others", "refused"),
    [
        ([CLOSE], ItemClosed),
        ([DELETE], ItemNotFound),
        ([CLOSE, OPEN], None),
        ([CLOSE, DELETE], ItemNotFound),
    ],
    ids=["closed", "deleted", "opened again", "closed and deleted"],
)
async def test_the_write_that_waits_for_another_one_sees_the_state_that_it_leaves(
    client: httpx.AsyncClient,
    db: Database,
    connection: Connection,
    change: Change,
    seen: Precondition,
    others: list[str],
    refused: type[HandoverError] | None,
) -> None:
    item_id = (await create(client))["id"]
    async with connection.transaction():
        for other in others:
            await connection.execute(other, item_id)
        waiting = asyncio.ensure_future(retried(db, lambda tx: change(tx, item_id, seen)))
        await wait_for(lambda: connection.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS}"))
    if refused is None and seen is SEEN:
        refused = ItemChanged
    if refused is None:
        assert (await waiting).id == item_id
        return
    with pytest.raises(refused):
        await waiting
    assert not await connection.fetchval("SELECT count(*) FROM items WHERE title = 'New'")
    if others == [CLOSE]:
        assert await connection.fetchval("SELECT status FROM items WHERE id = $1", item_id) == "completed"


@every_change
async def test_no_write_comes_behind_the_one_that_closes(
    client: httpx.AsyncClient, db: Database, connection: Connection, change: Change
) -> None:
    """Of both at once: the change comes first, or is refused."""
    for _ in range(20):
        item_id = (await create(client))["id"]
        close = db.item.update_many(where={"id": item_id}, data={"status": "completed"})
        changed, closed = await asyncio.gather(change(db, item_id, ANY), close, return_exceptions=True)
        row = await db.item.find_unique(where={"id": item_id})
        if isinstance(changed, BaseException):
            assert isinstance(changed, ItemClosed)
            assert row is not None
            assert (closed, row.status, row.title) == (1, "completed", "Dark mode")
        elif change is rename:
            assert row is not None
            assert (closed, row.status, row.title) == (1, "completed", "New")
        else:
            assert (closed, row) == (0, None)
