"""`If-Match`, versions and counters of every kind of row, under fifty writers."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.waiting import wait_for

WRITERS = 50

ROWS: dict[str, tuple[dict[str, Any], Callable[[int], dict[str, Any]]]] = {
    "/api/items": (
        {"title": "T", "description": "D", "category": "dashboard", "priority": "low"},
        lambda number: {"title": f"by {number}"},
    ),
    "/api/v1/systems": (
        {"name": "S", "description": "D", "status": "online"},
        lambda number: {"description": f"by {number}"},
    ),
    "/api/v1/ideas": (
        {"title": "T", "description": "D", "category": "docs", "priority": "low"},
        lambda number: {"title": f"by {number}"},
    ),
    "/api/v1/files": ({}, lambda number: {"description": f"by {number}"}),
}
TABLES = {
    "/api/items": ("items", "version"),
    "/api/v1/systems": ("systems", "row_version"),
    "/api/v1/ideas": ("ideas", "row_version"),
    "/api/v1/files": ("files", "row_version"),
}

every_kind = pytest.mark.parametrize("collection", ROWS)


async def create(client: httpx.AsyncClient, collection: str) -> str:
    if collection == "/api/v1/files":
        made = await client.post(f"{collection}/upload", files={"file": ("notes.txt", b"some notes")})
    else:
        made = await client.post(collection, json=ROWS[collection][0])
    assert made.status_code == 201, made.text
    return f"{collection}/{made.json()['data']['id']}"


async def at_once(send: Callable[[int], Awaitable[httpx.Response]]) -> list[httpx.Response]:
    return await asyncio.gather(*(send(number) for number in range(WRITERS)))


async def version_of(connection: Connection, path: str) -> int:
    collection, _, row_id = path.rpartition("/")
    table, column = TABLES[collection]
    return int(await connection.fetchval(f"SELECT {column} FROM {table} WHERE id = $1", row_id))


@every_kind
async def test_every_answered_change_counts(
    client: httpx.AsyncClient, connection: Connection, collection: str
) -> None:
    """Without `If-Match` the last one wins, as old clients expect; the trail links each change to the next.

    Who would have to wait too long for the row is refused (503), and then has changed nothing.
    """
    path = await create(client, collection)
    change = ROWS[collection][1]
    answers = await at_once(lambda number: client.put(path, json=change(number)))
    counted = Counter(answer.status_code for answer in answers)
    assert set(counted) <= {200, 503}
    assert counted[200] >= WRITERS // 4
    assert await version_of(connection, path) == 1 + counted[200]
    shown = (await client.get(path)).json()["data"]
    changed = next(iter(change(0)))
    entries = (await client.get(f"/api/v1/audit?entity_id={shown['id']}&action=updated&limit=100")).json()[
        "data"
    ]
    steps = [entry["changes"][changed] for entry in reversed(entries)]
    assert len(steps) == counted[200]
    assert [step["before"] for step in steps[1:]] == [step["after"] for step in steps[:-1]]
    assert steps[-1]["after"] == shown[changed]


@every_kind
async def test_of_many_who_have_seen_the_same_one_may_change_it(
    client: httpx.AsyncClient, connection: Connection, collection: str
) -> None:
    path = await create(client, collection)
    etag = (await client.get(path)).headers["etag"]
    change = ROWS[collection][1]
    answers = await at_once(lambda number: client.put(path, json=change(number), headers={"if-match": etag}))
    counted = Counter(answer.status_code for answer in answers)
    assert counted[200] == 1
    assert set(counted) <= {200, 412, 503}
    [winner] = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    shown = (await client.get(path)).json()["data"]
    assert {name: shown[name] for name in change(winner)} == change(winner)
    assert await version_of(connection, path) == 2
    refused = next(answer for answer in answers if answer.status_code == 412)
    assert refused.json()["success"] is False
    assert "read it again" in refused.json()["message"]


@every_kind
async def test_the_tag_of_a_change_is_that_of_the_next_read(
    client: httpx.AsyncClient, collection: str
) -> None:
    path = await create(client, collection)
    etag = (await client.get(path)).headers["etag"]
    for number in range(3):
        answer = await client.put(path, json=ROWS[collection][1](number), headers={"if-match": etag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != etag
        etag = answer.headers["etag"]
        assert (await client.get(path)).headers["etag"] == etag
        assert (await client.get(path, headers={"if-none-match": etag})).status_code == 304


@every_kind
async def test_a_deletion_asks_too(client: httpx.AsyncClient, collection: str) -> None:
    path = await create(client, collection)
    seen = (await client.get(path)).headers["etag"]
    changed = await client.put(path, json=ROWS[collection][1](1))
    assert (await client.delete(path, headers={"if-match": seen})).status_code == 412
    assert (await client.get(path)).status_code == 200
    several = f'"1-0", W/{changed.headers["etag"]}'
    answers = await at_once(lambda _: client.delete(path, headers={"if-match": several}))
    counted = Counter(answer.status_code for answer in answers)
    assert counted[200] == 1
    assert set(counted) <= {200, 404, 503}
    assert (await client.put(path, json={}, headers={"if-match": "*"})).status_code == 404


@every_kind
async def test_a_write_may_name_the_states_that_it_does_not_want(
    client: httpx.AsyncClient, collection: str
) -> None:
    path = await create(client, collection)
    etag = (await client.get(path)).headers["etag"]
    for header in ("*", etag, f'"1-0", W/{etag}'):
        for method, body in (("PUT", ROWS[collection][1](1)), ("DELETE", None)):
            refused = await client.request(method, path, json=body, headers={"if-none-match": header})
            assert refused.status_code == 412, (method, header)
            assert "If-None-Match" in refused.json()["message"]
    assert (await client.get(path)).headers["etag"] == etag
    assert (await client.put(path, json={}, headers={"if-none-match": '"1-0"'})).status_code == 200
    assert (await client.put(f"{path}0", json={}, headers={"if-none-match": "*"})).status_code == 404
    both = {"if-match": "*", "if-none-match": etag}
    assert (await client.delete(path, headers=both)).status_code == 200


@every_kind
async def test_the_moment_of_the_last_update_never_goes_back(
    client: httpx.AsyncClient, connection: Connection, collection: str
) -> None:
    path = await create(client, collection)
    table, _ = TABLES[collection]
    async with connection.transaction():
        await connection.execute(f"SELECT FROM {table} FOR UPDATE")
        waiting = asyncio.create_task(client.put(path, json=ROWS[collection][1](1)))
        await wait_for(lambda: connection.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS}"))
        meanwhile = await connection.fetchval("SELECT date_trunc('milliseconds', clock_timestamp())")
        await connection.execute(f"UPDATE {table} SET updated_at = $1", meanwhile)
    answered = (await waiting).json()["data"]
    assert datetime.fromisoformat(answered["updatedAt"]) == meanwhile
    await connection.execute(f"UPDATE {table} SET updated_at = now() + interval '1 year'")
    answered = (await client.put(path, json=ROWS[collection][1](2))).json()["data"]
    assert datetime.fromisoformat(answered["updatedAt"]) < datetime.now(UTC) + timedelta(days=1)


async def test_a_download_is_no_change_of_the_file(client: httpx.AsyncClient) -> None:
    """Fifty at once are counted, and whoever has seen the file before them may still change it."""
    path = await create(client, "/api/v1/files")
    etag = (await client.get(path)).headers["etag"]
    answers = await at_once(lambda _: client.get(f"{path}/download"))
    assert {answer.content for answer in answers} == {b"some notes"}
    assert (await client.get(path)).json()["data"]["downloadCount"] == WRITERS
    answer = await client.put(path, json={"description": "d"}, headers={"if-match": etag})
    assert answer.status_code == 200


async def test_moves_on_the_board(client: httpx.AsyncClient) -> None:
    """Fifty moves of ten ideas: each idea stands in exactly one list, where its last answered move put it."""
    paths = [await create(client, "/api/v1/ideas") for _ in range(10)]
    columns = ("new", "triage", "in_progress", "review", "completed", "rejected")
    answers = await at_once(
        lambda number: client.put(paths[number % 10], json={"status": columns[number % len(columns)]})
    )
    assert {answer.status_code for answer in answers} == {200}
    board = (await client.get("/api/v1/ideas/kanban")).json()
    placed = {idea["id"]: column for column, ideas in board.items() for idea in ideas}
    assert sum(len(ideas) for ideas in board.values()) == len(paths)
    for path in paths:
        idea = (await client.get(path)).json()["data"]
        assert placed[idea["id"]] == idea["status"]
        assert ("completedAt" in idea) == (idea["status"] == "completed")


async def test_fifty_creations_are_fifty_rows(client: httpx.AsyncClient, connection: Connection) -> None:
    answers = await at_once(lambda _: client.post("/api/items", json=ROWS["/api/items"][0]))
    ids = {answer.json()["data"]["id"] for answer in answers if answer.status_code == 201}
    assert len(ids) == WRITERS
    listed = (await client.get("/api/items?limit=10")).json()
    assert listed["total"] == WRITERS == await connection.fetchval("SELECT count(*) FROM items")
