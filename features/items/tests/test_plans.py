"""With 20,000 rows every page is found through an index: the statements that really ran, explained."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from core.database.client import Database
from core.http.pagination import Position
from features.items import queries
from features.items.schemas import ItemFilter
from features.items.tests.factories import Connection, seed

ROWS = 20_000
MIDDLE = Position(datetime(2025, 1, 1, 1, 20, tzinfo=UTC), "seed-9600")
# Rows a plan may sort: those of one tag or one word, never the table.
SORTED_AT_MOST = 200


async def statement_of(
    db: Database, connection: Connection, wanted: ItemFilter, after: Position | None
) -> str:
    """The SQL that reads this page, as the server received it."""
    started = await connection.fetchval("SELECT clock_timestamp()")
    assert await queries.find_items(db, wanted, after=after, take=51)
    statements = await connection.fetch(
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND query_start >= $1 "
        "AND pid <> pg_backend_pid() AND query LIKE '%description%'",
        started,
    )
    [statement] = [str(row["query"]) for row in statements]
    assert "ORDER BY" in statement
    assert "OFFSET" in statement, "the statement was cut short"
    return statement


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def assert_found_by_index(connection: Connection, statement: str, arguments: list[object]) -> list[str]:
    """Returns the indexes that were used."""
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    found = list(nodes(json.loads(text)[0]["Plan"]))
    for node in found:
        assert node["Node Type"] != "Seq Scan", text
        if "Sort" in node["Node Type"]:
            assert max(inner["Actual Rows"] for inner in node["Plans"]) <= SORTED_AT_MOST, text
        assert node.get("Rows Removed by Filter", 0) <= SORTED_AT_MOST, text
    used = [node["Index Name"] for node in found if "Index Name" in node]
    assert used, text
    return used


CASES: list[tuple[ItemFilter, list[object], str]] = [
    (ItemFilter(), [], "items_created_at_id_idx"),
    (ItemFilter(status="new"), ["new"], "items_status_created_at_id_idx"),
    (ItemFilter(category="documentacao"), ["documentacao"], "items_category_created_at_id_idx"),
    (ItemFilter(priority="low"), ["low"], "items_priority_created_at_id_idx"),
    (ItemFilter(tag="tag7"), [["tag7"]], "items_tags_idx"),
    (ItemFilter(q="word999"), ["'word999':*", None, None, None, None], "items_text_idx"),
]


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for after in (None, MIDDLE):
        for wanted, arguments, index in CASES:
            statement = await statement_of(db, connection, wanted, after)
            place: list[object] = []
            if wanted.q:
                place = [after.created_at, after.id] if after else [None, None]
            elif after:
                place = [after.created_at, after.created_at, after.id]
            used = await assert_found_by_index(connection, statement, [*arguments, *place, 51, 0])
            assert used == [index], (wanted, after)


async def test_the_check_itself_sees_a_missing_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    statement = await statement_of(db, connection, ItemFilter(status="new"), None)
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("DROP INDEX items_status_created_at_id_idx, items_created_at_id_idx")
        with pytest.raises(AssertionError):
            await assert_found_by_index(connection, statement, ["new", 51, 0])
    finally:
        await change.rollback()
