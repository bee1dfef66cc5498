"""The complete list of ideas when it is too long for memory: the same ideas in the same order."""

import httpx
import pytest

from core.http import long_lists
from features.ideas.tests.factories import seed
from tests.fixtures.database import Connection

pytestmark = pytest.mark.slow

URL = "/api/v1/ideas"
ROWS = long_lists.LONG + 1


@pytest.mark.parametrize(
    "query",
    [{}, {"order_direction": "asc"}, {"order_by": "title"}, {"search": "about", "order_by": "priority"}],
    ids=str,
)
async def test_it_holds_every_idea_once_and_in_order(
    client: httpx.AsyncClient, connection: Connection, query: dict[str, str]
) -> None:
    await seed(connection, ROWS)
    long = await client.get(URL, params=query)
    assert long.headers["x-cache"] == "BYPASS"
    body = long.json()
    assert (body["success"], body["count"], body["total"]) == (True, ROWS, ROWS)
    assert body["data"][0]["system"]["name"].startswith("System ")
    for offset in range(0, ROWS, 1_000):
        page = (await client.get(URL, params={**query, "offset": offset, "limit": 100})).json()["data"]
        assert body["data"][offset : offset + 100] == page
    assert len({idea["id"] for idea in body["data"]}) == ROWS
    unchanged = await client.get(URL, params=query, headers={"If-None-Match": long.headers["etag"]})
    assert unchanged.status_code == 304


async def test_a_list_that_grows_is_followed_over_the_bound(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, ROWS)
    first = (await client.get(URL, params={"limit": 1})).json()["data"][0]["id"]
    await client.delete(f"{URL}/{first}")
    for wanted in ("MISS", "HIT"):
        short = await client.get(URL)
        assert (short.headers["x-cache"], short.json()["count"]) == (wanted, ROWS - 1)
    await client.post(URL, json={"title": "a", "description": "b", "category": "api", "priority": "low"})
    for _ in range(2):
        long = await client.get(URL)
        assert (long.headers["x-cache"], long.json()["count"]) == ("BYPASS", ROWS)
