"""Imports that lose their process, and what they insist on when they go on."""

import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from features.imports.tests.conftest import Held
from features.imports.tests.factories import ended, lowdb, many, post, record, write
from tests.fixtures.application import RunningApp
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

    from core.settings import Settings

LARGE = 100_000
QUICK_LEASE = {"JOB_LEASE_S": "2", "JOB_HEARTBEAT_S": "0.5"}


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_killed_server_goes_on_from_its_checkpoint(
    live_server: StartServer, held_at: Held, sql: "asyncpg.Connection"
) -> None:
    records = many(LARGE)
    content = lowdb([*records, record(title="")])
    first = await live_server(QUICK_LEASE)
    async with held_at(str(records[LARGE // 2 + 1]["id"])) as waiting, first.client() as client:
        job_id = (await post(client, content)).json()["data"]["id"]
        await wait_for(waiting, 60)
        await first.stop(signal.SIGKILL)
    loaded = await sql.fetchval("SELECT count(*) FROM items")
    assert 0 < loaded <= LARGE // 2 + 2000
    kept = await sql.fetch("SELECT id, xmin::text FROM items ORDER BY id")

    second = await live_server(QUICK_LEASE)
    async with second.client() as client:
        job = await ended(client, job_id, timeout=120)
    assert job["state"] == "succeeded", job.get("error")
    result = job["result"]
    assert (result["imported"], result["verified"], result["kept"]) == (LARGE, LARGE, 0)
    assert job["rejected"] == 1
    assert await sql.fetchval("SELECT count(*) FROM items") == LARGE
    assert await sql.fetchval("SELECT count(*) FROM import_rejects") == 1
    same = await sql.fetchval(
        "SELECT count(*) FROM items JOIN unnest($1::text[], $2::text[]) AS old(id, writer) USING (id) "
        "WHERE items.xmin::text = writer",
        [row["id"] for row in kept],
        [row["xmin"] for row in kept],
    )
    assert same == loaded, "rows before the checkpoint were written again"
    batches = await sql.fetch("SELECT (changes->>'inserted')::int AS rows FROM audit_entries")
    assert sum(row["rows"] for row in batches) == LARGE
    assert list((second.data_dir / "imports").iterdir()) == []


class Interrupted:
    """An import of `records` from a file that was stopped in the middle by a shutdown."""

    def __init__(self, job_id: str, source: Path, folder: Path) -> None:
        self.job_id = job_id
        self.source = source
        self.folder = folder


@pytest.fixture
def interrupted(
    running_app: RunningApp, held_at: Held, settings: "Settings", sql: "asyncpg.Connection", tmp_path: Path
) -> Callable[[], "object"]:
    async def stop_in_the_middle() -> Interrupted:
        records = many(100)
        source = write(tmp_path, lowdb([*records, "bad"]))
        job_id = str(uuid.uuid4())
        folder = settings.data_dir / "imports" / job_id
        async with held_at(str(records[55]["id"])) as waiting:
            async with running_app(import_batch_rows=10, shutdown_grace_s=1):
                await sql.execute(
                    "INSERT INTO jobs (id, kind, arguments, exclusive_key, actor, lease_expires_at) "
                    "VALUES ($1, 'import.lowdb', $2, 'import.lowdb', 'test', now())",
                    job_id,
                    f'{{"source": "lowdb", "filename": "library.json", "path": "{source}"}}',
                )
                await wait_for(waiting)
            assert await sql.fetchval("SELECT state FROM jobs") == "queued"
        assert await sql.fetchval("SELECT count(*) FROM items") == 50
        assert (folder / "records.spool").exists()
        return Interrupted(job_id, source, folder)

    return stop_in_the_middle


async def resumed(running_app: RunningApp, job_id: str) -> dict[str, object]:
    async with running_app(import_batch_rows=10) as client:
        return await ended(client, job_id)


async def test_an_import_goes_on_after_a_shutdown(interrupted, running_app: RunningApp) -> None:  # type: ignore[no-untyped-def]
    stopped = await interrupted()
    job = await resumed(running_app, stopped.job_id)
    assert (job["state"], job["rejected"]) == ("succeeded", 1)
    assert job["result"]["imported"] == job["result"]["verified"] == 100
    assert not stopped.folder.exists()
    assert stopped.source.exists()
