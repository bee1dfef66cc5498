"""What the API would refuse of new items and the old service allowed."""

import httpx

from core.database.client import Database
from features.imports.api import ITEMS
from features.imports.tests.factories import legacy_record
from features.imports.tests.test_legacy_items import load, proofs


async def test_what_the_old_service_knew_no_limit_for_comes_as_it_is(
    db: Database, client: httpx.AsyncClient
) -> None:
    """And goes out, and stays when something else is changed."""
    tags = ["t" * 9000, *(f"tag{number}" for number in range(1500)), ""]
    record = legacy_record(title="x" * 5000, description="d" * 1_100_000, tags=tags)
    assert await load(db, record) == (1, 0, 0, 0)
    assert await ITEMS.compare(db, proofs(record)) == []
    path = f"/api/items/{record['id']}"
    shown = (await client.get(path)).json()["data"]
    assert {name: shown[name] for name in ("title", "description", "tags")} == {
        name: record[name] for name in ("title", "description", "tags")
    }
    found = (await client.get("/api/items", params={"tag": "tag1499"})).json()
    assert [each["id"] for each in found["data"]] == [record["id"]]
    same = {"title": record["title"], "tags": tags, "status": "review"}
    answer = await client.put(path, json=same)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["status"] == "review"
    for field, value in (("title", "y" * 5000), ("tags", tags[:-1])):
        refused = await client.put(path, json={**same, field: value})
        assert [each["field"].split(".")[0] for each in refused.json()["details"]] == [field]
    assert (await client.get(path)).json()["data"]["title"] == record["title"]
