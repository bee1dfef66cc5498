"""Imports that lose their process, and what they insist on when they go on."""

import asyncio
import json
import signal
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.jobs import JsonObject
from core.jobs.lease import place_of
from features.imports.jobs import JOBS
from features.imports.tests.conftest import Held
from features.imports.tests.factories import Job, ended, lowdb, many, post, record, write
from tests.fixtures.application import RunningApp
from tests.fixtures.jobs import RunJob
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

pytestmark = pytest.mark.slow


LARGE = 40_000
[LOWDB] = [kind for kind in JOBS if kind.kind == "import.lowdb"]
VERIFIED = 3
"""Checkpoints of a small import: of its rejects, its batch, its result."""
QUICK_LEASE = {"JOB_LEASE_S": "2", "JOB_HEARTBEAT_S": "0.5"}


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


@dataclass(frozen=True)
class Interrupted:
    """An import of 100 records and a reject, stopped by a shutdown when about half of them were loaded."""

    job_id: str
    source: Path
    folder: Path


Interrupt = Callable[[], Awaitable[Interrupted]]


@pytest.fixture
def interrupt(running_app: RunningApp, held_at: Held, sql: "asyncpg.Connection", tmp_path: Path) -> Interrupt:
    """In a data folder of its own, so that no other app of this run takes the job over."""
    data_dir = tmp_path / "data"

    async def stop_in_the_middle() -> Interrupted:
        records = many(100)
        source = write(tmp_path, lowdb([*records, "bad"]))
        job_id = str(uuid.uuid4())
        folder = data_dir / "imports" / job_id
        arguments = {"source": "lowdb", "filename": source.name, "path": str(source)}
        async with AsyncExitStack() as app, AsyncExitStack() as release:
            await app.enter_async_context(running_app(import_batch_rows=10, data_dir=data_dir))
            waiting = await release.enter_async_context(held_at(str(records[55]["id"])))
            await sql.execute(
                "INSERT INTO jobs (id, kind, arguments, exclusive_key, place, actor, lease_expires_at) "
                "VALUES ($1, 'import.lowdb', $2, 'import.lowdb', $3, 'test', now())",
                job_id,
                json.dumps(arguments),
                place_of(data_dir),
            )
            await wait_for(waiting)
            stopping = asyncio.create_task(app.aclose())
            await release.aclose()
            await stopping
        assert await sql.fetchval("SELECT state FROM jobs") == "queued"
        # Batches that were being written are committed or not: all are places to go on from.
        assert 0 < await sql.fetchval("SELECT count(*) FROM items") < 100
        assert (folder / "items.spool").exists()
        return Interrupted(job_id, source, folder)

    return stop_in_the_middle


async def resumed(running_app: RunningApp, stopped: Interrupted) -> Job:
    data_dir = stopped.folder.parents[1]
    async with running_app(import_batch_rows=10, data_dir=data_dir) as client:
        return await ended(client, stopped.job_id)


async def test_an_import_goes_on_after_a_shutdown(interrupt: Interrupt, running_app: RunningApp) -> None:
    stopped = await interrupt()
    job = await resumed(running_app, stopped)
    assert (job["state"], job["rejected"]) == ("succeeded", 1)
    assert job["result"]["imported"] == job["result"]["verified"] == 100
    assert not stopped.folder.exists()
    assert stopped.source.read_bytes() == lowdb([*many(100), "bad"])


async def test_a_lost_or_damaged_spool_is_made_again(interrupt: Interrupt, running_app: RunningApp) -> None:
    stopped = await interrupt()
    (stopped.folder / "rejects.spool").unlink()
    spool = stopped.folder / "items.spool"
    spool.write_bytes(spool.read_bytes()[:-100])
    job = await resumed(running_app, stopped)
    assert job["result"]["imported"] == job["result"]["verified"] == 100


async def test_a_source_that_has_changed_is_not_continued(
    interrupt: Interrupt, running_app: RunningApp
) -> None:
    stopped = await interrupt()
    stopped.source.write_bytes(lowdb([*many(99), "bad"]))
    job = await resumed(running_app, stopped)
    assert job["state"] == "failed"
    assert job["error"] == "library.json has changed since the import began; begin a new import"
    assert not stopped.folder.exists()
    assert stopped.source.exists()


async def test_a_checkpoint_of_another_version_is_not_continued(
    interrupt: Interrupt, running_app: RunningApp, sql: "asyncpg.Connection"
) -> None:
    stopped = await interrupt()
    former = json.dumps({"findings": {"records": 101, "rejected": 1}, "offset": 5})
    await sql.execute("UPDATE jobs SET checkpoint = $1::jsonb", former)
    job = await resumed(running_app, stopped)
    assert job["state"] == "failed"
    assert job["error"] == (
        "The import of library.json was begun by another version of Handover; begin a new import"
    )


async def test_a_source_that_is_gone_is_not_needed_any_more(
    interrupt: Interrupt, running_app: RunningApp
) -> None:
    stopped = await interrupt()
    stopped.source.unlink()
    job = await resumed(running_app, stopped)
    assert (job["state"], job["result"]["verified"]) == ("succeeded", 100)


async def test_without_source_and_spool_nothing_can_be_carried_on(
    interrupt: Interrupt, running_app: RunningApp
) -> None:
    stopped = await interrupt()
    stopped.source.unlink()
    (stopped.folder / "rejects.spool").unlink()
    job = await resumed(running_app, stopped)
    assert job["error"] == "library.json is gone, and so is what was read of it; import it anew"


@pytest.mark.parametrize("after", range(1, VERIFIED + 1))
async def test_what_was_done_before_a_checkpoint_is_not_done_again(
    run_job: RunJob, sql: "asyncpg.Connection", tmp_path: Path, after: int
) -> None:
    """Behind the last one its folder is gone, and nothing is left to do but to report."""
    source = write(tmp_path, lowdb([*many(10), "bad"]))
    arguments: JsonObject = {"source": "lowdb", "filename": source.name, "path": str(source)}
    stopped = await run_job.dying(LOWDB, arguments, after=after)
    source.unlink()
    ended = await run_job.again(LOWDB, stopped)
    assert ended.result is not None, ended.error
    assert (ended.result["imported"], ended.result["verified"], ended.rejected) == (10, 10, 1)
    assert await sql.fetchval("SELECT sum((changes->>'inserted')::int) FROM audit_entries") == 10
    assert await sql.fetchval("SELECT count(*) FROM import_rejects") == 1
    if after == VERIFIED:
        assert stopped.checkpoint == {"result": ended.result}
