"""A whole registry, from the files of its export to the answers of the API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.errors import SourceUnavailable
from features.imports.tests.registry.conftest import Takeover
from features.imports.tests.registry.factories import NOON, export, idea, ideas, system

if TYPE_CHECKING:
    import asyncpg

TABLES = ("systems", "ideas", "files")


async def counts(sql: "asyncpg.Connection") -> dict[str, int]:
    return {table: await sql.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


async def rejects(client: httpx.AsyncClient, job_id: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/imports/{job_id}/rejects")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def problem_of(job: dict[str, Any]) -> str:
    assert job["state"] == "failed", job
    return str(job["error"])


async def test_systems_and_ideas_come_with_their_links(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    folder = export(
        tmp_path / "old",
        systems=[
            system(id="sys/1 ç", name="Orders 🎉", status="error", metadata='{"b":1.50,"aa":[true,null]}')
        ],
        ideas=[
            idea(id="a", system_id="sys/1 ç", status="done", priority="urgent", category="bug_fix"),
            idea(id="b", title='  "quotes", commas\r\nand lines  ', created_at="2024-05-01T10:00:00.123456Z"),
        ],
    )
    job = await takeover(folder)
    assert job["state"] == "succeeded", job.get("error")
    result = job["result"]
    assert (result["records"], result["imported"], result["verified"], result["rejected"]) == (3, 3, 3, 0)
    assert result["absent"] == ["documentation_files", "documentation_audit_log"]
    assert result["tables"]["documentation_ideas"]["translated"] == {
        "status": 1,
        "priority": 1,
        "category": 1,
    }
    shown = (await client.get("/api/v1/ideas/a")).json()["data"]
    assert shown["system"] == {"id": "sys/1 ç", "name": "Orders 🎉"}
    assert (shown["status"], shown["priority"], shown["category"]) == ("completed", "critical", "api")
    assert shown["completedAt"] == "2024-05-01T12:00:00.000Z"
    assert (shown["estimatedHours"], shown["actualHours"]) == (12.5, 0)
    other = (await client.get("/api/v1/ideas/b")).json()["data"]
    assert (other["title"], other["createdAt"]) == (
        '  "quotes", commas\r\nand lines  ',
        "2024-05-01T10:00:00.123Z",
    )
    system_shown = (await client.get("/api/v1/systems")).json()["data"][0]
    assert system_shown["metadata"] == {"b": 1.5, "aa": [True, None]}
    assert system_shown["status"] == "degraded"
    assert not {"legacy", "import_job_id", "importJobId"} & {*shown, *system_shown}
    legacy = json.loads(await sql.fetchval("SELECT legacy::text FROM ideas WHERE id = 'a'"))
    assert legacy["original"] == {
        "status": "done",
        "priority": "urgent",
        "category": "bug_fix",
        "completed_at": None,
    }
    assert legacy["fields"] == {"designated_timestamp": NOON}
    assert str(await sql.fetchval("SELECT DISTINCT import_job_id FROM ideas")) == job["id"]


async def test_the_newest_version_is_the_row_and_the_others_are_kept(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    later, latest = "2024-06-01T00:00:00.000000Z", "2024-07-01T00:00:00.000000Z"
    folder = export(
        tmp_path / "old",
        ideas=[
            idea(id="by update", title="old", updated_at=later),
            idea(id="by update", title="new", updated_at=latest),
            idea(id="by update", title="older", updated_at=None),
            idea(id="by timestamp", title="new", designated_timestamp=latest),
            idea(id="by timestamp", title="older", updated_at=latest),
            idea(id="by timestamp", title="old", designated_timestamp=later),
            idea(id="by order", title="old"),
            idea(id="by order", title="new"),
            idea(id="broken at last", title="good", updated_at=later),
            idea(id="broken at last", title="", updated_at=latest),
        ],
    )
    job = await takeover(folder, max_rejects=1)
    result = job["result"]
    assert (result["records"], result["superseded"], result["rejected"], result["imported"]) == (10, 6, 1, 3)
    titles = {each["id"]: each["title"] for each in (await client.get("/api/v1/ideas")).json()["data"]}
    assert titles == {"by update": "new", "by timestamp": "new", "by order": "new"}
    [kept] = await rejects(client, job["id"])
    assert (kept["path"], kept["record"]["title"]) == ("documentation_ideas[9]", "")
    assert kept["errors"] == [{"field": "title", "message": "must not be empty"}]
    table = (await client.get(f"/api/v1/imports/{job['id']}/rejects?form=csv")).text.splitlines()
    assert len(table) == 1 + result["rejected"] == 1 + len(result["rejects"]), "older versions are no rejects"


async def test_a_link_that_leads_nowhere_is_taken_off_and_told(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    first = export(tmp_path / "first", systems=[system(id="there")])
    await takeover(first)
    second = export(
        tmp_path / "second",
        systems=[system(id="bad", name="")],
        ideas=[
            idea(id="a", system_id="gone"),
            idea(id="b", system_id="bad"),
            idea(id="c", system_id="there"),
        ],
    )
    job = await takeover(second)
    assert job["result"]["tables"]["documentation_ideas"]["adapted"] == {"system_id": 2}
    links = {row["id"]: row["system_id"] for row in await sql.fetch("SELECT id, system_id FROM ideas")}
    assert links == {"a": None, "b": None, "c": "there"}
    legacy = json.loads(await sql.fetchval("SELECT legacy::text FROM ideas WHERE id = 'a'"))
    assert legacy["original"]["system_id"] == "gone"


async def test_a_dry_run_writes_nothing(
    takeover: Takeover,
    sql: "asyncpg.Connection",
    import_folders: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    folder = export(tmp_path / "old", systems=[system(id="1")], ideas=[idea(id="a"), idea(title="")])
    await takeover(export(tmp_path / "before", ideas=[idea(id="a")]))
    before = await counts(sql)
    job = await takeover(folder, dry_run=True)
    assert job["state"] == "succeeded"
    assert job["result"]["tables"]["documentation_ideas"]["existing"] == 1
    assert job["result"]["rejects"] == [
        {"path": "documentation_ideas[1]", "reason": "title: must not be empty"}
    ]
    assert await counts(sql) == before
    assert await sql.fetchval("SELECT count(*) FROM import_rejects") == 0
    assert import_folders() == []


async def test_running_it_again_changes_nothing(
    takeover: Takeover, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    rows = ideas(50)
    folder = export(tmp_path / "old", systems=[system(id="1")], ideas=rows)
    await takeover(folder)
    before = await sql.fetch("SELECT id, xmin::text FROM ideas ORDER BY id")
    for on_conflict, figure in (("skip", "kept"), ("overwrite", "unchanged")):
        result = (await takeover(folder, on_conflict=on_conflict))["result"]
        assert (result["imported"], result["updated"], result["verified"]) == (0, 0, 51)
        if figure == "unchanged":
            assert result["unchanged"] == 51
    assert await sql.fetch("SELECT id, xmin::text FROM ideas ORDER BY id") == before


async def test_what_is_stored_is_kept_or_overwritten_or_stops_the_import(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "first", systems=[system(id="s", name="Hub")], ideas=[idea(id="a")]))
    await client.put("/api/v1/systems/s", json={"port": 3500, "name": "Renamed"})
    changed = export(
        tmp_path / "second",
        systems=[system(id="s", name="Hub")],
        ideas=[idea(id="a", title="Other"), idea(id="b")],
    )
    failed = await takeover(changed, on_conflict="fail")
    assert problem_of(failed) == (
        "1 rows of documentation_systems exist already, for example s; nothing was imported"
    )
    assert await sql.fetchval("SELECT count(*) FROM ideas") == 1
    kept = await takeover(changed, on_conflict="skip")
    assert (kept["result"]["imported"], kept["result"]["kept"], kept["result"]["verified"]) == (1, 2, 1)
    overwritten = await takeover(changed, on_conflict="overwrite")
    assert (overwritten["result"]["updated"], overwritten["result"]["unchanged"]) == (2, 1)
    assert (await client.get("/api/v1/ideas/a")).json()["data"]["title"] == "Other"
    shown = (await client.get("/api/v1/systems")).json()["data"][0]
    assert (shown["name"], shown["port"]) == ("Hub", 3500), "a column that the source lacks stays"
    row = await sql.fetchrow("SELECT row_version, import_version FROM systems WHERE id = 's'")
    assert row is not None
    assert row["row_version"] == row["import_version"] == 3


async def test_too_many_rejects_stop_it_before_anything_is_written(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    folder = export(
        tmp_path / "old",
        systems=[system()],
        ideas=[idea(), idea(title=""), idea(title="t" * 256), idea(id="")],
    )
    job = await takeover(folder, max_rejects=1)
    assert problem_of(job).startswith("More than 1 rows cannot be imported, so nothing was; the first is")
    assert await counts(sql) == {"systems": 0, "ideas": 0, "files": 0}
    assert len(await rejects(client, job["id"])) == 3


async def test_caches_see_the_new_rows_at_once(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    paths = ("/api/v1/ideas", "/api/v1/systems", "/api/v1/stats", "/api/v1/ideas/kanban")
    before = [(await client.get(path)).text for path in paths]
    await takeover(export(tmp_path / "old", systems=[system()], ideas=[idea()]))
    after = [(await client.get(path)).text for path in paths]
    assert all(old != new for old, new in zip(before, after, strict=True))


async def test_every_batch_leaves_an_audit_entry(
    takeover: Takeover, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    job = await takeover(export(tmp_path / "old", systems=[system()], ideas=ideas(30)))
    entries = await sql.fetch("SELECT entity, entity_id, actor, changes::text FROM audit_entries ORDER BY id")
    assert [(each["entity"], each["entity_id"], each["actor"]) for each in entries] == [
        ("system", job["id"], "operator"),
        ("idea", job["id"], "operator"),
    ]
    assert json.loads(entries[1]["changes"]) == {"source": "questdb", "inserted": 30, "updated": 0}


@pytest.mark.parametrize("meddling", ["NEW.title := 'other'", "NEW.legacy := NULL", "RETURN NULL"])
async def test_a_table_that_says_something_else_is_found_out(
    meddling: str, takeover: Takeover, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    await sql.execute(
        f"CREATE FUNCTION meddle_idea() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {meddling}; RETURN NEW; "
        "END $$; CREATE TRIGGER meddle_idea BEFORE INSERT ON ideas FOR EACH ROW WHEN (NEW.id = 'a') "
        "EXECUTE FUNCTION meddle_idea()"
    )
    try:
        job = await takeover(export(tmp_path / "old", ideas=[idea(id="a"), idea(id="b")]))
    finally:
        await sql.execute("DROP TRIGGER meddle_idea ON ideas; DROP FUNCTION meddle_idea")
    assert problem_of(job).startswith("Verification failed: 1 of 2 rows differ from the source: ")


async def test_a_source_without_any_table_is_refused(takeover: Takeover, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="has none of"):
        await takeover(tmp_path)
    with pytest.raises(SourceUnavailable, match="has none of"):
        await takeover(tmp_path, source="postgres")


async def test_live_sources_are_not_for_http(client: httpx.AsyncClient) -> None:
    """Whoever can reach the API must not choose where this machine connects to."""
    form = {"source": "postgres", "url": "postgresql://127.0.0.1:1/x", "path": "/etc"}
    answer = await client.post("/api/v1/imports", files={"file": ("x", b"{}")}, data=form)
    assert answer.status_code == 400
