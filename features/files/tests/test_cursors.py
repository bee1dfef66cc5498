"""Pages by cursor: every file once, in each order, whatever goes meanwhile."""

from typing import Any

import httpx
import pytest

from features.files.sql import match
from features.files.tests.factories import FILES, JsonObject, listed, seed
from tests.fixtures.database import Connection


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("order", ["created_at", "size", "filename", "mime_type"])
async def test_following_the_cursor_gives_every_file_once_in_order(
    client: httpx.AsyncClient, connection: Connection, order: str, direction: str
) -> None:
    await seed(connection, 300)
    query: dict[str, Any] = {"order_by": order, "order_direction": direction, "limit": 70}
    by_offset = [
        each["id"]
        for offset in range(0, 300, 70)
        for each in (await listed(client, **query, offset=offset))["data"]
    ]
    by_cursor: list[str] = []
    body = await listed(client, **query)
    while True:
        by_cursor += [each["id"] for each in body["data"]]
        assert body["total"] == 300
        if "nextCursor" not in body:
            break
        body = await listed(client, **query, cursor=body["nextCursor"])
    assert by_cursor == by_offset
    assert len(set(by_cursor)) == 300


async def test_matches_that_go_before_they_are_read_do_not_end_the_list(
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(connection, 9)
    find = match.find_matching
    gone: list[str] = []

    async def find_and_lose(*arguments: Any, **options: Any) -> list[str]:
        ids = await find(*arguments, **options)
        if not gone:
            gone.extend(ids)
            await connection.execute("DELETE FROM files WHERE id = ANY($1)", gone)
        return ids

    monkeypatch.setattr(match, "find_matching", find_and_lose)
    found: list[str] = []
    query: dict[str, Any] = {"search": "report", "limit": 2}
    body: JsonObject = {"nextCursor": None}
    while "nextCursor" in body:
        body = await listed(client, **query)
        found += [each["id"] for each in body["data"]]
        query["cursor"] = body.get("nextCursor")
    left = await connection.fetch("SELECT id FROM files ORDER BY created_at DESC, id")
    assert len(gone) == 3
    assert found == [row["id"] for row in left]


async def test_a_cursor_belongs_to_its_order(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 10)
    cursor = (await listed(client, limit=2, order_by="size"))["nextCursor"]
    wrong: list[dict[str, Any]] = [
        {"order_by": "filename"},
        {"order_by": "mime_type"},
        {"order_by": "size", "order_direction": "ASC"},
        {"order_by": "size", "offset": 1},
    ]
    for query in wrong:
        response = await client.get(FILES, params={**query, "cursor": cursor})
        assert response.status_code == 400, query
