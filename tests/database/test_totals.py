"""The counters of items and ideas add up to what is stored, whoever writes, and nobody waits for them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices

KINDS = {
    "items": (
        ["new", "review", "in-progress", "rejected"],
        ["dashboard", "banco-dados"],
        ["low", "high"],
    ),
    "ideas": (["new", "triage", "review", "rejected"], ["api", "docs"], ["low", "high"]),
}
TOTALS = {"items": "item_totals", "ideas": "idea_totals"}


async def faults(connection: Connection, table: str) -> list[asyncpg.Record]:
    """Kinds whose counters say something else than their rows."""
    return await connection.fetch(
        f"""
        SELECT * FROM (SELECT status, category, priority, count(*) FROM {table} GROUP BY 1, 2, 3) AS stored
        FULL JOIN (SELECT status, category, priority, sum({table}) FROM {TOTALS[table]} GROUP BY 1, 2, 3
            HAVING sum({table}) <> 0) AS counted USING (status, category, priority)
        WHERE count IS DISTINCT FROM sum
        """
    )


@asynccontextmanager
async def connected(services: TestServices) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(services.database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def write(connection: Connection, table: str, chance: random.Random, name: str) -> None:
    """One statement of any kind, on one row or on many."""

    def kind() -> list[str]:
        return [chance.choice(values) for values in KINDS[table]]

    columns = "(id, title, description, status, category, priority)"
    number = chance.randrange(40)
    match chance.randrange(7):
        case 0 | 1:
            await connection.execute(
                f"INSERT INTO {table} {columns} VALUES ($1, 't', 'd', $2, $3, $4) "
                "ON CONFLICT (id) DO UPDATE SET status = excluded.status",
                f"row-{number}",
                *kind(),
            )
        case 2:
            await connection.execute(
                f"INSERT INTO {table} {columns} SELECT $1 || n, 't', 'd', $2, $3, $4 "
                "FROM generate_series(1, 20) AS n ON CONFLICT DO NOTHING",
                f"{name}-{number}-",
                *kind(),
            )
        case 3:
            await connection.execute(f"DELETE FROM {table} WHERE id = $1", f"row-{number}")
        case 4:
            await connection.execute(f"DELETE FROM {table} WHERE id LIKE $1", f"{name}-{number}-%")
        case 5:
            await connection.execute(
                f"UPDATE {table} SET status = $2, priority = $3 WHERE id LIKE $1",
                f"{name}-%",
                kind()[0],
                kind()[2],
            )
        case 6:
            await connection.execute(f"UPDATE {table} SET title = 'other' WHERE id = $1", f"row-{number}")


@pytest.mark.slow
@pytest.mark.parametrize("table", list(KINDS))
async def test_after_twenty_writers_at_once_every_counter_is_right(
    connection: Connection, services: TestServices, table: str
) -> None:
    failed = 0

    async def writer(number: int) -> None:
        nonlocal failed
        chance = random.Random(number)
        async with connected(services) as own:
            for _ in range(25):
                try:
                    async with own.transaction():
                        for _ in range(chance.randrange(1, 4)):
                            await write(own, table, chance, f"w{number}")
                        if chance.random() < 0.2:
                            raise LookupError
                except (LookupError, asyncpg.DeadlockDetectedError):
                    failed += 1

    await asyncio.gather(*(writer(number) for number in range(20)))
    assert failed
    assert await connection.fetchval(f"SELECT count(*) FROM {table}")
    assert await faults(connection, table) == []


@pytest.mark.parametrize("table", list(KINDS))
async def test_a_writer_does_not_wait_for_the_counter_of_another(
    connection: Connection, services: TestServices, table: str
) -> None:
    insert = (
        f"INSERT INTO {table} (id, title, description, status, category, priority) "
        "VALUES ($1, 't', 'd', 'new', $2, 'low')"
    )
    category = KINDS[table][1][0]
    async with connected(services) as other:
        await other.execute("SET lock_timeout = '1s'")
        for name in ("first", "second"):
            async with connection.transaction():
                await connection.execute(insert, f"{name} of one", category)
                await other.execute(insert, f"{name} of the other", category)
    assert await faults(connection, table) == []
    # As many counters as there were writers at once.
    assert await connection.fetchval(f"SELECT count(*) FROM {TOTALS[table]}") == 2


@pytest.mark.parametrize("table", list(KINDS))
async def test_what_goes_around_the_app_is_counted_too(connection: Connection, table: str) -> None:
    rows = [(f"{n}", "t", "d", "new", KINDS[table][1][n % 2], "low") for n in range(50)]
    columns = ["id", "title", "description", "status", "category", "priority"]
    await connection.copy_records_to_table(table, records=rows, columns=columns)
    assert await faults(connection, table) == []
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(f"DELETE FROM {table} WHERE id < '3'")
    await connection.execute("SET session_replication_role = origin")
    assert await faults(connection, table) == []
    await connection.execute(f"TRUNCATE {table} CASCADE")
    assert await faults(connection, table) == []
    await connection.execute(
        f"INSERT INTO {TOTALS[table]} (status, category, priority, {table}) VALUES ('new', 'x', 'low', 7)"
    )
    assert await faults(connection, table)
    await connection.execute(f"SELECT handover_recount_{table}()")
    assert await faults(connection, table) == []


async def test_a_program_that_searches_no_schema_counts_too(connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path = ''")
        for table, kinds in KINDS.items():
            values = (f"{table}-1", *(values[0] for values in kinds))
            await connection.execute(
                f"INSERT INTO public.{table} (id, title, description, status, category, priority) "
                "VALUES ($1, 't', 'd', $2, $3, $4)",
                *values,
            )
            await connection.execute(f"UPDATE public.{table} SET status = $1", kinds[0][1])
    for table, totals in TOTALS.items():
        assert await connection.fetchval(f"SELECT sum({table}) FROM {totals}") == 1
        assert await faults(connection, table) == []
