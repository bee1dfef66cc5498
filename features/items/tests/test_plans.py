"""With 20,000 rows every page is found through an index."""

from datetime import UTC, datetime

import pytest

from core.http.pagination import Position
from features.items.queries.reads import list_statement
from features.items.schemas import ItemFilter
from features.items.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index

ROWS = 20_000
MIDDLE = Position(datetime(2025, 1, 1, 1, 20, tzinfo=UTC), "seed-9600")

CASES: list[tuple[ItemFilter, str]] = [
    (ItemFilter(), "items_created_at_id_idx"),
    (ItemFilter(status="new"), "items_status_created_at_id_idx"),
    (ItemFilter(category="documentacao"), "items_category_created_at_id_idx"),
    (ItemFilter(priority="low"), "items_priority_created_at_id_idx"),
    (ItemFilter(tag="tag7"), "items_tags_idx"),
    (ItemFilter(q="word999"), "items_text_idx"),
]


async def indexes_of(connection: Connection, wanted: ItemFilter, after: Position | None) -> set[str]:
    """Those of the table of items."""
    sql, arguments = list_statement(wanted, after=after, offset=0, size=50)
    values = [MIDDLE.created_at if "Z" in str(value) else value for value in arguments]
    used = await assert_found_by_index(connection, sql, values, counters="item_totals")
    return {name for name in used if name.startswith("items_")}


async def test_every_page_is_found_through_its_index(connection: Connection) -> None:
    await seed(connection, ROWS)
    for after in (None, MIDDLE):
        for wanted, index in CASES:
            assert await indexes_of(connection, wanted, after) == {index}, (wanted, after)


async def test_the_check_itself_sees_a_missing_index(connection: Connection) -> None:
    await seed(connection, ROWS)
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("DROP INDEX items_status_created_at_id_idx, items_created_at_id_idx")
        with pytest.raises(AssertionError):
            await indexes_of(connection, ItemFilter(status="new"), None)
    finally:
        await change.rollback()
