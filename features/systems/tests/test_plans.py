"""With some thousands of systems every page is found through an index: the statements that really ran,
explained.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import pytest

from core.database.client import Database
from features.systems import service
from features.systems.schemas import SystemQuery
from features.systems.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 5000


def by_typed_call(wanted: dict[str, str]) -> bool:
    return wanted.keys().isdisjoint({"order_by", "tag", "search"})


def reading(**wanted: Any) -> Callable[[Database], Awaitable[bytes]]:
    return partial(service.LIST.body, query=SystemQuery(**wanted), size=20)


CASES: list[tuple[dict[str, str], str]] = [
    ({}, "systems_created_at_id_idx"),
    ({"order_by": "updated_at"}, "systems_changed_order_idx"),
    ({"order_by": "name"}, "systems_name_order_idx"),
    ({"status": "planned"}, "systems_status_created_at_id_idx"),
    ({"status": "unknown"}, "systems_unchecked_idx"),
    ({"type": "tool"}, "systems_type_created_at_id_idx"),
    ({"category": "rare"}, "systems_category_created_at_id_idx"),
    ({"owner": "rarely"}, "systems_owner_created_at_id_idx"),
    ({"tag": "tag7"}, "systems_tags_idx"),
    ({"search": "word499"}, "systems_words_idx"),
]
"""A query, and the index that its page comes from."""


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for wanted, index in CASES:
        statement = await statement_of(db, connection, "systems", reading(**wanted))
        given = [value for name, value in wanted.items() if name != "order_by" and value != "unknown"]
        size = [21, 0] if by_typed_call(wanted) else [21]
        used = await assert_found_by_index(connection, statement, [*given, *size])
        assert used == [index], wanted


async def test_a_page_by_cursor_begins_where_its_index_says(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for wanted, index in CASES[:3]:
        before = orjson.loads(await reading(**wanted, offset=ROWS // 2)(db))
        read = reading(**wanted, cursor=before["nextCursor"])
        last = before["data"][-1]
        key = last["createdAt"] if not wanted else last.get("updatedAt", last["createdAt"])
        moment = datetime.fromisoformat(key)
        place = {"name": [last["name"].lower()], "updated_at": [moment]}.get(
            wanted.get("order_by", ""), [moment, moment]
        )
        statement = await statement_of(db, connection, "systems", read)
        size = [21, 0] if by_typed_call(wanted) else [21]
        used = await assert_found_by_index(connection, statement, [*place, last["id"], *size])
        assert used == [index], wanted


async def test_the_check_itself_sees_a_missing_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    statement = await statement_of(db, connection, "systems", reading(order_by="name"))
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute("DROP INDEX systems_name_order_idx")
        with pytest.raises(AssertionError):
            await assert_found_by_index(connection, statement, [21])
    finally:
        await change.rollback()
