"""Answers that PostgreSQL builds have the bytes that models would have."""

from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database.client import Database
from core.http.pagination import Position, decode_position
from features.items.queries import reads as queries
from features.items.schemas import Category, ItemFilter, Priority, Status
from features.items.tests import typed
from tests.fixtures.database import Connection

TEXT: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
HOSTILE: Final = st.sampled_from(
    [
        "\x01\x1f\x7f",
        "\b\f\n\r\t",
        '"\\/',
        "\u2028\u2029\ufeff",
        "é🚀",
        "NULL",
        "null",
        "",
        "{}",
        "'; --",
        "%s",
    ]
)
ANY_TEXT: Final = st.one_of(TEXT, HOSTILE)
MOMENT: Final = st.integers(-62_135_596_800_000, 253_402_300_799_999).map(
    lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)
VALUES: Final[dict[str, st.SearchStrategy[object]]] = {
    "id": ANY_TEXT.filter(bool),
    "title": ANY_TEXT.map(lambda text: "x" + text[:199]),
    "description": ANY_TEXT.map(lambda text: "x" + text),
    "category": st.sampled_from(Category.__args__),
    "priority": st.sampled_from(Priority.__args__),
    "status": st.sampled_from(Status.__args__),
    "tags": st.lists(ANY_TEXT, max_size=4),
    "created_at": MOMENT,
    "updated_at": st.none() | MOMENT,
}
ROW: Final = st.fixed_dictionaries(VALUES)
INSERT: Final = f"INSERT INTO items ({', '.join(VALUES)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, max_size=8, unique_by=lambda row: row["id"]),
    size=st.none() | st.integers(1, 9),
    offset=st.integers(0, 4),
    data=st.data(),
)
async def test_lists_and_single_rows_have_the_bytes_of_the_typed_way(
    db: Database,
    connection: Connection,
    rows: list[dict[str, object]],
    size: int | None,
    offset: int,
    data: st.DataObject,
) -> None:
    await connection.execute("DELETE FROM items")
    await connection.executemany(INSERT, [[row[name] for name in VALUES] for row in rows])
    values = {
        name: st.none() | st.sampled_from([row[name] for row in rows]) for name in queries.COUNTED if rows
    }
    wanted = ItemFilter(**data.draw(st.fixed_dictionaries(values)))  # type: ignore[arg-type]
    tags = [tag for row in rows for tag in row["tags"] if len(tag) <= 200]  # type: ignore[attr-defined]
    if tags:
        wanted = wanted.model_copy(update={"tag": data.draw(st.none() | st.sampled_from(tags))})
    after: Position | None = None
    if rows and data.draw(st.booleans()):
        place = data.draw(st.sampled_from(rows))
        after, offset = Position(place["created_at"], place["id"]), 0  # type: ignore[arg-type]
    answer = await queries.list_items(db, wanted, after=after, offset=offset, size=size)
    assert answer == await typed.list_items(db, wanted, after=after, offset=offset, size=size)
    if cursor := orjson.loads(answer).get("nextCursor"):
        assert decode_position(cursor).id == orjson.loads(answer)["data"][-1]["id"]
    for row in rows:
        found = await queries.find_item(db, str(row["id"]))
        assert found is not None
        assert (found.version, found.data) == await typed.find_item(db, str(row["id"]))
