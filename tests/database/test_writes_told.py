"""Whoever keeps answers is told of each write: after its commit, before its caller goes on, and also when
nobody knows whether it was committed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio
from prisma.errors import UniqueViolationError

from core.database.client import Database
from core.database.errors import EngineUnavailable, LockTimeout
from core.database.transaction import unit_of_work
from core.database.writes import Write
from tests.database.engines import connected
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

Call = Callable[[Database], Awaitable[object]]


def row(item_id: str) -> Any:
    return {"id": item_id, "title": "a", "description": "b", "category": "dashboard", "priority": "low"}


TOTAL: Any = {"status": "new", "category": "c", "priority": "p", "items": 1}


class Told(list[Write]):
    """What was told, each with how many items there were to everybody then."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.counts: list[int] = []
        self.doubts = 0
        self._connection = connection

    async def tell(self, writes: Sequence[Write]) -> None:
        self.extend(writes)
        self.counts.append(await self._connection.fetchval("SELECT count(*) FROM items"))

    def doubt(self) -> None:
        self.doubts += 1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(services: TestServices) -> AsyncIterator[Database]:
    async with connected(services.database_url, 3) as client:
        yield client


@pytest.fixture
def told(client: Database, connection: Connection) -> Told:
    told = Told(connection)
    client.tell_writes_to(told.tell, told.doubt)
    return told


CALLS: dict[str, tuple[Call, Write]] = {
    "create": (
        lambda db: db.item.create(data=row("new")),
        Write("Item", "create", ("new",)),
    ),
    "create of what gets its id": (
        lambda db: db.itemtotal.create(data=TOTAL),
        Write("ItemTotal", "create", None),
    ),
    "create_many": (
        lambda db: db.item.create_many(data=[row("x"), row("y")]),
        Write("Item", "create_many", ("x", "y")),
    ),
    "update": (
        lambda db: db.item.update(where={"id": "one", "version": 1}, data={"title": "c", "tags": []}),
        Write("Item", "update", ("one",), frozenset({"title", "tags"})),
    ),
    "update_many by ids": (
        lambda db: db.item.update_many(where={"id": {"in": ["one", "two"]}}, data={"title": "c"}),
        Write("Item", "update_many", ("one", "two"), frozenset({"title"})),
    ),
    "update_many": (
        lambda db: db.item.update_many(where={"title": "a"}, data={"title": "c"}),
        Write("Item", "update_many", None, frozenset({"title"})),
    ),
    "update_many by other comparisons": (
        lambda db: db.item.update_many(where={"id": {"in": ["one"], "not": "two"}}, data={"title": "c"}),
        Write("Item", "update_many", None, frozenset({"title"})),
    ),
    "upsert": (
        lambda db: db.item.upsert(where={"id": "one"}, data={"create": row("one"), "update": {"title": "c"}}),
        Write("Item", "upsert", ("one",), frozenset({"title"})),
    ),
    "delete": (lambda db: db.item.delete(where={"id": "one"}), Write("Item", "delete", ("one",))),
    "delete_many": (lambda db: db.item.delete_many(where={"title": "a"}), Write("Item", "delete_many", None)),
    "delete_many of all": (lambda db: db.item.delete_many(), Write("Item", "delete_many", None)),
}


async def upstream(db: Database, call: Call) -> None:
    async with db.tx() as tx:
        assert isinstance(tx, Database)
        await call(tx)


WAYS: dict[str, Callable[[Database, Call], Awaitable[object]]] = {
    "alone": lambda db, call: call(db),
    "unit of work": unit_of_work,
    "tx": upstream,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLS)
async def test_each_write_is_told_after_its_commit(
    client: Database, told: Told, connection: Connection, name: str, way: str
) -> None:
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority) VALUES "
        "('one', 'a', 'b', 'dashboard', 'low'), ('two', 'a', 'b', 'dashboard', 'low')"
    )
    call, write = CALLS[name]
    await WAYS[way](client, call)
    assert told == [write]
    assert told.counts == [await connection.fetchval("SELECT count(*) FROM items")]


async def test_a_batch_is_told_as_a_whole(client: Database, told: Told) -> None:
    async with client.batch_() as batch:
        batch.item.create(data=row("one"))
        batch.item.update(where={"id": "one"}, data={"title": "c"})
    assert [(write.operation, write.ids) for write in told] == [("create", ("one",)), ("update", ("one",))]
    assert told.counts == [1]


async def test_what_was_rolled_back_or_refused_is_not_told(client: Database, told: Told) -> None:
    async def fails(tx: Database) -> None:
        await tx.item.create(data=row("one"))
        raise LookupError

    with pytest.raises(LookupError):
        await unit_of_work(client, fails)
    assert told == []
    await client.item.create(data=row("one"))
    del told[:]
    with pytest.raises(UniqueViolationError):
        await client.item.create(data=row("one"))
    await client.item.find_many()
    await client.item.update(where={"id": "none"}, data={"title": "c"})
    await client.item.delete(where={"id": "none"})
    await client.item.update_many(where={"id": "none"}, data={"title": "c"})
    await client.item.delete_many(where={"id": "none"})
    assert told == []


async def test_a_write_that_waited_too_long_is_neither_told_nor_in_doubt(
    client: Database, told: Told, connection: Connection
) -> None:
    await client.item.create(data=row("one"))
    del told[:]
    async with connection.transaction():
        await connection.execute("SELECT FROM items FOR UPDATE")
        with pytest.raises(LockTimeout):
            await client.item.update(where={"id": "one"}, data={"title": "c"})
    assert (told, told.doubts) == ([], 0)


@pytest.mark.parametrize("way", ["killed", "cancelled"])
async def test_a_write_of_which_nobody_knows_is_told(
    client: Database, told: Told, connection: Connection, db: Database, way: str
) -> None:
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority) "
        "VALUES ('one', 'a', 'b', 'dashboard', 'low')"
    )
    async with db.tx() as holder:
        await holder.query_raw("SELECT 1 AS one FROM items WHERE id = 'one' FOR UPDATE")
        writing = asyncio.ensure_future(client.item.update(where={"id": "one"}, data={"title": "c"}))
        waiting = f"SELECT count(*)::int FROM {WAITING_LOCKS}"
        assert await wait_for(lambda: connection.fetchval(waiting))
        if way == "killed":
            client.engine.close()
        else:
            writing.cancel()
        with pytest.raises((EngineUnavailable, asyncio.CancelledError)):
            await writing
    assert told == [Write("Item", "update", ("one",), frozenset({"title"}))]
    assert told.doubts == 1
