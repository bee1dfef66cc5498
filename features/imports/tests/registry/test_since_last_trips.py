"""The registry's cut-over pass beside undos, kills, other stores, and what is more than a row."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.tests.factories import ended, undone
from features.imports.tests.registry.conftest import Gate, Relay, Takeover
from features.imports.tests.registry.factories import entry, export, file, idea, ideas, system
from features.imports.tests.registry.present import one, whole
from features.imports.tests.registry.test_live import _QUESTDB, FILE_ID, IDEA_ID, SYSTEM_ID, fill
from features.imports.tests.registry.test_resume import QUICK
from features.imports.tests.registry.test_since_last import LATEST, counts, newer
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import Handover, StartCommand
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg


async def test_what_was_undone_is_new_again(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """However many passes have found it unchanged in between."""
    a = idea(id="a", title="Old")
    await takeover(export(tmp_path / "old", ideas=[a]))
    folder = export(tmp_path / "old", ideas=[*newer(a, title="New"), idea(id="b")])
    job = await takeover(folder, since_last=True)
    for _ in range(2):
        assert counts(await takeover(folder, since_last=True), unchanged=2)
    undo = await undone(client, job["id"])
    assert (undo["state"], undo["result"]["deleted"], undo["result"]["restored"]) == ("succeeded", 1, 1)
    assert (await one(client, "ideas/a"))["title"] == "Old"
    assert counts(await takeover(folder, since_last=True), new=1, changed=1)
    assert counts(await takeover(folder, since_last=True), unchanged=2)


async def test_an_undo_of_the_pass_refuses_what_somebody_changed_since(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    a, b = idea(id="a", title="Old"), idea(id="b", title="Old")
    await takeover(export(tmp_path / "old", ideas=[a, b]))
    folder = export(tmp_path / "old", ideas=[*newer(a, title="New"), *newer(b, title="New")])
    job = await takeover(folder, since_last=True)
    await client.put("/api/v1/ideas/a", json={"title": "Ours"})
    undo = await undone(client, job["id"])
    assert undo["error"] == "Nothing was undone because of 1 conflict: idea a was changed"
    assert (await one(client, "ideas/b"))["title"] == "New"
    await client.put("/api/v1/ideas/a", json={"title": "New"})
    assert (await undone(client, job["id"]))["result"]["restored"] == 2
    assert (await one(client, "ideas/a"))["title"] == "Old"


async def test_the_bytes_of_files_come_and_go_with_their_rows(
    takeover: Takeover, client: httpx.AsyncClient, uploads: Path, tmp_path: Path
) -> None:
    async def text() -> str:
        return (await client.get("/api/v1/files/f/download")).text

    async def found(word: str) -> int:
        return int((await client.get("/api/v1/search", params={"q": word})).json()["total"])

    await takeover(whole(tmp_path / "old"), files=uploads)
    (uploads / "guide.md").write_text("wordofchange\n")
    (uploads / "other.md").write_text("wordofother\n")
    folder = export(
        tmp_path / "old",
        systems=[system(id="s", name="Hub")],
        ideas=[idea(id="i", system_id="s")],
        files=[
            file(id="f", idea_id="i", system_id="s"),
            file(id="g", filename="other.md", file_path="other.md"),
        ],
    )
    job = await takeover(folder, files=uploads, since_last=True)
    assert counts(job, new=1, changed=1, unchanged=2)
    assert await text() == "wordofchange\n"
    assert [await found(word) for word in ("wordofchange", "wordofother", "wordofguide")] == [1, 1, 0]
    assert counts(await takeover(folder, files=uploads, since_last=True), unchanged=4)
    assert (await undone(client, job["id"]))["state"] == "succeeded"
    assert await text() == "# Guide\n\nwordofguide\n"
    assert [await found(word) for word in ("wordofchange", "wordofother", "wordofguide")] == [0, 0, 1]


async def test_downloads_of_the_old_service_count_and_are_no_change(
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    uploads: Path,
    tmp_path: Path,
) -> None:
    f, g = file(id="f", download_count=3), file(id="g", download_count=3)
    await takeover(export(tmp_path / "old", files=[f, g]), files=uploads)
    await client.put("/api/v1/files/f", json={"description": "Changed here"})
    folder = export(tmp_path / "old", files=[{**f, "download_count": 7}, {**g, "download_count": 1}])
    assert counts(await takeover(folder, files=uploads, since_last=True), unchanged=2)
    rows = await sql.fetch("SELECT id, download_count, row_version = import_version FROM files ORDER BY id")
    assert [tuple(row)[1] for row in rows] == [7, 3]


async def test_entries_of_the_old_log_come_once(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "old", audit_log=[entry(id="e")]))
    folder = export(tmp_path / "old", audit_log=[entry(id="e"), entry(id="f")])
    assert counts(await takeover(folder, since_last=True), new=1, unchanged=1)
    assert counts(await takeover(folder, since_last=True), unchanged=2)


async def test_what_a_broken_off_import_brought_is_brought_up_to_date(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    """It is no last time, but nobody here has changed what it left."""
    a: dict[str, Any] = idea(id="a", title="Old")
    await takeover(export(tmp_path / "old", ideas=[a]))
    folder = export(tmp_path / "old", ideas=newer(a, title="Newer"))
    broken = await takeover(folder, on_conflict="overwrite")
    await sql.execute("UPDATE import_runs SET finished_at = NULL WHERE job_id = $1", broken["id"])
    folder = export(tmp_path / "old", ideas=newer(a, title="Newest", updated_at=LATEST))
    assert counts(await takeover(folder, since_last=True), changed=1)
    assert (await one(client, "ideas/a"))["title"] == "Newest"


@pytest.mark.slow
async def test_a_pass_that_is_killed_goes_on_and_counts_each_row_once(
    handover: Handover,
    start_command: StartCommand,
    running_app: RunningApp,
    gate: Gate,
    sql: "asyncpg.Connection",
    tmp_path: Path,
) -> None:
    rows = ideas(40)
    first = export(tmp_path / "old", systems=[system(id="s", name="Hub")], ideas=rows)
    assert (await handover("import", "questdb", str(first), environment=QUICK)).code == 0
    later = [version for row in rows[:30] for version in newer(row, title="New")]
    folder = export(tmp_path / "old", systems=[system(id="s", name="Hub")], ideas=[*later, idea(id="held")])
    async with gate.before("ideas", "held"):
        running = await start_command("import", "questdb", str(folder), "--since-last", environment=QUICK)
        await wait_for(gate.waited_at, 60)
        os.kill(running.process.pid, signal.SIGKILL)
        await running.finish()
    assert await sql.fetchval("SELECT count(*) FROM ideas WHERE title = 'New'") == 30
    job_id = str(await sql.fetchval("SELECT id FROM jobs WHERE state = 'running'"))
    async with running_app(data_dir=tmp_path / "data", import_batch_rows=10, job_lease_s=2.0) as client:
        job = await ended(client, job_id, timeout=60)
        assert counts(job, new=1, changed=30, unchanged=1, vanished=10)
        assert (await undone(client, job_id))["result"]["restored"] == 30
    assert await sql.fetchval("SELECT count(*) FROM ideas WHERE title = 'New'") == 0


async def test_another_store_of_the_same_registry_is_the_same_source(
    takeover: Takeover,
    client: httpx.AsyncClient,
    old: Connection,
    old_url: str,
    questdb: Relay,
    tmp_path: Path,
) -> None:
    """From an export of it to itself while it runs: what says the same is unchanged, and an edit here is none
    there.
    """
    hub, a, b = system(id=SYSTEM_ID, name="Hub"), idea(id=IDEA_ID, title="Old"), idea(id=FILE_ID)
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[a, b]))
    await client.put(f"/api/v1/ideas/{FILE_ID}", json={"title": "Changed here"})
    await fill(old, _QUESTDB, systems=[hub], ideas=[{**a, "title": "New"}, b], files=[])
    job = await takeover(questdb.url, since_last=True)
    assert counts(job, changed=1, unchanged=2)
    assert (await one(client, f"ideas/{IDEA_ID}"))["title"] == "New"
    assert (await one(client, f"ideas/{FILE_ID}"))["title"] == "Changed here"
    job = await takeover(old_url, source="postgres", since_last=True)
    assert job["state"] == "succeeded"
    assert job["result"]["sinceLast"]["previous"] != job["id"]
    assert (await one(client, f"ideas/{FILE_ID}"))["title"] == "Changed here"
