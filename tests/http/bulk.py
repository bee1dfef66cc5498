"""The rows that have bulk writes, and how tests ask for them."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import strategies as some

from features.ideas.tests.factories import new_idea
from features.items.tests.factories import new_item
from tests.fixtures.database import Connection

Json = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """Rows with bulk writes."""

    entity: str
    table: str
    version: str
    single: str
    bulk: str
    new: Json
    changes: some.SearchStrategy[Json]

    def __str__(self) -> str:
        return self.table

    async def post(self, client: httpx.AsyncClient, *operations: object, **headers: str) -> httpx.Response:
        return await client.post(self.bulk, json={"operations": operations}, headers=headers)

    async def done(self, client: httpx.AsyncClient, *operations: object, **headers: str) -> list[Json]:
        answer = await self.post(client, *operations, **headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["success"], body["count"]) == (True, len(operations))
        results: list[Json] = body["data"]
        return results

    async def make(self, client: httpx.AsyncClient, count: int, **changes: object) -> list[str]:
        new = [{"op": "create", "data": {**self.new, **changes}} for _ in range(count)]
        return [each["id"] for each in await self.done(client, *new)]

    async def stored(self, connection: Connection) -> list[Any]:
        """Every row and entry, to see that nothing changed."""
        rows = await connection.fetch(f"SELECT * FROM {self.table} ORDER BY id")
        return [*rows, *await connection.fetch("SELECT * FROM audit_entries ORDER BY id")]


TEXTS = some.text(some.characters(codec="utf-8", exclude_characters="\0"), max_size=8).map("Títle {}".format)
TAGS = some.lists(some.sampled_from(["a", "b,c", '"q"', "é", "{}", "null"]), max_size=3)
PRIORITY = some.sampled_from(["low", "medium", "high", "critical"])
ITEMS = Resource(
    "item",
    "items",
    "version",
    "/api/items",
    "/api/v1/items/bulk",
    new_item(),
    some.fixed_dictionaries(
        {},
        optional={
            "title": TEXTS,
            "description": TEXTS,
            "tags": TAGS,
            "priority": PRIORITY,
            "status": some.sampled_from(["new", "review", "in-progress", "completed"]),
            "unknown": some.integers(),
        },
    ),
)
IDEAS = Resource(
    "idea",
    "ideas",
    "row_version",
    "/api/v1/ideas",
    "/api/v1/ideas/bulk",
    new_idea(),
    some.fixed_dictionaries(
        {},
        optional={
            "title": TEXTS,
            "tags": TAGS,
            "priority": PRIORITY,
            "status": some.sampled_from(["new", "review", "completed", "completed"]),
            "systemId": some.sampled_from([None, "s1", "s2", "none"]),
            "assignedTo": some.none() | TEXTS,
            "estimatedHours": some.none() | some.floats(1, 1000),
            "dueDate": some.sampled_from([None, "2031-01-01", "2030-05-06T07:08:09.123456+02:00"]),
        },
    ),
)
BOTH = pytest.mark.parametrize("rows", [ITEMS, IDEAS], ids=str)
