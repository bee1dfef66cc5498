"""Projected reads inside a transaction: they see what it sees, and nothing else that runs there is one."""

import asyncio

import pytest
from prisma.errors import InputError

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.http.answers.projection import Projected, projected
from features.items.schemas import Item
from features.items.tests.factories import seed
from tests.fixtures.database import Connection

CALLS = 30


async def page(tx: Database, size: int | None = None) -> Projected:
    return await projected(tx, Item, lambda take: tx.item.find_many(take=take), size=size)


async def test_it_sees_what_the_transaction_has_written(db: Database, connection: Connection) -> None:
    await seed(connection, 3)

    async def work(tx: Database) -> tuple[int, int]:
        await tx.item.delete_many(where={"id": {"not": ""}})
        return (await page(tx)).count, (await page(db)).count

    assert await unit_of_work(db, work) == (0, 3)


async def test_it_keeps_to_the_snapshot_of_the_transaction(db: Database, connection: Connection) -> None:
    await seed(connection, 3)

    async def work(tx: Database) -> list[int]:
        counts = [(await page(tx)).count]
        await db.item.delete_many(where={"id": {"not": ""}})
        return [*counts, (await page(tx, 2)).count, (await page(tx)).count]

    assert await unit_of_work(db, work, isolation="RepeatableRead") == [3, 2, 3]


async def test_calls_that_meet_in_one_transaction_are_each_what_they_are(
    db: Database, connection: Connection
) -> None:
    await seed(connection, 3)

    async def work(tx: Database) -> None:
        calls = [
            (page(tx), tx.item.find_many(), tx.item.count(), page(tx, 1), tx.query_raw("SELECT 1 AS one"))
            for _ in range(CALLS)
        ]
        for whole, rows, count, first, raw in [await asyncio.gather(*each) for each in calls]:
            assert (whole.count, len(rows), count, first.count, raw) == (3, 3, 3, 1, [{"one": 1}])
            assert whole.json.startswith(first.json)

    await unit_of_work(db, work)


async def test_what_is_refused_leaves_the_next_call_an_ordinary_one(
    db: Database, connection: Connection
) -> None:
    await seed(connection, 3)

    async def work(tx: Database) -> None:
        with pytest.raises(InputError):
            await projected(tx, Item, lambda take: tx.item.find_many(take=-1))
        assert len(await tx.item.find_many()) == 3
        assert (await page(tx)).count == 3

    await unit_of_work(db, work)
