"""With 20,000 rows every page is found through an index: the statements that really ran."""

from datetime import UTC, datetime
from functools import partial

import pytest

from core.database.client import Database
from core.http.answers.pagination import Position
from features.items import queries
from features.items.schemas import ItemFilter
from features.items.sql.match import best_items, match_statement
from features.items.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 20_000
MIDDLE = Position(datetime(2025, 1, 1, 1, 20, tzinfo=UTC), "seed-9600")

CASES: list[tuple[ItemFilter, list[object], str]] = [
    (ItemFilter(), [], "items_created_at_id_idx"),
    (ItemFilter(status="new"), ["new"], "items_status_created_at_id_idx"),
    (ItemFilter(category="documentacao"), ["documentacao"], "items_category_created_at_id_idx"),
    (ItemFilter(priority="low"), ["low"], "items_priority_created_at_id_idx"),
]


async def indexes_of(
    db: Database, connection: Connection, wanted: ItemFilter, given: list[object], after: Position | None
) -> set[str]:
    read = partial(queries.list_items, wanted=wanted, after=after, offset=0, size=50)
    statement = await statement_of(db, connection, "items", read)
    place: list[object] = [after.created_at, after.created_at, after.id] if after else []
    arguments = [*given, *place, 51, *given, 0]
    used: set[str] = set()
    # A page with conditions has its own plan for each of their values.
    for mode in {False, not given and not place}:
        used |= set(
            await assert_found_by_index(
                connection, statement, arguments, counters="item_totals", for_all_values=mode
            )
        )
    return {name for name in used if not name.startswith("item_totals")}


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for after in (None, MIDDLE):
        for wanted, given, index in CASES:
            assert await indexes_of(db, connection, wanted, given, after) == {index}, (wanted, after)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (ItemFilter(tag="tag7"), "items_tags_idx"),
        (ItemFilter(q="word999"), "items_text_idx"),
        (ItemFilter(q="wörd999"), "items_text_idx"),
    ],
)
async def test_matches_are_found_through_their_index(
    connection: Connection, wanted: ItemFilter, index: str
) -> None:
    await seed(connection, ROWS)
    for after in (None, MIDDLE):
        sql, arguments = match_statement(wanted, after=after, offset=0, take=51)
        values = [MIDDLE.created_at if "+00:00" in str(value) else value for value in arguments]
        assert set(await assert_found_by_index(connection, sql, values)) == {index}


async def test_a_search_uses_its_index(connection: Connection) -> None:
    await seed(connection, ROWS)
    statement, arguments = best_items("word999", limit=10)
    assert "items_text_idx" in await assert_found_by_index(connection, statement, arguments)


async def test_the_check_itself_sees_a_missing_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    read = partial(queries.list_items, wanted=ItemFilter(status="new"), after=None, offset=0, size=50)
    statement = await statement_of(db, connection, "items", read)
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("DROP INDEX items_status_created_at_id_idx, items_created_at_id_idx")
        with pytest.raises(AssertionError):
            await assert_found_by_index(connection, statement, ["new", 51, "new", 0])
    finally:
        await change.rollback()
