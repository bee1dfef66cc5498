"""More clients than connections: all get an answer or a clear refusal, none hangs."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import orjson
import pytest
from prisma.errors import TransactionError, TransactionExpiredError

from core.database.client import Database
from core.database.errors import PoolExhausted
from core.database.transaction import unit_of_work
from tests.database.engines import connected, figures
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices
from tests.fixtures.transactions import transaction
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

CLIENTS = 200
REFUSED = "handover_database_pool_refused_total"


async def outcome(work: Any) -> str:
    """Raises what is not even a refusal."""
    try:
        await work
    except PoolExhausted as refusal:
        return "refused" if (refusal.status, refusal.retry_after) == (503, 1) else "unclear"
    return "answered"


async def sleep(db: Database, seconds: float) -> None:
    assert await db.query_text("SELECT pg_sleep($1)::text || 'slept'", seconds) == b"slept"


async def until_free(db: Database) -> None:
    text = "SELECT pg_advisory_lock_shared(hashtext('test_pool'))::text || 'free'"
    assert await db.query_text(text) == b"free"


@pytest.mark.parametrize("pool_size", [10, 2])
async def test_all_are_answered_when_waiting_lasts(services: TestServices, pool_size: int) -> None:
    async with connected(services.database_url, pool_size, pool_timeout_s=30) as db:
        outcomes = await asyncio.gather(*(outcome(sleep(db, 0.01)) for _ in range(CLIENTS)))
    assert set(outcomes) == {"answered"}


@pytest.mark.parametrize("pool_size", [10, 2])
async def test_who_has_waited_too_long_is_refused(services: TestServices, pool_size: int) -> None:
    before = figures().get(REFUSED + '{reason="timeout"}', 0)
    async with connected(services.database_url, pool_size, pool_timeout_s=0.5) as db:
        started = time.monotonic()
        outcomes = Counter(await asyncio.gather(*(outcome(sleep(db, 0.4)) for _ in range(CLIENTS))))
        assert time.monotonic() - started < 8
        assert outcomes["answered"] >= pool_size
        assert outcomes["refused"] > 0
        assert outcomes.total() == CLIENTS
        assert figures()[REFUSED + '{reason="timeout"}'] == before + outcomes["refused"]
        await sleep(db, 0)


async def test_one_more_than_may_wait_is_refused_at_once(
    services: TestServices, connection: Connection
) -> None:
    before = figures().get(REFUSED + '{reason="full"}', 0)
    await connection.execute("SELECT pg_advisory_lock(hashtext('test_pool'))")
    patient = {"pool_timeout_s": 60, "lock_timeout_s": 60}
    async with connected(services.database_url, 10, max_waiting=50, **patient) as db:
        admitted = [asyncio.create_task(outcome(until_free(db))) for _ in range(60)]
        assert await wait_for(lambda: db.engine.status.in_flight >= 60)
        for _ in range(CLIENTS - 60):
            assert await outcome(sleep(db, 0)) == "refused"
        with pytest.raises(PoolExhausted):
            async with transaction(db):
                pass
        await connection.execute("SELECT pg_advisory_unlock(hashtext('test_pool'))")
        assert set(await asyncio.gather(*admitted)) == {"answered"}
        assert await outcome(sleep(db, 0)) == "answered"
    assert figures()[REFUSED + '{reason="full"}'] == before + CLIENTS - 60 + 1


@pytest.mark.parametrize(("pool_size", "at_once"), [(10, 8), (4, 3), (2, 1)])
async def test_transactions_leave_connections_to_single_calls(
    services: TestServices, pool_size: int, at_once: int
) -> None:
    held, release = 0, asyncio.Event()

    async def hold(tx: Database) -> None:
        nonlocal held
        await tx.query_text("SELECT 'mine'")
        held += 1
        await release.wait()

    async with connected(services.database_url, pool_size, transaction_max_wait_s=30) as db:
        patience = timedelta(seconds=30)
        units = [asyncio.create_task(unit_of_work(db, hold, timeout=patience)) for _ in range(CLIENTS)]
        assert await wait_for(lambda: held == at_once)
        outcomes = await asyncio.gather(*(outcome(sleep(db, 0.001)) for _ in range(pool_size)))
        assert set(outcomes) == {"answered"}
        assert held == at_once
        release.set()
        await asyncio.gather(*units)
        assert held == CLIENTS


async def test_transactions_that_are_given_up_leave_their_turn_to_others(services: TestServices) -> None:
    """Cancelled while waiting, while open, after a failure: every turn comes back."""
    async with connected(services.database_url, 2) as db:

        async def forever(tx: Database) -> None:
            await tx.query_text("SELECT 'mine'")
            await asyncio.Event().wait()

        for patience in (0, 0.001, 0.01, 0.05, 0.1) * 4:
            units = [asyncio.create_task(unit_of_work(db, forever)) for _ in range(3)]
            await asyncio.wait(units, timeout=patience)
            for unit in units:
                unit.cancel()
            await asyncio.wait(units)

        async def last(tx: Database) -> bytes | None:
            return await tx.query_text("SELECT 'mine'")

        assert await unit_of_work(db, last) == b"mine"
        assert db.engine.status.pool_waiting == 0


async def test_transactions_that_are_dropped_without_an_end_leave_their_turn_to_others(
    services: TestServices,
) -> None:
    """Their time runs out, whether or not anybody asks for them again."""
    async with connected(services.database_url, 2, transaction_max_wait_s=5) as db:
        for _ in range(4):
            tx = await db.tx(timeout=timedelta(milliseconds=50)).start()
            with suppress(TransactionExpiredError):  # on a busy machine
                assert await tx.query_raw("SELECT 'mine' AS whose") == [{"whose": "mine"}]
            del tx

        async def last(tx: Database) -> bytes | None:
            return await tx.query_text("SELECT 'mine'")

        assert await unit_of_work(db, last) == b"mine"
        assert await wait_for(lambda: db.engine.status.pool_waiting == 0)
        assert orjson.loads((await db.engine._send({"op": "stats"}, 0))[1])["transactions"] == 0


@pytest.mark.parametrize("longer_s", [0.02, 0.0, -0.001])
async def test_a_transaction_whose_time_is_up_is_never_reported_as_committed(
    services: TestServices, longer_s: float
) -> None:
    """Its end and the commit may meet; whatever comes first, what is said is what was done."""
    async with connected(services.database_url, 4) as db:
        await db.execute_raw("CREATE TABLE late (number int)")
        committed = 0

        async def write(number: int) -> None:
            async with transaction(db, timeout=timedelta(milliseconds=30)) as tx:
                await tx.execute_raw("INSERT INTO late VALUES ($1::int)", number)
                await tx.query_text("SELECT pg_sleep($1)::text", 0.03 + longer_s)

        for number in range(15):
            with suppress(TransactionError):
                await write(number)
                committed += 1
        assert await db.query_first("SELECT count(*)::int AS rows FROM late") == {"rows": committed}
        assert orjson.loads((await db.engine._send({"op": "stats"}, 0))[1])["transactions"] == 0
        assert db.engine.status.pool_waiting == 0
        await db.execute_raw("DROP TABLE late")


async def test_a_pool_of_one_serves_transactions_and_single_calls(services: TestServices) -> None:
    async def work(tx: Database) -> None:
        await sleep(tx, 0.001)

    async with connected(services.database_url, 1) as db:
        both = [unit_of_work(db, work) if number % 2 else sleep(db, 0.001) for number in range(40)]
        assert set(await asyncio.gather(*map(outcome, both))) == {"answered"}


async def test_saturation_is_in_the_metrics(services: TestServices) -> None:
    before = figures()

    def risen(name: str) -> float:
        return figures()[name] - before.get(name, 0)

    async with connected(services.database_url, 2, pool_timeout_s=30) as db:
        load = [asyncio.create_task(sleep(db, 0.5)) for _ in range(10)]
        assert await wait_for(lambda: db.engine.status.pool_waiting > 0)
        assert figures()['handover_database_pool_connections{state="in_use"}'] >= 2
        assert figures()["handover_database_pool_waiting"] >= 1
        await asyncio.gather(*load)
        async with transaction(db):
            pass
        assert await wait_for(lambda: risen("handover_database_pool_waits_total") >= 8)
        assert risen("handover_database_pool_wait_seconds_total") > 2
        assert risen("handover_database_transaction_begin_seconds_count") >= 1
