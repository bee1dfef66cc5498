"""The history of a row: each field before and after, also of long texts."""

import re
from collections.abc import Collection
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from core.feature import Feature
from features.console.service.records import RECORDS
from tests.console.test_records import make
from tests.fixtures.application import client_of, lifespan_of, new_app

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from core.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "prisma" / "migrations"
MIGRATIONS = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.sql"))


async def test_a_change_at_the_end_of_a_long_text_is_marked_and_the_whole_unfolds(
    client: "httpx.AsyncClient",
) -> None:
    record, text = RECORDS["idea"], "Words of a guide, one by one. " * 10
    row = await make(client, record, description=f"{text}Begun")
    await client.put(record.place(row["id"]), json={"description": f"{text}<b>Done</b>"})
    for page in (record.page(row["id"]), "/console/activity?action=updated"):
        told = (await client.get(page)).text.split('id="entries"')[1]
        changed = told.split('class="version before"')[1]
        assert "<mark>Begun</mark>" in changed
        assert "Done" in changed.split("<mark>")[2]
        for whole in (f"{text}Begun", f"{text}<b>Done</b>"):
            assert f"<summary>The whole text</summary>{whole}</details>" in unescape(changed)


async def test_the_activity_can_be_asked_for_each_kind_of_row_that_leaves_entries(
    client: "httpx.AsyncClient",
) -> None:
    offered = set(re.findall(r'<option value="(\w+)"', (await client.get("/console/activity")).text))
    audited = set(re.findall(r"handover_audit\"?\('\w+', '(\w+)'", MIGRATIONS))
    assert {"item", "key", "webhook"} <= audited
    # Undoing an import, and taking an old trail over, leave entries of their own.
    assert audited | {"import", "audit"} <= offered


async def test_rows_of_a_feature_that_was_added_can_be_asked_for(settings: "Settings") -> None:
    async def names_of(db: "Database", ids: Collection[str]) -> dict[str, str]:
        return {}

    grown = new_app(settings, Feature("notes", names_of={"note": names_of}))
    async with lifespan_of(grown), client_of(grown) as client:
        for path in ("/console/activity", "/console/webhooks"):
            assert '<option value="note">Note</option>' in (await client.get(path)).text, path
