"""Servers of releases before run beside the new one while it is deployed: each change has one entry."""

import asyncpg
import pytest

from tests.database.test_authored import actors
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices

EARLIER = {
    ("handover", "items"): (
        "version",
        "title, description, category, priority",
        "'x', 'x', 'dashboard', 'low'",
    ),
    ("handover", "ideas"): ("row_version", "title, category, priority", "'x', 'api', 'low'"),
    ("handover-server", "ideas"): ("row_version", "title, category, priority", "'x', 'api', 'low'"),
    ("handover-server", "systems"): ("row_version", "name, status", "'x', 'online'"),
    ("handover-server", "files"): (
        "row_version",
        "filename, original_name, mime_type, size_bytes, checksum, object_key, uploaded_by",
        "'x', 'x', 'text/plain', 1, repeat('0', 64), 'x', 'ada'",
    ),
}


@pytest.mark.parametrize(("program", "table"), EARLIER)
async def test_a_server_of_a_release_before_writes_its_entries_itself(
    connection: Connection, services: TestServices, program: str, table: str
) -> None:
    version, columns, values = EARLIER[program, table]
    earlier: Connection = await asyncpg.connect(
        services.database_url, server_settings={"application_name": program}
    )
    try:
        await earlier.execute(
            f"WITH made AS (INSERT INTO {table} (id, {columns}) VALUES ('a', {values}) RETURNING id) "
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            "SELECT 'item', id, 'created', 'ada', '{}' FROM made"
        )
        changed = columns.partition(",")[0]
        await earlier.execute(f"UPDATE {table} SET {changed} = 'y', {version} = {version} + 1")
    finally:
        await earlier.close()
    assert await actors(connection, "a") == [("created", "ada")]
    assert await connection.fetchval(f"SELECT {version} FROM {table}") == 2
