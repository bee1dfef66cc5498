"""Passes after imports by former versions, whose journals have other digests."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from core.database.client import Database
from features.imports.registry.tables import IDEAS, LEGACY, SYSTEMS
from features.imports.tests.factories import undone
from features.imports.tests.registry.conftest import Takeover
from features.imports.tests.registry.factories import export, idea, system
from features.imports.tests.registry.present import one
from features.imports.tests.registry.test_since_last import counts, newer

if TYPE_CHECKING:
    import asyncpg


async def test_journals_of_former_versions_are_known(
    takeover: Takeover,
    client: httpx.AsyncClient,
    db: Database,
    sql: "asyncpg.Connection",
    tmp_path: Path,
) -> None:
    same, changed, hub = idea(id="same", actual_hours="1.5"), idea(id="changed"), system(id="s")
    first = await takeover(export(tmp_path / "old", systems=[hub], ideas=[same, changed]))
    for rows in (LEGACY[SYSTEMS].rows_from(hub), LEGACY[IDEAS].rows_from(same)):
        entity = rows.declared.entity
        ids = [row["id"] for row in await sql.fetch(f"SELECT id FROM {rows.declared.name} ORDER BY id")]
        stored = await rows.rows(db, ids)
        former = [[each, rows.former_digest(rows.line(stored[each]))] for each in ids]
        await sql.execute(
            "UPDATE import_pages SET content = $1 WHERE job_id = $2::uuid AND part = $3",
            *(json.dumps(former), first["id"], entity),
        )
    folder = export(tmp_path / "old", systems=[hub], ideas=[same, *newer(changed, title="New")])
    assert counts(await takeover(folder, since_last=True), changed=1, unchanged=2)
    assert (await one(client, "ideas/changed"))["title"] == "New"
    again = await takeover(folder, since_last=True)
    assert counts(again, unchanged=3)
    undo = await undone(client, again["id"])
    assert undo["state"] == "succeeded", undo["error"]
