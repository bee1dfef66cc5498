"""When the connection is lost, or the log is not what it was, all that is cached is left behind."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from core.cache.cache import VERSIONS_FILE
from core.cache.versions import TagVersions
from core.settings import Settings
from tests.cache.support import figure
from tests.changes.conftest import StartHost, cached, no_looks, shows_in_time
from tests.changes.test_hosts import ITEM, made, says
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices, pg_program
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

SESSIONS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'handover-typed'
    AND backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
"""
"""Of the hosts of a test: the app of other tests has begun its own before."""
FOLLOWERS = f"{SESSIONS} AND query LIKE '%pg_current_snapshot()%'"
LOST = "handover_changes_lost_total"
LINES = "handover_changes_lines_total"
LOOKS = "handover_changes_look_seconds_count"


@asynccontextmanager
async def unlogged(connection: Connection) -> AsyncIterator[None]:
    """Writes that no line tells of, as a standby that lagged has never seen them."""
    await connection.execute("ALTER TABLE items DISABLE TRIGGER logged_update")
    try:
        yield
    finally:
        await connection.execute("ALTER TABLE items ENABLE ALWAYS TRIGGER logged_update")


async def test_a_killed_backend_leaves_everything_behind(host: StartHost, connection: Connection) -> None:
    async with host("a") as client:
        path = await made(client, "/api/items", ITEM)
        await cached(client, path)
        async with unlogged(connection):
            await connection.execute("UPDATE items SET title = 'unseen'")
        assert "old" in (await cached(client, path)).text
        lost = figure(LOST)
        [(pid,)] = await connection.fetch(FOLLOWERS)
        await connection.execute("SELECT pg_terminate_backend($1)", pid)

        async def noticed() -> float:
            await client.get("/api/items?limit=1")
            return figure(LOST) > lost and figure(LOOKS)

        looks = await wait_for(noticed)

        async def followed_again() -> bool:
            await client.get("/api/items?limit=1")
            return figure(LOOKS) > looks

        await wait_for(followed_again)
        assert "unseen" in (await client.get(path)).text
        await cached(client, path)
        await connection.execute("UPDATE items SET title = 'changed'")
        await shows_in_time(client, path, says("changed"), time.monotonic())


async def test_a_life_leaves_the_connections_of_the_one_before(
    host: StartHost, connection: Connection
) -> None:
    """They may lead to a server that is the primary no more."""
    async with host("a") as one:
        path = await made(one, "/api/items", ITEM)
        async with host("a") as two:  # another worker
            for client in (one, two):
                await asyncio.gather(*(client.get(f"/api/items?limit={n}") for n in range(1, 20)))
            before = {pid for (pid,) in await connection.fetch(SESSIONS)}
            [(pid,)] = await connection.fetch(FOLLOWERS)
            assert len(before) > 4
            await connection.execute("SELECT pg_terminate_backend($1)", pid)

            async def left() -> bool:
                await asyncio.gather(one.get(path), two.get(path))
                return not before & {pid for (pid,) in await connection.fetch(SESSIONS)}

            await wait_for(left)


async def test_a_connection_that_never_answers_is_replaced(host: StartHost, connection: Connection) -> None:
    """As one that a firewall has forgotten: no error comes, and what was asked is never answered."""
    async with host("a") as client:
        path = await made(client, "/api/items", ITEM)
        await cached(client, path)
        [(pid,)] = await connection.fetch(FOLLOWERS)
        os.kill(pid, signal.SIGSTOP)
        try:
            await connection.execute("UPDATE items SET title = 'changed'")
            await wait_for(lambda: cached_and_changed(client, path), timeout=30)
        finally:
            os.kill(pid, signal.SIGCONT)


async def cached_and_changed(client: httpx.AsyncClient, path: str) -> bool:
    answer = await client.get(path)
    return answer.headers["x-cache"] == "HIT" and "changed" in answer.text


async def test_moments_of_another_machine_mean_nothing(
    host: StartHost, connection: Connection, tmp_path: Path
) -> None:
    """The data folder was copied, or the machine has started since: its clock counts from then."""
    async with host("a") as client:
        path = await made(client, "/api/items", ITEM)
    left = TagVersions(tmp_path / "a" / "run" / VERSIONS_FILE)
    left.looked_at = left.wanted_at = time.monotonic() + 864_000
    left.close()
    async with host("a") as client:
        await cached(client, path)
        await connection.execute("UPDATE items SET title = 'changed'")
        await shows_in_time(client, path, says("changed"), time.monotonic())


async def test_without_reads_nobody_asks_the_database_and_the_next_read_is_a_hit(
    host: StartHost, connection: Connection
) -> None:
    async with host("a") as client:
        path = await made(client, "/api/items", ITEM)
        await cached(client, path)
        await no_looks(connection)
        looks = figure(LOOKS)
        assert (await client.get(path)).headers["x-cache"] == "HIT"
        assert figure(LOOKS) >= looks + 1


async def test_a_transaction_that_writes_for_long_is_shown_with_its_commit(
    host: StartHost, connection: Connection, services: TestServices
) -> None:
    """Savepoints and what is rolled back included; many others commit before it."""
    other = await asyncpg.connect(services.database_url)
    try:
        async with host("a") as client:
            path = await made(client, "/api/items", ITEM)
            for end in ("COMMIT", "ROLLBACK"):
                await other.execute(
                    "BEGIN; SAVEPOINT a; UPDATE items SET title = 'never'; ROLLBACK TO a; SAVEPOINT b; "
                    f"UPDATE items SET title = 'by {end}'; RELEASE b"
                )
                before, looks = (await client.get(path)).text, figure(LOOKS)

                async def looked(looks: float = looks, before: str = before) -> bool:
                    await connection.execute("INSERT INTO changes (model, operation) VALUES ('None', 'x')")
                    assert (await client.get(path)).text == before
                    return figure(LOOKS) > looks + 40

                await wait_for(looked, 30)
                assert (await cached(client, path)).text == before
                await other.execute(end)
                if end == "ROLLBACK":
                    assert (await client.get(path)).text == before
                else:
                    await shows_in_time(client, path, says(f"by {end}"), time.monotonic())
    finally:
        await other.close()


async def test_a_restored_database_brings_its_own_answers(
    services: TestServices, settings: Settings, tmp_path: Path
) -> None:
    """Into the same database, in one transaction, while it is served: no connection is lost by that."""
    backup = tmp_path / "backup"
    with services.fresh_database("restored") as url:
        own = settings.model_copy(update={"database_url": url, "data_dir": tmp_path / "own"})
        app = new_app(own)
        async with lifespan_of(app), client_of(app) as client:
            path = await made(client, "/api/items", ITEM)
            await pg("pg_dump", "--format=custom", f"--file={backup}", url)
            assert (await client.put(path, json={"title": "later"})).status_code == 200
            assert "later" in (await cached(client, path)).text
            restore = ("--clean", "--single-transaction", "--no-owner", f"--dbname={url}", str(backup))

            async def read_on() -> None:
                while True:
                    await client.get(path)
                    await asyncio.sleep(0.01)

            reading = asyncio.create_task(read_on())
            await pg("pg_restore", *restore)
            written_at = time.monotonic()
            reading.cancel()
            await shows_in_time(client, path, says("old"), written_at)


async def pg(tool: str, *arguments: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [str(pg_program(tool)), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_lines_of_an_earlier_life_are_not_read_again_and_again(
    host: StartHost, connection: Connection
) -> None:
    """A restored log holds transactions whose ids are yet to be given out."""
    ahead = 1_000_000_000_000
    await connection.execute(
        f"INSERT INTO changes (xid, model, operation) VALUES ('{ahead}', 'Item', 'update')"
    )
    try:
        async with host("a") as client:
            path = await made(client, "/api/items", ITEM)
            read, looks = figure(LINES), figure(LOOKS)

            async def looked() -> bool:
                await client.get(path)
                return figure(LOOKS) > looks + 5

            await wait_for(looked)
            assert figure(LINES) == read
            await connection.execute("UPDATE items SET title = 'changed'")
            await shows_in_time(client, path, says("changed"), time.monotonic())
    finally:
        await connection.execute(f"DELETE FROM changes WHERE xid = '{ahead}'")


async def test_workers_of_a_host_have_one_that_looks(host: StartHost, connection: Connection) -> None:
    async with host("a") as one:
        path = await made(one, "/api/items", ITEM)
        async with host("a") as two:
            for _ in range(3):
                await cached(two, path)
                await cached(one, path)
            assert len(await connection.fetch(FOLLOWERS)) == 1
            await connection.execute("UPDATE items SET title = 'changed'")
            written_at = time.monotonic()
            for client in (two, one):
                await shows_in_time(client, path, says("changed"), written_at)
            await no_looks(connection)
            assert (await two.get(path)).headers["x-cache"] == "HIT"


async def test_another_takes_over_from_one_that_looked(host: StartHost, connection: Connection) -> None:
    async with host("a") as one:
        path = await made(one, "/api/items", ITEM)
        starting = host("a")
        two = await starting.__aenter__()
        await cached(two, path)
    try:
        await connection.execute("UPDATE items SET title = 'changed'")
        await shows_in_time(two, path, says("changed"), time.monotonic())
        await cached(two, path)
    finally:
        await starting.__aexit__(None, None, None)


async def test_a_database_that_is_away_is_no_reason_to_use_what_is_cached(
    host: StartHost, connection: Connection
) -> None:
    """The connection that follows is refused, others are not."""
    async with host("a") as client:
        path = await made(client, "/api/items", ITEM)
        await cached(client, path)
        lost = figure(LOST)
        await connection.execute("ALTER TABLE changes RENAME TO away")
        try:

            async def noticed() -> bool:
                await client.get(path)
                return figure(LOST) > lost

            await wait_for(noticed)
            for change in range(5):
                await connection.execute("ALTER TABLE items DISABLE TRIGGER logged_update")
                await connection.execute("UPDATE items SET title = $1", f"change {change}")
                await shows_in_time(client, path, says(f"change {change}"), time.monotonic())
        finally:
            await connection.execute("ALTER TABLE away RENAME TO changes")
            await connection.execute("ALTER TABLE items ENABLE ALWAYS TRIGGER logged_update")
        assert "change 4" in (await cached(client, path)).text
