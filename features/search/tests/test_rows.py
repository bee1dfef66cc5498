"""Ideas and items are found where they are asked for, as they are at that moment."""

from pathlib import Path
from typing import Final
from unicodedata import normalize

import httpx
import pytest

from features.search.tests.factories import found_ids, put, reindex, search

PATHS: Final = {"idea": "/api/v1/ideas", "item": "/api/items"}
KINDS = pytest.mark.parametrize("kind", ["idea", "item"])


async def make(client: httpx.AsyncClient, kind: str, **changes: object) -> str:
    new = {"title": "Nothing", "description": "Of note", "category": "dashboard", "priority": "low"}
    answer = await client.post(PATHS[kind], json={**new, **changes})
    assert answer.status_code == 201, answer.text
    row_id: str = answer.json()["data"]["id"]
    return row_id


async def test_who_asks_as_before_is_answered_as_before(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "a.md", "# Tapir\n\nA tapir.\n")
    await reindex(library)
    before = (await library.get("/api/v1/search?q=tapir")).content
    ids = {kind: f"{kind}:{await make(library, kind, title='Tapir')}" for kind in PATHS}
    assert (await library.get("/api/v1/search?q=tapir")).content == before
    for parameters in ({"type": "guide"}, {"source": "markdown"}):
        assert await found_ids(library, "tapir", **parameters) == ["markdown:a.md"]
    for kind, found in ids.items():
        for parameters in ({"type": kind}, {"source": kind}, {"type": kind, "source": kind}):
            assert await found_ids(library, "tapir", **parameters) == [found]
    for other in ({"type": "idea", "source": "item"}, {"type": "item", "source": "markdown"}):
        assert await found_ids(library, "tapir", **other) == []
    assert await found_ids(library, "tapir", type="guide", source="idea") == []


@KINDS
async def test_a_row_has_the_published_shape(client: httpx.AsyncClient, kind: str) -> None:
    row = await make(client, kind, title="Zebra <b>\n crossing", description="About <i>zebras</i> & a zebra")
    [result] = await search(client, "zebra", type=kind)
    assert 0 < result.pop("score") < 1
    snippet = result.pop("snippet")
    assert "&lt;i&gt;" in snippet
    assert snippet.count("<mark>") in (1, 2)
    assert result == {
        "id": f"{kind}:{row}",
        "title": "Zebra <b> crossing",
        "type": kind,
        "source": kind,
        "link": f"{PATHS[kind]}/{row}",
    }
    assert (await client.get(result["link"])).json()["data"]["id"] == row
    document = (await client.get(f"/api/v1/search/documents/{result['id']}")).json()["data"]
    assert (document["body"], document["link"]) == ("About <i>zebras</i> & a zebra", result["link"])
    assert (await client.get(f"/api/v1/search/documents/{kind}:none")).status_code == 404


@KINDS
async def test_each_write_is_found_by_the_next_search(client: httpx.AsyncClient, kind: str) -> None:
    assert await found_ids(client, "quokka", type=kind) == []
    row = await make(client, kind, description="A quokka")
    path = f"/api/v1/search?q=quokka&type={kind}"
    assert await found_ids(client, "quokka", type=kind) == [f"{kind}:{row}"]
    assert (await client.get(path)).headers["x-cache"] == "HIT"
    document = f"/api/v1/search/documents/{kind}:{row}"
    assert (await client.get(document)).json()["data"]["body"] == "A quokka"
    await client.put(f"{PATHS[kind]}/{row}", json={"description": "A wombat"})
    assert await found_ids(client, "quokka", type=kind) == []
    assert await found_ids(client, "wombat", type=kind) == [f"{kind}:{row}"]
    assert (await client.get(document)).json()["data"]["body"] == "A wombat"
    bulk = {"operations": [{"op": "delete", "id": row}]}
    assert (await client.post(f"/api/v1/{kind}s/bulk", json=bulk)).status_code == 200
    assert await found_ids(client, "wombat", type=kind) == []
    assert (await client.get(document)).status_code == 404


@KINDS
async def test_the_best_come_first_and_all_are_counted(client: httpx.AsyncClient, kind: str) -> None:
    title = await make(client, kind, title="Lémur", description="In the title")
    for number in range(12):
        await make(client, kind, title=f"Number {number}", description="A lemur in the text")
    for q in ("lemur", "LÉMUR", normalize("NFD", "lémur"), "lem"):
        answer = (await client.get("/api/v1/search", params={"q": q, "type": kind, "limit": 5})).json()
        assert (answer["count"], answer["total"]) == (5, 13)
        assert answer["data"][0]["id"] == f"{kind}:{title}"
        scores = [each["score"] for each in answer["data"]]
        assert scores == sorted(scores, reverse=True)


HOSTILE: Final = [
    "'",
    "\\",
    "a & | ! <-> :* ()",
    "((((",
    "%_%' OR 1=1 --",
    "😀",
    "\u202e",
    "x" * 10_000,
    "'a' " * 900,
]


@KINDS
async def test_no_query_of_rows_is_an_error(client: httpx.AsyncClient, kind: str) -> None:
    await make(client, kind)
    for q in HOSTILE:
        answer = await client.get("/api/v1/search", params={"q": q, "type": kind})
        assert answer.status_code == 200, (q, answer.text)
