"""The three schemas of the old registry, told apart by their columns: all that they allowed comes over."""

import hashlib
import json
from itertools import combinations_with_replacement
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.errors import SchemaUnknown
from features.imports.registry.stores import recognized
from features.imports.registry.translate import translate
from features.imports.schemas import Table
from features.imports.tests.registry.conftest import Takeover
from features.imports.tests.registry.factories import (
    NOON,
    Old,
    entry,
    export,
    file,
    first_file,
    first_idea,
    first_system,
    idea,
    system,
)
from features.imports.tests.registry.present import one
from features.imports.tests.registry.test_live import _QUESTDB, _REAL, fill
from tests.fixtures.database import Connection

if TYPE_CHECKING:
    import asyncpg

    from features.imports.tests.registry.conftest import Relay

LATER = "2024-06-01T00:00:00.000000Z"


async def legacy_of(sql: "asyncpg.Connection", table: str, row_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        await sql.fetchval(f"SELECT legacy::text FROM {table} WHERE id = $1", row_id)
    )
    return found


def first_registry() -> dict[str, list[Old]]:
    content = b"# Guide\n\nwordofguide\n"
    return {
        "systems": [first_system(id="s", name="Hub")],
        "ideas": [
            first_idea(id="old", title="before", ts=NOON, updated_at=LATER),
            first_idea(id="old", title="after", ts=LATER, status="cancelled"),
        ],
        "files": [
            first_file(
                id="f",
                idea_id="old",
                stored_name="guide.md",
                storage_path="/srv/first/guide.md",
                size=len(content),
                checksum=hashlib.sha256(content).hexdigest().upper(),
            )
        ],
        "audit_log": [entry(id="e", ts=NOON)],
    }


def check_first(job: dict[str, Any]) -> None:
    assert job["state"] == "succeeded", job.get("error")
    result = job["result"]
    assert result["store"] == "questdb-1"
    assert (result["imported"], result["superseded"], result["rejected"], result["verified"]) == (4, 1, 0, 4)
    assert {table["unknown"] == [] for table in result["tables"].values()} == {True}


async def check_first_rows(client: httpx.AsyncClient, sql: "asyncpg.Connection") -> None:
    shown = await one(client, "systems/s")
    assert {name: shown[name] for name in ("port", "host", "icon", "color", "tags")} == {
        "port": 3500,
        "host": "orders.internal",
        "icon": "box",
        "color": "#aabbcc",
        "tags": ["docs", "portal"],
    }
    found = await one(client, "ideas/old")
    assert (found["title"], found["status"], found["category"]) == ("after", "rejected", "docs")
    assert (found["tags"], found["createdBy"]) == (["docs", "portal"], "ada")
    original = (await legacy_of(sql, "ideas", "old"))["original"]
    assert original == {"status": "cancelled", "category": "guide"}
    kept = await one(client, "files/f")
    assert (kept["filename"], kept["originalName"], kept["ideaId"]) == ("guide.md", "Guide.md", "old")
    assert kept["createdAt"] == "2024-05-01T12:00:00.000Z"
    content = (await client.get("/api/v1/files/f/download")).content
    assert content == b"# Guide\n\nwordofguide\n"
    assert (await legacy_of(sql, "files", "f"))["fields"]["storage_path"] == "/srv/first/guide.md"


async def test_the_first_schema_comes_whole(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    job = await takeover(export(tmp_path / "old", **first_registry()), files=uploads)
    check_first(job)
    await check_first_rows(client, sql)


async def test_the_first_schema_comes_whole_from_the_running_store(
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    old: Connection,
    questdb: "Relay",
    uploads: Path,
) -> None:
    for name, rows in first_registry().items():
        kinds = {**_QUESTDB, "ts": "timestamp", "uploaded_at": "timestamp", "size": "bigint", "port": "int"}
        spec = ", ".join(f"{column} {kinds.get(column, 'text')}" for column in rows[0])
        table = f"documentation_{name}"
        await old.execute(f"CREATE TABLE {table} ({spec})")
        await old.execute(
            f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1::json)",
            json.dumps(rows),
        )
    check_first(await takeover(questdb.url, files=uploads))
    await check_first_rows(client, sql)
    assert "ORDER BY ts LIMIT" in questdb.said.decode("latin-1")


async def test_a_stored_name_need_not_have_the_extension(
    takeover: Takeover, client: httpx.AsyncClient, uploads: Path, tmp_path: Path
) -> None:
    (uploads / "9f86d081").write_text("# Guide\n")
    row = first_file(id="f", stored_name="9f86d081", storage_path="uploads/9f86d081")
    await takeover(export(tmp_path / "old", files=[row]), files=uploads)
    assert (await one(client, "files/f"))["mimetype"] == "text/markdown"


async def test_the_columns_that_only_postgresql_has_come_too(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", old: Connection, old_url: str
) -> None:
    await fill(old, _REAL, systems=[], ideas=[], files=[])
    await old.execute(
        "ALTER TABLE documentation_systems ADD icon text, ADD color text, ADD host text, ADD port int, "
        "ADD created_by text, ADD shelf text, DROP designated_timestamp"
    )
    row = system(
        id="6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01",
        tags=["a"],
        metadata={},
        port=8080,
        host="h",
        icon="i",
        color="c",
        created_by="eva",
        shelf="top",
    )
    await old.execute(
        "INSERT INTO documentation_systems SELECT * FROM "
        "json_populate_record(NULL::documentation_systems, $1::json)",
        json.dumps(row),
    )
    dry = await takeover(old_url, source="postgres", dry_run=True)
    assert dry["arguments"]["unknown"] == {"documentation_systems": ["shelf"]}
    job = await takeover(old_url, source="postgres")
    assert job["state"] == "succeeded", job.get("error")
    assert job["result"]["store"] == "postgres"
    assert job["result"]["tables"]["documentation_systems"]["unknown"] == ["shelf"]
    shown = await one(client, f"systems/{row['id']}")
    assert (shown["port"], shown["host"], shown["icon"], shown["color"]) == (8080, "h", "i", "c")
    legacy = await legacy_of(sql, "systems", str(row["id"]))
    assert legacy["fields"] == {"created_by": "eva", "shelf": "top"}


async def test_a_schema_that_lacks_a_column_leaves_it_alone(
    takeover: Takeover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "later", systems=[system(id="s", name="Hub")]))
    await client.put("/api/v1/systems/s", json={"icon": "ours"})
    first = export(tmp_path / "first", systems=[first_system(id="s", name="Hub", icon=None)])
    job = await takeover(first, on_conflict="overwrite")
    assert (job["result"]["updated"], job["result"]["verified"]) == (1, 1)
    shown = await one(client, "systems/s")
    assert (shown["owner"], shown["metadata"]) == ("platform-team", {"region": "eu", "replicas": 3})
    assert shown["port"] == 3500
    assert "icon" not in shown


async def test_a_column_that_is_called_as_one_of_ours_is_unknown_all_the_same(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    job = await takeover(export(tmp_path / "old", systems=[system(id="s", category="backend")]))
    assert job["state"] == "succeeded", job["error"]
    assert job["result"]["tables"]["documentation_systems"]["unknown"] == ["category"]
    assert (await legacy_of(sql, "systems", "s"))["fields"]["category"] == "backend"
    assert "category" not in await one(client, "systems/s")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"systems": [first_system()], "ideas": [idea()]},
            "documentation_systems has the first schema (with ts), documentation_ideas a later one; "
            "import the tables of one registry at a time",
        ),
        (
            {"ideas": [idea(title=..., status=...)]},
            "documentation_ideas lacks status, title; export the whole table",
        ),
        (
            {"files": [file(ts=NOON)]},
            "documentation_files lacks storage_path, stored_name; export the whole table",
        ),
        (
            {"systems": [system(designated_timestamp=...)]},
            "documentation_systems has neither ts nor designated_timestamp; export the whole table",
        ),
        (
            {"audit_log": [entry(ts=...)]},
            "documentation_audit_log has neither ts nor created_at; export the whole table",
        ),
    ],
)
async def test_a_source_of_no_known_schema_is_refused_before_anything_is_written(
    tables: dict[str, list[Old]],
    message: str,
    takeover: Takeover,
    sql: "asyncpg.Connection",
    tmp_path: Path,
) -> None:
    with pytest.raises(SchemaUnknown) as refused:
        await takeover(export(tmp_path / "old", **tables))
    assert str(refused.value) == message
    assert await sql.fetchval("SELECT count(*) FROM jobs") == 0


@pytest.mark.parametrize("source", ["questdb", "postgres"])
@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("documentation_systems", system()),
        ("documentation_systems", first_system()),
        ("documentation_ideas", idea()),
        ("documentation_ideas", first_idea()),
        ("documentation_files", file()),
        ("documentation_files", first_file()),
        ("documentation_audit_log", entry()),
        ("documentation_audit_log", entry(created_at=NOON, ts=...)),
    ],
)
def test_a_table_that_lacks_columns_is_refused_whole_or_its_rows_are_good(
    source: str, table: Table, row: Old
) -> None:
    """Whichever one or two it lacks."""
    refused = set[frozenset[str]]()
    for absent in map(frozenset, combinations_with_replacement(row, 2)):
        left = {name: value for name, value in row.items() if name not in absent}
        try:
            recognized(source, {table: list(left)})
        except SchemaUnknown:
            refused.add(absent)
        else:
            assert translate(table, left).old.faults == [], absent
    alone = {name for absent in refused if len(absent) == 1 for name in absent}
    assert {"id"} <= alone < set(row)
    times = frozenset({"created_at", "uploaded_at", "designated_timestamp", "ts"}.intersection(row))
    assert times in refused
    assert {absent for absent in refused if not absent & alone} <= {times}
