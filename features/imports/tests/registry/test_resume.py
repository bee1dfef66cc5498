"""Takeovers that lose their process, and what they insist on when they go on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.tests.factories import ended
from features.imports.tests.registry import archives
from features.imports.tests.registry.conftest import Gate
from features.imports.tests.registry.factories import Old, export, file, ideas, system
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import StartCommand
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

pytestmark = pytest.mark.slow

QUICK = {
    "JOB_LEASE_S": "2",
    "JOB_HEARTBEAT_S": "0.5",
    "IMPORT_BATCH_ROWS": "10",
    # Who waits at the gate waits for a lock.
    "DB_LOCK_TIMEOUT_S": "60",
}


class Killed:
    """A takeover whose command was killed with -9 in the middle."""

    def __init__(self, job_id: str, data_dir: Path, source: Path, uploads: Path) -> None:
        self.job_id = job_id
        self.folder = data_dir / "imports" / job_id
        self.data_dir = data_dir
        self.source = source
        self.uploads = uploads


def registry(tmp_path: Path) -> tuple[Path, Path, list[Old]]:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    rows = []
    for number in range(30):
        (uploads / f"{number}.md").write_text(f"# Page {number}\n\nwordof{number}\n")
        rows.append(file(id=f"f{number:02}", filename=f"{number}.md", file_path=f"{number}.md"))
    source = export(tmp_path / "old", systems=[system(id="s")], ideas=ideas(100), files=[*rows, file(id="x")])
    return source, uploads, rows


@asynccontextmanager
async def killed_before(
    table: str,
    row_id: str,
    start_command: StartCommand,
    gate: Gate,
    sql: "asyncpg.Connection",
    tmp_path: Path,
) -> AsyncIterator[Killed]:
    source, uploads, _ = registry(tmp_path)
    async with gate.before(table, row_id):
        running = await start_command(
            "import", "questdb", str(source), "--files", str(uploads), environment=QUICK
        )
        await wait_for(gate.waited_at, 60)
        os.kill(running.process.pid, signal.SIGKILL)
        await running.finish()
    job_id = str(await sql.fetchval("SELECT id FROM jobs"))
    yield Killed(job_id, tmp_path / "data", source, uploads)


async def resumed(killed: Killed, running_app: RunningApp) -> dict[str, Any]:
    async with running_app(data_dir=killed.data_dir, import_batch_rows=10, job_lease_s=2.0) as client:
        return await ended(client, killed.job_id, timeout=60)


async def test_a_killed_takeover_goes_on_without_its_source(
    start_command: StartCommand,
    gate: Gate,
    sql: "asyncpg.Connection",
    running_app: RunningApp,
    client: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    middle = str(ideas(100)[54]["id"])
    async with killed_before("ideas", middle, start_command, gate, sql, tmp_path) as killed:
        assert await sql.fetchval("SELECT count(*) FROM ideas") == 50
        before = await sql.fetch("SELECT id, xmin::text FROM ideas ORDER BY id")
        for path in killed.source.iterdir():
            path.unlink()
        job = await resumed(killed, running_app)
    assert job["state"] == "succeeded", job.get("error")
    result = job["result"]
    assert (result["imported"], result["verified"], result["kept"]) == (131, 131, 0)
    assert job["rejected"] == 1
    assert await sql.fetchval("SELECT count(*) FROM import_rejects") == 1
    same = await sql.fetchval(
        "SELECT count(*) FROM ideas JOIN unnest($1::text[], $2::text[]) AS old(id, writer) USING (id) "
        "WHERE ideas.xmin::text = writer",
        [row["id"] for row in before],
        [row["xmin"] for row in before],
    )
    assert same == 50, "rows before the checkpoint were written again"
    inserted = await sql.fetchval("SELECT sum((changes->>'inserted')::int) FROM audit_entries")
    assert inserted == 131
    assert not killed.folder.exists()


async def test_files_come_once_and_are_all_found_after_a_kill(
    start_command: StartCommand,
    gate: Gate,
    sql: "asyncpg.Connection",
    running_app: RunningApp,
    tmp_path: Path,
) -> None:
    async with killed_before("files", "f14", start_command, gate, sql, tmp_path) as killed:
        assert await sql.fetchval("SELECT count(*) FROM files") == 10
        # As if it had died between the rows of its first batch and their way into the index.
        await sql.execute("DELETE FROM search_documents WHERE id = 'upload:f03'")
        job = await resumed(killed, running_app)
    assert job["state"] == "succeeded", job.get("error")
    store = killed.data_dir / "files"
    stored = {f"{path.parent.name}/{path.name}" for path in store.glob("*/*")}
    known = {row["object_key"] for row in await sql.fetch("SELECT object_key FROM files")}
    assert len(known) == 30
    assert stored == known, "the batch that was under way was stored under the same keys"
    indexed = await sql.fetchval("SELECT count(*) FROM search_documents WHERE source = 'upload'")
    assert indexed == 30


@pytest.mark.parametrize(
    ("damaged", "outcome"),
    [
        ("documentation_ideas.spool", None),
        ("rejects.spool", None),
        ("documentation_ideas.captured", "What was captured of old is lost or damaged; begin a new import"),
    ],
)
async def test_what_can_be_made_again_is_and_what_cannot_is_said(
    damaged: str,
    outcome: str | None,
    start_command: StartCommand,
    gate: Gate,
    sql: "asyncpg.Connection",
    running_app: RunningApp,
    tmp_path: Path,
) -> None:
    middle = str(ideas(100)[54]["id"])
    async with killed_before("ideas", middle, start_command, gate, sql, tmp_path) as killed:
        path = killed.folder / damaged
        path.write_bytes(path.read_bytes()[:-20])
        job = await resumed(killed, running_app)
    if outcome is None:
        assert job["result"]["verified"] == 131
    else:
        assert (job["state"], job["error"]) == ("failed", outcome)
    assert not killed.folder.exists()


async def test_another_import_carries_on_a_takeover_that_lost_its_process(
    start_command: StartCommand,
    gate: Gate,
    sql: "asyncpg.Connection",
    running_app: RunningApp,
    tmp_path: Path,
) -> None:
    middle = str(ideas(100)[54]["id"])
    async with killed_before("ideas", middle, start_command, gate, sql, tmp_path) as killed:
        items = tmp_path / "items.json"
        items.write_text('{"items": []}')
        assert (killed.folder / "documentation_ideas.captured").exists()
        other = await (await start_command("import", "lowdb", str(items))).finish()
        assert "has lost its process and is carried on" in other.out
        assert "Import of items.json succeeded" in other.out
        job = await resumed(killed, running_app)
    assert job["state"] == "succeeded", job.get("error")


@pytest.mark.usefixtures("handover")
async def test_a_cancel_stops_at_the_next_batch(
    start_command: StartCommand, gate: Gate, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    source, uploads, _ = registry(tmp_path)
    middle = str(ideas(100)[54]["id"])
    async with gate.before("ideas", middle):
        running = await start_command(
            "import", "questdb", str(source), "--files", str(uploads), environment=QUICK
        )
        await wait_for(gate.waited_at, 60)
        running.process.send_signal(signal.SIGINT)

        async def asked() -> bool:
            return bool(await sql.fetchval("SELECT cancel_requested FROM jobs"))

        await wait_for(asked)
    outcome = await asyncio.wait_for(running.finish(), 60)
    assert outcome.code == 1
    assert "Import of old cancelled" in outcome.out
    assert await sql.fetchval("SELECT count(*) FROM ideas") == 60
    assert list((tmp_path / "data" / "imports").iterdir()) == []


async def test_a_killed_server_goes_on_with_what_was_uploaded(live_server: StartServer, gate: Gate) -> None:
    """The bytes of files lie in the job's folder until it has ended; nobody sends them again."""
    content = archives.packed({**archives.registry(), "uploads/guide.md": archives.GUIDE})
    first = await live_server(QUICK)
    async with gate.before("files", "f"), first.client() as client:
        job_id = (await archives.post(client, content)).json()["data"]["id"]
        await wait_for(gate.waited_at, 30)
        await first.stop(signal.SIGKILL)
    second = await live_server(QUICK)
    async with second.client() as client:
        job = await ended(client, job_id)
        assert job["state"] == "succeeded", job
        assert (job["result"]["imported"], job["result"]["verified"]) == (4, 4)
        assert (await client.get("/api/v1/files/f/download")).content == archives.GUIDE
    assert list((second.data_dir / "imports").iterdir()) == []
