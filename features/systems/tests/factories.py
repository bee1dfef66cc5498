"""Systems for tests, with something valid in every field that a test does not care about."""

from itertools import count
from typing import Any

import httpx

from tests.fixtures.database import Connection, execute_unaudited

JsonObject = dict[str, Any]

PATH = "/api/v1/systems"

_NUMBERS = count(1)


def new_system(**changes: object) -> JsonObject:
    """The body of a valid POST; names are unique."""
    return {
        "name": f"System {next(_NUMBERS)}",
        "description": "Starts and stops the services of the desk",
        "status": "online",
        **changes,
    }


async def create(client: httpx.AsyncClient, **changes: object) -> JsonObject:
    response = await client.post(PATH, json=new_system(**changes))
    assert response.status_code == 201, response.text
    data: JsonObject = response.json()["data"]
    return data


async def seed(connection: Connection, count: int) -> None:
    """Many systems at once, behind the app's back. Neighbours share a millisecond; one in fifty is `planned`,
    is of type `tool`, is in the category `rare`, belongs to `rarely`, was never checked.
    """
    await execute_unaudited(
        connection,
        """
        INSERT INTO systems (id, name, description, status, type, category, owner, tags, url, last_checked,
            created_at, updated_at)
        SELECT 'seed-' || n, 'Seeded ' || n, 'About word' || n % 500 || ' and more',
            CASE WHEN n % 50 = 1 THEN 'planned' ELSE (ARRAY['online', 'degraded', 'offline'])[1 + n % 3] END,
            CASE WHEN n % 50 = 7 THEN 'tool' ELSE (ARRAY['api', 'webapp', 'docs', NULL])[1 + n % 4] END,
            CASE WHEN n % 50 = 11 THEN 'rare' ELSE 'common' END,
            CASE WHEN n % 50 = 13 THEN 'rarely' ELSE 'often' END,
            ARRAY['tag' || n % 100], 'https://site-' || n || '.example/',
            CASE WHEN n % 50 <> 17 THEN timestamptz '2025-06-01 00:00:00Z' END,
            timestamptz '2025-01-01 00:00:00Z' + (n / 2) * interval '1 second',
            CASE WHEN n % 3 = 0 THEN timestamptz '2025-02-01 00:00:00Z' - n * interval '1 second' END
        FROM generate_series(1, $1::int) AS n
        """,
        count,
    )
    await connection.execute("ANALYZE systems")
