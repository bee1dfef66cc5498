"""The old audit log: it becomes part of the trail, once, in its order and with its times."""

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.tests.registry.conftest import Gate, Takeover
from features.imports.tests.registry.factories import AUDIT, entry, export, idea
from features.imports.tests.registry.test_live import _REAL, fill
from features.imports.tests.registry.test_resume import QUICK, Killed, resumed
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import StartCommand
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg


async def trail(client: httpx.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    """What was taken over, newest first."""
    answer = await client.get("/api/v1/audit", params={"limit": "200", **wanted})
    return [each for each in answer.json()["data"] if "takenOver" in each]


async def test_an_entry_says_what_it_said(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    changes = '{"title":{"old":"a","new":"b"},"n":18446744073709551616}'
    row = entry(
        id="e1",
        entity_id="i",
        changes=changes,
        ts="2024-05-01T12:00:00.123456Z",
        trace="t-1",
    )
    job = await takeover(export(tmp_path / "old", audit_log=[row]))
    assert job["state"] == "succeeded", job.get("error")
    assert job["arguments"]["unknown"] == {AUDIT: ["trace"]}
    [found] = await trail(client)
    assert found.pop("id")
    assert found == {
        "entity": "idea",
        "entityId": "i",
        "action": "updated",
        "user": "ada",
        "at": "2024-05-01T12:00:00.123Z",
        "client": "192.0.2.7",
        "takenOver": {
            "id": "e1",
            "fields": {"user_agent": "Firefox", "trace": "t-1"},
            "original": {"ts": "2024-05-01T12:00:00.123456Z", "action": "update", "changes": changes},
        },
        "changes": {"title": {"old": "a", "new": "b"}, "n": 18446744073709551616},
    }


async def test_entries_of_one_millisecond_keep_their_order_and_cursors_find_them(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    rows = [entry(id=f"e{n}", ts=f"2024-05-01T12:00:00.0000{n:02}Z", user_id=None) for n in range(30)]
    await takeover(export(tmp_path / "old", audit_log=rows))
    found = await trail(client)
    assert [each["takenOver"]["id"] for each in found] == [f"e{n}" for n in reversed(range(30))]
    assert {each["user"] for each in found} == {"anonymous"}
    page = (await client.get("/api/v1/audit", params={"entity": "idea", "limit": "10"})).json()
    rest = (
        await client.get(
            "/api/v1/audit", params={"entity": "idea", "limit": "200", "cursor": page["nextCursor"]}
        )
    ).json()
    assert [each["takenOver"]["id"] for each in page["data"] + rest["data"]] == [
        each["takenOver"]["id"] for each in found
    ]


async def test_postgres_gives_the_log_in_the_order_of_its_moments(
    takeover: Takeover, client: httpx.AsyncClient, old: Connection, old_url: str
) -> None:
    moments = [f"2024-05-01T12:00:00.0000{n:02}Z" for n in (7, 3, 9, 1)]
    rows = [entry(entity_id=moment[-3:-1], ts=moment, changes=None) for moment in moments]
    await fill(old, _REAL | {"ts": "timestamptz"}, systems=[], ideas=[], files=[], log=rows)
    await old.execute("ALTER TABLE documentation_audit_log RENAME ts TO created_at")
    await old.execute("ALTER TABLE documentation_audit_log ALTER changes TYPE jsonb USING changes::jsonb")
    job = await takeover(old_url, source="postgres")
    assert job["state"] == "succeeded", job.get("error")
    assert [each["entityId"] for each in await trail(client)] == ["09", "07", "03", "01"]


async def test_what_cannot_be_read_is_a_reject(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    rows = [
        entry(id="good"),
        entry(id="what", action="renamed"),
        entry(id="when", ts="soon"),
        entry(id=None),
        entry(id="text", changes="not json"),
        entry(id="list", changes="[1]"),
    ]
    job = await takeover(export(tmp_path / "old", audit_log=rows))
    assert (job["result"]["imported"], job["result"]["rejected"]) == (3, 3)
    rejects = (await client.get(f"/api/v1/imports/{job['id']}/rejects")).text.splitlines()
    assert [json.loads(each)["path"] for each in rejects] == [f"{AUDIT}[{row}]" for row in (1, 2, 3)]
    kept = {each["takenOver"]["id"]: each for each in await trail(client)}
    assert kept["list"]["changes"] == {}
    assert kept["list"]["takenOver"]["original"]["changes"] == "[1]"
    assert kept["text"]["takenOver"]["original"]["changes"] == "not json"


@pytest.mark.parametrize("on_conflict", ["skip", "overwrite", "fail"])
async def test_running_it_again_doubles_nothing_and_changes_nothing(
    on_conflict: str, takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "old", audit_log=[entry(id="a", user_id="ada")]))
    before = await trail(client)
    changed = [entry(id="a", user_id="eva"), entry(id="b")]
    job = await takeover(export(tmp_path / "new", audit_log=changed), on_conflict=on_conflict)
    assert job["state"] == "succeeded", job.get("error")
    assert (job["result"]["imported"], job["result"]["kept"]) == (1, 1)
    after = await trail(client)
    assert len(after) == 2
    assert before[0] in after


async def test_an_undo_leaves_the_log_and_the_next_import_does_not_double_it(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", ideas=[idea(id="i")], audit_log=[entry(entity_id="i")])
    job = await takeover(folder)
    before = await trail(client)
    answer = await client.post(f"/api/v1/imports/{job['id']}/undo")
    assert answer.status_code == 202, answer.text
    undo = answer.json()["data"]["id"]

    async def ended() -> bool:
        found = (await client.get(f"/api/v1/jobs/{undo}")).json()["data"]
        assert found["state"] != "failed", found
        return bool(found["state"] == "succeeded")

    await wait_for(ended)
    assert await sql.fetchval("SELECT count(*) FROM ideas") == 0
    assert await trail(client) == before
    again = await takeover(folder)
    assert (again["result"]["imported"], again["result"]["kept"]) == (1, 1)
    assert await trail(client) == before


async def test_activity_tells_of_it_at_once(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    created = (
        await client.post("/api/v1/systems", json={"name": "Hub", "description": "d", "status": "online"})
    ).json()["data"]
    path = "/api/v1/stats/activity?days=30"
    assert len((await client.get(path)).json()["activities"]) == 1
    row = entry(entity_type="system", entity_id=created["id"], ts=created["createdAt"], user_id="old-eva")
    await takeover(export(tmp_path / "old", audit_log=[row]))
    activities = (await client.get(path)).json()["activities"]
    assert {each["user"] for each in activities} >= {"old-eva"}
    assert [each["description"] for each in activities if each["user"] == "old-eva"] == [
        'System "Hub" was updated: title'
    ]


@pytest.mark.slow
async def test_a_killed_takeover_adds_the_rest_once(
    start_command: StartCommand,
    gate: Gate,
    sql: "asyncpg.Connection",
    running_app: RunningApp,
    client: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    rows = [entry(id=f"e{n:02}", ts=f"2024-05-01T12:00:{n:02}.000000Z") for n in range(50)]
    source = export(tmp_path / "old", audit_log=rows)
    async with gate.before("audit_entries", "e34", column="legacy_id"):
        running = await start_command("import", "questdb", str(source), environment=QUICK)
        await wait_for(gate.waited_at, 60)
        os.kill(running.process.pid, signal.SIGKILL)
        await running.finish()
    assert [each["takenOver"]["id"] for each in await trail(client)] == [
        f"e{n:02}" for n in range(29, -1, -1)
    ]
    job_id = str(await sql.fetchval("SELECT id FROM jobs"))
    job = await resumed(Killed(job_id, tmp_path / "data", source, tmp_path), running_app)
    assert job["state"] == "succeeded", job.get("error")
    assert (job["result"]["imported"], job["result"]["kept"], job["result"]["verified"]) == (50, 0, 50)
    assert [each["takenOver"]["id"] for each in await trail(client)] == [
        f"e{n:02}" for n in range(49, -1, -1)
    ]


async def test_a_trail_that_says_something_else_is_found_out(
    takeover: Takeover, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    await sql.execute(
        "CREATE FUNCTION meddle_entry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.actor := 'other'; "
        "RETURN NEW; END $$; CREATE TRIGGER meddle_entry BEFORE INSERT ON audit_entries FOR EACH ROW "
        "WHEN (NEW.legacy_id = 'a') EXECUTE FUNCTION meddle_entry()"
    )
    try:
        job = await takeover(export(tmp_path / "old", audit_log=[entry(id="a"), entry(id="b")]))
    finally:
        await sql.execute("DROP TRIGGER meddle_entry ON audit_entries; DROP FUNCTION meddle_entry")
    assert job["state"] == "failed"
    assert job["error"].startswith("Verification failed: 1 of 2 rows differ from the source: ")
