"""The registry goes back and forth: each pass finds only what has happened since, and nothing doubles."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.imports.tests.registry.conftest import Takeover, takeover, uploads
from features.imports.tests.registry.factories import entry, export, idea, system
from tests.takeover.test_registry_back import Tables, body, exported, rows_of

__all__ = ["takeover", "uploads"]


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
