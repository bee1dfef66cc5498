"""Calls whose caller has gone: what has not begun never does, and its place is somebody else's."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest

from core.database.client import Database
from core.database.errors import PoolExhausted
from tests.database.engines import connected
from tests.fixtures.database import WAITING_LOCKS
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

SIZE = 2
PATIENT: Any = {"pool_timeout_s": 30, "lock_timeout_s": 30}
LOCK = "SELECT pg_advisory_xact_lock(7)::text"

Call = Callable[[Database], Coroutine[Any, Any, object]]


async def stats(db: Database) -> dict[str, int]:
    answer: dict[str, int] = orjson.loads((await db.engine._send({"op": "stats"}, 0))[1])
    return answer


async def until_waiting(db: Database, at_least: int, at_most: int | None = None) -> None:
    """Without `at_most` exactly so many."""

    async def found() -> bool:
        return at_least <= (await stats(db))["poolWaiting"] <= (at_least if at_most is None else at_most)

    assert await wait_for(found)


async def gone(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


@asynccontextmanager
async def busy(client: Database, other: Database) -> AsyncIterator[None]:
    """Every connection waits for a lock until the end."""
    async with other.tx(timeout=timedelta(minutes=1)) as holder:
        await holder.query_raw(LOCK)
        holding = [asyncio.create_task(client.query_raw(LOCK)) for _ in range(SIZE)]
        locks = f"SELECT count(*)::int AS waiting FROM {WAITING_LOCKS} WHERE locktype = 'advisory'"

        async def all_wait() -> bool:
            return await other.query_first(locks) == {"waiting": SIZE}

        assert await wait_for(all_wait)
        yield
    await asyncio.gather(*holding)


async def batched(db: Database) -> None:
    async with db.batch_() as batch:
        batch.itemtotal.create(data=TOTAL)


async def begun(db: Database) -> None:
    async with db.tx(max_wait=timedelta(seconds=30)) as tx:
        await tx.itemtotal.create(data=TOTAL)


TOTAL: Any = {"status": "new", "category": "c", "priority": "p", "items": 1}
INSERT = "INSERT INTO item_totals (status, category, priority, items) VALUES ('new', 'c', 'p', 1)"
CALLS: dict[str, Call] = {
    "create": lambda db: db.itemtotal.create(data=TOTAL),
    "create_many": lambda db: db.itemtotal.create_many(data=[TOTAL, TOTAL]),
    "execute_raw": lambda db: db.execute_raw(INSERT),
    "query_text": lambda db: db.query_text(f"{INSERT} RETURNING status"),
    "batch": batched,
    "transaction": begun,
    "find_unique": lambda db: db.item.find_unique(where={"id": "none"}),
    "find_many": lambda db: db.item.find_many(take=1),
    "count": lambda db: db.item.count(),
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_waits_gives_up_its_place_and_never_begins(
    services: TestServices, db: Database, name: str
) -> None:
    before = await db.itemtotal.count()
    async with connected(services.database_url, SIZE, **PATIENT, max_waiting=1) as client:
        async with busy(client, db):
            for _ in range(3):
                call = asyncio.create_task(CALLS[name](client))
                await until_waiting(client, 1)
                with pytest.raises(PoolExhausted):
                    await client.item.count()
                await gone(call)
                await until_waiting(client, 0)
                assert await wait_for(lambda: client.engine._admission._present == SIZE)
        assert await client.item.count() == await db.item.count()
        assert (await stats(client))["transactions"] == 0
    assert await db.itemtotal.count() == before


async def test_lookups_that_share_a_statement_do_not_share_their_end(
    services: TestServices, db: Database
) -> None:
    async with connected(services.database_url, SIZE, **PATIENT) as client:
        async with busy(client, db):
            calls = [asyncio.create_task(CALLS["find_unique"](client)) for _ in range(4)]
            calls.append(asyncio.create_task(CALLS["batch"](client)))
            # The lookups are one statement, or several when they come in different turns of the engine.
            await until_waiting(client, 2, at_most=len(calls))
            await gone(*calls[:2])
        assert await asyncio.gather(*calls[2:]) == [None, None, None]
        await until_waiting(client, 0)


async def test_who_came_while_the_engine_got_ready_is_served_though_the_first_has_gone(
    services: TestServices, db: Database
) -> None:
    async with connected(services.database_url, SIZE) as client:
        first = asyncio.create_task(CALLS["find_unique"](client))
        await stats(client)
        others = [
            asyncio.create_task(CALLS[name](client)) for name in ("find_unique", "batch", "transaction")
        ]
        await gone(first)
        assert await asyncio.gather(*others) == [None, None, None]
    assert await db.itemtotal.count() == 2


async def test_in_a_storm_of_cancellations_everybody_else_is_served_once(
    services: TestServices, db: Database
) -> None:
    chance = random.Random(4)
    async with connected(services.database_url, SIZE, **PATIENT, max_waiting=1000) as client:

        async def write(number: int) -> int:
            await client.query_text("INSERT INTO storm VALUES ($1::int) RETURNING 'done'", number)
            await client.item.find_unique(where={"id": str(number)})
            return number

        await db.execute_raw("CREATE TABLE storm (number int)")
        async with busy(client, db):
            calls = [asyncio.create_task(write(number)) for number in range(400)]
            early, late = (half := chance.sample(calls, 200))[:100], half[100:]
            await until_waiting(client, 400)
            await gone(*early)
            await until_waiting(client, 300)
        for call in late:
            await asyncio.sleep(0)
            call.cancel()
        await asyncio.wait(calls)
        await until_waiting(client, 0)
        rows = await client.query_raw("SELECT number, count(*)::int AS times FROM storm GROUP BY 1")
        assert {row["times"] for row in rows} == {1}
        served = {call.result() for call in calls if not call.cancelled()}
        assert len(served) >= 200
        assert served <= {row["number"] for row in rows}
        assert len(rows) <= 300
        await db.execute_raw("DROP TABLE storm")
