"""Systems, ideas and files for tests: over HTTP, so that the cache is told, or many behind the app's back."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from tests.fixtures.database import Connection

JsonObject = dict[str, Any]

STATS = "/api/v1/stats"
SYSTEMS = "/api/v1/systems"
IDEAS = "/api/v1/ideas"
FILES = "/api/v1/files"

_NUMBERS = count(1)


async def get(client: httpx.AsyncClient, path: str, **parameters: str | int | bool) -> JsonObject:
    response = await client.get(f"{STATS}/{path}", params=parameters)
    assert response.status_code == 200, response.text
    body: JsonObject = response.json()
    return body


async def add_system(client: httpx.AsyncClient, status: str = "online", **changes: object) -> JsonObject:
    body = {"name": f"System {next(_NUMBERS)}", "description": "About it", "status": status, **changes}
    return await _sent(client, "POST", SYSTEMS, body)


async def add_idea(client: httpx.AsyncClient, status: str = "new", **changes: object) -> JsonObject:
    body = {
        "title": "Pagination",
        "description": "One page with examples",
        "category": "docs",
        "priority": "high",
        "status": status,
        **changes,
    }
    return await _sent(client, "POST", IDEAS, body)


async def add_file(
    client: httpx.AsyncClient, name: str = "notes.txt", content: bytes = b"some notes\n", user: str = "ada"
) -> JsonObject:
    response = await client.post(
        f"{FILES}/upload", files={"file": (name, content)}, headers={b"x-user-id": user.encode()}
    )
    assert response.status_code == 201, response.text
    data: JsonObject = response.json()["data"]
    return data


async def change(client: httpx.AsyncClient, path: str, **changes: object) -> JsonObject:
    return await _sent(client, "PUT", path, changes)


async def _sent(client: httpx.AsyncClient, method: str, path: str, body: JsonObject) -> JsonObject:
    response = await client.request(method, path, json=body, headers={"x-user-id": "maria"})
    assert response.status_code in (200, 201), response.text
    data: JsonObject = response.json()["data"]
    return data


def day(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y-%m-%d")


async def seed(connection: Connection, number: int, days_ago: int, time: str = "12:00:00") -> None:
    """So many systems, twice as many ideas and three times as many files, made on one day (UTC)."""
    moment = datetime.fromisoformat(f"{day(days_ago)}T{time}+00:00")
    await connection.execute(
        "INSERT INTO systems (id, name, description, status, created_at) "
        "SELECT gen_random_uuid(), gen_random_uuid(), 'x', 'online', $2 FROM generate_series(1, $1)",
        number,
        moment,
    )
    await connection.execute(
        "INSERT INTO ideas (id, title, description, category, priority, created_at) "
        "SELECT gen_random_uuid(), 'x', 'x', 'api', 'low', $2 FROM generate_series(1, $1)",
        2 * number,
        moment,
    )
    await connection.execute(
        "INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, object_key, "
        "uploaded_by, created_at) "
        "SELECT gen_random_uuid(), 'x', 'x', 'text/plain', 10, repeat('0', 64), gen_random_uuid(), 'ada', $2 "
        "FROM generate_series(1, $1)",
        3 * number,
        moment,
    )
