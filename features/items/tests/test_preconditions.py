"""`If-Match`: a write is made only if the item is as its writer has seen it; without it the last one wins."""

import asyncio

import httpx
import pytest

from features.items.tests.factories import create, new_item
from tests.fixtures.database import Connection
from tests.fixtures.refusals import assert_refused
from tests.fixtures.trail import audit_of


async def test_every_answer_about_an_item_carries_the_tag_that_a_read_gives(
    client: httpx.AsyncClient,
) -> None:
    made = await client.post("/api/items", json=new_item(title='é 🚀 "quoted" \n'))
    url = made.headers["location"]
    assert (await client.get(url)).headers["etag"] == made.headers["etag"]
    updated = await client.put(url, json={"tags": []})
    assert updated.headers["etag"] != made.headers["etag"]
    assert (await client.get(url)).headers["etag"] == updated.headers["etag"]
    deleted = await client.delete(url, headers={"if-match": updated.headers["etag"]})
    assert deleted.status_code == 200
    assert deleted.headers["etag"] == updated.headers["etag"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_stale_tag_changes_nothing(
    client: httpx.AsyncClient, connection: Connection, method: str
) -> None:
    item = await create(client)
    url = f"/api/items/{item['id']}"
    seen = (await client.get(url)).headers["etag"]
    newer = await client.put(url, json={"title": "Newer"})
    body = {"title": "Mine"} if method == "PUT" else None
    for stale in (seen, '"1-0000000000000000"', f'"x", W/{seen}', '""', '"a, b"'):
        response = await client.request(method, url, json=body, headers={"if-match": stale})
        assert response.status_code == 412, stale
        assert response.json()["message"].endswith("was changed meanwhile: read it again")
    assert (await client.get(url)).headers["etag"] == newer.headers["etag"]
    assert len(await audit_of(connection, "item", item["id"])) == 2
    for good in (f'"x", W/{newer.headers["etag"]}', "*"):
        seen = (await client.get(url)).headers["etag"]
        good = good.replace(newer.headers["etag"], seen)
        assert (await client.put(url, json={"title": "Mine"}, headers={"if-match": good})).status_code == 200
    assert (await client.request(method, url, json=body, headers={"if-match": "*"})).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
async def test_what_is_no_tag_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, method: str, header: str
) -> None:
    item = await create(client)
    url = f"/api/items/{item['id']}"
    seen = (await client.get(url)).headers["etag"]
    body = {"title": "Mine"} if method == "PUT" else None
    for wrong in (seen.strip('"'), seen[:-1], f"{seen} x", f"x, {seen}", "W/1", "ü"):
        headers = {header.encode(): wrong.encode()}
        refused = await client.request(method, url, json=body, headers=headers)
        assert_refused(refused, header, "in its quotes")
    assert (await client.get(url)).headers["etag"] == seen


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_unknown_item_is_not_found_whatever_the_tag(client: httpx.AsyncClient, method: str) -> None:
    body = {"title": "Mine"} if method == "PUT" else None
    for tag in ("*", '"1-0000000000000000"'):
        response = await client.request(method, "/api/items/nope", json=body, headers={"if-match": tag})
        assert response.status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_item_that_came_anew_under_the_same_id_and_version_is_another_one(
    client: httpx.AsyncClient, connection: Connection, method: str
) -> None:
    """As one does that is deleted and imported again."""
    item = await create(client)
    url = f"/api/items/{item['id']}"
    seen = (await client.get(url)).headers["etag"]
    await connection.execute("DELETE FROM items")
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority) "
        "VALUES ($1, 'Another', 'one', 'dashboard', 'low')",
        item["id"],
    )
    assert await connection.fetchval("SELECT version FROM items") == 1
    body = {"title": "Mine"} if method == "PUT" else None
    response = await client.request(method, url, json=body, headers={"if-match": seen})
    assert response.status_code == 412
    assert await connection.fetchval("SELECT title FROM items") == "Another"


async def test_of_fifty_writers_with_the_same_tag_one_wins(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    item = await create(client)
    url = f"/api/items/{item['id']}"
    for method in ("PUT", "DELETE"):
        version = await connection.fetchval("SELECT version FROM items")
        seen = {"if-match": (await client.get(url)).headers["etag"]}
        responses = await asyncio.gather(
            *(
                client.request(method, url, json={"title": f"Title {number}"}, headers=seen)
                for number in range(50)
            )
        )
        won = [response for response in responses if response.status_code == 200]
        assert len(won) == 1
        lost = {412} if method == "PUT" else {404, 412}
        assert {response.status_code for response in responses} <= {200, *lost}
        if method == "PUT":
            assert await connection.fetchval("SELECT version FROM items") == version + 1
            assert (await client.get(url)).json()["data"] == won[0].json()["data"]
    actions = [entry["action"] for entry in await audit_of(connection, "item", item["id"])]
    assert actions == ["created", "updated", "deleted"]
