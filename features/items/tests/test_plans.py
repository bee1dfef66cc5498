"""With 20,000 rows every page is found through an index: the statements that really ran, explained."""

from datetime import UTC, datetime
from functools import partial

import pytest

from core.database.client import Database
from core.http.pagination import Position
from features.items import queries
from features.items.schemas import ItemFilter
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
    (ItemFilter(tag="tag7"), [["tag7"]], "items_tags_idx"),
    (ItemFilter(q="word999"), ["'word999':*", None, None, None, None], "items_text_idx"),
]


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for after in (None, MIDDLE):
        for wanted, arguments, index in CASES:
            statement = await statement_of(
                connection, "items", partial(queries.find_items, db, wanted, after=after, take=51)
            )
            place: list[object] = []
            if wanted.q:
                place = [after.created_at, after.id] if after else [None, None]
            elif after:
                place = [after.created_at, after.created_at, after.id]
            used = await assert_found_by_index(connection, statement, [*arguments, *place, 51, 0])
            assert used == [index], (wanted, after)


async def test_the_check_itself_sees_a_missing_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    statement = await statement_of(
        connection, "items", lambda: queries.find_items(db, ItemFilter(status="new"), take=51)
    )
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("DROP INDEX items_status_created_at_id_idx, items_created_at_id_idx")
        with pytest.raises(AssertionError):
            await assert_found_by_index(connection, statement, ["new", 51, 0])
    finally:
        await change.rollback()
