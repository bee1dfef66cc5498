"""`GET /api/v1/audit`: what it shows, which entries it finds, and in which order."""

import re
from typing import Any

import httpx
import pytest

from features.audit import service
from features.audit.tests.factories import create_item, seed
from tests.fixtures.database import Connection

URL = "/api/v1/audit"
NOON = "2025-06-01 12:00:00Z"


async def listed(client: httpx.AsyncClient, **parameters: str | int) -> dict[str, Any]:
    response = await client.get(URL, params=parameters)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def found(client: httpx.AsyncClient, **parameters: str | int) -> list[str]:
    return [entry["entityId"] for entry in (await listed(client, **parameters))["data"]]


async def test_each_write_of_an_item_is_shown_with_who_what_when_and_from_where(
    client: httpx.AsyncClient,
) -> None:
    item = await create_item(client, title="Before")
    url = f"/api/items/{item['id']}"
    headers = {"x-user-id": "maria", "x-request-id": "request-2"}
    updated = (await client.put(url, json={"title": "After"}, headers=headers)).json()["data"]
    await client.delete(url, headers={"x-user-id": "bob"})
    body = await listed(client, entity="item")
    deletion, change, creation = data = body["data"]
    assert (body["success"], body["count"], body["total"]) == (True, 3, 3)
    assert "nextCursor" not in body
    assert [entry["action"] for entry in data] == ["deleted", "updated", "created"]
    assert {entry["entityId"] for entry in data} == {item["id"]}
    assert {entry["client"] for entry in data} == {"127.0.0.1"}
    assert {
        key: change[key] for key in ("entity", "entityId", "action", "user", "requestId", "client", "changes")
    } == {
        "entity": "item",
        "entityId": item["id"],
        "action": "updated",
        "user": "maria",
        "requestId": "request-2",
        "client": "127.0.0.1",
        "changes": {
            "title": {"before": "Before", "after": "After"},
            "updatedAt": {"before": None, "after": updated["updatedAt"]},
        },
    }
    assert set(change) == {
        *("id", "entity", "entityId", "action", "user", "at", "requestId", "client", "changes")
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", change["at"])
    assert creation["changes"]["title"] == {"before": None, "after": "Before"}
    assert deletion["user"] == "bob"
    assert [int(entry["id"]) for entry in data] == sorted((int(entry["id"]) for entry in data), reverse=True)


async def test_what_no_request_caused_has_neither_request_nor_client(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await connection.execute(
        "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
        "VALUES ('item', 'job-1', 'imported', 'root', '{\"count\": 2000}')"
    )
    [entry] = (await listed(client))["data"]
    assert set(entry) == {"id", "entity", "entityId", "action", "user", "at", "changes"}
    assert entry["changes"] == {"count": 2000}


async def test_filters_name_the_entries_that_match_them_all(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 200, until=NOON)
    everything = await found(client, limit=200)
    assert everything == [f"row-{number}" for number in range(200, 0, -1)]
    assert await found(client, actor="rare") == ["row-107", "row-7"]
    assert await found(client, entity_id="row-7") == ["row-7"]
    assert await found(client, request_id="request-9") == ["row-9"]
    assert await found(client, entity="item", limit=3) == ["row-200", "row-196", "row-192"]
    assert await found(client, action="deleted", entity="file", limit=2) == ["row-183", "row-163"]
    assert await found(client, entity="item", actor="rare") == []
    assert await found(client, action="imported") == []
    assert await found(client, since="2025-06-01T12:00:00Z") == ["row-200", "row-199"]
    assert await found(client, until="2025-06-01T12:00:00.000Z", limit=2) == ["row-198", "row-197"]
    window = {"since": "2025-06-01T11:54:00+00:00", "until": "2025-06-01T11:58:00Z"}
    assert await found(client, **window) == ["row-196", "row-195", "row-194", "row-193"]
    assert await found(client, **window, entity="item") == ["row-196"]
    assert await found(client, since="2025-06-02T00:00:00Z") == []


@pytest.mark.parametrize(
    "parameters", [{}, {"entity": "item"}, {"actor": "ada", "since": "2025-06-01T09:00:00Z"}]
)
async def test_pages_by_cursor_and_by_offset_hold_every_entry_once(
    client: httpx.AsyncClient, connection: Connection, parameters: dict[str, str]
) -> None:
    """Pages end between entries of one moment too."""
    await seed(connection, 200, until=NOON)
    complete = await found(client, **parameters, limit=200)
    assert len(complete) > 40
    for size in (1 if parameters else 7, 25):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await listed(client, **parameters, **cursor, limit=size)
            assert page["total"] == len(complete)
            seen += [entry["entityId"] for entry in page["data"]]
            if "nextCursor" not in page:
                break
            cursor = {"cursor": str(page["nextCursor"])}
        assert seen == complete
    assert await found(client, **parameters, limit=10, offset=30) == complete[30:40]


async def test_entries_added_meanwhile_do_not_move_the_next_page(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 20, until=NOON)
    first = await listed(client, limit=10)
    await create_item(client)
    second = await listed(client, limit=10, cursor=str(first["nextCursor"]))
    assert [entry["entityId"] for entry in second["data"]] == [f"row-{n}" for n in range(10, 0, -1)]


async def test_a_page_costs_at_most_two_queries_whatever_its_size(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 250)
    for query in ("limit=200", "limit=1", "offset=240", "actor=rare&limit=1"):
        response = await client.get(f"{URL}?{query}")
        assert '"2 queries"' in response.headers["server-timing"]
    assert '"1 query"' in (await client.get(URL, params={"actor": "rare"})).headers["server-timing"]


async def test_more_matches_than_are_counted_have_no_total(
    client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "COUNTED_AT_MOST", 30)
    await seed(connection, 31)
    many = await listed(client, limit=10)
    assert "total" not in many
    assert many["count"] == 10
    exact = await listed(client, limit=10, since=str(many["data"][0]["at"]))
    assert exact["total"] == 2
    assert (await listed(client, limit=10, entity="item"))["total"] == 7


async def test_a_read_sees_the_write_before_it(client: httpx.AsyncClient) -> None:
    for count in (1, 2, 3):
        await create_item(client)
        assert (await listed(client))["count"] == count


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"offset": "10001"}, "offset"),
        ({"offset": "-1"}, "offset"),
        ({"action": "guessed"}, "action"),
        ({"since": "yesterday"}, "since"),
        ({"until": "1"}, "until"),
        ({"entity": "x" * 65}, "entity"),
        ({"actor": "a\0b"}, "actor"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "WyIyMDI1LTA2LTAxVDEyOjAwOjAwLjAwMFoiLCJ4Il0"}, "cursor"),
        ({"cursor": "WyIyMDI1LTA2LTAxVDEyOjAwOjAwLjAwMFoiLCIxIl0", "offset": "1"}, "offset"),
    ],
)
async def test_a_bad_parameter_is_refused_by_name(
    client: httpx.AsyncClient, parameters: dict[str, str], field: str
) -> None:
    response = await client.get(URL, params=parameters)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]
