"""`If-Match`: a write is made only if the idea is as its writer has seen it; without it the last one wins."""

import asyncio

import httpx
import pytest

from features.ideas.tests.factories import IDEAS, STATUSES, add_system, create, full_idea, new_idea
from tests.fixtures.database import Connection
from tests.fixtures.trail import audit_of


async def test_every_answer_about_an_idea_carries_the_tag_that_a_read_gives(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system_id = await add_system(connection, "Orders API")
    made = await client.post(IDEAS, json=full_idea(system_id))
    url = made.headers["location"]
    assert (await client.get(url)).headers["etag"] == made.headers["etag"]
    updated = await client.put(url, json={"status": "completed"}, headers={"if-match": made.headers["etag"]})
    assert updated.status_code == 200
    assert (await client.get(url)).headers["etag"] == updated.headers["etag"]
    deleted = await client.delete(url, headers={"if-match": updated.headers["etag"]})
    assert deleted.headers["etag"] == updated.headers["etag"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_stale_tag_changes_nothing(
    client: httpx.AsyncClient, connection: Connection, method: str
) -> None:
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    seen = (await client.get(url)).headers["etag"]
    newer = await client.put(url, json={"title": "Newer"})
    body = {"title": "Mine"} if method == "PUT" else None
    response = await client.request(method, url, json=body, headers={"if-match": seen})
    assert response.status_code == 412
    assert (await client.get(url)).headers["etag"] == newer.headers["etag"]
    assert len(await audit_of(connection, "idea", idea["id"])) == 2
    unknown = await client.request(method, f"{IDEAS}/nope", json=body, headers={"if-match": seen})
    assert unknown.status_code == 404


async def test_a_tag_tells_that_the_system_was_renamed(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """It stands for what the reader saw, and the name is part of that."""
    system_id = await add_system(connection, "Old")
    made = await client.post(IDEAS, json=new_idea(systemId=system_id))
    await connection.execute("UPDATE systems SET name = 'New'")
    change = {"json": {"title": "Mine"}, "headers": {"if-match": made.headers["etag"]}}
    assert (await client.put(made.headers["location"], **change)).status_code == 412  # type: ignore[arg-type]


async def test_a_tag_tells_that_the_system_was_deleted(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """The change of the idea is its own: it counts, and its entry names who deleted the system."""
    system_id = await add_system(connection, "Gone")
    made = await client.post(IDEAS, json=new_idea(systemId=system_id))
    url, idea_id = made.headers["location"], made.json()["data"]["id"]
    await client.delete(f"/api/v1/systems/{system_id}", headers={"x-user-id": "bob"})
    seen = {"if-match": made.headers["etag"]}
    for method, body in (("PUT", {"title": "Mine"}), ("DELETE", None)):
        assert (await client.request(method, url, json=body, headers=seen)).status_code == 412
    assert await connection.fetchval("SELECT row_version FROM ideas") == 2
    _, unlinked = await audit_of(connection, "idea", idea_id)
    assert (unlinked["action"], unlinked["actor"]) == ("updated", "bob")
    assert unlinked["changes"] == {"systemId": {"before": system_id, "after": None}}


async def test_of_fifty_moves_with_the_same_tag_one_wins(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    seen = {"if-match": (await client.get(url)).headers["etag"]}
    responses = await asyncio.gather(
        *(client.put(url, json={"status": STATUSES[number % 6]}, headers=seen) for number in range(50))
    )
    [won] = [response for response in responses if response.status_code == 200]
    assert {response.status_code for response in responses} == {200, 412}
    assert (await client.get(url)).json()["data"] == won.json()["data"]
    assert await connection.fetchval("SELECT row_version FROM ideas") == 2
    assert len(await audit_of(connection, "idea", idea["id"])) == 2
