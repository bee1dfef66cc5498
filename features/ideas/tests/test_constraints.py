"""What the database itself holds ideas to, whoever writes them."""

from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from features.ideas.tests.factories import COLUMNS, IDEAS, JsonObject, create, new_idea
from tests.fixtures.database import Connection


async def test_the_moment_of_completion_follows_a_move_by_another_program(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client)
    move = "UPDATE ideas SET status = $1 RETURNING completed_at"
    completed = await connection.fetchval(move, "completed")
    assert abs(completed - datetime.now(UTC)) < timedelta(minutes=1)
    assert await connection.fetchval(move, "completed") == completed
    assert await connection.fetchval(move, "review") is None
    add = (
        "INSERT INTO ideas (id, title, status, category, priority, created_at) "
        "VALUES ('new', 't', $1, 'api', 'low', $2) RETURNING completed_at"
    )
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    assert await connection.fetchval(add, "completed", moment) == moment
    assert "completedAt" not in (await client.get(f"{IDEAS}/{idea['id']}")).json()["data"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", ""),
        ("id", "x" * 129),
        ("title", " \t"),
        ("title", "x" * 256),
        ("title", None),
        ("description", ""),
        ("category", "documentacao"),
        ("category", None),
        ("priority", "urgent"),
        ("priority", None),
        ("status", "done"),
        ("status", None),
        ("completed_at", datetime(2025, 1, 1, tzinfo=UTC)),
        ("tags", None),
        ("tags", [None]),
        ("assigned_to", ""),
        ("created_by", "x" * 201),
        ("estimated_hours", 0.5),
        ("estimated_hours", float("nan")),
        ("actual_hours", -1.0),
        ("actual_hours", float("inf")),
        ("row_version", 0),
        ("created_at", None),
        ("system_id", "nope"),
    ],
)
async def test_the_database_refuses_what_no_idea_may_be(
    connection: Connection, column: str, value: object
) -> None:
    good: JsonObject = {**new_idea(), "id": "i", "status": "new", "completed_at": None}
    columns = {name: good[name] for name in COLUMNS}

    async def insert(row: JsonObject) -> None:
        holes = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await connection.execute(f"INSERT INTO ideas ({', '.join(row)}) VALUES ({holes})", *row.values())

    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await insert({**columns, column: value})
    await insert(columns)
