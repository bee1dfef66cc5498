"""What anybody writes, every host shows within the bound: whoever it was, and whatever becomes of Redis."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.app import FEATURES
from core.feature import Feature
from tests.cache.support import RedisServer
from tests.changes.conftest import StartHost, cached, shows_in_time
from tests.faults.processes import engine_of
from tests.fixtures.database import WAITING_LOCKS, Connection, execute_unaudited
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

ITEM = {"title": "old", "description": "D", "category": "dashboard", "priority": "low"}
IDEA = {"title": "old", "description": "D", "category": "docs", "priority": "high"}
SYSTEM = {"name": "old", "description": "D", "status": "online"}
TRIGGERS = """
SELECT convert_from(trim(trailing '\\x00'::bytea from tgargs), 'UTF8') AS model, tgname AS name
FROM pg_trigger WHERE tgname LIKE 'logged_%' AND tgenabled = 'A'
"""


@pytest.fixture
async def hosts(host: StartHost) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    async with host("a") as one, host("b") as other:
        yield one, other


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> str:
    """Where it is."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return f"{path}/{answer.json()['data']['id']}"


def says(text: str) -> Any:
    return lambda answer: text in answer.text


async def test_what_one_host_writes_the_other_shows(
    hosts: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    one, other = hosts
    paths = {"/api/items": ITEM, "/api/v1/ideas": IDEA, "/api/v1/systems": SYSTEM}
    for path, body in paths.items():
        single = await made(one, path, body)
        name = "name" if "name" in body else "title"
        for change in ("first", "second", "third"):
            for place in (path, single):
                await cached(other, place)
            assert (await one.put(single, json={name: f"the {change}"})).status_code == 200
            written_at = time.monotonic()
            for place in (path, single):
                await shows_in_time(other, place, says(f"the {change}"), written_at)
        await cached(other, single)
        assert (await one.delete(single)).status_code == 200
        written_at = time.monotonic()
        await shows_in_time(other, single, lambda answer: answer.status_code == 404, written_at)


@pytest.mark.parametrize(
    ("path", "statement", "text"),
    [
        ("/api/items", "UPDATE items SET title = 'changed'", '"changed"'),
        ("/api/items", "DELETE FROM items", '"count":0'),
        ("/api/items", "TRUNCATE items CASCADE", '"count":0'),
        ("/api/v1/systems", "UPDATE systems SET name = 'changed'", '"changed"'),
        ("/api/v1/systems/statistics", "UPDATE systems SET status = 'offline'", '"offline":1'),
        ("/api/v1/ideas", "UPDATE systems SET name = 'changed'", '"changed"'),
        ("/api/v1/ideas/kanban", "UPDATE ideas SET title = 'changed'", '"changed"'),
        ("/api/v1/files", "UPDATE files SET download_count = 7", '"downloadCount":7'),
        ("/api/v1/search?q=wonder", "DELETE FROM search_documents", '"data":[]'),
        ("/api/v1/stats/activity", "DELETE FROM audit_entries", '"activities":[]'),
    ],
)
async def test_what_another_program_writes_is_shown(
    host: StartHost, connection: Connection, path: str, statement: str, text: str
) -> None:
    """psql, or a server of an earlier release: neither knows of the cache."""
    async with host("a") as client:
        await made(client, "/api/items", ITEM)
        system = (await made(client, "/api/v1/systems", SYSTEM)).rpartition("/")[2]
        await made(client, "/api/v1/ideas", IDEA | {"systemId": system})
        upload = {"file": ("wonder.txt", b"wonder", "text/plain")}
        assert (await client.post("/api/v1/files/upload", files=upload)).status_code == 201

        async def indexed() -> bool:
            return "wonder" in (await client.get("/api/v1/search?q=wonder")).text

        await wait_for(indexed)
        before = await cached(client, path)
        assert text not in before.text
        async with connection.transaction():
            await connection.execute("SELECT set_config('handover.audit_retention', 'on', true)")
            await connection.execute(statement)
        await shows_in_time(client, path, says(text), time.monotonic())


async def test_bulk_work_is_one_line_and_shown(host: StartHost, connection: Connection) -> None:
    async with host("a") as client:
        await cached(client, "/api/items?limit=1")
        await execute_unaudited(
            connection,
            "INSERT INTO items (id, title, description, category, priority) "
            "SELECT 'bulk-' || n, 'bulk', 'D', 'dashboard', 'low' FROM generate_series(1, 1000) AS n",
        )
        await shows_in_time(client, "/api/items?limit=1", says("bulk"), time.monotonic())
    [(row_id,)] = await connection.fetch("SELECT row_id FROM changes ORDER BY id DESC LIMIT 1")
    assert row_id is None


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("fault", ["fill", "demote"])
async def test_a_redis_that_only_answers_reads_keeps_nothing_old(
    host: StartHost, redis_server: RedisServer, fault: str, strict: bool
) -> None:
    options = {"redis_url": redis_server.url, "cache_strict": strict}
    async with host("a", **options) as one, host("b", **options) as other:
        path = await made(one, "/api/items", ITEM)
        for _ in range(2):
            await other.get(path)
        getattr(redis_server, fault)()
        for change in range(10):
            await other.get(path)
            assert (await one.put(path, json={"title": f"change {change}"})).status_code == 200
            written_at = time.monotonic()
            if strict:
                assert f"change {change}" in (await other.get(path)).text
            await shows_in_time(other, path, says(f"change {change}"), written_at)
        await cached(other, path)
        ready = (await other.get("/health/ready")).json()
        assert (ready["status"], ready["checks"]["cache"]["status"]) == ("ready", "down")
        redis_server.recover()
        ready = (await other.get("/health/ready")).json()
        assert ready["checks"]["cache"]["status"] == "up"


async def test_strict_hosts_show_a_write_at_once_and_cache(host: StartHost) -> None:
    async with host("a", cache_strict=True) as one, host("b", cache_strict=True) as other:
        path = await made(one, "/api/items", ITEM)
        for change in range(30):
            await other.get(path)
            assert (await other.get(path)).headers["x-cache"] == "HIT"
            assert (await one.put(path, json={"title": f"change {change}"})).status_code == 200
            assert f"change {change}" in (await other.get(path)).text


async def test_a_host_reads_none_of_its_own_writes_again(
    hosts: tuple[httpx.AsyncClient, httpx.AsyncClient], connection: Connection
) -> None:
    one, other = hosts
    path = await made(one, "/api/items", ITEM)
    for change in range(10):
        assert (await one.put(path, json={"title": str(change)})).status_code == 200
        assert (await one.get(path)).headers["x-cache"] == "MISS"
        await shows_in_time(other, path, says(f'"{change}"'), time.monotonic())
        assert (await one.get(path)).headers["x-cache"] == "HIT"


async def test_all_that_renews_is_logged(connection: Connection) -> None:
    rows = await connection.fetch(TRIGGERS)
    logged: dict[str, set[str]] = {}
    for row in rows:
        logged.setdefault(row["model"], set()).add(row["name"].removeprefix("logged_"))
    features: tuple[Feature, ...] = FEATURES
    renewing = {model for feature in features for model in feature.renews}
    silent = renewing - set(logged)
    assert not silent, f"a migration: SELECT handover_log_changes(table, model) for {sorted(silent)}"
    assert set(logged) - renewing == {"Change"}, (
        "features/*/feature.py: say in `renews` what the others renew"
    )
    only_gone = {"AuditEntry", "Change"}
    for model, events in logged.items():
        wanted = {"delete", "truncate"} | (set() if model in only_gone else {"insert", "update"})
        assert events == wanted, model


@pytest.mark.slow
async def test_what_a_killed_engine_leaves_to_the_database_is_shown(
    live_server: StartServer, connection: Connection
) -> None:
    """The writer was told that nobody knows; the statement was waiting for a row, and is carried out."""
    server = await live_server()
    async with server.client() as client:
        path = await made(client, "/api/items", ITEM)
        async with connection.transaction():
            await connection.execute("SELECT FROM items FOR UPDATE")
            writing = asyncio.create_task(client.put(path, json={"title": "changed"}))
            await wait_for(lambda: connection.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS}"))
            engine = engine_of(server.pid)
            assert engine is not None
            engine.send_signal(signal.SIGKILL)
            assert (await writing).status_code == 503
            assert "old" in (await cached(client, path)).text
        await wait_for(lambda: connection.fetchval("SELECT count(*) FROM items WHERE title = 'changed'"))
        await shows_in_time(client, path, says("changed"), time.monotonic())


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_what_a_killed_server_leaves_to_the_database_is_shown_by_its_neighbour(
    live_server: StartServer, connection: Connection, end: signal.Signals
) -> None:
    """Its statement waits for a row, is carried out when nobody is left to tell anybody, on the same host:
    nobody waits for the killed process, and the stopped one does nothing.
    """
    # The first one looks for the host: while that one stands still nothing is answered from the cache.
    neighbour, killed = await live_server(), await live_server()
    async with killed.client() as writer, neighbour.client() as reader:
        path = await made(writer, "/api/items", ITEM)
        async with connection.transaction():
            await connection.execute("SELECT FROM items FOR UPDATE")
            writing = asyncio.create_task(writer.put(path, json={"title": "changed"}))
            await wait_for(lambda: connection.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS}"))
            killed.process.send_signal(end)
            assert "old" in (await cached(reader, path)).text
        await wait_for(lambda: connection.fetchval("SELECT count(*) FROM items WHERE title = 'changed'"))
        await shows_in_time(reader, path, says("changed"), time.monotonic())
        killed.process.send_signal(signal.SIGCONT)
        await asyncio.gather(writing, return_exceptions=True)
