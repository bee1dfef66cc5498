"""The list of imports: every one of them, newest first, page by page."""

from typing import Any

import httpx
import pytest

from features.imports.tests.factories import FIVE, IMPORTS, imported, lowdb, undone


async def pages(client: httpx.AsyncClient, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, str | int] = {"limit": limit}
    while True:
        answer = (await client.get(IMPORTS, params=query)).json()
        assert answer["count"] == len(answer["data"])
        found += answer["data"]
        if "nextCursor" not in answer:
            return found
        query["cursor"] = answer["nextCursor"]


async def test_imports_are_listed_with_what_became_of_them(client: httpx.AsyncClient) -> None:
    whole = await imported(client, lowdb([*FIVE, "bad"]))
    dry = await imported(client, lowdb(list(FIVE)), dry_run="true")
    broken = await imported(client, b'{"items": [')
    await client.post("/api/v1/exports")
    answer = (await client.get(IMPORTS)).json()
    assert (answer["count"], answer["total"]) == (3, 3)
    assert [each["id"] for each in answer["data"]] == [broken["id"], dry["id"], whole["id"]]
    last = answer["data"][-1]
    assert last == {
        "id": whole["id"],
        "source": "lowdb",
        "filename": "library.json",
        "state": "succeeded",
        "dryRun": False,
        "imported": 5,
        "updated": 0,
        "rejected": 1,
        "undoable": True,
        "actor": "anonymous",
        "createdAt": whole["createdAt"],
        "finishedAt": whole["finishedAt"],
    }
    assert [each["dryRun"] for each in answer["data"]] == [False, True, False]
    assert answer["data"][0]["error"] == broken["error"]
    await undone(client, whole["id"], dryRun="true")
    assert (await client.get(f"{IMPORTS}/{whole['id']}")).json()["data"] == last, (
        "a dry run takes nothing back"
    )
    undo = await undone(client, whole["id"])
    listed = (await client.get(IMPORTS)).json()["data"]
    assert [each["undoable"] for each in listed] == [False] * 3, "an undo is no import"
    taken_back = {"jobId": undo["id"], "at": undo["finishedAt"], "actor": "anonymous"}
    assert listed[-1]["takenBack"] == taken_back
    assert (await client.get(f"{IMPORTS}/{whole['id']}")).json()["data"] == listed[-1]
    assert (await client.get(f"{IMPORTS}/{undo['id']}")).status_code == 404


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_cursor_leads_through_all_of_them(client: httpx.AsyncClient, limit: int) -> None:
    ids = [(await imported(client, lowdb([]), dry_run="true"))["id"] for _ in range(3)]
    assert [each["id"] for each in await pages(client, limit)] == ids[::-1]
    answer = (await client.get(IMPORTS, params={"limit": 1, "offset": 1})).json()
    assert ([each["id"] for each in answer["data"]], answer["total"]) == ([ids[1]], 3)


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=WyJ4IiwieSJd", "limit=0", "limit=x", "offset=-1"]
)
async def test_a_wrong_page_is_refused_by_field(client: httpx.AsyncClient, query: str) -> None:
    refused = await client.get(f"{IMPORTS}?{query}")
    assert refused.status_code == 400
    assert refused.json()["details"][0]["field"] == query.partition("=")[0]
