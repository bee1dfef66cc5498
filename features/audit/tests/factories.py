"""Entries for tests: behind the app's back, and of real changes."""

from typing import Any

import httpx

from tests.fixtures.database import Connection


async def seed(connection: Connection, count: int, *, until: str = "now") -> None:
    """One entry a minute, the newest at `until`; neighbours in pairs share their moment. `entity_id` is
    `row-<number>`; one entry in a hundred is by `rare`, one in fifty about `audit`, one in twenty a deletion.
    """
    await connection.execute(
        """
        INSERT INTO audit_entries (entity, entity_id, action, actor, request_id, client, changes, at)
        SELECT CASE WHEN n % 50 = 5 THEN 'audit'
                ELSE (ARRAY['item', 'system', 'idea', 'file'])[1 + n % 4] END,
            'row-' || n,
            CASE WHEN n % 20 = 3 THEN 'deleted' ELSE (ARRAY['created', 'updated'])[1 + n % 2] END,
            CASE WHEN n % 100 = 7 THEN 'rare' ELSE 'ada' END, 'request-' || n, '192.0.2.7',
            jsonb_build_object('title', jsonb_build_object('before', NULL, 'after', 'Title ' || n)),
            date_trunc('milliseconds', $2::text::timestamptz) - ($1::int - n) / 2 * interval '2 minutes'
        FROM generate_series(1, $1::int) AS n
        """,
        count,
        until,
    )
    await connection.execute("ANALYZE audit_entries")


async def create_item(client: httpx.AsyncClient, title: str = "Dark mode") -> dict[str, Any]:
    body = {"title": title, "description": "For the night", "category": "dashboard", "priority": "high"}
    response = await client.post("/api/items", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data
