"""Folders of markdown, and a reindexing that is over when it returns."""

from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.waiting import wait_for

JsonObject = dict[str, Any]


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


async def ended(client: httpx.AsyncClient, location: str) -> JsonObject:
    async def job() -> JsonObject | None:
        data: JsonObject = (await client.get(location)).json()["data"]
        return data if data["state"] in ("succeeded", "failed", "cancelled") else None

    found = await wait_for(job, 30)
    assert found is not None
    return found


async def reindex(client: httpx.AsyncClient) -> JsonObject:
    """The job's result."""
    response = await client.post("/api/v1/search/reindex")
    assert response.status_code == 202, response.text
    job = await ended(client, response.headers["location"])
    assert job["state"] == "succeeded", job
    result: JsonObject = job["result"]
    return result


async def search(client: httpx.AsyncClient, q: str, **parameters: object) -> list[JsonObject]:
    response = await client.get("/api/v1/search", params={"q": q, **parameters})  # type: ignore[dict-item]
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["success"] is True
    assert body["count"] == len(body["data"]) <= body["total"]
    found: list[JsonObject] = body["data"]
    return found


async def found_ids(client: httpx.AsyncClient, q: str, **parameters: object) -> list[str]:
    return [result["id"] for result in await search(client, q, **parameters)]
