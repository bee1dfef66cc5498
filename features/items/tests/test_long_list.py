"""The complete list when it is too long for memory: the same answer, of one snapshot, and never cached."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from core.database.client import Database
from core.http import long_lists
from features.items import service
from features.items.schemas import ItemQuery
from features.items.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.servers import LiveServer, StartServer
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

URL = "/api/items"
ROWS = long_lists.LONG + 1


@pytest.fixture
async def rows(connection: Connection) -> int:
    await seed(connection, ROWS)
    return ROWS


async def pages(client: httpx.AsyncClient, **query: str | int) -> AsyncIterator[dict[str, object]]:
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(URL, params={**query, **cursor, "limit": 1000})).json()
        for each in page["data"]:
            yield each
        if "nextCursor" not in page:
            return
        cursor = {"cursor": page["nextCursor"]}


@pytest.mark.parametrize("query", [{}, {"offset": 3}, {"q": "about"}])
async def test_it_holds_every_row_once_and_in_order(
    client: httpx.AsyncClient, rows: int, query: dict[str, str | int]
) -> None:
    compressed = await client.get(URL, params=query)
    answer = await client.get(URL, params=query, headers={"Accept-Encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert (compressed.content, compressed.headers["etag"]) == (answer.content, answer.headers["etag"])
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    body = answer.json()
    assert body["success"] is True
    skipped = int(query.get("offset", 0))
    assert (body["count"], body["total"]) == (rows - skipped, rows)
    wanted = {name: value for name, value in query.items() if name != "offset"}
    assert body["data"] == [each async for each in pages(client, **wanted)][skipped:]


async def test_a_list_that_grows_is_followed_over_the_bound(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, ROWS)
    first = (await client.get(URL)).json()["data"][0]["id"]
    await client.delete(f"{URL}/{first}")
    for wanted in ("MISS", "HIT"):
        short = await client.get(URL)
        assert (short.headers["x-cache"], short.json()["count"]) == (wanted, ROWS - 1)
    new = {"title": "a", "description": "b", "category": "dashboard", "priority": "low"}
    await client.post(URL, json=new)
    for _ in range(2):
        long = await client.get(URL)
        assert (long.headers["x-cache"], long.json()["count"]) == ("BYPASS", ROWS)


async def test_its_tag_is_that_of_its_rows(client: httpx.AsyncClient, rows: int) -> None:
    tag = (await client.get(URL)).headers["etag"]
    assert (await client.head(URL)).headers["etag"] == tag
    unchanged = await client.get(URL, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    refused = await client.get(URL, headers={"If-Match": '"another"'})
    assert refused.status_code == 412
    one = (await client.get(URL, params={"limit": 1})).json()["data"][0]["id"]
    await client.put(f"{URL}/{one}", json={"status": "review"})
    changed = await client.get(URL, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


async def test_it_is_of_one_snapshot(
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statuses move in pairs meanwhile, each pair in one transaction: every answer has as many of one as of
    the other.
    """
    monkeypatch.setattr(service, "PAGE", 100)
    await seed(connection, ROWS + 1)
    first, last = (
        f"UPDATE items SET status = $1 WHERE id = (SELECT id FROM items ORDER BY {order} LIMIT 1)"
        for order in ("created_at DESC, id", "created_at, id DESC")
    )
    await connection.execute("UPDATE items SET status = 'new'")
    stop = asyncio.Event()
    swapped = 0

    async def swap() -> None:
        nonlocal swapped
        status = ["review", "new"]
        while not stop.is_set():
            async with connection.transaction():
                await connection.execute(last, status[0])
                await connection.execute(first, status[0])
            status.reverse()
            swapped += 1

    swapping = asyncio.create_task(swap())
    try:
        for _ in range(4):
            data = (await client.get(URL)).json()["data"]
            assert data[0]["status"] == data[-1]["status"]
    finally:
        stop.set()
        await swapping
    assert swapped > 4


async def test_too_many_at_once_are_refused_and_none_is_left_behind(
    client: httpx.AsyncClient, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_lists, "MOST", 1)
    answers = await asyncio.gather(*(client.get(URL) for _ in range(4)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert all("retry-after" in answer.headers for answer in refused)
    assert (await client.get(URL)).status_code == 200


async def test_one_whose_transaction_fails_at_its_end_leaves_its_place_to_others(
    client: httpx.AsyncClient, connection: Connection, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool_items = service.spool_items

    async def cut_off(tx: Database, query: ItemQuery, spool: long_lists.Spool) -> int:
        total = await spool_items(tx, query, spool)
        [session] = await tx.query_raw("SELECT pg_backend_pid() AS pid")
        await connection.execute("SELECT pg_terminate_backend($1, 5000)", session["pid"])
        return total

    monkeypatch.setattr(long_lists, "MOST", 1)
    with monkeypatch.context() as failing:
        failing.setattr(service, "spool_items", cut_off)
        assert (await client.get(URL)).status_code == 503
    assert (await client.get(URL)).status_code == 200


async def test_a_slow_reader_holds_no_connection_of_the_database(
    live_server: StartServer, connection: Connection
) -> None:
    await seed(connection, ROWS)
    await connection.execute("UPDATE items SET description = repeat('More than sockets hold. ', 150)")
    server = await live_server({"DB_POOL_SIZE": "2", "DB_POOL_TIMEOUT_S": "1"})
    readers = [await unread(httpx.URL(server.base_url).port or 0, URL) for _ in range(4)]
    try:
        async with server.client() as client:
            assert await wait_for(lambda: len(spools(server)) == len(readers))
            answers = await asyncio.gather(*(client.get(URL, params={"limit": n}) for n in range(1, 9)))
            assert {answer.status_code for answer in answers} == {200}
    finally:
        for reader in readers:
            reader.close()
    assert await wait_for(lambda: not spools(server))


async def unread(port: int, path: str) -> socket.socket:
    """A connection whose answer is not read, and that takes little of it unread."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", port))
    await loop.sock_sendall(connection, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def spools(server: LiveServer) -> list[str]:
    """Its open files without a name."""
    opened = [str(each.readlink()) for each in Path(f"/proc/{server.pid}/fd").iterdir() if each.is_symlink()]
    return [each for each in opened if each.startswith(str(server.data_dir)) and each.endswith("(deleted)")]
