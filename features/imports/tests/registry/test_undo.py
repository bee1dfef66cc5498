"""Takeovers that are taken back: exactly what they brought to three tables and the store, or nothing."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from core.database.client import Database
from core.jobs import JobConflict
from core.settings import Settings
from features.imports.queries.bulk import BulkTable, Verdict
from features.imports.tests.factories import IMPORTS, ended, undone
from features.imports.tests.registry.conftest import Job, Takeover
from features.imports.tests.registry.factories import export, file, idea, system
from features.imports.tests.registry.present import NEW_IDEA, NEW_SYSTEM, created, everything, stored, whole

if TYPE_CHECKING:
    import asyncpg

READS = ("/api/v1/systems", "/api/v1/ideas", "/api/v1/files", "/api/v1/stats", "/api/v1/search?q=wordofguide")


async def test_what_was_inserted_goes(
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    settings: Settings,
    uploads: Path,
    tmp_path: Path,
) -> None:
    ours = await created(client, "systems", NEW_SYSTEM)
    await created(client, "ideas", {**NEW_IDEA, "systemId": ours})
    before, objects = await everything(sql), stored(settings)
    answers = [(await client.get(path)).json() for path in READS[:3]]
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    assert job["result"]["imported"] == 3
    for path in READS:
        assert (await client.get(path)).status_code == 200
    undo = await undone(client, job["id"])
    assert undo["state"] == "succeeded", undo["error"]
    assert undo["result"] == {"importJobId": job["id"], "deleted": 3, "restored": 0, "gone": 0}
    assert await everything(sql) == before
    assert stored(settings) == objects, "the bytes go with their row"
    assert [(await client.get(path)).json() for path in READS[:3]] == answers, "a cache would still have them"
    assert (await client.get(READS[4])).json()["data"] == []
    for table in ("import_runs", "import_pages", "import_before_images"):
        assert await sql.fetchval(f"SELECT count(*) FROM {table}") == 0
    entry = await sql.fetchrow("SELECT * FROM audit_entries WHERE entity = 'import'")
    assert entry is not None
    assert (entry["entity_id"], entry["action"]) == (job["id"], "deleted")
    assert json.loads(entry["changes"]) == {"job": undo["id"], "deleted": 3, "restored": 0}


async def test_what_was_overwritten_becomes_what_it_was(
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    settings: Settings,
    uploads: Path,
    tmp_path: Path,
) -> None:
    await takeover(whole(tmp_path / "old"), files=uploads)
    await client.put("/api/v1/systems/s", json={"port": 3500, "name": "Renamed", "metadata": {"a": [1.5]}})
    await client.put("/api/v1/ideas/i", json={"status": "completed", "tags": ["x", "y"]})
    await client.put("/api/v1/files/f", json={"description": "Ours", "system_id": None})
    before, objects = await everything(sql), stored(settings)
    (uploads / "guide.md").write_text("# Other\n\nwordofother\n")
    changed = export(
        tmp_path / "changed",
        systems=[system(id="s", name="Other", metadata=None), system(id="new")],
        ideas=[idea(id="i", title="Other", system_id="new"), idea(id="more", system_id="new")],
        files=[file(id="f", idea_id="more", system_id="new", download_count=9)],
    )
    second = await takeover(changed, files=uploads, on_conflict="overwrite")
    assert (second["result"]["updated"], second["result"]["imported"]) == (3, 2)
    assert [each["id"] for each in (await client.get("/api/v1/search?q=wordofother")).json()["data"]]
    undo = await undone(client, second["id"])
    assert undo["state"] == "succeeded", undo["error"]
    assert (undo["result"]["deleted"], undo["result"]["restored"]) == (2, 3)
    assert await everything(sql) == before
    assert stored(settings) == objects
    assert "wordofguide" in (await client.get("/api/v1/files/f/download")).text
    assert (await client.get("/api/v1/search?q=wordofother")).json()["data"] == []
    assert [each["id"] for each in (await client.get("/api/v1/search?q=wordofguide")).json()["data"]] == [
        "upload:f"
    ]
    again = await takeover(changed, files=uploads, on_conflict="overwrite")
    assert (again["result"]["updated"], again["result"]["imported"]) == (3, 2)


async def test_imports_are_taken_back_in_the_reverse_of_their_order(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    first = await takeover(whole(tmp_path / "old"), files=uploads)
    (uploads / "guide.md").write_text("# Other\n")
    second = await takeover(whole(tmp_path / "old"), files=uploads, on_conflict="overwrite")
    refused = await undone(client, first["id"])
    assert [each["what"] for each in refused["result"]["firstConflicts"]][-1] == (
        f"was overwritten by import {second['id']}"
    )
    for job in (second, first):
        undo = await undone(client, job["id"])
        assert undo["state"] == "succeeded", undo["error"]
    assert await everything(sql) == {}
    third = await takeover(whole(tmp_path / "old"), files=uploads)
    assert third["result"]["imported"] == 3


async def reconciled(client: httpx.AsyncClient, settings: Settings) -> dict[str, bytes]:
    """What is left when everything was old enough to go."""
    for key in stored(settings):
        os.utime(settings.data_dir / "files" / key, (time.time() - 7 * 86400,) * 2)
    job = (await client.post("/api/v1/files/reconcile")).json()["data"]
    assert (await ended(client, job["id"]))["state"] == "succeeded"
    return stored(settings)


async def test_replaced_bytes_are_kept_as_long_as_they_may_come_back(
    takeover: Takeover, client: httpx.AsyncClient, settings: Settings, uploads: Path, tmp_path: Path
) -> None:
    await reconciled(client, settings)
    await takeover(whole(tmp_path / "old"), files=uploads)
    objects = stored(settings)
    (uploads / "guide.md").write_text("# Other\n")
    await takeover(whole(tmp_path / "old"), files=uploads, on_conflict="overwrite")
    both = stored(settings)
    assert len(both) == len(objects) + 1
    assert await reconciled(client, settings) == both
    await client.delete("/api/v1/files/f")
    assert len(await reconciled(client, settings)) == len(objects) - 1, "they cannot come back any more"


async def test_a_row_that_appears_while_it_is_overwritten_is_put_aside_too(
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = BulkTable.verdicts

    async def verdicts(table: BulkTable, tx: Database, entries_json: str) -> dict[str, Verdict]:
        found = await real(table, tx, entries_json)
        await sql.execute(
            "INSERT INTO ideas (id, title, description, category, priority) "
            "VALUES ('a', 'Ours', 'd', 'docs', 'low') ON CONFLICT DO NOTHING"
        )
        return found

    monkeypatch.setattr(BulkTable, "verdicts", verdicts)
    job = await takeover(
        export(tmp_path / "old", ideas=[idea(id="a"), idea(id="b")]), on_conflict="overwrite"
    )
    assert (job["result"]["imported"], job["result"]["updated"]) == (1, 1)
    undo = await undone(client, job["id"])
    assert (undo["result"]["deleted"], undo["result"]["restored"]) == (1, 1)
    assert (await client.get("/api/v1/ideas/a")).json()["data"]["title"] == "Ours"


async def test_only_what_brought_something_can_be_undone_and_only_once(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", systems=[system(id="s")])
    dry: Job = await takeover(folder, dry_run=True)
    answer = await client.post(f"{IMPORTS}/{dry['id']}/undo")
    assert (answer.status_code, answer.json()["message"]) == (
        409,
        f"Import {dry['id']} was a dry run: it has written nothing to take back",
    )
    job = await takeover(folder)
    kept = await takeover(folder)
    assert (await undone(client, kept["id"]))["result"]["deleted"] == 0
    assert (await undone(client, job["id"]))["result"]["deleted"] == 1
    assert (await client.post(f"{IMPORTS}/{job['id']}/undo")).status_code == 409


async def test_an_undo_and_imports_wait_for_each_other(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", systems=[system(id="s")])
    job, other = await takeover(folder), await takeover(folder)
    await sql.execute(
        "UPDATE jobs SET state = 'running', exclusive_key = 'import', finished_at = NULL, "
        "lease_expires_at = now() + interval '1 hour' WHERE id = $1::uuid",
        other["id"],
    )
    answer = await client.post(f"{IMPORTS}/{job['id']}/undo")
    assert answer.status_code == 409
    assert answer.json()["message"].startswith(f"Job {other['id']} has not ended yet, and import.undo")
    for source in ("questdb", "postgres"):
        with pytest.raises(JobConflict, match=other["id"]):
            await takeover(folder, source=source)
