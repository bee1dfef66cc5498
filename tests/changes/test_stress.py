"""Every committed change is read once, however transactions overlap."""

import asyncio
import random
from typing import Final

import asyncpg
import pytest

from tests.cache.support import figure
from tests.changes.conftest import StartHost, no_looks
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

WRITERS: Final = 12
TRANSACTIONS: Final = 150
LINES: Final = "handover_changes_lines_total"
COUNT: Final = "SELECT count(*) FROM changes WHERE model = 'None'"


async def write(url: str, number: int) -> None:
    """Transactions of any length, with savepoints; some of both are rolled back."""
    choose = random.Random(number)
    connection = await asyncpg.connect(url)
    try:
        for _ in range(TRANSACTIONS):
            whole = connection.transaction()
            await whole.start()
            for _ in range(choose.randint(1, 3)):
                part = connection.transaction()
                await part.start()
                await connection.execute("INSERT INTO changes (model, operation) VALUES ('None', 'update')")
                await asyncio.sleep(choose.choice([0, 0, 0, 0.01]))
                await (part.rollback() if choose.random() < 0.2 else part.commit())
            if choose.random() < 0.02:
                await asyncio.sleep(0.5)
            await (whole.rollback() if choose.random() < 0.2 else whole.commit())
    finally:
        await connection.close()


async def test_no_line_is_missed_or_read_twice(
    host: StartHost, connection: Connection, services: TestServices
) -> None:
    await no_looks(connection)  # of the app of other tests, which counts in the same figures
    async with host("a", cache_hosts_bound_ms=5) as client:
        await client.get("/api/items")
        read, logged = figure(LINES), await connection.fetchval(COUNT)
        writing = asyncio.gather(*(write(services.database_url, number) for number in range(WRITERS)))
        while not writing.done():
            await client.get("/api/items")
            await asyncio.sleep(0.005)
        await writing
        written = await connection.fetchval(COUNT) - logged
        assert written > WRITERS * TRANSACTIONS

        async def all_read() -> bool:
            await client.get("/api/items")
            return bool(figure(LINES) - read >= written)

        await wait_for(all_read)
        assert figure(LINES) - read == written
