"""Spreadsheets for the tests of imports, and what became of them."""

import json
from typing import Any

import httpx

from features.imports.tests.factories import IMPORTS, Job, ended

EXPORTS = "/api/v1/exports"
LISTS = {"items": "/api/items", "ideas": "/api/v1/ideas", "systems": "/api/v1/systems"}
ITEMS = "title,description,category,priority\nDark mode,As asked for,dashboard,low\n"


async def post(
    client: httpx.AsyncClient, content: str | bytes, into: str = "items", **fields: str
) -> httpx.Response:
    data = content if isinstance(content, bytes) else content.encode()
    form = {"source": "csv", "into": into, **fields}
    return await client.post(IMPORTS, files={"file": ("ours.csv", data, "text/csv")}, data=form)


async def imported(
    client: httpx.AsyncClient, content: str | bytes, into: str = "items", **fields: str
) -> Job:
    answer = await post(client, content, into, **fields)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json()["data"]["id"])


async def rows(client: httpx.AsyncClient, into: str = "items") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(LISTS[into])).json()["data"]
    return sorted(found, key=lambda row: str(row.get("title") or row.get("name")))


async def rejects(client: httpx.AsyncClient, job: Job) -> list[dict[str, Any]]:
    lines = (await client.get(f"{IMPORTS}/{job['id']}/rejects")).text.splitlines()
    return [json.loads(line) for line in lines]
