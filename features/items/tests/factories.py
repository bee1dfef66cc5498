"""Items for tests, with something valid in every field that a test does not care about."""

from typing import Any

import httpx

from tests.fixtures.database import Connection, execute_unaudited

JsonObject = dict[str, Any]


def new_item(**changes: object) -> JsonObject:
    """The body of a valid POST."""
    return {
        "title": "Dark mode",
        "description": "A dark theme for the whole application",
        "category": "dashboard",
        "priority": "high",
        "tags": ["ui", "ux"],
        **changes,
    }


def legacy_record(**changes: object) -> JsonObject:
    """A valid record of the old service."""
    return {
        "id": "1",
        "title": "Otimizar queries SQL",
        "description": "Melhorar a performance",
        "category": "banco-dados",
        "priority": "critical",
        "status": "review",
        "tags": ["performance"],
        "createdAt": "2025-10-23T22:46:19.745Z",
        "updatedAt": None,
        **changes,
    }


async def create(client: httpx.AsyncClient, **changes: object) -> JsonObject:
    response = await client.post("/api/items", json=new_item(**changes))
    assert response.status_code == 201, response.text
    data: JsonObject = response.json()["data"]
    return data


async def seed(connection: Connection, count: int) -> None:
    """Many items at once, behind the app's back. Neighbours share a millisecond; one in fifty is `new`, one
    is `low`, one is `documentacao`.
    """
    await execute_unaudited(
        connection,
        """
        INSERT INTO items (id, title, description, category, priority, status, tags, created_at)
        SELECT 'seed-' || n, 'Idea ' || n, 'About word' || n % 1000 || ' and more',
            CASE WHEN n % 50 = 7 THEN 'documentacao'
                ELSE (ARRAY['coleta-dados', 'banco-dados', 'analise-dados', 'gestao-riscos'])[1 + n % 4] END,
            CASE WHEN n % 50 = 11 THEN 'low' ELSE (ARRAY['medium', 'high', 'critical'])[1 + n % 3] END,
            CASE WHEN n % 50 = 1 THEN 'new'
                ELSE (ARRAY['review', 'in-progress', 'completed', 'rejected'])[1 + n % 4] END,
            ARRAY['tag' || n % 500], timestamptz '2025-01-01 00:00:00Z' + (n / 2) * interval '1 second'
        FROM generate_series(1, $1::int) AS n
        """,
        count,
    )
    await connection.execute("ANALYZE items")
