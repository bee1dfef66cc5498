"""Units of work: run again when others were in the way, and never when they may have been committed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
import structlog
from prisma.errors import RawQueryError, TransactionExpiredError, UniqueViolationError

from core.database.client import Database
from core.database.errors import (
    DatabaseUnavailable,
    Deadlock,
    LockTimeout,
    SerializationFailure,
    TransactionAborted,
    WriteConflict,
    as_error,
)
from core.database.transaction import MAX_ATTEMPTS, retried, unit_of_work
from tests.database.engines import connected, figures
from tests.fixtures.services import TestServices
from tests.fixtures.transactions import transaction

ADD_A_PAGE = 'UPDATE "Book" SET pages = pages + 1 WHERE title = $1'


@pytest_asyncio.fixture(loop_scope="session")
async def db(services: TestServices) -> AsyncIterator[Database]:
    async with connected(services.database_url, lock_timeout_s=0.3) as database:
        yield database


def risen(before: dict[str, float]) -> dict[str, float]:
    """What the counters of retries have gained."""
    found = figures().items()
    return {
        name.removeprefix("handover_database_"): value - before.get(name, 0)
        for name, value in found
        if name.startswith("handover_database_retr") and value > before.get(name, 0)
    }


async def test_two_units_that_deadlock_both_end_well(showcase: Any) -> None:
    await showcase.book.create_many(data=[{"title": "a"}, {"title": "b"}])
    both_hold_one = asyncio.Barrier(2)
    attempts: Counter[str] = Counter()
    clients = set()

    async def add_pages(first: str, second: str) -> str:
        async def work(tx: Any) -> str:
            attempts[first] += 1
            clients.add(tx._tx_id)
            await tx.execute_raw(ADD_A_PAGE, first)
            if attempts[first] == 1:
                await both_hold_one.wait()
            await tx.execute_raw(ADD_A_PAGE, second)
            return first

        result: str = await unit_of_work(showcase, work)
        return result

    before = figures()
    with structlog.testing.capture_logs() as entries:
        ended = await asyncio.gather(add_pages("a", "b"), add_pages("b", "a"))
    assert list(ended) == ["a", "b"]
    assert [book.pages for book in await showcase.book.find_many()] == [2, 2]
    assert sorted(attempts.values()) == [1, 2]
    assert len(clients) == 3
    assert risen(before) == {
        'retries_total{reason="Deadlock"}': 1,
        'retried_units_total{outcome="succeeded"}': 1,
    }
    assert [entry["reason"] for entry in entries if entry["event"] == "database.retried"] == ["Deadlock"]


async def test_two_units_that_cannot_be_serialized_both_end_well(showcase: Any) -> None:
    """Each sees how many there are and adds that many more: only one after the other gives 1 + 1 + 2."""
    await showcase.label.create(data={"name": "first"})
    both_have_read = asyncio.Barrier(2)
    attempts: Counter[str] = Counter()

    async def double(name: str) -> None:
        async def work(tx: Any) -> None:
            attempts[name] += 1
            found = await tx.label.count()
            if attempts[name] == 1:
                await both_have_read.wait()
            await tx.label.create_many(data=[{"name": f"{name}{number}"} for number in range(found)])

        await unit_of_work(showcase, work, isolation="Serializable")

    before = figures()
    await asyncio.gather(double("x"), double("y"))
    assert await showcase.label.count() == 4
    assert sum(attempts.values()) >= 3
    assert risen(before)['retries_total{reason="SerializationFailure"}'] >= 1


async def test_a_unit_that_always_conflicts_gives_up_soon(showcase: Any) -> None:
    await showcase.book.create(data={"title": "a"})
    attempts = 0

    async def overtaken(tx: Any) -> None:
        nonlocal attempts
        attempts += 1
        await tx.book.count()
        await showcase.execute_raw(ADD_A_PAGE, "a")
        await tx.execute_raw(ADD_A_PAGE, "a")

    before = figures()
    with pytest.raises(SerializationFailure) as given_up:
        await unit_of_work(showcase, overtaken, isolation="RepeatableRead")
    assert attempts == MAX_ATTEMPTS
    assert (given_up.value.status, given_up.value.retry_after) == (503, 1)
    assert risen(before) == {
        'retries_total{reason="SerializationFailure"}': MAX_ATTEMPTS - 1,
        'retried_units_total{outcome="failed"}': 1,
    }
    assert (await showcase.book.find_first()).pages == MAX_ATTEMPTS


async def test_all_attempts_together_keep_to_the_time_limit(showcase: Any) -> None:
    attempts = 0

    async def slow_conflict(tx: Any) -> None:
        nonlocal attempts
        attempts += 1
        await tx.query_raw("SELECT pg_sleep(0.2)::text")
        raise Deadlock("as if")

    with pytest.raises((Deadlock, TransactionExpiredError)) as given_up:
        await unit_of_work(showcase, slow_conflict, timeout=timedelta(milliseconds=500))
    assert attempts < MAX_ATTEMPTS
    answer = as_error(given_up.value)
    assert answer is not None
    assert answer.status == 503


async def test_other_errors_roll_back_and_are_not_repeated(showcase: Any) -> None:
    attempts = 0

    async def failing(tx: Any) -> None:
        nonlocal attempts
        attempts += 1
        await tx.label.create(data={"name": "gone"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unit_of_work(showcase, failing)
    assert attempts == 1
    assert await showcase.label.count() == 0


@pytest.mark.parametrize("typed", [True, False])
async def test_a_unit_that_swallows_a_failure_is_not_reported_as_done(showcase: Any, typed: bool) -> None:
    """PostgreSQL answers its COMMIT with ROLLBACK, which is no error of its own."""

    async def work(tx: Any) -> str:
        await tx.label.create(data={"name": "lost"})
        with suppress(UniqueViolationError, RawQueryError):
            if typed:
                await tx.label.create(data={"name": "lost"})
            else:
                await tx.execute_raw("SELECT nothing")
        return "done"

    with pytest.raises(TransactionAborted):
        await unit_of_work(showcase, work)
    assert await showcase.label.count() == 0


async def test_a_failure_behind_a_savepoint_spoils_nothing(showcase: Any) -> None:
    async def work(tx: Any) -> None:
        await tx.label.create(data={"name": "kept"})
        await tx.execute_raw("SAVEPOINT before")
        with pytest.raises(RawQueryError):
            await tx.execute_raw("SELECT nothing")
        await tx.execute_raw("ROLLBACK TO SAVEPOINT before")

    await unit_of_work(showcase, work)
    assert await showcase.label.count() == 1


async def test_cancelling_rolls_back(showcase: Any) -> None:
    written = asyncio.Event()

    async def work(tx: Any) -> None:
        await tx.label.create(data={"name": "never"})
        written.set()
        await asyncio.Event().wait()

    unit = asyncio.create_task(unit_of_work(showcase, work))
    await written.wait()
    unit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await unit
    await showcase.label.create(data={"name": "never"})


async def test_a_unit_in_a_unit_is_refused(showcase: Any) -> None:
    async def inner(tx: Any) -> None: ...

    with pytest.raises(RuntimeError, match="already"):
        await unit_of_work(showcase, lambda tx: unit_of_work(tx, inner))


async def test_waiting_too_long_for_a_row_is_an_error_of_its_own_and_not_repeated(db: Database) -> None:
    attempts = 0

    async def lock(tx: Database) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute_raw("LOCK TABLE import_rejects IN ACCESS EXCLUSIVE MODE")

    async with transaction(db) as holder:
        await holder.execute_raw("LOCK TABLE import_rejects IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockTimeout) as waited:
            await unit_of_work(db, lock)
    assert attempts == 1
    assert (waited.value.status, waited.value.retry_after) == (503, 1)
    assert not isinstance(waited.value, WriteConflict)


async def test_a_single_statement_is_repeated_only_for_conflicts(db: Database) -> None:
    conflicts, losses = 0, 0

    async def conflicting(client: Database) -> str:
        nonlocal conflicts
        assert not client.is_transaction()
        conflicts += 1
        if conflicts < 3:
            raise Deadlock("as if")
        return "done"

    async def lost(client: Database) -> None:
        nonlocal losses
        losses += 1
        raise DatabaseUnavailable("as if")

    assert await retried(db, conflicting) == "done"
    assert conflicts == 3
    with pytest.raises(DatabaseUnavailable):
        await retried(db, lost)
    assert losses == 1
