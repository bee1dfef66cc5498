"""The old registry while it runs: a real PostgreSQL, as itself and in the part of QuestDB."""

import json
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from features.imports.errors import SourceMalformed, SourceUnavailable
from features.imports.registry import accept, live
from features.imports.registry.capture import Capture
from features.imports.schemas import Table
from features.imports.tests.registry.conftest import Relay, Takeover
from features.imports.tests.registry.factories import NOON, TABLES, Old, file, idea, ideas, system
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices

_REAL = {
    "id": "uuid",
    "tags": "jsonb",
    "metadata": "json",
    "is_public": "boolean",
    "estimated_hours": "numeric(8,2)",
    "actual_hours": "double precision",
    **dict.fromkeys(("response_time_ms", "size_bytes", "download_count"), "bigint"),
    **dict.fromkeys(
        ("last_checked", "due_date", "created_at", "updated_at", "completed_at", "designated_timestamp"),
        "timestamptz",
    ),
}
_QUESTDB = {name: kind.replace("timestamptz", "timestamp") for name, kind in _REAL.items()}
_QUESTDB |= {"id": "varchar", "tags": "varchar", "metadata": "varchar", "estimated_hours": "double precision"}


async def fill(
    old: Connection,
    types: dict[str, str],
    *,
    systems: list[Old],
    ideas: list[Old],
    files: list[Old],
    log: Sequence[Old] = (),
) -> None:
    for (table, columns), rows in zip(TABLES.items(), (systems, ideas, files, log), strict=True):
        spec = ", ".join(f"{name} {types.get(name, 'text')}" for name in columns)
        await old.execute(f"CREATE TABLE {table} ({spec})")
        if rows:
            await old.execute(
                f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1::json)",
                json.dumps(list(rows)),
            )


SYSTEM_ID = "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01"
IDEA_ID = "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a02"
FILE_ID = "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a03"


async def test_postgres_with_real_types(
    takeover: Takeover, client: httpx.AsyncClient, old: Connection, old_url: str, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text("# Guide")
    await fill(
        old,
        _REAL,
        systems=[system(id=SYSTEM_ID, name="Hub", tags=["a", 'b"\n'], metadata={"b": 1.5, "a": [None]})],
        ideas=[
            idea(id=IDEA_ID, system_id=SYSTEM_ID, tags=[], estimated_hours=12.25, created_at=NOON),
            idea(tags={"not": "a list"}, due_date="infinity", updated_at="2024-06-01T10:00:00.123456+02:00"),
        ],
        files=[file(id=FILE_ID, idea_id=IDEA_ID, file_path="guide.md")],
    )
    job = await takeover(old_url, source="postgres", files=tmp_path)
    assert job["state"] == "succeeded", job.get("error")
    assert job["kind"] == "import.postgres"
    assert (job["result"]["imported"], job["result"]["verified"]) == (4, 4)
    assert job["result"]["tables"]["documentation_ideas"]["adapted"] == {"tags": 1, "due_date": 1}
    shown = (await client.get("/api/v1/systems")).json()["data"][0]
    assert (shown["tags"], shown["metadata"]) == (["a", 'b"\n'], {"b": 1.5, "a": [None]})
    shown = (await client.get(f"/api/v1/ideas/{IDEA_ID}")).json()["data"]
    assert shown["estimatedHours"] == 12.25
    assert (shown["createdAt"], shown["system"]["name"]) == ("2024-05-01T12:00:00.000Z", "Hub")
    assert (await client.get(f"/api/v1/files/{FILE_ID}/download")).content == b"# Guide"


@pytest.mark.parametrize(
    "parameters",
    [
        "search_path=legacy",
        "schema=legacy",
        "schema=legacy&connection_limit=5&pool_timeout=10&connect_timeout=5&pgbouncer=true",
    ],
)
async def test_postgres_with_text_everywhere_and_another_schema(
    takeover: Takeover, client: httpx.AsyncClient, old: Connection, old_url: str, parameters: str
) -> None:
    """Named as PostgreSQL does, or by the URL of the old service's own settings."""
    await old.execute("CREATE SCHEMA legacy")
    await old.execute("SET search_path TO legacy")
    await fill(old, {}, systems=[], ideas=[idea(id="a", title="x\ny")], files=[])
    await old.execute("DROP TABLE documentation_files")
    joint = "&" if "?" in old_url else "?"
    job = await takeover(f"{old_url}{joint}{parameters}", source="postgres")
    assert job["result"]["imported"] == job["result"]["verified"] == 1
    assert job["result"]["absent"] == ["documentation_files"]
    with pytest.raises(SourceUnavailable, match="has none of documentation_systems"):
        await takeover(old_url, source="postgres")


async def test_postgres_is_read_in_one_snapshot(
    takeover: Takeover,
    old: Connection,
    old_url: str,
    services: TestServices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An idea that comes while the tables are read is not there without its system, nor with it."""
    await fill(old, {}, systems=[system()], ideas=[idea()], files=[])

    def begin(folder: Path, table: Table) -> Capture:
        if table == "documentation_ideas":
            services.execute("INSERT INTO documentation_ideas (id, title) VALUES ('late', 'x')", url=old_url)
        return Capture(folder, table)

    monkeypatch.setattr(accept, "Capture", begin)
    job = await takeover(old_url, source="postgres")
    assert await old.fetchval("SELECT count(*) FROM documentation_ideas") == 2
    assert (job["result"]["records"], job["result"]["imported"]) == (2, 2)


async def test_questdb_over_its_wire(
    takeover: Takeover, client: httpx.AsyncClient, old: Connection, questdb: Relay, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text("# Guide")
    await fill(
        old,
        _QUESTDB,
        systems=[system(id="s"), system(id="s", name="Newest", updated_at="2024-08-01T00:00:00.123456Z")],
        ideas=[idea(id="a", system_id="s", status="todo", actual_hours=1.5)],
        files=[file(id="f", idea_id="a", file_path="guide.md", is_public=True)],
    )
    job = await takeover(questdb.url, files=tmp_path)
    assert job["state"] == "succeeded", job.get("error")
    assert (job["result"]["imported"], job["result"]["superseded"], job["result"]["verified"]) == (3, 1, 3)
    shown = (await client.get("/api/v1/ideas/a")).json()["data"]
    assert (shown["status"], shown["actualHours"], shown["system"]["name"]) == ("triage", 1.5, "Newest")
    shown = (await client.get("/api/v1/systems")).json()["data"][0]
    assert shown["updatedAt"] == "2024-08-01T00:00:00.123Z"
    said = questdb.said.decode("latin-1")
    assert "SELECT * FROM documentation_files ORDER BY designated_timestamp LIMIT 1000" in said
    for unknown in ("BEGIN", "DECLARE", "pg_", "::", "OFFSET", "WITH RECURSIVE", "SET "):
        assert unknown not in said, f"QuestDB does not know {unknown}"
    assert questdb.connections == 1, "it has no encryption to be asked for"


@pytest.mark.parametrize("page", [1, 3, 7, 1000])
async def test_pages_of_questdb_are_whole(
    page: int,
    takeover: Takeover,
    old: Connection,
    questdb: Relay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Moments that several rows share, more of them than a page holds, at the end too."""
    monkeypatch.setattr(live, "PAGE_ROWS", page)
    start = datetime.fromisoformat("2024-05-01T12:00:00.000001")
    rows = ideas(40)
    for number, row in enumerate(rows):
        moment = start + timedelta(microseconds=number if number < 15 else 15 + number // 9)
        row["designated_timestamp"] = f"{moment.isoformat(timespec='microseconds')}Z"
    await fill(old, _QUESTDB, systems=[], ideas=rows, files=[])
    job = await takeover(questdb.url)
    assert (job["result"]["records"], job["result"]["imported"], job["result"]["superseded"]) == (40, 40, 0)


async def test_questdb_rows_that_no_page_would_hold_are_missed(
    takeover: Takeover, old: Connection, questdb: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAGE_ROWS", 2)
    rows = [*ideas(5), idea(designated_timestamp=None)]
    for number, row in enumerate(rows[:5]):
        row["designated_timestamp"] = f"2024-05-01T12:00:0{number}.000000Z"
    await fill(old, _QUESTDB, systems=[], ideas=rows, files=[])
    with pytest.raises(SourceMalformed, match=r"designated_timestamp"):
        await takeover(questdb.url)


async def test_a_missing_table_of_questdb_is_told(
    takeover: Takeover, old: Connection, questdb: Relay
) -> None:
    await fill(old, _QUESTDB, systems=[system()], ideas=[], files=[])
    await old.execute("DROP TABLE documentation_files")
    job = await takeover(questdb.url)
    assert job["result"]["absent"] == ["documentation_files"]
    await old.execute("DROP TABLE documentation_ideas, documentation_systems, documentation_audit_log")
    with pytest.raises(SourceUnavailable, match="has none of"):
        await takeover(questdb.url)


@pytest.mark.parametrize("source", ["questdb", "postgres"])
@pytest.mark.parametrize(
    "address",
    ["ada:hunter2@127.0.0.1:1/old", "ada:hunter2@127.0.0.1:99999/old", "ada:hunter2@[::1/old", "h:hunter2"],
)
async def test_no_error_tells_the_password(source: str, address: str, takeover: Takeover) -> None:
    with pytest.raises(SourceUnavailable) as told:
        await takeover(f"postgresql://{address}", source=source)
    assert "hunter2" not in "".join(traceback.format_exception(told.value))


async def test_the_url_is_stored_nowhere(
    takeover: Takeover,
    client: httpx.AsyncClient,
    old: Connection,
    old_url: str,
    services: TestServices,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await fill(old, {}, systems=[], ideas=[idea()], files=[])
    joint = "&" if "?" in old_url else "?"
    job = await takeover(f"{old_url}{joint}password=hunter2", source="postgres")
    assert job["state"] == "succeeded"
    stored = services.execute(
        "SELECT coalesce(string_agg(jobs::text, ''), '') FROM jobs", url=services.database_url
    )
    assert job["id"] in stored
    assert "hunter2" not in stored + json.dumps(job) + caplog.text
    assert "postgresql://" not in stored


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("postgresql://db.example", ("db.example", 8812, "admin", "quest", "qdb", "disable")),
        ("postgresql://ada:x%40@db:99/other", ("db", 99, None, None, "other", "disable")),
        ("postgresql://ada@[::1]/", ("::1", 8812, None, None, "qdb", "disable")),
        ("postgresql://db?sslmode=require", ("db", 8812, "admin", "quest", "qdb", None)),
    ],
)
def test_questdb_is_asked_as_it_is_set_up_by_default(
    url: str, asked: tuple[str | int | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the URL, which says what is None here."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    names = ("host", "port", "user", "password", "database", "ssl")
    assert tuple(live._of_questdb(url)[name] for name in names) == asked
    monkeypatch.setenv("PGPASSWORD", "secret")
    assert live._of_questdb("postgresql://db.example")["password"] is None
