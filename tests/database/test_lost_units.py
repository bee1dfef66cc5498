"""Units of work whose engine or connection is lost: run again only if they cannot have been committed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from core.database.client import Database
from core.database.errors import DatabaseUnavailable, EngineUnavailable
from core.database.transaction import unit_of_work
from tests.database.engines import connected, kill_engine, stop_engine
from tests.fixtures.services import TestServices
from tests.fixtures.transactions import transaction
from tests.fixtures.waiting import wait_for

REJECT = "INSERT INTO import_rejects VALUES (gen_random_uuid(), $1::int, 'p', 'r', '[]', '{}')"


@pytest_asyncio.fixture(loop_scope="session")
async def db(services: TestServices) -> AsyncIterator[Database]:
    async with connected(services.database_url) as database:
        yield database


async def test_a_unit_whose_engine_dies_before_the_commit_runs_again(db: Database) -> None:
    attempts = 0

    async def work(tx: Database) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute_raw(REJECT, attempts)
        if attempts == 1:
            kill_engine(db)
            await tx.execute_raw(REJECT, 10)

    await unit_of_work(db, work)
    assert [row.position for row in await db.importreject.find_many()] == [2]


async def test_a_unit_whose_connection_is_lost_before_the_commit_runs_again(
    db: Database, services: TestServices
) -> None:
    attempts = 0

    async def work(tx: Database) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute_raw(REJECT, attempts)
        if attempts == 1:
            mine = (await tx.query_raw("SELECT pg_backend_pid() AS pid"))[0]["pid"]
            services.execute(f"SELECT pg_terminate_backend({mine})")
            await tx.execute_raw(REJECT, 10)

    await unit_of_work(db, work)
    assert [row.position for row in await db.importreject.find_many()] == [2]


async def test_a_commit_without_an_answer_is_not_repeated(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def work(tx: Database) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute_raw(REJECT, attempts)

    async def lost(identifier: str) -> None:
        stop_engine(db)
        sent = db.engine.status.in_flight + 1
        ending = asyncio.ensure_future(commit(identifier))
        assert await wait_for(lambda: db.engine.status.in_flight >= sent)
        kill_engine(db)
        await ending

    commit: Any = db.engine.commit_transaction
    monkeypatch.setattr(db.engine, "commit_transaction", lost)
    with pytest.raises(EngineUnavailable):
        await unit_of_work(db, work)
    assert attempts == 1


async def test_a_transaction_of_a_dead_engine_is_not_mistaken_for_one_of_the_next(db: Database) -> None:
    async def count_after_the_engine_died(old: Database) -> None:
        await old.execute_raw(REJECT, 1)
        kill_engine(db)
        assert await wait_for(lambda: db.engine.status.restarts == 1)
        async with transaction(db) as new:
            await new.execute_raw(REJECT, 2)
            with pytest.raises(DatabaseUnavailable):
                await old.execute_raw(REJECT, 3)

    with pytest.raises(DatabaseUnavailable):
        async with transaction(db) as old:
            await count_after_the_engine_died(old)
    assert [row.position for row in await db.importreject.find_many()] == [2]


async def test_a_transaction_that_does_nothing_for_too_long_is_ended_by_the_database(
    db: Database, services: TestServices
) -> None:
    async def idle() -> bool:
        rows = await db.query_raw(
            "SELECT 1 AS one FROM pg_stat_activity WHERE state = 'idle in transaction' "
            "AND datname = current_database()"
        )
        return bool(rows)

    async def forgetful() -> None:
        async with transaction(limited) as tx:
            await tx.execute_raw(REJECT, 1)

            async def ended() -> bool:
                return not await idle()

            assert await wait_for(ended)
            await tx.execute_raw(REJECT, 2)

    async with connected(services.database_url, statement_timeout_s=0.5) as limited:
        with pytest.raises(DatabaseUnavailable):
            await forgetful()
    assert await db.importreject.count() == 0
