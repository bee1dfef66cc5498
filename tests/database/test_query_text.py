"""`query_text`: text that PostgreSQL made, handed on as it is."""

import datetime
from typing import Any

import orjson
import pytest
from prisma import errors

from core.database.arguments import isoformat
from core.database.errors import DatabaseProblem
from tests.database.engines import connected, figures
from tests.database.values import json
from tests.fixtures.counting import measure
from tests.fixtures.services import TestServices
from tests.fixtures.transactions import transaction

AWKWARD = 'quote " backslash \\ newline \n tab \t é 日本 🦊 \u2028 </script> \x7f'


async def test_every_kind_of_parameter_arrives_as_what_it_is(showcase: Any) -> None:
    moment = datetime.datetime(2025, 10, 23, 22, 45, 24, 940_000, tzinfo=datetime.UTC)
    text = await showcase.query_text(
        "SELECT json_build_object('texts', $1::text[], 'none', $2::text[], 'json', $3::jsonb, "
        "'moment', $4::timestamptz AT TIME ZONE 'UTC', 'number', $5::int, 'big', $6::bigint, "
        "'nothing', $7::text, 'yes', $8::boolean, 'half', $9::float8, 'id', $10::uuid, 'object', $11::jsonb, "
        "'any', 'b' = ANY($1))::text",
        ["a", "b", AWKWARD],
        [],
        orjson.dumps({"order_by": [1, None]}).decode(),
        isoformat(moment),
        -5,
        2**60,
        None,
        True,
        0.5,
        "0193e0a5-0000-7000-8000-000000000000",
        json({"a": [AWKWARD]}),
    )
    assert orjson.loads(text) == {
        "texts": ["a", "b", AWKWARD],
        "none": [],
        "json": {"order_by": [1, None]},
        "moment": "2025-10-23T22:45:24.94",
        "number": -5,
        "big": 2**60,
        "nothing": None,
        "yes": True,
        "half": 0.5,
        "id": "0193e0a5-0000-7000-8000-000000000000",
        "object": {"a": [AWKWARD]},
        "any": True,
    }


@pytest.mark.parametrize("times", [1, 1_000, 40_000])
async def test_the_text_is_not_touched_however_long_it_is(showcase: Any, times: int) -> None:
    assert (
        await showcase.query_text("SELECT repeat($1, $2::int)", AWKWARD, times) == (AWKWARD * times).encode()
    )


async def test_no_row_and_null_are_none_and_empty_is_empty(showcase: Any) -> None:
    assert await showcase.query_text('SELECT title FROM "Book"') is None
    assert await showcase.query_text("SELECT NULL::text") is None
    assert await showcase.query_text("SELECT ''") == b""


async def test_it_can_be_part_of_a_transaction_and_is_counted(showcase: Any) -> None:
    counted = 'handover_database_query_seconds_count{model="raw",operation="queryText"}'
    before = figures().get(counted, 0)
    with measure() as meter:
        async with transaction(showcase) as tx:
            await tx.label.create(data={"name": "new"})
            assert await tx.query_text('SELECT name FROM "Label"') == b"new"
            assert await showcase.query_text('SELECT name FROM "Label"') is None
    assert meter.queries == 3
    assert figures()[counted] == before + 2


async def test_errors_keep_their_class(showcase: Any) -> None:
    with pytest.raises(errors.RawQueryError, match="syntax error"):
        await showcase.query_text("SELEC 1")
    await showcase.label.create(data={"name": "x"})
    with pytest.raises(errors.UniqueViolationError):
        await showcase.query_text("INSERT INTO \"Label\" VALUES ('x') RETURNING name")
    with pytest.raises(errors.DataError, match="::text"):
        await showcase.query_text("SELECT 1")
    assert await showcase.query_text("SELECT 'still there'") == b"still there"


async def test_a_single_call_is_prepared_and_opens_no_transaction(services: TestServices) -> None:
    """Everything that this client sends is prepared by name, BEGIN too, so the connection's list tells."""
    sent = "SELECT string_agg(statement, '|' ORDER BY prepare_time) FROM pg_prepared_statements"
    async with connected(services.database_url, pool_size=1) as db:
        await db.query_text(sent)
        assert await db.query_text(sent) == sent.encode()
        async with transaction(db) as tx:
            assert await tx.query_text(sent) == f"{sent}|BEGIN".encode()


async def test_a_call_that_meets_a_dead_engine_fails_as_any_other(services: TestServices) -> None:
    async with connected(services.database_url) as db:
        db.engine.close()
        with pytest.raises(DatabaseProblem):
            await db.query_text("SELECT pg_sleep(5)::text")
