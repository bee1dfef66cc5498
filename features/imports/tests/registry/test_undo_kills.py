"""Undos of takeovers that lose their process or have company: all of it happens, once, or nothing yet."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from features.imports.tests.factories import ended, undone
from features.imports.tests.registry.conftest import Takeover
from features.imports.tests.registry.factories import export, file, idea, ideas, system
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import Handover, StartCommand
from tests.fixtures.database import WAITING_LOCKS
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

pytestmark = pytest.mark.slow

_GATE = 7_421_003
QUICK = {"JOB_LEASE_S": "2", "JOB_HEARTBEAT_S": "0.5", "DB_LOCK_TIMEOUT_S": "60"}


@asynccontextmanager
async def held(sql: "asyncpg.Connection") -> AsyncIterator[None]:
    """Nobody gets past deleting the row s of systems until the block ends."""
    await sql.execute(
        "CREATE OR REPLACE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS "
        # Who waits for a lock gives up after DB_LOCK_TIMEOUT_S.
        f"$$ BEGIN WHILE NOT pg_try_advisory_xact_lock({_GATE}) LOOP PERFORM pg_sleep(0.02); END LOOP; "
        "RETURN OLD; END $$; "
        "CREATE TRIGGER gate BEFORE DELETE ON systems FOR EACH ROW WHEN (OLD.id = 's') "
        "EXECUTE FUNCTION gate()"
    )
    await sql.execute(f"SELECT pg_advisory_lock({_GATE})")
    try:
        yield
    finally:
        await sql.execute("SELECT pg_advisory_unlock_all()")
        await sql.execute("DROP TRIGGER IF EXISTS gate ON systems; DROP FUNCTION IF EXISTS gate")


@asynccontextmanager
async def taken_at_the_commit(sql: "asyncpg.Connection", url: str) -> AsyncIterator[None]:
    """From the commit of what is being deleted until the block ends, nobody reads files."""
    import asyncpg

    async def waiting() -> bool:
        return bool(
            await sql.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS} WHERE mode = 'AccessExclusiveLock'")
        )

    other = await asyncpg.connect(url)
    transaction = other.transaction()
    await transaction.start()
    taking = asyncio.create_task(other.execute("LOCK TABLE files IN ACCESS EXCLUSIVE MODE"))
    try:
        await wait_for(waiting)
        await sql.execute("SELECT pg_advisory_unlock_all()")
        await taking
        yield
    finally:
        await transaction.rollback()
        await other.close()


async def waited_for(sql: "asyncpg.Connection") -> None:
    async def waiting() -> bool:
        return bool(
            await sql.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event IN ('PgSleep', 'relation') "
                "AND datname = current_database()"
            )
        )

    await wait_for(waiting, 60)


async def rows(sql: "asyncpg.Connection") -> list[int]:
    return [await sql.fetchval(f"SELECT count(*) FROM {table}") for table in ("systems", "ideas", "files")]


@pytest.mark.parametrize("committed", [False, True])
async def test_a_killed_undo_is_done_later(
    committed: bool,
    services: TestServices,
    handover: Handover,
    start_command: StartCommand,
    sql: "asyncpg.Connection",
    running_app: RunningApp,
    tmp_path: Path,
) -> None:
    uploads, data = tmp_path / "uploads", tmp_path / "data"
    uploads.mkdir()
    for name in "ef":
        (uploads / f"{name}.md").write_text(f"# Page\n\nwordof{name}\n")
    source = export(
        tmp_path / "old",
        systems=[system(id="s")],
        ideas=[*ideas(50), idea(id="i", system_id="s")],
        files=[file(id=name, idea_id="i", file_path=f"{name}.md") for name in "ef"],
    )
    assert (await handover("import", "questdb", str(source), "--files", str(uploads))).code == 0
    job_id = str(await sql.fetchval("SELECT id FROM jobs"))
    async with held(sql):
        running = await start_command("import", "undo", job_id, environment=QUICK)
        await waited_for(sql)
        async with taken_at_the_commit(sql, services.database_url) if committed else nullcontext():
            await waited_for(sql)
            os.kill(running.process.pid, signal.SIGKILL)
            await running.finish()
        assert await rows(sql) == ([0, 0, 0] if committed else [1, 51, 2])
    undo_id = str(await sql.fetchval("SELECT id FROM jobs WHERE kind = 'import.undo'"))
    async with running_app(data_dir=data, job_lease_s=2.0) as client:
        undo = await ended(client, undo_id, timeout=60)
        found = (await client.get("/api/v1/search", params={"q": "wordoff"})).json()["data"]
    assert undo["state"] == "succeeded", undo.get("error")
    assert undo["result"] == {"importJobId": job_id, "deleted": 54, "restored": 0, "gone": 0}
    assert await rows(sql) == [0, 0, 0]
    assert found == []
    assert [path for path in (data / "files").glob("*/*") if path.is_file()] == []
    for table in ("import_runs", "import_pages", "search_documents WHERE source = 'upload'"):
        assert await sql.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert await sql.fetchval("SELECT count(*) FROM audit_entries WHERE entity = 'import'") == 1


async def test_nobody_adds_to_what_is_being_removed(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    job = await takeover(export(tmp_path / "old", systems=[system(id="s")]))
    body = {"title": "Ours", "description": "d", "category": "docs", "priority": "low", "systemId": "s"}
    async with held(sql):
        undoing = asyncio.create_task(undone(client, job["id"]))
        await waited_for(sql)
        assert (await client.get("/api/v1/systems/s")).status_code == 200, "nobody sees a part of it"
        assert (await client.post("/api/v1/ideas", json=body)).status_code == 503, "it waited long enough"
    undo = await undoing
    assert await rows(sql) == [0, 0, 0]
    assert undo["state"] == "succeeded", undo.get("error")
    assert (await client.post("/api/v1/ideas", json=body)).status_code == 400
