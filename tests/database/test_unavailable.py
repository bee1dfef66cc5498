"""Which errors of PostgreSQL mean that it cannot be used now: told by SQLSTATE and origin, never by words."""

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest
from prisma.errors import DataError

from core.database.client import Database
from core.database.errors import DatabaseProblem, DatabaseReadOnly, DatabaseUnavailable, DiskFull
from core.database.transaction import unit_of_work
from tests.database.engines import connected
from tests.fixtures.application import RunningApp
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
UNAVAILABLE = (
    *("08000", "08001", "08003", "08004", "08006", "08007", "25P03", "25P04", "28000", "28P01", "3D000"),
    *("53000", "53200", "53300", "53400", "57P01", "57P02", "57P03", "57P04", "57P05"),
)
WORDS = (
    "Connection terminated unexpectedly",
    "timeout exceeded when trying to connect",
    "Can't reach database server",
    "the database system is starting up",
    "server closed the connection",
)


async def raised(db: Database, state: str, words: str = "as if") -> Exception:
    quoted = words.replace("'", "''")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the tests are about
        await db.execute_raw(f"DO $$ BEGIN RAISE EXCEPTION '{quoted}' USING ERRCODE = '{state}'; END $$")
    return caught.value


@pytest.mark.parametrize("state", UNAVAILABLE)
async def test_whole_classes_of_states_mean_unavailable(db: Database, state: str) -> None:
    error = await raised(db, state)
    assert isinstance(error, DatabaseUnavailable)
    assert (error.status, error.retry_after) == (503, 1.0)


async def test_a_full_disk_is_said_in_words_and_not_tried_again(db: Database) -> None:
    attempts = 0

    async def work(tx: Database) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute_raw("DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '53100'; END $$")

    with pytest.raises(DiskFull, match="disk of the database is full"):
        await unit_of_work(db, work)
    assert attempts == 1


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("state", ["P0001", "08P01", "22023", "58000"])
async def test_words_mean_nothing(db: Database, state: str, words: str) -> None:
    error = await raised(db, state, words)
    assert isinstance(error, DataError)
    assert not isinstance(error, DatabaseProblem)


async def test_a_wrong_number_of_parameters_is_a_fault_of_ours_and_not_tried_again(db: Database) -> None:
    attempts = 0

    async def work(tx: Database) -> None:
        nonlocal attempts
        attempts += 1
        await tx.query_raw("SELECT $1::int AS one, $2::int AS two", 1)

    with pytest.raises(DataError):
        await unit_of_work(db, work)
    assert attempts == 1


async def test_while_the_database_only_reads_nothing_is_ready_and_writes_are_refused(
    running_app: RunningApp, services: TestServices
) -> None:
    with services.fresh_database("reading") as url:
        name = urlsplit(url).path.strip("/")

        def change(setting: str) -> None:
            services.execute(f'ALTER DATABASE "{name}" {setting}')
            services.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )

        async with running_app(database_url=url) as client:

            async def status(path: str) -> int:
                return (await client.get(path)).status_code

            created = await client.post("/api/items", json=ITEM)
            assert created.status_code == 201
            change("SET default_transaction_read_only = on")
            await wait_for(lambda: refused(client), message="writes are not refused")
            assert await status("/health/ready") == 503
            assert (await client.get("/health")).json()["status"] == "degraded"
            item = created.json()["data"]["id"]
            assert await status(f"/api/items/{item}") == 200
            # No connection is ended: those that only read have to go by themselves.
            await asyncio.gather(*(status("/health/ready") for _ in range(5)))
            services.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            await wait_for(lambda: ready_again(client), message="it is not ready again")


async def refused(client: httpx.AsyncClient) -> bool:
    answer = await client.post("/api/items", json=ITEM)
    assert answer.status_code in (201, 503)
    assert answer.status_code == 201 or "retry-after" in answer.headers
    return "only reads" in answer.text


async def ready_again(client: httpx.AsyncClient) -> bool:
    if (await client.get("/health/ready")).status_code != 200:
        return False
    return (await client.post("/api/items", json=ITEM)).status_code == 201


async def test_a_transaction_leaves_no_connection_that_only_reads(services: TestServices) -> None:
    async def work(tx: Database) -> None:
        await tx.execute_raw("DELETE FROM jobs")

    with services.fresh_database("reading") as url:
        setting = f'ALTER DATABASE "{urlsplit(url).path.strip("/")}" {{}} default_transaction_read_only'
        services.execute(setting.format("SET") + " = on")
        async with connected(url, pool_size=1) as db:
            with pytest.raises(DatabaseReadOnly):
                await unit_of_work(db, work)
            services.execute(setting.format("RESET"))
            await unit_of_work(db, work)


async def test_time_limits_and_zone_do_not_depend_on_the_database(services: TestServices) -> None:
    with services.fresh_database("elsewhere") as url:
        name = urlsplit(url).path.strip("/")
        services.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kolkata'")
        services.execute(f'ALTER DATABASE "{name}" SET statement_timeout = 0')
        async with connected(url, statement_timeout_s=7) as db:
            [row] = await db.query_raw(
                "SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS limit, "
                "'2025-01-02 03:04:05'::timestamp::timestamptz = '2025-01-02T03:04:05Z' AS is_utc"
            )
        assert row == {"zone": "UTC", "limit": "7s", "is_utc": True}
