"""Lists that PostgreSQL writes have the bytes that models would have."""

from typing import Final, get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database.client import Database
from core.http.answers.pagination import Position, decode_position, encode_place
from features.items import service
from features.items.queries import SCOPE
from features.items.schemas import Category, ItemFilter, ItemQuery, Priority, Status
from features.items.tests import typed
from features.items.tests.factories import JsonObject
from tests.fixtures.database import Connection
from tests.fixtures.rows import MOMENTS, TEXTS, filled

COLUMNS: Final[dict[str, st.SearchStrategy[object]]] = {
    "id": filled(512),
    "title": filled(200),
    "description": filled(2000),
    "category": st.sampled_from(get_args(Category)),
    "priority": st.sampled_from(get_args(Priority)),
    "status": st.sampled_from(get_args(Status)),
    "tags": st.lists(TEXTS, max_size=4),
    "created_at": MOMENTS,
    "updated_at": st.none() | MOMENTS,
}
ROWS: Final = st.lists(st.fixed_dictionaries(COLUMNS), max_size=6, unique_by=lambda row: row["id"])
INSERT: Final = f"INSERT INTO items ({', '.join(COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"


async def store(connection: Connection, rows: list[JsonObject]) -> None:
    await connection.execute("DELETE FROM items")
    await connection.executemany(INSERT, [[row[name] for name in COLUMNS] for row in rows])


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, size=st.none() | st.integers(1, 9), offset=st.integers(0, 4), data=st.data())
async def test_lists_and_single_rows_have_the_bytes_of_the_typed_way(
    db: Database,
    connection: Connection,
    rows: list[JsonObject],
    size: int | None,
    offset: int,
    data: st.DataObject,
) -> None:
    await store(connection, rows)
    conditions: JsonObject = {}
    after: Position | None = None
    if rows:
        for name in ("status", "category", "priority"):
            conditions[name] = data.draw(st.none() | st.sampled_from([row[name] for row in rows]))
        tags = [tag for row in rows for tag in row["tags"] if len(tag) <= 200]
        conditions["tag"] = data.draw(st.none() | st.sampled_from(tags)) if tags else None
        place = data.draw(st.none() | st.sampled_from(rows))
        if place is not None:
            after, offset = Position(place["created_at"], place["id"]), 0
    cursor = None if after is None else encode_place((), after.created_at, after.id)
    query = ItemQuery(**conditions, offset=offset, cursor=cursor)
    answer = await service.LIST.body(db, query, size)
    wanted = ItemFilter(**conditions)
    assert answer == await typed.list_items(db, wanted, after=after, offset=offset, size=size)
    if next_cursor := orjson.loads(answer).get("nextCursor"):
        assert decode_position(next_cursor, SCOPE).id == orjson.loads(answer)["data"][-1]["id"]
    for row in rows[:1]:
        found = await service.get_item(db, row["id"])
        assert (found.version, found.data) == await typed.find_item(db, row["id"])
