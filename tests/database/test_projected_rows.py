"""Projected reads row by row, and what they leave alone."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.database.client import Database
from core.http.answers.projection import measure, projected_in_order, projected_rows
from core.http.request.fields import LARGEST
from features.items.schemas import Item
from features.items.tests.factories import seed
from tests.database.test_projection import MEASURES, Named, furnish, plainly
from tests.fixtures.database import Connection
from tests.fixtures.plans import statement_of


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(MEASURES, min_size=50))
@example(values=[-0.0, 5e-324, 9.9e-6, 1e-5, 1.234e-5, 0.0001, 2.0**-44, LARGEST, LARGEST - 0.125])
@example(values=[2.0**exponent for exponent in range(-1074, 50)])
async def test_measures_have_the_digits_of_a_model(connection: Connection, values: list[float]) -> None:
    rows = await connection.fetch(
        f"SELECT {measure('value')} AS text FROM unnest($1::float8[]) AS value", values
    )
    # The engine's numbers know no negative zero.
    written = [TypeAdapter(float).dump_json(value + 0.0).decode() for value in values]
    assert [row["text"] for row in rows] == written


@pytest.mark.parametrize("is_projected", [True, False])
async def test_rows_come_with_columns_that_are_not_shown(showcase: Any, is_projected: bool) -> None:
    await furnish(showcase, 'a\t"\n', "b", None)
    async with plainly(showcase, not is_projected):
        found = await projected_rows(
            showcase,
            Named,
            ("id", "email", "mentorId"),
            lambda: showcase.author.find_many(order={"id": "asc"}),
        )
        none = await projected_rows(
            showcase, Named, ("id",), lambda: showcase.author.find_many(where={"id": "nobody"})
        )
    assert found == [
        (["ada", 'a\t"\n', None], b'{"email":"a\\t\\"\\n"}'),
        (["bo", "b", "ada"], b'{"email":"b"}'),
    ]
    assert none == []


@pytest.mark.parametrize("is_projected", [True, False])
async def test_rows_come_in_the_order_of_the_ids(
    db: Database, connection: Connection, is_projected: bool
) -> None:
    await seed(connection, 200)
    wanted = [f"seed-{number * 7 % 211}" for number in range(211)]
    async with plainly(db, not is_projected):
        rows = await projected_in_order(
            db, Item, wanted, lambda: db.item.find_many(where={"id": {"in": wanted}})
        )
    assert [item["id"] for item in orjson.loads(b"[%b]" % rows.json)] == [
        each for each in wanted if 1 <= int(each[5:]) <= 200
    ]
    assert (rows.count, rows.next_cursor) == (200, None)


async def test_other_calls_join_nothing(db: Database, connection: Connection) -> None:
    """Joined, related rows would pass through JSON, which has no words for some of their values."""
    await connection.execute("INSERT INTO systems (id, name, status) VALUES ('s', 'Hub', 'online')")
    await db.idea.create(
        data={"id": "i", "title": "x", "category": "docs", "priority": "low", "system_id": "s"}
    )
    statement = await statement_of(
        db,
        connection,
        "ideas",
        lambda tx: tx.idea.find_many(order={"id": "asc"}, skip=0, take=1, include={"system": True}),
    )
    assert "JSON" not in statement
    [row] = await db.idea.find_many(include={"system": True})
    assert row.system is not None
    assert row.system.name == "Hub"
