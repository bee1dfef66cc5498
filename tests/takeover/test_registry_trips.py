"""The registry goes back and forth: each pass finds only what has happened since, and nothing doubles."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from features.ideas import api as ideas
from features.imports.registry.columns import STORES
from features.imports.schemas import Store
from features.imports.tests.registry.conftest import Takeover, takeover, uploads
from features.imports.tests.registry.factories import (
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
from features.imports.tests.registry.test_comparison import Verify, verify
from features.systems import api as systems
from tests.takeover.test_registry_back import Tables, body, exported, rows_of

__all__ = ["takeover", "uploads", "verify"]

FINE = "2024-05-01T12:00:00.123456Z"


async def unpacked(tables: Tables, folder: Path) -> Path:
    for name, content in tables.items():
        path = folder / name
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, content)
    return folder


async def trail(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """All entries, newest first, but those about imports."""
    answer = await client.get("/api/v1/audit", params={"limit": "200"})
    entries: list[dict[str, Any]] = answer.json()["data"]
    return [each for each in entries if each["action"] != "imported"]


@pytest.mark.parametrize("since_last", [True, False])
@pytest.mark.parametrize("source", ["questdb", "postgres"])
async def test_each_entry_of_the_trail_comes_once_however_often_it_goes_back_and_forth(
    client: httpx.AsyncClient, takeover: Takeover, tmp_path: Path, source: str, *, since_last: bool
) -> None:
    hub, old = system(name="Hub"), idea()
    log = entry(entity_id=old["id"])
    if source == "postgres":
        log["created_at"] = log.pop("ts")
    await takeover(export(tmp_path / "old", systems=[hub], ideas=[old], audit_log=[log]), source=source)
    written: dict[str, dict[str, str]] = {}
    for trip in range(3):
        body(await client.put(f"/api/v1/ideas/{old['id']}", json={"title": f"Title {trip}"}))
        new = {"title": f"New {trip}", "description": "d", "category": "api", "priority": "low"}
        body(await client.post("/api/v1/ideas", json=new))
        before = await trail(client)
        tables, _ = await exported(client)
        lines = tables["documentation_audit_log.csv"].decode().splitlines()
        ids = Counter(line.split(",")[0] for line in lines[1:])
        assert set(ids.values()) == {1}
        assert len(ids) == len(before) == 3 + 2 * trip
        now = rows_of(tables, "audit_log")
        assert {key: now[key] for key in written} == written
        written = now
        again = await unpacked(tables, tmp_path / f"trip{trip}")
        job = await takeover(again, source=source, since_last=since_last)
        assert job["state"] == "succeeded", job["error"]
        figures = job["result"]["tables"]["documentation_audit_log"]
        assert (figures["superseded"], figures["imported"], figures["rejected"]) == (2 + 2 * trip, 0, 0)
        assert await trail(client) == before


WORDS = {
    "status": ("backlog", "todo", *get_args(ideas.Status)),
    "category": ("bug_fix", "guide", *get_args(ideas.Category)),
    "priority": ("urgent", *get_args(ideas.Priority)),
}


@pytest.mark.parametrize("store", STORES)
async def test_a_word_that_nobody_has_changed_is_the_sources_own(
    client: httpx.AsyncClient, takeover: Takeover, tmp_path: Path, store: Store
) -> None:
    """Whether it is one of both sides or of the old one, and whatever else of its row has changed."""
    make, make_system = (first_idea, first_system) if store == "questdb-1" else (idea, system)
    source = {
        row["id"]: row
        for column, words in WORDS.items()
        for row in [make(**{column: word}) for word in words]
    }
    statuses = (*get_args(systems.Status), "error")
    hubs = {row["id"]: row for row in [make_system(status=each) for each in statuses]}
    folder = export(tmp_path / "old", systems=list(hubs.values()), ideas=list(source.values()))
    await takeover(folder, source="postgres" if store == "postgres" else "questdb")
    for key in hubs:
        body(await client.put(f"/api/v1/systems/{key}", json={"description": "Changed"}))
    for number, key in enumerate(source):
        changes = [{"title": "Changed"}, {"tags": ["changed"]}, {"description": "Changed"}]
        body(await client.put(f"/api/v1/ideas/{key}", json=changes[number % 3]))
    tables, result = await exported(client)
    assert (result["translated"], result["inexpressible"]) == (len(source) + len(hubs), 0)
    for row in rows_of(tables, "ideas").values():
        assert {name: row[name] for name in WORDS} == {name: source[row["id"]][name] for name in WORDS}
    for row in rows_of(tables, "systems").values():
        assert row["status"] == hubs[row["id"]]["status"]


async def test_a_word_that_somebody_has_changed_is_translated(
    client: httpx.AsyncClient, takeover: Takeover, tmp_path: Path
) -> None:
    row = idea(status="in_progress", category="api", priority="low")
    await takeover(export(tmp_path / "old", ideas=[row]), source="postgres")
    changes = {"status": "completed", "priority": "critical"}
    body(await client.put(f"/api/v1/ideas/{row['id']}", json=changes))
    [found] = rows_of((await exported(client))[0], "ideas").values()
    assert [found[name] for name in WORDS] == ["done", "api", "urgent"]


@pytest.mark.parametrize("store", STORES)
async def test_after_each_pass_there_is_neither_a_change_nor_a_difference(
    client: httpx.AsyncClient,
    takeover: Takeover,
    verify: Verify,
    uploads: Path,
    tmp_path: Path,
    store: Store,
) -> None:
    """First nobody has touched anything, then rows were changed, emptied and made here."""
    made = tables_of(store)
    source: Any = "postgres" if store == "postgres" else "questdb"
    await takeover(export(tmp_path / "old", **made), files=uploads, source=source)
    for trip in range(3):
        if trip:
            await worked_on(client, made, trip)
        tables, result = await exported(client)
        assert result["inexpressible"] == 0
        folder = await unpacked(tables, tmp_path / f"trip{trip}")
        chosen = {"files": folder / "files", "source": source}
        for _ in range(2):
            job = await takeover(folder, since_last=True, **chosen)
            assert job["state"] == "succeeded", job["error"]
            told = job["result"]["sinceLast"]
            assert [told[name] for name in ("new", "changed", "conflicts", "vanished")] == [0] * 4, trip
            assert await verify(folder, **chosen) == {}, trip
        assert (await exported(client))[0] == tables


def tables_of(store: Store) -> dict[str, list[Old]]:
    if store == "questdb-1":
        return {
            "systems": [first_system(status="degraded"), first_system(tags=None)],
            "ideas": [first_idea(created_at=FINE), first_idea(status="done", completed_at=FINE)],
            "files": [first_file(storage_path="/a/guide.md")],
            "audit_log": [entry()],
        }
    empty = {"designated_timestamp": None} if store == "postgres" else {}
    log = entry(created_at=FINE, ts=...) if store == "postgres" else entry()
    return {
        "systems": [system(status="error", on_call="ada", **empty), system(created_at=FINE, **empty)],
        "ideas": [
            idea(created_at=FINE, status="todo", **empty),
            idea(status="done", completed_at=FINE, category="tutorial", **empty),
            idea(created_at=FINE, updated_at=None),
        ],
        "files": [file(created_at=FINE, **empty)],
        "audit_log": [log],
    }


async def worked_on(client: httpx.AsyncClient, made: dict[str, list[Old]], trip: int) -> None:
    [hub, _], [old, done, *_], [sent] = made["systems"], made["ideas"], made["files"]
    body(await client.put(f"/api/v1/systems/{hub['id']}", json={"status": "online", "tags": [str(trip)]}))
    body(await client.put(f"/api/v1/ideas/{old['id']}", json={"status": "completed", "title": f"T{trip}"}))
    body(await client.put(f"/api/v1/ideas/{done['id']}", json={"status": "in_progress", "assignedTo": None}))
    if "description" in sent:
        body(await client.put(f"/api/v1/files/{sent['id']}", json={"description": f"D{trip}"}))
    new = {"title": f"New {trip}", "description": "d", "category": "api", "priority": "critical"}
    body(await client.post("/api/v1/ideas", json=new))
    new = {"name": f"New {trip}", "description": "d", "status": "online"}
    body(await client.post("/api/v1/systems", json=new))
    body(await client.post("/api/v1/files/upload", files={"file": (f"{trip}.txt", b"new", "text/plain")}))
