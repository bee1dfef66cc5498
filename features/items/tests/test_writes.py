"""Writes: audited in their own transaction, one after the other, held to the database's constraints."""

import asyncio
import json
from functools import partial

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from features.items.tests.factories import JsonObject, create, legacy_record, new_item
from tests.fixtures.application import RunningApp
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.trail import audit_of, no_audit
from tests.fixtures.waiting import wait_for


async def test_each_write_leaves_one_entry_with_what_changed(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    headers = {b"x-user-id": " maría ".encode(), b"x-request-id": b"request-1"}
    response = await client.post("/api/items", json=new_item(title="Before"), headers=headers)
    before = response.json()["data"]
    url = f"/api/items/{before['id']}"
    response = await client.put(url, json={"title": "After", "priority": before["priority"], "tags": []})
    after = response.json()["data"]
    await client.delete(url, headers={"x-user-id": "bob"})
    created, updated, deleted = await audit_of(connection, "item", before["id"])
    assert (created["action"], created["actor"], created["request_id"]) == ("created", "maría", "request-1")
    assert created["changes"] == {key: {"before": None, "after": value} for key, value in before.items()}
    assert (updated["action"], updated["actor"]) == ("updated", "anonymous")
    assert updated["request_id"] == response.headers["x-request-id"]
    assert updated["changes"] == {
        "title": {"before": "Before", "after": "After"},
        "tags": {"before": ["ui", "ux"], "after": []},
        "updatedAt": {"before": None, "after": after["updatedAt"]},
    }
    assert (deleted["action"], deleted["actor"]) == ("deleted", "bob")
    assert deleted["changes"] == {key: {"before": value, "after": None} for key, value in after.items()}
    assert created["at"] <= updated["at"] <= deleted["at"]


async def test_a_refused_write_leaves_no_entry(client: httpx.AsyncClient, connection: Connection) -> None:
    item = await create(client)
    await client.put(f"/api/items/{item['id']}", json={"title": ""})
    await client.put("/api/items/nope", json={"title": "x"})
    await client.delete("/api/items/nope")
    await client.post("/api/items", json=new_item(priority="x"))
    await client.put(f"/api/items/{item['id']}", json={"title": "x"}, headers={"x-user-id": "x" * 129})
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 1
    assert (await client.get(f"/api/items/{item['id']}")).json()["data"] == item


async def test_without_its_audit_entry_no_change_happens(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    item = await create(client)
    url, mallory = f"/api/items/{item['id']}", {"x-user-id": "mallory"}
    async with no_audit(connection):
        responses = [
            await client.post("/api/items", json=new_item(), headers=mallory),
            await client.put(url, json={"title": "changed"}, headers=mallory),
            await client.delete(url, headers=mallory),
        ]
    for response in responses:
        assert response.status_code >= 400
        assert "constraint" not in response.text
        assert "audit" not in response.text
    assert (await client.get("/api/items")).json()["data"] == [item]
    assert len(await audit_of(connection, "item", item["id"])) == 1
    assert await connection.fetchval("SELECT version FROM items") == 1


async def test_fifty_writers_of_one_item_lose_nothing(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    item = await create(client, tags=[])
    url = f"/api/items/{item['id']}"
    responses = await asyncio.gather(
        *(client.put(url, json={"title": f"Title {number}"}) for number in range(50))
    )
    assert [response.status_code for response in responses] == [200] * 50
    assert await connection.fetchval("SELECT version FROM items") == 51
    _, *updates = await audit_of(connection, "item", item["id"])
    titles = [item["title"], *(update["changes"]["title"]["after"] for update in updates)]
    assert sorted(titles[1:]) == sorted(f"Title {number}" for number in range(50))
    assert [update["changes"]["title"]["before"] for update in updates] == titles[:-1]
    assert (await client.get(url)).json()["data"]["title"] == titles[-1]


async def test_writers_of_different_fields_keep_each_others_changes(client: httpx.AsyncClient) -> None:
    item = await create(client)
    changes: list[JsonObject] = [
        {"title": "New"},
        {"description": "New"},
        {"category": "banco-dados"},
        {"priority": "low"},
        {"status": "rejected"},
        {"tags": ["new"]},
    ]
    url = f"/api/items/{item['id']}"
    await asyncio.gather(*(client.put(url, json=change) for change in changes))
    read = (await client.get(url)).json()["data"]
    for change in changes:
        assert read.items() >= change.items()


async def test_updates_and_deletes_at_once_end_in_one_delete(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    item = await create(client)
    url = f"/api/items/{item['id']}"
    updates = [client.put(url, json={"status": "review"}) for _ in range(10)]
    deletes = [client.delete(url) for _ in range(10)]
    responses = await asyncio.gather(*updates, *deletes)
    assert {response.status_code for response in responses} <= {200, 404}
    assert [response.status_code for response in responses[10:]].count(200) == 1
    actions = [entry["action"] for entry in await audit_of(connection, "item", item["id"])]
    succeeded = [response.status_code for response in responses[:10]].count(200)
    assert actions == ["created", *["updated"] * succeeded, "deleted"]


async def test_a_writer_waits_for_the_one_before(client: httpx.AsyncClient, connection: Connection) -> None:
    item = await create(client)
    other = connection.transaction()
    await other.start()
    await connection.execute("UPDATE items SET title = 'Theirs', version = version + 1")
    update = asyncio.create_task(client.put(f"/api/items/{item['id']}", json={"priority": "low"}))
    waiting = f"SELECT count(*) FROM {WAITING_LOCKS} WHERE locktype = 'transactionid'"
    await wait_for(lambda: connection.fetchval(waiting))
    assert not update.done()
    await other.commit()
    response = await update
    assert response.status_code == 200
    assert (response.json()["data"]["title"], response.json()["data"]["priority"]) == ("Theirs", "low")
    assert await connection.fetchval("SELECT version FROM items") == 3


async def test_writers_that_wait_too_long_are_told_to_try_again(
    running_app: RunningApp, connection: Connection
) -> None:
    async with running_app(db_lock_timeout_s=0.2) as client:
        items = [await create(client), await create(client)]
        changes = [
            partial(client.request, method, f"/api/items/{item['id']}", json=body)
            for method, item, body in zip(("PUT", "DELETE"), items, ({"title": "late"}, None), strict=True)
        ]
        async with connection.transaction():
            await connection.execute("SELECT FROM items FOR UPDATE")
            answers = await asyncio.gather(*(change() for change in changes))
        for answer, item, change in zip(answers, items, changes, strict=True):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert (await client.get(f"/api/items/{item['id']}")).json()["data"] == item
            assert (await change()).status_code == 200


async def test_the_rows_of_an_import_keep_what_only_it_knows(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    item = await create(client)
    await connection.execute("""UPDATE items SET legacy = '{"fields": {"owner": "x"}}'""")
    assert "owner" not in (await client.put(f"/api/items/{item['id']}", json={"title": "x"})).text
    legacy = await connection.fetchval("SELECT legacy FROM items")
    assert json.loads(legacy) == {"fields": {"owner": "x"}}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", ""),
        ("id", "x" * 513),
        ("id", None),
        ("title", ""),
        ("title", " \t"),
        ("title", None),
        ("description", ""),
        ("description", None),
        ("category", "other"),
        ("category", None),
        ("priority", "urgent"),
        ("priority", None),
        ("status", "done"),
        ("status", None),
        ("tags", None),
        ("tags", [None]),
        ("version", 0),
        ("created_at", None),
    ],
)
async def test_the_database_refuses_what_no_item_may_be(
    connection: Connection, column: str, value: object
) -> None:
    record = legacy_record()
    columns = {name: record[name] for name in list(record)[:7]}
    names = list({**columns, column: value})
    holes = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    statement = f"INSERT INTO items ({', '.join(names)}) VALUES ({holes})"
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.NotNullViolationError)):
        await connection.execute(statement, *{**columns, column: value}.values())
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority, status, tags) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *columns.values(),
    )


async def test_an_id_that_exists_is_a_conflict(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await create(client)
    monkeypatch.setattr("features.items.queries.uuid4", lambda: item["id"])
    response = await client.post("/api/items", json=new_item())
    assert response.status_code == 409
    assert response.json()["success"] is False
    assert (await client.get("/api/items")).json()["data"] == [item]
