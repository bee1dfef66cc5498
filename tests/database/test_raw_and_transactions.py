"""Raw SQL, interactive transactions, and what goes wrong in them."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from prisma import errors

from core.database.errors import (
    ConstraintViolation,
    Deadlock,
    PoolExhausted,
    StatementTimeout,
)
from core.database.transaction import unit_of_work
from tests.database.values import json
from tests.fixtures.counting import measure
from tests.fixtures.transactions import transaction
from tests.fixtures.waiting import PATIENCE_S, wait_for


async def test_query_raw_with_parameters_and_model(library: Any, generated: ModuleType) -> None:
    rows = await library.query_raw(
        'SELECT title, pages, views, extra FROM "Book" WHERE pages > $1 AND title = ANY($2) ORDER BY pages',
        60,
        ["Engines", "Notes", "Winds"],
    )
    assert rows == [
        {"title": "Engines", "pages": 100, "views": 0, "extra": {}},
        {"title": "Notes", "pages": 200, "views": 0, "extra": {}},
    ]
    books = await library.query_raw('SELECT * FROM "Book" WHERE pages = $1', 10, model=generated.models.Book)
    assert [book.title for book in books] == ["Anonymous"]
    assert books[0].extra == {}
    first = await library.query_first('SELECT max(pages) AS most FROM "Book"')
    assert first == {"most": 300}
    assert await library.query_first('SELECT 1 AS one FROM "Book" WHERE pages = -1') is None
    assert await library.query_raw('SELECT 1 AS one FROM "Book" WHERE pages = -1') == []
    assert await library.query_first("SELECT 9007199254740993::bigint AS big, NULL AS nothing") == {
        "big": 9007199254740993,
        "nothing": None,
    }
    as_json = await library.query_first("SELECT $1::jsonb -> 'order_by' AS inner", json({"order_by": [1]}))
    assert as_json == {"inner": [1]}


async def test_raw_lists_lose_nothing(showcase: Any) -> None:
    row = await showcase.query_first(
        "SELECT ARRAY['NaN'::float8, '-infinity', 1, NULL] AS doubles, ARRAY['infinity'::float4] AS floats, "
        "ARRAY[ARRAY[1.5, NULL]]::numeric[] AS nested, ARRAY[ARRAY['1'::jsonb]] AS documents"
    )
    assert str(row["doubles"] + row["floats"]) == "[nan, -inf, 1.0, None, inf]"
    assert (row["nested"], row["documents"]) == ([[Decimal("1.5"), None]], [[1]])


async def test_raw_json_columns_of_a_model_may_hold_a_bare_text(showcase: Any, generated: ModuleType) -> None:
    await showcase.book.create(data={"title": "t", "extra": json("just text"), "notes": json(None)})
    book = await showcase.query_first('SELECT * FROM "Book"', model=generated.models.Book)
    assert (book.extra, book.notes) == ("just text", None)


async def test_execute_raw_counts_rows(library: Any) -> None:
    assert await library.execute_raw('UPDATE "Book" SET published = true WHERE pages >= $1', 100) == 3


async def test_raw_errors_keep_their_class(showcase: Any) -> None:
    with pytest.raises(errors.RawQueryError, match="syntax error"):
        await showcase.query_raw("SELEC 1")
    with pytest.raises(errors.UniqueViolationError):
        await showcase.execute_raw("INSERT INTO \"Label\" VALUES ('x'), ('x')")
    with pytest.raises(errors.ForeignKeyViolationError):
        await showcase.execute_raw("INSERT INTO \"Book\" (title, \"authorId\") VALUES ('x', 'nobody')")
    with pytest.raises(ConstraintViolation):
        await showcase.execute_raw('INSERT INTO "Book" (title) VALUES (NULL)')


async def test_tx_of_the_client_commits_and_rolls_back(showcase: Any) -> None:
    async with showcase.tx() as tx:
        await tx.label.create(data={"name": "kept"})
        assert await tx.label.count() == 1
        assert await showcase.label.count() == 0

    async def failing() -> None:
        async with showcase.tx(timeout=timedelta(seconds=2)) as tx:
            await tx.label.create(data={"name": "gone"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert [label.name for label in await showcase.label.find_many()] == ["kept"]


async def test_a_failed_statement_ends_the_transaction_and_nothing_stays(showcase: Any) -> None:
    async def twice() -> None:
        async with transaction(showcase) as tx:
            await tx.label.create(data={"name": "one"})
            await tx.label.create(data={"name": "one"})

    with pytest.raises(errors.UniqueViolationError):
        await twice()
    assert await showcase.label.count() == 0


async def test_a_transaction_beyond_its_time_rolls_back_and_says_so(showcase: Any) -> None:
    async def overdue(*, call: bool) -> None:
        async with transaction(showcase, timeout=timedelta(milliseconds=100)) as tx:
            await tx.label.create(data={"name": "late"})
            await showcase.query_raw("SELECT pg_sleep(0.3)::text")
            if call:
                await tx.label.count()

    for call in (True, False):
        with pytest.raises(errors.TransactionExpiredError):
            await overdue(call=call)
    assert await showcase.label.count() == 0


async def test_a_transaction_in_a_transaction_is_refused(showcase: Any) -> None:
    async def work(tx: Any) -> None:
        with pytest.raises(RuntimeError, match="already"):
            await unit_of_work(tx, work)

    await unit_of_work(showcase, work)


async def test_isolation_levels(showcase: Any) -> None:
    async def level(tx: Any) -> object:
        return await tx.query_first("SHOW transaction_isolation")

    found = await unit_of_work(showcase, level, isolation="Serializable")
    assert found == {"transaction_isolation": "serializable"}


async def test_a_cancelled_body_and_a_cancelled_start_leave_nothing_open(showcase: Any) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with transaction(showcase) as tx:
            await tx.label.create(data={"name": "never"})
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for turns in range(12):
        starting = asyncio.create_task(showcase.engine.begin(timeout_ms=60_000, max_wait_ms=1000))
        for _ in range(turns):
            await asyncio.sleep(0)
        if starting.cancel():
            await asyncio.wait([starting])
        if not starting.cancelled():
            await showcase.engine.rollback_transaction(starting.result())

    async def none_open() -> bool:
        row = await showcase.query_first(
            "SELECT count(*) AS open FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in %'"
        )
        return bool(row["open"] == 0)

    ended: bool = await wait_for(none_open)
    assert ended
    assert await showcase.label.count() == 0


async def test_no_free_connection_is_an_error_of_its_own(showcase: Any) -> None:
    busy, release = [], asyncio.Event()

    async def hold(ready: asyncio.Event) -> None:
        async with transaction(showcase) as tx:
            await tx.label.count()
            ready.set()
            await release.wait()

    for _ in range(3):  # of the pool of four, one is for single calls
        ready = asyncio.Event()
        busy.append(asyncio.create_task(hold(ready)))
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
    try:
        with pytest.raises(PoolExhausted) as exhausted:
            async with transaction(showcase, max_wait=timedelta(milliseconds=200)):
                pass
        assert exhausted.value.status == 503
        assert exhausted.value.retry_after == 1
    finally:
        release.set()
        await asyncio.gather(*busy)


async def test_a_deadlock_is_an_error_of_its_own_and_one_of_both_commits(showcase: Any) -> None:
    await showcase.label.create_many(data=[{"name": "a"}, {"name": "b"}])
    both_hold_one = asyncio.Barrier(2)

    async def rename(first: str, second: str) -> None:
        async with transaction(showcase) as tx:
            for name in (first, second):
                await tx.execute_raw('UPDATE "Label" SET name = name WHERE name = $1', name)
                if name == first:
                    await both_hold_one.wait()

    outcomes = await asyncio.gather(rename("a", "b"), rename("b", "a"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Deadlock]
    assert outcomes.count(None) == 1


async def test_queries_are_counted_without_begin_and_commit(showcase: Any) -> None:
    with measure() as meter:
        async with transaction(showcase) as tx:
            await tx.label.create(data={"name": "x"})
            await tx.label.count()
        await asyncio.gather(*(showcase.label.count() for _ in range(3)))
    assert meter.queries == 5
    assert meter.seconds > 0
    await showcase.label.count()
    assert meter.queries == 5


async def test_a_statement_beyond_the_limit_is_cancelled(showcase: Any) -> None:
    async def too_slow() -> None:
        async with transaction(showcase) as tx:
            await tx.execute_raw("SET LOCAL statement_timeout = '50ms'")
            await tx.query_raw("SELECT pg_sleep(2)::text")

    with pytest.raises(StatementTimeout):
        await too_slow()
