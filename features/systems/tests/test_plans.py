"""With some thousands of systems every page is found through an index: the statements that really ran,
explained.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from core.database.client import Database
from features.systems import queries
from features.systems.schemas import OrderBy, OrderDirection, SystemFilter
from features.systems.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 5000


def reading(db: Database, wanted: SystemFilter, order_by: OrderBy) -> Callable[[], Awaitable[object]]:
    direction: OrderDirection = "asc" if order_by == "name" else "desc"
    return partial(queries.find_systems, db, wanted, order_by, direction, take=20)


CASES: list[tuple[SystemFilter, OrderBy, list[object], str]] = [
    (SystemFilter(), "created_at", [], "systems_created_at_id_idx"),
    (SystemFilter(), "updated_at", [], "systems_changed_order_idx"),
    (SystemFilter(), "name", [], "systems_name_order_idx"),
    (SystemFilter(status="planned"), "created_at", ["planned"], "systems_status_created_at_id_idx"),
    (SystemFilter(status="unknown"), "created_at", [], "systems_unchecked_idx"),
    (SystemFilter(type="tool"), "created_at", ["tool"], "systems_type_created_at_id_idx"),
    (SystemFilter(category="rare"), "created_at", ["rare"], "systems_category_created_at_id_idx"),
    (SystemFilter(owner="rarely"), "created_at", ["rarely"], "systems_owner_created_at_id_idx"),
    (SystemFilter(tag="tag7"), "created_at", ["tag7"], "systems_tags_idx"),
    (SystemFilter(search="word499"), "created_at", ["word499"], "systems_words_idx"),
]


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for wanted, order_by, arguments, index in CASES:
        statement = await statement_of(connection, "systems", reading(db, wanted, order_by))
        used = await assert_found_by_index(connection, statement, [*arguments, 20, 0])
        assert used == [index], (wanted, order_by)


async def test_the_check_itself_sees_a_missing_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    statement = await statement_of(connection, "systems", reading(db, SystemFilter(), "name"))
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("DROP INDEX systems_name_order_idx")
        with pytest.raises(AssertionError):
            await assert_found_by_index(connection, statement, [20, 0])
    finally:
        await change.rollback()
