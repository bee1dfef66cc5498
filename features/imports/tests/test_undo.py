"""Imports that are taken back: exactly what they brought, or nothing."""

import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from core.database.client import Database
from features.imports.queries.bulk import BulkTable, Verdict
from features.imports.tests.factories import FIVE, IMPORTS, ended, imported, lowdb, many, record, undone
from tests.fixtures.database import WAITING_LOCKS
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

QUICK_LEASE = {"JOB_LEASE_S": "2", "JOB_HEARTBEAT_S": "0.5"}


async def everything(sql: "asyncpg.Connection") -> dict[str, dict[str, Any]]:
    """All items by id, without what grows whatever happens."""
    rows = [dict(row) for row in await sql.fetch("SELECT * FROM items")]
    return {row["id"]: {k: v for k, v in row.items() if "version" not in k} for row in rows}


async def test_what_was_inserted_goes(client: httpx.AsyncClient, sql: "asyncpg.Connection") -> None:
    body = {"title": "Ours", "description": "d", "category": "dashboard", "priority": "low"}
    ours = (await client.post("/api/items", json=body)).json()["data"]["id"]
    job = await imported(client, lowdb([*FIVE, "bad"]))
    undo = await undone(client, job["id"])
    assert undo["state"] == "succeeded", undo["error"]
    assert undo["result"] == {"importJobId": job["id"], "deleted": 5, "restored": 0, "gone": 0}
    assert set(await everything(sql)) == {ours}
    assert (await client.get("/api/items")).json()["count"] == 1, "a cached list would still have them"
    for table in ("import_runs", "import_pages", "import_before_images"):
        assert await sql.fetchval(f"SELECT count(*) FROM {table}") == 0
    entry = await sql.fetchrow("SELECT * FROM audit_entries WHERE entity = 'import'")
    assert entry is not None
    assert (entry["entity_id"], entry["action"]) == (job["id"], "deleted")


async def test_what_was_overwritten_becomes_what_it_was(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    odd = record(id="odd", votes=3, createdAt="2025-10-23", updatedAt=...)
    first = await imported(client, lowdb([*FIVE, odd]))
    await client.put("/api/items/B", json={"title": "Changed by a person", "tags": ["x"]})
    before = await everything(sql)
    changed = [{**each, "title": f"Other {number}"} for number, each in enumerate((*FIVE, odd))]
    second = await imported(client, lowdb([*changed, record(id="new")]), on_conflict="overwrite")
    assert (second["result"]["updated"], second["result"]["imported"]) == (6, 1)
    versions = {row["id"]: row["version"] for row in await sql.fetch("SELECT id, version FROM items")}
    undo = await undone(client, second["id"])
    assert (undo["result"]["deleted"], undo["result"]["restored"]) == (1, 6)
    assert await everything(sql) == before
    for row_id, version in await sql.fetch("SELECT id, version FROM items"):
        assert version > versions[row_id], "one version has one content"
    undo = await undone(client, first["id"])
    assert undo["result"]["conflicts"] == 1, "the person's change still counts as one"
    assert undo["result"]["firstConflicts"] == [{"entity": "item", "id": "B", "what": "was changed"}]
    await client.put("/api/items/B", json={"title": FIVE[3]["title"], "tags": FIVE[3]["tags"]})
    assert (await undone(client, first["id"]))["result"]["deleted"] == 6, "it says again what was imported"


async def test_since_last_can_be_taken_back(client: httpx.AsyncClient, sql: "asyncpg.Connection") -> None:
    await imported(client, lowdb(list(FIVE)))
    before = await everything(sql)
    content = lowdb([{**FIVE[0], "title": "Changed"}, *FIVE[1:], record(id="new")])
    job = await imported(client, content, since_last="true")
    assert (await undone(client, job["id"]))["result"]["restored"] == 1
    assert await everything(sql) == before
    again = await imported(client, content, since_last="true")
    assert (again["result"]["updated"], again["result"]["imported"]) == (1, 1)


@pytest.mark.parametrize("how", ["changed", "overwritten"])
async def test_one_change_since_stops_all_of_it(
    client: httpx.AsyncClient, sql: "asyncpg.Connection", how: str
) -> None:
    job = await imported(client, lowdb(list(FIVE)))
    other = None
    if how == "changed":
        await client.put("/api/items/42", json={"title": "Changed"})
    else:
        other = await imported(client, lowdb([{**FIVE[2], "title": "x"}]), on_conflict="overwrite")
    before = await sql.fetch("SELECT *, xmin::text FROM items ORDER BY id")
    undo = await undone(client, job["id"])
    assert undo["state"] == "failed"
    what = f"was overwritten by import {other['id']}" if other else f"was {how}"
    assert undo["error"] == f"Nothing was undone because of 1 conflict: item 42 {what}"
    assert (undo["result"]["conflicts"], undo["result"]["rows"]) == (1, 5)
    assert undo["result"]["firstConflicts"] == [{"entity": "item", "id": "42", "what": what}]
    assert await sql.fetch("SELECT *, xmin::text FROM items ORDER BY id") == before
    if other:
        assert (await undone(client, other["id"]))["state"] == "succeeded"
        assert (await undone(client, job["id"]))["result"]["deleted"] == 5


async def test_what_somebody_deleted_is_undone_already(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    await imported(client, lowdb([FIVE[0]]))
    changed = {**FIVE[0], "title": "Changed"}
    job = await imported(client, lowdb([changed, *FIVE[1:]]), on_conflict="overwrite")
    for each in FIVE[:3]:
        await sql.execute("DELETE FROM items WHERE id = $1", each["id"])
    undo = await undone(client, job["id"])
    assert undo["result"] == {"importJobId": job["id"], "deleted": 2, "restored": 0, "gone": 3}
    assert await everything(sql) == {}


async def test_what_came_again_belongs_to_the_import_that_brought_it(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    """Deleted and imported once more it is another row; a third import that overwrites it comes first."""
    first = await imported(client, lowdb(list(FIVE)))
    await client.delete("/api/items/42")
    second = await imported(client, lowdb(list(FIVE)))
    assert second["result"]["imported"] == 1
    third = await imported(client, lowdb([{**FIVE[2], "title": "Third"}]), on_conflict="overwrite")
    assert (await undone(client, first["id"]))["result"]["conflicts"] == 1
    await undone(client, third["id"])
    undo = await undone(client, first["id"])
    assert undo["result"] == {"importJobId": first["id"], "deleted": 4, "restored": 0, "gone": 1}
    assert set(await everything(sql)) == {"42"}
    assert (await undone(client, second["id"]))["result"]["deleted"] == 1


async def test_an_edit_that_is_put_back_is_none(client: httpx.AsyncClient, sql: "asyncpg.Connection") -> None:
    job = await imported(client, lowdb([*FIVE, record(id="odd", votes=3, createdAt="2025-10-23")]))
    for item_id, title in (("42", FIVE[2]["title"]), ("odd", FIVE[0]["title"])):
        for text in ("Changed", "Changed again", title):
            await client.put(f"/api/items/{item_id}", json={"title": text, "tags": ["x"]})
    assert (await undone(client, job["id"]))["result"]["conflicts"] == 2, "the tags are not as they were"
    await client.put("/api/items/42", json={"tags": []})
    await client.put("/api/items/odd", json={"tags": FIVE[0]["tags"]})
    assert (await undone(client, job["id"]))["result"]["deleted"] == 6
    assert await sql.fetchval("SELECT count(*) FROM import_after_images") == 0


async def test_an_edit_that_an_undone_import_passed_over_can_be_put_back(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb(list(FIVE)))
    await client.put("/api/items/42", json={"title": "Changed"})
    other = await imported(client, lowdb(list(FIVE)), on_conflict="overwrite")
    assert other["result"]["updated"] == 1
    await undone(client, other["id"])
    assert (await undone(client, job["id"]))["result"]["conflicts"] == 1
    await client.put("/api/items/42", json={"title": FIVE[2]["title"]})
    assert (await undone(client, job["id"]))["result"]["deleted"] == 5


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "RESTRICT", "NO ACTION", "SET DEFAULT"])
async def test_rows_of_a_table_that_nobody_here_knows_stop_it(
    client: httpx.AsyncClient, sql: "asyncpg.Connection", action: str
) -> None:
    """As a slice brings that is added later. What the database would do to its rows makes no difference."""
    job = await imported(client, lowdb(list(FIVE)))
    await sql.execute(
        'CREATE TABLE "Odd notes" (id int PRIMARY KEY, "on" text '
        f"REFERENCES items (id) ON UPDATE CASCADE ON DELETE {action})"
    )
    try:
        await sql.execute("""INSERT INTO "Odd notes" VALUES (1, NULL), (7, '42')""")
        before = await everything(sql)
        undo = await undone(client, job["id"])
        assert undo["error"] == (
            'Nothing was undone because of 1 conflict: "Odd notes" 7 belongs to 42, which the import brought'
        )
        assert await everything(sql) == before
        assert await sql.fetchval("""SELECT "on" FROM "Odd notes" WHERE id = 7""") == "42"
        await sql.execute("""DELETE FROM "Odd notes" WHERE id = 7""")
        assert (await undone(client, job["id"]))["result"]["deleted"] == 5
    finally:
        await sql.execute('DROP TABLE "Odd notes"')


async def test_a_row_that_appears_while_it_is_overwritten_is_put_aside_too(
    client: httpx.AsyncClient, sql: "asyncpg.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BulkTable.verdicts

    async def verdicts(table: BulkTable, tx: Database, entries_json: str) -> dict[str, Verdict]:
        found = await real(table, tx, entries_json)
        await sql.execute(
            "INSERT INTO items (id, title, description, category, priority) "
            "VALUES ('42', 'Ours', 'd', 'dashboard', 'low') ON CONFLICT DO NOTHING"
        )
        return found

    monkeypatch.setattr(BulkTable, "verdicts", verdicts)
    job = await imported(client, lowdb(list(FIVE)), on_conflict="overwrite")
    assert (job["result"]["imported"], job["result"]["updated"]) == (4, 1)
    undo = await undone(client, job["id"])
    assert (undo["result"]["deleted"], undo["result"]["restored"]) == (4, 1)
    assert (await client.get("/api/items/42")).json()["data"]["title"] == "Ours"


async def test_kept_rows_are_not_what_it_brought(client: httpx.AsyncClient) -> None:
    await imported(client, lowdb(list(FIVE[:3])))
    second = await imported(client, lowdb(list(FIVE)))
    assert (await undone(client, second["id"]))["result"]["deleted"] == 2
    assert (await client.get("/api/items")).json()["count"] == 3


async def test_a_cancelled_import_can_be_taken_back(
    client: httpx.AsyncClient, sql: "asyncpg.Connection"
) -> None:
    job = await imported(client, lowdb(many(20)))
    await sql.execute("UPDATE jobs SET state = 'cancelled'")
    await sql.execute("UPDATE import_runs SET finished_at = NULL")
    assert (await undone(client, job["id"]))["result"]["deleted"] == 20


async def test_only_what_brought_something_can_be_undone(client: httpx.AsyncClient) -> None:
    job = await imported(client, lowdb(list(FIVE)), dry_run="true")
    assert (await client.post(f"{IMPORTS}/{job['id']}/undo")).status_code == 409
    job = await imported(client, lowdb(list(FIVE)))
    undo = await undone(client, job["id"])
    assert (await client.post(f"{IMPORTS}/{job['id']}/undo")).status_code == 409
    assert (await client.post(f"{IMPORTS}/{undo['id']}/undo")).status_code == 404
    for unknown in ("nonsense", "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01"):
        assert (await client.post(f"{IMPORTS}/{unknown}/undo")).status_code == 404


@pytest.mark.slow
async def test_a_killed_undo_has_done_nothing_and_is_done_later(
    live_server: StartServer, sql: "asyncpg.Connection"
) -> None:
    records = many(3000)
    first = await live_server(QUICK_LEASE)
    async with first.client() as client:
        job = await imported(client, lowdb(records))
        # The last row is held by somebody, after the others have been deleted.
        await sql.execute(
            "CREATE OR REPLACE FUNCTION stop_there() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock(7421002); RETURN OLD; END $$;"
            "CREATE TRIGGER stop_there BEFORE DELETE ON items FOR EACH ROW "
            f"WHEN (OLD.id = '{records[2500]['id']}') EXECUTE FUNCTION stop_there()"
        )
        await sql.execute("SELECT pg_advisory_lock(7421002)")
        try:
            undo_id = (await client.post(f"{IMPORTS}/{job['id']}/undo")).json()["data"]["id"]

            async def waiting() -> bool:
                return bool(
                    await sql.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS} WHERE locktype = 'advisory'")
                )

            await wait_for(waiting, 30)
            assert await sql.fetchval("SELECT count(*) FROM items") == 3000, "nobody sees a part of it"
            await first.stop(signal.SIGKILL)
        finally:
            await sql.execute("SELECT pg_advisory_unlock_all()")
            await sql.execute("DROP TRIGGER stop_there ON items; DROP FUNCTION stop_there")
    assert await sql.fetchval("SELECT count(*) FROM items") == 3000
    second = await live_server(QUICK_LEASE)
    async with second.client() as client:
        undo = await ended(client, undo_id, timeout=60)
    assert undo["state"] == "succeeded", undo["error"]
    assert undo["result"]["deleted"] == 3000
    assert await sql.fetchval("SELECT count(*) FROM items") == 0
