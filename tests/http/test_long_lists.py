"""Complete lists that are too long for memory: the same answer, of one snapshot, and never cached."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from core.database.client import Database
from core.http.answers import long_lists
from core.http.answers.projection import Projected
from features.ideas.tests.factories import new_idea
from features.ideas.tests.factories import seed as seed_ideas
from features.items import service as items
from features.items.schemas import ItemQuery
from features.items.tests.factories import new_item
from features.items.tests.factories import seed as seed_items
from features.systems import service as systems
from features.systems.tests.factories import new_system
from features.systems.tests.factories import seed as seed_systems
from tests.fixtures.database import Connection, execute_unaudited
from tests.fixtures.pages import Pages
from tests.fixtures.servers import LiveServer, StartServer
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

ROWS: Final = long_lists.LONG + 1


@dataclass(frozen=True, slots=True)
class Complete:
    """A list that is complete without paging parameters. Its rows have a status, `one` or `another`."""

    url: str
    table: str
    seed: Callable[[Connection, int], Awaitable[None]]
    new: dict[str, Any]
    most: int
    """The longest page."""
    query: dict[str, str | int] = field(default_factory=dict)
    held: int = long_lists.LONG
    """The longest list that is held in memory."""
    statuses: tuple[str, str] = ("new", "review")

    def with_query(self, **query: str | int) -> "Complete":
        return Complete(self.url, self.table, self.seed, self.new, self.most, query, self.held, self.statuses)

    def __str__(self) -> str:
        return "&".join([self.table, *(f"{name}={value}" for name, value in self.query.items())])

    async def get(self, client: httpx.AsyncClient, **headers: str) -> httpx.Response:
        return await client.get(self.url, params=self.query, headers=headers)


ITEMS: Final = Complete("/api/items", "items", seed_items, new_item(), 1000)
IDEAS: Final = Complete("/api/v1/ideas", "ideas", seed_ideas, new_idea(), 100)
SYSTEMS: Final = Complete(
    "/api/v1/systems",
    "systems",
    seed_systems,
    new_system(),
    100,
    held=systems.HELD,
    statuses=("online", "offline"),
)
EACH: Final = [ITEMS, IDEAS, IDEAS.with_query(order_by="title"), SYSTEMS]
WAYS: Final = [
    *EACH,
    ITEMS.with_query(offset=3),
    ITEMS.with_query(q="about"),
    IDEAS.with_query(order_direction="asc"),
    IDEAS.with_query(search="about"),
    IDEAS.with_query(order_by="due_date", order_direction="desc"),
    SYSTEMS.with_query(offset=3),
    SYSTEMS.with_query(search="about", order_by="name"),
]
each = pytest.mark.parametrize("complete", EACH, ids=str)


@pytest.mark.parametrize("complete", WAYS, ids=str)
async def test_it_holds_every_row_once_and_in_order(
    client: httpx.AsyncClient, connection: Connection, complete: Complete
) -> None:
    skipped = int(complete.query.get("offset", 0))
    await complete.seed(connection, ROWS + skipped)
    compressed = await complete.get(client)
    answer = await complete.get(client, **{"Accept-Encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert (compressed.content, compressed.headers["etag"]) == (answer.content, answer.headers["etag"])
    assert (answer.headers["content-type"], answer.headers["x-cache"]) == ("application/json", "BYPASS")
    assert int(answer.headers["content-length"]) == len(answer.content)
    body = answer.json()
    assert list(body) == ["success", "count", "total", "data"]
    assert (body["success"], body["count"], body["total"]) == (True, ROWS, ROWS + skipped)
    paged = [
        row
        for offset in range(skipped, ROWS + skipped, complete.most)
        for row in (
            await Pages(complete.url).page(
                client, **{**complete.query, "limit": complete.most, "offset": offset}
            )
        )["data"]
    ]
    assert body["data"] == paged
    assert len({row["id"] for row in paged}) == ROWS


@pytest.mark.parametrize(
    ("url", "table", "seed"),
    [
        ("/api/v1/ideas/kanban", "ideas", seed_ideas),
        ("/api/v1/systems/status/online", "systems", seed_systems),
        ("/api/v1/systems/type/api", "systems", seed_systems),
        ("/api/v1/systems/search?q=seeded", "systems", seed_systems),
    ],
)
async def test_one_of_another_shape_is_as_a_short_one_and_longer(
    client: httpx.AsyncClient,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    table: str,
    seed: Callable[[Connection, int], Awaitable[None]],
) -> None:
    await seed(connection, ROWS)
    if table == "systems":
        await execute_unaudited(connection, "UPDATE systems SET status = 'online', type = 'api'")
    long = await client.get(url, headers={"Accept-Encoding": "identity"})
    assert (long.headers["x-cache"], int(long.headers["content-length"])) == ("BYPASS", len(long.content))
    lists = [long.json()] if table == "systems" else list(long.json().values())
    assert len({row["id"] for rows in lists for row in rows}) == ROWS
    monkeypatch.setattr("features.ideas.queries.LONG", ROWS)
    monkeypatch.setattr(systems, "ARRAY", replace(systems.ARRAY, held=ROWS))
    monkeypatch.setattr(systems, "HELD", ROWS)
    whole = await client.get(url)
    assert (whole.headers["x-cache"], whole.content) == ("MISS", long.content)


@each
async def test_a_list_that_grows_is_followed_over_the_bound(
    client: httpx.AsyncClient, connection: Connection, complete: Complete
) -> None:
    await complete.seed(connection, complete.held + 1)
    await client.delete(f"{complete.url}/seed-1")
    for wanted in ("MISS", "HIT"):
        short = await complete.get(client)
        assert (short.headers["x-cache"], short.json()["count"]) == (wanted, complete.held)
    assert (await client.post(complete.url, json=complete.new)).status_code == 201
    for _ in range(2):
        long = await complete.get(client)
        assert (long.headers["x-cache"], long.json()["count"]) == ("BYPASS", complete.held + 1)


@each
async def test_its_tag_is_that_of_its_rows(
    client: httpx.AsyncClient, connection: Connection, complete: Complete
) -> None:
    await complete.seed(connection, ROWS)
    tag = (await complete.get(client)).headers["etag"]
    assert (await client.head(complete.url, params=complete.query)).headers["etag"] == tag
    unchanged = await complete.get(client, **{"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    refused = await complete.get(client, **{"If-Match": '"another"'})
    assert refused.status_code == 412
    await client.put(f"{complete.url}/seed-7", json={"status": complete.statuses[0]})
    changed = await complete.get(client, **{"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


@each
async def test_it_is_of_one_snapshot(
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch, complete: Complete
) -> None:
    """Two rows, of pages that are read far apart, change together again and again, in one transaction each
    time: no answer shows one of them changed and the other not.
    """
    await complete.seed(connection, ROWS)
    pair = [f"seed-{number}" for number in (1, ROWS)]
    change = f"UPDATE {complete.table} SET status = $1 WHERE id = $2"
    for row_id in pair:
        await connection.execute(change, complete.statuses[1], row_id)
    stop = asyncio.Event()
    swapped = 0

    async def swap() -> None:
        nonlocal swapped
        while not stop.is_set():
            async with connection.transaction():
                for row_id in pair:
                    await connection.execute(change, complete.statuses[swapped % 2], row_id)
            swapped += 1

    swapping = asyncio.create_task(swap())
    try:
        for _ in range(4):
            rows = {row["id"]: row["status"] for row in (await complete.get(client)).json()["data"]}
            assert rows[pair[0]] == rows[pair[1]]
    finally:
        stop.set()
        await swapping
    assert swapped > 4


@each
async def test_too_many_at_once_are_refused_and_none_is_left_behind(
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch, complete: Complete
) -> None:
    await complete.seed(connection, ROWS)
    monkeypatch.setattr(long_lists, "MOST", 1)
    answers = await asyncio.gather(*(complete.get(client) for _ in range(4)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert all("retry-after" in answer.headers for answer in refused)
    assert (await complete.get(client)).status_code == 200


async def test_one_whose_transaction_fails_at_its_end_leaves_its_place_to_others(
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ITEMS.seed(connection, ROWS)
    page = items.LIST.page

    async def cut_off(
        tx: Database, query: ItemQuery, cursor: str | None, offset: int, size: int
    ) -> Projected:
        rows = await page(tx, query, cursor, offset, size)
        if size != long_lists.PAGE or rows.next_cursor is not None:
            return rows
        [session] = await tx.query_raw("SELECT pg_backend_pid() AS pid")
        await connection.execute("SELECT pg_terminate_backend($1, 5000)", session["pid"])
        return rows

    monkeypatch.setattr(long_lists, "MOST", 1)
    with monkeypatch.context() as failing:
        failing.setattr(items, "LIST", replace(items.LIST, page=cut_off))
        assert (await ITEMS.get(client)).status_code == 503
    assert (await ITEMS.get(client)).status_code == 200


@pytest.mark.parametrize("complete", [ITEMS, IDEAS], ids=str)
async def test_a_slow_reader_holds_no_connection_of_the_database(
    live_server: StartServer, connection: Connection, complete: Complete
) -> None:
    # What tests before have deleted would be read past again with each page.
    await connection.execute(f"TRUNCATE {complete.table} CASCADE")
    await complete.seed(connection, ROWS)
    await execute_unaudited(
        connection, f"UPDATE {complete.table} SET description = repeat('More than sockets hold. ', 60)"
    )
    await connection.execute(f"ANALYZE {complete.table}")
    # Only one is read at a time, however long that takes.
    server = await live_server(
        {"DB_POOL_SIZE": "2", "DB_POOL_TIMEOUT_S": "60", "DB_TRANSACTION_MAX_WAIT_S": "60"}
    )
    readers = [await unread(httpx.URL(server.base_url).port or 0, complete.url) for _ in range(4)]
    try:
        async with server.client() as client:
            assert await wait_for(lambda: len(spools(server)) == len(readers), timeout=120)
            answers = await asyncio.gather(
                *(client.get(complete.url, params={"limit": n}) for n in range(1, 9))
            )
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
