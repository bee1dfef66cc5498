"""Imports beside what is stored already, beside each other, and beside people who change items meanwhile."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx

from features.imports.queries.tables import ITEMS
from features.imports.tests.conftest import Held
from features.imports.tests.factories import (
    FIVE,
    IMPORTS,
    begun,
    ended,
    imported,
    lowdb,
    many,
    post,
    record,
)
from tests.fixtures.application import RunningApp
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

Folders = Callable[[], list[str]]
OnInsert = Callable[[str, str], Awaitable[None]]


async def rows(sql: "asyncpg.Connection", table: str) -> int:
    return int(await sql.fetchval(f"SELECT count(*) FROM {table}"))


async def versions(sql: "asyncpg.Connection") -> dict[str, int]:
    return {row["id"]: row["version"] for row in await sql.fetch("SELECT id, version FROM items")}


async def test_running_it_again_changes_nothing(client: httpx.AsyncClient, sql: "asyncpg.Connection") -> None:
    content = lowdb([*FIVE, *many(50)])
    await imported(client, content)
    before = await sql.fetch("SELECT * FROM items ORDER BY id")
    entries = await rows(sql, "audit_entries")
    for mode in ("skip", "overwrite"):
        result = (await imported(client, content, on_conflict=mode))["result"]
        assert (result["imported"], result["updated"], result["verified"]) == (0, 0, 55)
        assert await sql.fetch("SELECT * FROM items ORDER BY id") == before
    assert await rows(sql, "audit_entries") == entries


async def test_skip_keeps_what_is_stored(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb(list(FIVE)))
    await client.put(f"/api/items/{FIVE[0]['id']}", json={"title": "Changed by a person"})
    result = (await imported(client, lowdb([*FIVE, record(id="sixth")])))["result"]
    assert (result["imported"], result["kept"], result["verified"], result["changedSince"]) == (1, 5, 5, 0)
    item = (await client.get(f"/api/items/{FIVE[0]['id']}")).json()["data"]
    assert item["title"] == "Changed by a person"


async def test_overwrite_converges_and_touches_only_what_differs(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    await imported(client, lowdb(list(FIVE)))
    changed = {**FIVE[0], "title": "Changed in the source", "tags": ["other"]}
    result = (await imported(client, lowdb([changed, *FIVE[1:]]), on_conflict="overwrite"))["result"]
    assert (result["imported"], result["updated"], result["unchanged"], result["verified"]) == (0, 1, 4, 5)
    assert (await client.get(f"/api/items/{FIVE[0]['id']}")).json()["data"] == changed
    assert await versions(sql) == {str(each["id"]): 2 if each is FIVE[0] else 1 for each in FIVE}


async def test_overwrite_takes_back_what_a_person_changed(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb(list(FIVE)))
    await client.put(f"/api/items/{FIVE[0]['id']}", json={"title": "Changed by a person"})
    result = (await imported(client, lowdb(list(FIVE)), on_conflict="overwrite"))["result"]
    assert (result["updated"], result["verified"]) == (1, 5)
    assert (await client.get(f"/api/items/{FIVE[0]['id']}")).json()["data"] == FIVE[0]


async def test_fail_stops_before_anything_is_written(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb([FIVE[2]]))
    job = await imported(client, lowdb(list(FIVE)), on_conflict="fail")
    assert job["state"] == "failed"
    assert job["error"] == "1 items exist already, for example 42; nothing was imported"
    assert (await client.get("/api/items")).json()["count"] == 1


async def test_fail_imports_when_nothing_is_stored(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb(list(FIVE)), on_conflict="fail")
    assert (job["state"], job["result"]["imported"]) == ("succeeded", 5)


async def test_fail_stops_at_a_row_that_came_after_the_look(
    running_app: RunningApp, held_at: Held, sql: "asyncpg.Connection"
) -> None:
    """Between preflight and its batch: what was loaded before stays, and nothing of the batch."""
    records = many(200)
    async with running_app(import_batch_rows=10) as client, AsyncExitStack() as stack:
        release = await stack.enter_async_context(AsyncExitStack())
        waiting = await release.enter_async_context(held_at(str(records[5]["id"])))
        job_id = await stack.enter_async_context(begun(client, lowdb(records), on_conflict="fail"))
        await wait_for(waiting)
        late = {**records[150], "title": "here"}
        await sql.execute(
            "INSERT INTO items (id, title, description, category, priority) VALUES ($1, $2, $3, $4, $5)",
            *(str(late[name]) for name in ("id", "title", "description", "category", "priority")),
        )
        await release.aclose()
        job = await ended(client, job_id)
    told = f"1 items came in between, for example {late['id']}; what was loaded before stays"
    assert (job["state"], job["error"]) == ("failed", told)
    assert await rows(sql, "items") == 151
    assert await sql.fetchval("SELECT title FROM items WHERE id = $1", late["id"]) == "here"


async def test_a_dry_run_writes_nothing_but_its_job(
    client: httpx.AsyncClient, sql: "asyncpg.Connection", import_folders: Folders
) -> None:
    await imported(client, lowdb([FIVE[0]]))
    counts = {table: await rows(sql, table) for table in ("items", "audit_entries", "import_rejects")}
    job = await imported(client, lowdb([*FIVE, record(title=""), "bad"]), dry_run="true")
    assert job["state"] == "succeeded"
    assert job["dryRun"] is True
    result = job["result"]
    assert (result["records"], result["rejected"], result["existing"]) == (7, 2, 1)
    assert (result["imported"], result["verified"]) == (0, 0)
    assert [each["path"] for each in result["rejects"]] == ["items[5]", "items[6]"]
    assert result["rejects"][0]["reason"] == "title: must not be empty"
    assert {table: await rows(sql, table) for table in counts} == counts
    for form in ("ndjson", "csv"):
        answer = await client.get(f"{IMPORTS}/{job['id']}/rejects", params={"form": form})
        assert (answer.status_code, answer.json()["success"]) == (409, False)
        assert "its result names the first 20" in answer.json()["message"]
    assert import_folders() == []


async def test_a_dry_run_fails_as_the_import_would(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb([FIVE[0]]))
    content = lowdb([*FIVE, "bad"])
    conflict = await imported(client, content, dry_run="true", on_conflict="fail")
    assert "1 items exist already" in conflict["error"]
    rejects = await imported(client, content, dry_run="true", max_rejects="0")
    assert "More than 0 records" in rejects["error"]
    broken = await imported(client, content[:-5], dry_run="true")
    assert "byte" in broken["error"]


async def test_verify_finds_a_row_that_is_not_what_the_source_says(
    client: httpx.AsyncClient, on_insert: OnInsert, import_folders: Folders
) -> None:
    await on_insert("42", "NEW.description := NEW.description || ' '")
    job = await imported(client, lowdb(list(FIVE)))
    assert job["state"] == "failed"
    assert job["error"] == "Verification failed: 1 of 5 items differ from the source: 42 (different)"
    assert job["phase"] == "verify"
    assert import_folders() == []


async def test_verify_finds_a_row_that_is_missing(client: httpx.AsyncClient, on_insert: OnInsert) -> None:
    await on_insert("42", "RETURN NULL")
    job = await imported(client, lowdb(list(FIVE)))
    assert job["error"] == "Verification failed: 1 of 5 items differ from the source: 42 (missing)"


async def test_verify_understands_that_people_change_items(
    client: httpx.AsyncClient, on_insert: OnInsert
) -> None:
    await on_insert("42", "NEW.title := 'changed'; NEW.version := NEW.version + 1")
    job = await imported(client, lowdb(list(FIVE)))
    assert job["state"] == "succeeded"
    assert (job["result"]["verified"], job["result"]["changedSince"]) == (4, 1)


async def test_verify_understands_that_people_delete_items(client: httpx.AsyncClient, held_at: Held) -> None:
    """Deleted and changed between load and verify: the first batch is there while the last one is held."""
    records = many(4001)
    gone, changed = (str(records[number]["id"]) for number in (7, 8))
    async with AsyncExitStack() as stack:
        release = await stack.enter_async_context(AsyncExitStack())
        waiting = await release.enter_async_context(held_at(str(records[-1]["id"])))
        job_id = await stack.enter_async_context(begun(client, lowdb(records)))
        await wait_for(waiting)

        async def deleted() -> bool:
            return (await client.delete(f"/api/items/{gone}")).status_code == 200

        await wait_for(deleted)
        assert (await client.put(f"/api/items/{changed}", json={"title": "x"})).status_code == 200
        await release.aclose()
    job = await ended(client, job_id)
    assert job["state"] == "succeeded", job["error"]
    assert (job["result"]["verified"], job["result"]["changedSince"]) == (3999, 2)


async def test_one_audit_entry_stands_for_a_batch(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    answer = await client.post(
        IMPORTS,
        files={"file": ("x.json", lowdb(list(FIVE)))},
        data={"source": "lowdb"},
        headers={"x-user-id": "maria", "x-request-id": "request-1"},
    )
    job = await ended(client, answer.json()["data"]["id"])
    [entry] = await sql.fetch("SELECT * FROM audit_entries")
    assert (entry["entity"], entry["entity_id"], entry["action"]) == ("item", job["id"], "imported")
    assert (entry["actor"], entry["request_id"]) == ("maria", "request-1")


async def test_only_one_import_at_a_time(
    client: httpx.AsyncClient, held_at: Held, import_folders: Folders
) -> None:
    async with AsyncExitStack() as stack:
        release = await stack.enter_async_context(AsyncExitStack())
        waiting = await release.enter_async_context(held_at("42"))
        first = await stack.enter_async_context(begun(client, lowdb(list(FIVE))))
        await wait_for(waiting)
        assert import_folders() == [first]
        second = await post(client, lowdb(many(10)))
        assert second.status_code == 409
        assert first in second.json()["message"]
        assert import_folders() == [first]
        await release.aclose()
    assert (await ended(client, first))["state"] == "succeeded"
    assert (await client.get("/api/items")).json()["count"] == 5
    assert (await imported(client, lowdb(many(10))))["state"] == "succeeded"


async def test_a_cancelled_import_keeps_whole_batches_and_no_files(
    running_app: RunningApp, held_at: Held, import_folders: Folders, sql: "asyncpg.Connection"
) -> None:
    records = many(200)
    async with running_app(import_batch_rows=10) as client, AsyncExitStack() as stack:
        release = await stack.enter_async_context(AsyncExitStack())
        waiting = await release.enter_async_context(held_at(str(records[105]["id"])))
        job_id = await stack.enter_async_context(begun(client, lowdb(records)))
        await wait_for(waiting)
        assert (await client.post(f"/api/v1/jobs/{job_id}/cancel")).status_code == 200
        await release.aclose()
        assert (await ended(client, job_id))["state"] == "cancelled"
    # Batches under way beside the one that was held may have been given up too.
    assert 100 - 10 * ITEMS.declared.at_once < await rows(sql, "items") < 200
    assert await rows(sql, "items") % 10 == 0
    assert import_folders() == []


async def test_rows_are_seen_at_once_by_the_next_read(client: httpx.AsyncClient, held_at: Held) -> None:
    """The first batches are visible, through the cache, while a later one is still being loaded."""
    records = many(4001)

    async def total() -> int:
        return int((await client.get("/api/items", params={"limit": 1})).json()["total"])

    assert await total() == 0
    async with AsyncExitStack() as stack:
        release = await stack.enter_async_context(AsyncExitStack())
        waiting = await release.enter_async_context(held_at(str(records[-1]["id"])))
        job_id = await stack.enter_async_context(begun(client, lowdb(records)))
        await wait_for(waiting)

        async def seen() -> bool:
            return await total() == 4000

        await wait_for(seen)
        await release.aclose()
    assert (await ended(client, job_id))["result"]["verified"] == 4001
    assert await total() == 4001


async def test_leftovers_are_swept_before_the_next_import(
    client: httpx.AsyncClient, import_folders: Folders, settings: object
) -> None:
    root = settings.data_dir / "imports"  # type: ignore[attr-defined]
    for name in ("incoming-dead", "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01"):
        (root / name).mkdir(parents=True)
        (root / name / "source.json").write_text("x")
    await imported(client, lowdb([FIVE[0]]))
    assert import_folders() == []
