"""All downloads answer conditions, ranges and wrong ranges alike."""

import asyncio
from typing import Final

import httpx
import pytest

from features.files.tests.factories import FILES, upload
from features.imports.tests.factories import IMPORTS, ended, lowdb, many
from features.items.tests.factories import new_item
from tests.fixtures.document import document

DOWNLOADS: Final = {
    "file": f"{FILES}/{{fileId}}/download",
    "export": "/api/v1/exports/{job_id}/download",
    "differences": "/api/v1/imports/{job_id}/differences",
}
EARLY: Final = "Mon, 01 Jan 2001 00:00:00 GMT"
PROBLEM: Final = "application/problem+json"


async def url_of(client: httpx.AsyncClient, kind: str) -> str:
    """URL of a new download, of more bytes than are sent without compression."""
    if kind == "file":
        stored = await upload(client, "content.txt", b"some text " * 300)
        return f"{FILES}/{stored['id']}/download"
    await asyncio.gather(*(client.post("/api/items", json=new_item()) for _ in range(20)))
    if kind == "export":
        begun = await client.post("/api/v1/exports")
    else:
        file = {"file": ("library.json", lowdb(many(20)))}
        begun = await client.post(f"{IMPORTS}/verify", files=file, data={"source": "lowdb"})
    job = await ended(client, begun.json()["data"]["id"])
    assert job["state"] == "succeeded", job["error"]
    return DOWNLOADS[kind].format(job_id=job["id"])


@pytest.mark.parametrize("kind", DOWNLOADS)
async def test_parts_and_wrong_ranges(client: httpx.AsyncClient, kind: str) -> None:
    url = await url_of(client, kind)
    whole = await client.get(url, headers={"accept-encoding": "gzip"})
    content, size = whole.content, len(whole.content)
    assert size > 2000
    assert (whole.headers["content-length"], whole.headers["accept-ranges"]) == (str(size), "bytes")
    assert "no-cache" in whole.headers["cache-control"]
    for wanted, start, end in (("bytes=0-0", 0, 1), ("bytes=10-", 10, size), ("bytes=-7", size - 7, size)):
        part = await client.get(url, headers={"range": wanted})
        assert (part.status_code, part.content) == (206, content[start:end]), wanted
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    for wanted in ("bytes=5-2", "abc", "items=0-1", "bytes=-", "bytes=0-1,5-6"):
        passed_by = await client.get(url, headers={"range": wanted})
        assert (passed_by.status_code, passed_by.content) == (200, content), wanted
    for wanted in (f"bytes={size}-", "bytes=-0"):
        for accept, media_type in (("*/*", "application/json"), (PROBLEM, PROBLEM)):
            refused = await client.get(url, headers={"range": wanted, "accept": accept})
            assert (refused.status_code, refused.headers["content-type"]) == (416, media_type)
            assert refused.headers["content-range"] == f"bytes */{size}"
            assert "behind its end" in refused.json()["message"]


@pytest.mark.parametrize("kind", DOWNLOADS)
async def test_conditions(client: httpx.AsyncClient, kind: str) -> None:
    url = await url_of(client, kind)
    whole = await client.get(url)
    tag, modified = whole.headers["etag"], whole.headers["last-modified"]
    for headers, status in [
        ({"if-none-match": tag}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": modified}, 304),
        ({"if-modified-since": EARLY}, 200),
        ({"if-match": tag}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-unmodified-since": EARLY}, 412),
        ({"range": "bytes=0-4", "if-range": tag}, 206),
        ({"range": "bytes=0-4", "if-range": '"other"'}, 200),
    ]:
        for method in ("GET", "HEAD"):
            response = await client.request(method, url, headers=headers)
            assert response.status_code == status, (method, headers)
    head = await client.head(url)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))


@pytest.mark.parametrize("kind", DOWNLOADS)
def test_the_document_tells_of_parts(kind: str) -> None:
    operation = document()["paths"][DOWNLOADS[kind]]["get"]
    assert {"200", "206", "304", "412", "416"} <= operation["responses"].keys()


async def test_two_exports_have_two_tags(client: httpx.AsyncClient) -> None:
    tags = {(await client.get(await url_of(client, "export"))).headers["etag"] for _ in range(2)}
    assert len(tags) == 2
