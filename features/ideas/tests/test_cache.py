"""Cached reads of ideas: finished bytes, conditional requests, and never an old value after a write."""

import asyncio

import httpx
import pytest

from features.ideas.tests.factories import IDEAS, add_system, create, update
from tests.fixtures.database import Connection

BOARD = f"{IDEAS}/kanban"


async def outcome(client: httpx.AsyncClient, url: str) -> str:
    response = await client.get(url)
    assert response.status_code == 200, response.text
    return response.headers["x-cache"]


async def test_the_second_read_is_a_hit_with_the_same_bytes_and_no_query(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    one = f"{IDEAS}/{idea['id']}"
    for url in (IDEAS, BOARD, f"{IDEAS}?limit=1&search=document&order_by=title", one):
        first, second = await client.get(url), await client.get(url)
        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
        assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])
        assert '"0 queries"' in second.headers["server-timing"]


@pytest.mark.parametrize(
    "difference",
    ["status=new", "limit=6", "offset=1", "search=new", "assigned_to=new", "system_id=new", "order_by=title"],
)
async def test_another_parameter_is_another_read(client: httpx.AsyncClient, difference: str) -> None:
    await create(client)
    assert await outcome(client, f"{IDEAS}?priority=high") == "MISS"
    assert await outcome(client, f"{IDEAS}?priority=high&{difference}") == "MISS"
    assert await outcome(client, f"{IDEAS}?{difference}&priority=high") == "HIT"


async def test_after_each_write_every_read_is_new(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    for status in ("triage", "completed", "review"):
        for path in (url, IDEAS, BOARD):
            await outcome(client, path)
        await update(client, idea["id"], status=status)
        assert (await client.get(url)).json()["data"]["status"] == status
        assert (await client.get(IDEAS)).json()["data"][0]["status"] == status
        assert [each["id"] for each in (await client.get(BOARD)).json()[status]] == [idea["id"]]
    await client.delete(url)
    assert (await client.get(url)).status_code == 404
    assert (await client.get(IDEAS)).json()["count"] == 0
    assert not any((await client.get(BOARD)).json().values())
    other = await create(client)
    assert (await client.get(BOARD)).json()["new"] == [other]


async def test_a_write_leaves_other_ideas_in_the_cache(client: httpx.AsyncClient) -> None:
    mine, other = await create(client), await create(client)
    await outcome(client, f"{IDEAS}/{other['id']}")
    await update(client, mine["id"], title="x")
    assert await outcome(client, f"{IDEAS}/{other['id']}") == "HIT"


async def test_if_none_match_is_answered_304_until_the_idea_changes(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    for url, weak in ((f"{IDEAS}/{idea['id']}", False), (IDEAS, True), (BOARD, True)):
        etag = (await client.get(url)).headers["etag"]
        assert etag.startswith('W/"') is weak
        same = await client.get(url, headers={"if-none-match": etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        await update(client, idea["id"])
        changed = await client.get(url, headers={"if-none-match": etag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != etag


async def test_a_renamed_system_is_seen_by_the_next_read(client: httpx.AsyncClient) -> None:
    body = {"name": "Before", "description": "x", "status": "online"}
    system_id = (await client.post("/api/v1/systems", json=body)).json()["data"]["id"]
    idea = await create(client, systemId=system_id)
    url = f"{IDEAS}/{idea['id']}"
    etag = (await client.get(url)).headers["etag"]
    paths = (url, IDEAS, BOARD, f"{IDEAS}?limit=5&order_by=title")
    for name in ("After", "Later"):
        for path in paths:
            await outcome(client, path)
        response = await client.put(f"/api/v1/systems/{system_id}", json={"name": name})
        assert response.status_code == 200
        for path in paths:
            text = (await client.get(path)).text
            assert f'"system":{{"id":"{system_id}","name":"{name}"}}' in text
    assert (await client.get(url, headers={"if-none-match": etag})).status_code == 200
    assert (await client.delete(f"/api/v1/systems/{system_id}")).status_code == 200
    for path in paths:
        text = (await client.get(path)).text
        assert idea["id"] in text
        assert "system" not in text


async def test_readers_and_movers_at_once_never_see_an_old_value(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client, title="0", systemId=await add_system(connection, "Orders API"))
    answered = 0
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            least = answered
            one, board = await client.get(f"{IDEAS}/{idea['id']}"), await client.get(BOARD)
            assert int(one.json()["data"]["title"]) >= least
            [shown] = [each for ideas in board.json().values() for each in ideas]
            assert int(shown["title"]) >= least

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for number in range(1, 40):
        await update(client, idea["id"], title=str(number), status=["review", "completed"][number % 2])
        answered = number
    done.set()
    await asyncio.gather(*readers)
