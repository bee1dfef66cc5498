"""`handover demo`: a believable registry, the same each time, and never into somebody else's."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from core.settings import Settings
from tests.fixtures.commands import Handover
from tests.fixtures.database import Connection

TABLES = ("systems", "ideas", "items", "files", "audit_entries")
ADDED = "Added 12 systems, 80 ideas, 40 items and 6 files."
NOTHING = "Added 0 systems, 0 ideas, 0 items and 0 files."


async def counts(connection: Connection) -> dict[str, int]:
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


async def test_the_demo_fills_the_registry_and_filling_twice_adds_nothing(
    handover: Handover, client: httpx.AsyncClient, connection: Connection
) -> None:
    empty = (await client.get("/api/v1/ideas")).json()
    assert empty["count"] == 0
    first = await handover("demo")
    assert (first.code, first.out.splitlines()[-1:]) == (0, [ADDED]), first.err
    before = await counts(connection)
    assert before.items() >= {"systems": 12, "ideas": 80, "items": 40, "files": 6}.items()
    # This app was asked before; the command told it that its answers are old.
    listed = (await client.get("/api/v1/ideas")).json()["data"]
    assert len(listed) == 80
    assert {idea["status"] for idea in listed} == {
        *("new", "triage", "in_progress", "review", "completed", "rejected")
    }
    assert Counter("system" in idea for idea in listed) == {True: 77, False: 3}
    second = await handover("demo")
    assert (second.code, second.out.splitlines()[-1:]) == (0, [NOTHING])
    assert await counts(connection) == before


async def test_what_the_demo_holds_looks_grown(
    handover: Handover, client: httpx.AsyncClient, connection: Connection, settings: Settings
) -> None:
    assert (await handover("demo", environment={"DATA_DIR": str(settings.data_dir)})).code == 0
    now = datetime.now(UTC)
    rows = await connection.fetch(
        "SELECT entity, entity_id, action, at FROM audit_entries WHERE entity <> 'file' ORDER BY at, id"
    )
    moments = [row["at"] for row in rows]
    assert now - timedelta(days=61) < moments[0] < now - timedelta(days=58)
    assert now - timedelta(days=2) < moments[-1] <= now
    assert len({moment.date() for moment in moments}) > 50
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["entity_id"], row["action"])
    assert set(first.values()) == {"created"}
    assert await connection.fetchval(
        "SELECT bool_and(updated_at >= created_at AND (completed_at IS NULL OR completed_at = updated_at)) "
        "FROM ideas WHERE updated_at IS NOT NULL"
    )
    entries = await connection.fetchval(
        "SELECT (SELECT sum(row_version) FROM ideas) + (SELECT sum(row_version) FROM systems)"
    )
    told = sum(row["entity"] in ("idea", "system") for row in rows)
    assert entries == told
    for path in ("systems", "ideas/kanban", "files", "stats/dashboard", "stats/activity"):
        assert (await client.get(f"/api/v1/{path}")).status_code == 200
    [guide] = (await client.get("/api/v1/files/search", params={"q": "pagination"})).json()
    content = await client.get(f"/api/v1/files/{guide['id']}/download")
    assert content.status_code == 200
    assert content.text.startswith("# Pagination")


async def test_the_demo_refuses_a_registry_with_other_data_unless_forced(
    handover: Handover, client: httpx.AsyncClient, connection: Connection
) -> None:
    body = {"name": "Orders API", "description": "Ours", "status": "online"}
    assert (await client.post("/api/v1/systems", json=body)).status_code == 201
    before = await counts(connection)
    refused = await handover("demo")
    assert refused.code == 1
    assert refused.err.splitlines() == [
        "handover: The registry holds other data already; `handover demo --force` adds to it what is missing "
        "of 12 systems, 80 ideas, 40 items and 6 files"
    ]
    assert "Traceback" not in refused.err
    assert await counts(connection) == before
    forced = await handover("demo", "--force")
    assert forced.out.splitlines()[-1] == ADDED.replace("12 systems", "11 systems"), forced.err
    assert await connection.fetchval("SELECT description FROM systems WHERE name = 'Orders API'") == "Ours"
    assert await connection.fetchval("SELECT count(*) FROM ideas WHERE system_id IS NULL") > 3
    assert (await handover("demo", "--force")).out.splitlines()[-1] == NOTHING


@pytest.mark.parametrize("path", ["/api/v1/ideas", "/api/items"])
async def test_one_row_of_ones_own_is_other_data(
    handover: Handover, client: httpx.AsyncClient, path: str
) -> None:
    body = {"title": "Mine", "description": "x", "category": "dashboard", "priority": "low"}
    assert (await client.post(path, json=body)).status_code == 201
    assert (await handover("demo")).code == 1
