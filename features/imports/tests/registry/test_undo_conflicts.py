"""Takeovers that cannot be taken back as things are: the reasons are told, and nothing happens."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from core.settings import Settings
from features.imports.tests.factories import undone
from features.imports.tests.registry.conftest import Takeover
from features.imports.tests.registry.factories import export, idea, system
from features.imports.tests.registry.present import (
    NEW_IDEA,
    NEW_SYSTEM,
    created,
    everything,
    stored,
    uploaded,
    whole,
)

if TYPE_CHECKING:
    import asyncpg

Meddle = Callable[[httpx.AsyncClient, Takeover, Path], Awaitable[str]]


async def change_system(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    await client.put("/api/v1/systems/s", json={"port": 1})
    return "system s was changed"


async def change_idea(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    await client.put("/api/v1/ideas/i", json={"title": "Changed"})
    return "idea i was changed"


async def change_file(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    await client.put("/api/v1/files/f", json={"description": "Changed"})
    return "file f was changed"


async def unlink_file(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    """Other than a system that goes and takes the link with it."""
    answer = await client.put("/api/v1/files/f", json={"system_id": None})
    assert answer.json()["data"]["updatedAt"]
    return "file f was changed"


async def overwrite_idea(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    job = await takeover(export(folder, ideas=[idea(id="i", title="x")]), on_conflict="overwrite")
    return f"idea i was overwritten by import {job['id']}"


async def add_idea(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    added = await created(client, "ideas", {**NEW_IDEA, "systemId": "s"})
    return f"idea {added} belongs to s, which the import brought"


async def add_imported_idea(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    await takeover(export(folder, ideas=[idea(id="later", system_id="s")]))
    return "idea later belongs to s, which the import brought"


async def add_file_to_system(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    added = await uploaded(client, system_id="s")
    return f"file {added} belongs to s, which the import brought"


async def add_file_to_idea(client: httpx.AsyncClient, takeover: Takeover, folder: Path) -> str:
    added = await uploaded(client, idea_id="i")
    return f"file {added} belongs to i, which the import brought"


MEDDLES: list[Meddle] = [
    change_system,
    change_idea,
    change_file,
    unlink_file,
    overwrite_idea,
    add_idea,
    add_imported_idea,
    add_file_to_system,
    add_file_to_idea,
]


@pytest.mark.parametrize("meddle", MEDDLES)
async def test_what_was_changed_can_stay_with_what_it_needs(
    meddle: Meddle,
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    uploads: Path,
    tmp_path: Path,
) -> None:
    """Links and bytes, too: nothing that was changed since is lost. The dry run tells the same."""
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    brought = await everything(sql)
    await meddle(client, takeover, tmp_path / "other")
    before = await everything(sql)
    tried = await undone(client, job["id"], keep_changed="true", dry_run="true")
    assert await everything(sql) == before
    undo = await undone(client, job["id"], keep_changed="true")
    assert undo["state"] == "succeeded", undo["error"]
    assert undo["result"] == tried["result"]
    after = await everything(sql)
    changed = {name for name, row in before.items() if brought.get(name) != row}
    kept = {f"{each['entity']}s {each['id']}" for each in undo["result"]["firstKept"]}
    assert undo["result"]["kept"] == len(kept) > 0
    assert changed | kept == set(after)
    assert after == {name: before[name] for name in after}, "what stays is as it was"
    assert undo["result"]["deleted"] == 3 - len(kept)
    for file in (await client.get("/api/v1/files")).json()["data"]:
        assert (await client.get(f"/api/v1/files/{file['id']}/download")).status_code == 200


@pytest.mark.parametrize("meddle", MEDDLES)
async def test_one_conflict_stops_all_of_it(
    meddle: Meddle,
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    settings: Settings,
    uploads: Path,
    tmp_path: Path,
) -> None:
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    conflict = await meddle(client, takeover, tmp_path / "other")
    before, objects = await everything(sql), stored(settings)
    undo = await undone(client, job["id"])
    assert undo["state"] == "failed"
    assert undo["error"] == f"Nothing was undone because of 1 conflict: {conflict}"
    assert (undo["result"]["rows"], undo["result"]["conflicts"]) == (3, 1)
    [told] = undo["result"]["firstConflicts"]
    assert f"{told['entity']} {told['id']} {told['what']}" == conflict
    assert await everything(sql) == before
    assert stored(settings) == objects


async def test_what_somebody_put_back_or_deleted_is_no_conflict(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    for kind, row_id, field in (("systems", "s", "port"), ("ideas", "i", "assignedTo")):
        before = (await client.get(f"/api/v1/{kind}/{row_id}")).json()["data"].get(field)
        for value in (7, before) if field == "port" else ("Ours", before):
            answer = await client.put(f"/api/v1/{kind}/{row_id}", json={field: value})
            assert answer.status_code == 200, answer.text
    await client.get("/api/v1/files/f/download")
    await client.put("/api/v1/files/f", json={"description": "Changed"})
    await client.delete("/api/v1/files/f")
    undo = await undone(client, job["id"])
    assert undo["result"] == {"importJobId": job["id"], "deleted": 2, "restored": 0, "gone": 1}
    assert await everything(sql) == {}


async def test_what_came_again_with_another_import_is_not_in_the_way(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    await client.delete("/api/v1/systems/s")
    again = export(tmp_path / "again", systems=[system(id="s")], ideas=[idea(id="j", system_id="s")])
    assert (await takeover(again))["result"]["imported"] == 2
    undo = await undone(client, job["id"])
    assert undo["result"] == {"importJobId": job["id"], "deleted": 2, "restored": 0, "gone": 1}
    assert set(await everything(sql)) == {"systems s", "ideas j"}


async def test_rows_of_a_table_that_nobody_here_knows_stop_it(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    await sql.execute(
        "CREATE TABLE comments (id text PRIMARY KEY, idea_id text REFERENCES ideas ON DELETE CASCADE);"
        "SELECT handover_audit('comments', 'comment', '{id,idea_id}', version => NULL);"
        "CREATE TABLE marks (name text REFERENCES systems (name) ON DELETE SET NULL);"
        "INSERT INTO comments VALUES ('c', 'i'); INSERT INTO marks VALUES ('Hub')"
    )
    try:
        before = await everything(sql)
        undo = await undone(client, job["id"])
        told = {each["entity"]: (each["id"], each["what"]) for each in undo["result"]["firstConflicts"]}
        assert told == {
            "comment": ("c", "belongs to i, which the import brought"),
            "marks": ("(0,1)", "belongs to s, which the import brought"),
        }
        assert await everything(sql) == before
        assert await sql.fetchval("SELECT count(*) FROM comments") == 1
    finally:
        await sql.execute("DROP TABLE comments, marks; DROP FUNCTION handover_audit_comment")
    assert (await undone(client, job["id"]))["result"]["deleted"] == 3


async def test_what_cannot_be_what_it_was_is_told(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    await takeover(
        export(
            tmp_path / "old",
            systems=[system(id="s", name="Hub"), system(id="gone")],
            ideas=[idea(id="i", system_id="gone")],
        )
    )
    changed = export(
        tmp_path / "changed", systems=[system(id="s", name="Other")], ideas=[idea(id="i", system_id="s")]
    )
    job = await takeover(changed, on_conflict="overwrite")
    await client.delete("/api/v1/systems/gone")
    ours = await created(client, "systems", {**NEW_SYSTEM, "name": "Hub"})
    before = await everything(sql)
    undo = await undone(client, job["id"])
    assert undo["error"] == (
        "Nothing was undone because of 2 conflicts, for example: "
        f"system s had the name Hub, which {ours} has now; idea i belonged to gone, which is gone"
    )
    assert await everything(sql) == before
    await client.put(f"/api/v1/systems/{ours}", json={"name": "Ours"})
    await sql.execute(
        "INSERT INTO systems (id, name, description, status) VALUES ('gone', 'g', 'd', 'online')"
    )
    undo = await undone(client, job["id"])
    assert (undo["result"]["deleted"], undo["result"]["restored"]) == (0, 2)
    assert (await client.get("/api/v1/ideas/i")).json()["data"]["system"]["id"] == "gone"


async def test_a_conflict_that_is_out_of_the_way_is_none(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    job = await takeover(whole(tmp_path / "old"), files=uploads)
    added = await created(client, "ideas", {**NEW_IDEA, "systemId": "s"})
    assert (await undone(client, job["id"]))["state"] == "failed"
    await client.put(f"/api/v1/ideas/{added}", json={"systemId": None})
    assert (await undone(client, job["id"]))["result"]["deleted"] == 3
    assert list(await everything(sql)) == [f"ideas {added}"]


async def test_what_somebody_linked_while_the_import_ran_is_a_conflict_too(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "old", ideas=[idea(id="i")]))
    changed = export(tmp_path / "changed", systems=[system(id="s")], ideas=[idea(id="i", title="Other")])
    job = await takeover(changed, on_conflict="overwrite")
    # As if somebody had given the idea to the new system before the idea was overwritten.
    await sql.execute('UPDATE import_before_images SET row = (row::jsonb || \'{"system_id": "s"}\')::json')
    before = await everything(sql)
    undo = await undone(client, job["id"])
    assert undo["error"] == (
        "Nothing was undone because of 1 conflict: idea i belongs to s, which the import brought"
    )
    assert await everything(sql) == before
