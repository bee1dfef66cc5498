"""Clients that listen, programs that write, and what both have seen."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.fixtures.database import Connection
from tests.fixtures.servers import LiveServer

CHANGES = "/api/v1/changes"
WRITERS = 20
ROUNDS = 15


@dataclass
class Told:
    """What a client has heard; the text that is left is of an event that has not come whole. Of the `ids`,
    also those alone, a browser would go on after the last one.
    """

    answer: httpx.Response
    ids: list[str] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, Any] | None = None
    ended: bool = False

    @property
    def positions(self) -> list[int]:
        return [int(change["position"]) for change in self.changes]

    async def read(self) -> None:
        fields: dict[str, str] = {}
        try:
            async for line in self.answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                    continue
                self.ids += [fields["id"]] if "id" in fields else []
                if fields.get("event") == "change":
                    self.changes.append(json.loads(fields["data"]))
                    assert fields["id"] == self.changes[-1]["position"]
                elif fields.get("event") == "dropped":
                    self.dropped = json.loads(fields["data"])
                fields = {}
        except httpx.TransportError:
            pass
        self.ended = True


@asynccontextmanager
async def following(
    server: LiveServer, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Told]:
    async with (
        httpx.AsyncClient(base_url=server.base_url, timeout=None) as client,
        client.stream("GET", f"{CHANGES}/events{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        told = Told(answer)
        task = asyncio.create_task(told.read())
        try:
            yield told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def pages(
    client: httpx.AsyncClient, query: str = "", headers: dict[str, str] | None = None, limit: int = 500
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        answer = await client.get(f"{CHANGES}?limit={limit}{after}{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["data"]
        after = f"&after={body['next']}"
        if not body["hasMore"]:
            return found


async def create_item(client: httpx.AsyncClient) -> dict[str, Any]:
    body = {"title": "Dark mode", "description": "For the night", "category": "dashboard", "priority": "high"}
    response = await client.post("/api/items", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def write_much(connection_of: Callable[[], Awaitable[Any]], rows: list[str]) -> list[tuple[str, int]]:
    """What twenty writers at once commit to shared rows; they roll back a third of their changes."""
    committed: list[tuple[str, int]] = []

    async def write(number: int) -> None:
        connection = await connection_of()
        try:
            for turn in range(ROUNDS):
                row = rows[(number * 7 + turn) % len(rows)]
                transaction = connection.transaction()
                await transaction.start()
                value = await connection.fetchval(
                    "UPDATE items SET priority = priority, title = title || 'x' WHERE id = $1 "
                    "RETURNING version",
                    row,
                )
                await asyncio.sleep(0)
                if (number + turn) % 3:
                    await transaction.commit()
                    committed.append((row, value))
                else:
                    await transaction.rollback()
        finally:
            await connection.close()

    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    return committed


async def versions_of(connection: Connection, told: list[dict[str, Any]]) -> None:
    """Each committed change is told once, and those of a row in the order of its entries."""
    entries = await connection.fetch("SELECT entity_id, at FROM audit_entries ORDER BY id")
    by_row: dict[str, int] = {}
    for row, _ in entries:
        by_row[row] = by_row.get(row, 0) + 1
    heard: dict[str, int] = {}
    order = await connection.fetch(
        "SELECT entity_id, id FROM change_events WHERE position IS NOT NULL ORDER BY position"
    )
    assert [row for row, _ in order] == [each["entityId"] for each in told]
    last: dict[str, int] = {}
    for row, number in order:
        assert number > last.get(row, 0)
        last[row] = number
        heard[row] = heard.get(row, 0) + 1
    assert heard == by_row
