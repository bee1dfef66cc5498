"""Ideas and systems for tests, with something valid in every field that a test does not care about."""

from typing import Any
from uuid import uuid4

import httpx

from tests.fixtures.database import Connection, execute_unaudited

JsonObject = dict[str, Any]
IDEAS = "/api/v1/ideas"
STATUSES = ["new", "triage", "in_progress", "review", "completed", "rejected"]
CATEGORIES = ["api", "docs", "dashboard", "automation", "infrastructure"]
PRIORITIES = ["low", "medium", "high", "critical"]
COLUMNS = ["id", "title", "description", "category", "priority", "status", "tags", "completed_at"]


def new_idea(**changes: object) -> JsonObject:
    """The body of a valid POST, as the published document has it."""
    return {
        "title": "Document the pagination",
        "description": "One page with examples",
        "category": "docs",
        "priority": "high",
        "tags": ["api", "guide"],
        **changes,
    }


def full_idea(system_id: str, **changes: object) -> JsonObject:
    """The body of a POST with every field."""
    return new_idea(
        systemId=system_id,
        assignedTo="docs-team",
        createdBy="platform-team",
        estimatedHours=12.5,
        actualHours=0,
        dueDate="2030-11-30T12:00:00.000Z",
        **changes,
    )


async def create(client: httpx.AsyncClient, **changes: object) -> JsonObject:
    response = await client.post(IDEAS, json=new_idea(**changes))
    assert response.status_code == 201, response.text
    data: JsonObject = response.json()["data"]
    return data


async def update(client: httpx.AsyncClient, idea_id: str, **changes: object) -> JsonObject:
    response = await client.put(f"{IDEAS}/{idea_id}", json=changes)
    assert response.status_code == 200, response.text
    data: JsonObject = response.json()["data"]
    return data


async def add_system(connection: Connection, name: str, system_id: str | None = None) -> str:
    """A system behind the app's back; returns its id."""
    system_id = system_id or str(uuid4())
    await connection.execute(
        "INSERT INTO systems (id, name, description, status) VALUES ($1, $2, 'About it', 'online')",
        system_id,
        name,
    )
    return system_id


async def seed(connection: Connection, count: int, systems: int = 10) -> None:
    """Many ideas at once, behind the app's back. Neighbours share a millisecond; one in fifty is `new`, one
    is `low`, one is `api`; a third was never updated, a third has no due date.
    """
    await execute_unaudited(
        connection,
        """
        INSERT INTO systems (id, name, description, status)
        SELECT 'system-' || n, 'System ' || n, repeat('About it. ', 100), 'online'
        FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING
        """,
        systems,
    )
    await execute_unaudited(
        connection,
        """
        INSERT INTO ideas (id, title, description, category, priority, status, tags, system_id, assigned_to,
            created_at, updated_at, due_date, completed_at)
        SELECT 'seed-' || n, 'Idea ' || n % 997, 'About word' || n % 1000 || ' and more',
            CASE WHEN n % 50 = 7 THEN 'api'
                ELSE (ARRAY['docs', 'dashboard', 'automation', 'infrastructure'])[1 + n % 4] END,
            CASE WHEN n % 50 = 11 THEN 'low' ELSE (ARRAY['medium', 'high', 'critical'])[1 + n % 3] END,
            status, ARRAY['tag' || n % 500], 'system-' || 1 + n % $2::int, 'person-' || n % 50,
            moment,
            CASE WHEN n % 3 > 0 THEN moment + (n * 7919 % 100000) * interval '1 minute' END,
            CASE WHEN n % 3 <> 1 THEN moment + (n * 104729 % 100000) * interval '1 minute' END,
            CASE WHEN status = 'completed' THEN moment END
        FROM generate_series(1, $1::int) AS n,
            LATERAL (SELECT
                timestamptz '2025-01-01 00:00:00Z' + (n / 2) * interval '1 second' AS moment,
                CASE WHEN n % 50 = 1 THEN 'new'
                    ELSE (ARRAY['triage', 'in_progress', 'review', 'completed', 'rejected'])[1 + n % 5]
                END AS status) AS derived
        """,
        count,
        systems,
    )
    await connection.execute("ANALYZE ideas")
