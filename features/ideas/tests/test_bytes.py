"""Answers that PostgreSQL builds have the bytes that models would have."""

from typing import Final, get_args

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.database.client import Database
from core.database.json import number
from core.http.pagination import Position, decode_position
from features.ideas import queries
from features.ideas.queries.reads import COUNTED
from features.ideas.schemas import Category, Direction, IdeaFilter, Priority, Status
from features.ideas.tests import typed
from features.ideas.tests.factories import JsonObject
from tests.fixtures.database import Connection
from tests.fixtures.rows import MOMENTS, TEXTS, filled

SYSTEMS: Final = {"s1": 'The "first"', "s2": "é\n🚀"}
COLUMNS: Final[dict[str, st.SearchStrategy[object]]] = {
    "id": filled(128),
    "title": filled(200),
    "description": filled(2000),
    "category": st.sampled_from(get_args(Category)),
    "priority": st.sampled_from(get_args(Priority)),
    "tags": st.lists(TEXTS, max_size=4),
    "system_id": st.sampled_from([None, *SYSTEMS]),
    "assigned_to": st.none() | filled(200),
    "created_by": st.none() | filled(200),
    "estimated_hours": st.none() | st.floats(1, 1000) | st.integers(1, 1000).map(float),
    "actual_hours": st.none() | st.floats(0, 10_000) | st.floats(0, 0.001),
    "due_date": st.none() | MOMENTS,
    "created_at": MOMENTS,
    "updated_at": st.none() | MOMENTS,
}
STATES: Final = st.sampled_from([status for status in get_args(Status) if status != "completed"]).map(
    lambda status: {"status": status, "completed_at": None}
) | MOMENTS.map(lambda moment: {"status": "completed", "completed_at": moment})
ROWS: Final = st.lists(
    st.builds(lambda row, state: {**row, **state}, st.fixed_dictionaries(COLUMNS), STATES),
    max_size=6,
    unique_by=lambda row: row["id"],
)
NAMES: Final = (*COLUMNS, "status", "completed_at")
INSERT: Final = (
    f"INSERT INTO ideas ({', '.join(NAMES)}) VALUES ({', '.join(f'${1 + n}' for n in range(len(NAMES)))})"
)


async def store(connection: Connection, rows: list[JsonObject]) -> None:
    await connection.execute("DELETE FROM ideas")
    await connection.executemany(
        "INSERT INTO systems (id, name, description, status) VALUES ($1, $2, 'x', 'online') "
        "ON CONFLICT DO NOTHING",
        list(SYSTEMS.items()),
    )
    await connection.executemany(INSERT, [[row[name] for name in NAMES] for row in rows])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=ROWS,
    size=st.none() | st.integers(1, 9),
    offset=st.integers(0, 4),
    direction=st.sampled_from(get_args(Direction)),
    data=st.data(),
)
async def test_lists_the_board_and_single_rows_have_the_bytes_of_the_typed_way(
    db: Database,
    connection: Connection,
    rows: list[JsonObject],
    size: int | None,
    offset: int,
    direction: Direction,
    data: st.DataObject,
) -> None:
    await store(connection, rows)
    conditions: JsonObject = {}
    after: Position | None = None
    if rows:
        for name in (*COUNTED, "system_id", "assigned_to"):
            conditions[name] = data.draw(st.none() | st.sampled_from([row[name] for row in rows]))
        place = data.draw(st.none() | st.sampled_from(rows))
        if place is not None:
            after = Position(place["created_at"], place["id"])
    wanted = IdeaFilter(**conditions)
    answer = await queries.list_ideas(
        db, wanted, "created_at", direction, after=after, offset=offset, size=size
    )
    assert answer == await typed.list_ideas(db, wanted, direction, after=after, offset=offset, size=size)
    if cursor := orjson.loads(answer).get("nextCursor"):
        assert decode_position(cursor).id == orjson.loads(answer)["data"][-1]["id"]
    assert await queries.board(db) == await typed.board(db)
    for row in rows[:1]:
        found = await queries.find_idea(db, row["id"])
        assert found is not None
        assert (found.version, found.data) == await typed.find_idea(db, row["id"])


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.floats(0, 1e15) | st.floats(0, 1e-3) | st.integers(0, 10**15).map(float))
@example(value=-0.0)
@example(value=9.9e-6)
@example(value=1e-5)
@example(value=1.234e-5)
@example(value=0.0001)
@example(value=5e-324)
async def test_numbers_have_the_digits_of_a_model(connection: Connection, value: float) -> None:
    written = await connection.fetchval(f"SELECT {number('$1::float8')}", value)
    # The engine's numbers know no negative zero.
    assert written == typed.number(value + 0.0)
