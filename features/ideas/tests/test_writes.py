"""Writes: audited in their own transaction, one after the other."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest

from features.ideas.tests.factories import (
    IDEAS,
    STATUSES,
    JsonObject,
    add_system,
    create,
    full_idea,
    new_idea,
    update,
)
from tests.fixtures.application import RunningApp
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.trail import audit_of, no_audit
from tests.fixtures.waiting import wait_for


async def test_each_write_leaves_one_entry_with_what_changed(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system_id = await add_system(connection, "Orders API")
    headers = {b"x-user-id": " maría ".encode(), b"x-request-id": b"request-1"}
    response = await client.post(IDEAS, json=full_idea(system_id), headers=headers)
    before = response.json()["data"]
    url = f"{IDEAS}/{before['id']}"
    change = {"status": "completed", "systemId": None, "title": before["title"], "tags": []}
    response = await client.put(url, json=change)
    after = response.json()["data"]
    await client.delete(url, headers={"x-user-id": "bob"})
    created, updated, deleted = await audit_of(connection, "idea", before["id"])
    del before["system"]
    assert (created["action"], created["actor"], created["request_id"]) == ("created", "maría", "request-1")
    assert created["client"] == "127.0.0.1"
    assert created["changes"] == {key: {"before": None, "after": value} for key, value in before.items()}
    assert (updated["action"], updated["actor"]) == ("updated", "anonymous")
    assert updated["request_id"] == response.headers["x-request-id"]
    assert updated["changes"] == {
        "status": {"before": "new", "after": "completed"},
        "tags": {"before": ["api", "guide"], "after": []},
        "systemId": {"before": system_id, "after": None},
        "completedAt": {"before": None, "after": after["completedAt"]},
        "updatedAt": {"before": None, "after": after["updatedAt"]},
    }
    assert (deleted["action"], deleted["actor"]) == ("deleted", "bob")
    assert deleted["changes"] == {key: {"before": value, "after": None} for key, value in after.items()}


async def test_a_refused_write_leaves_no_entry(client: httpx.AsyncClient, connection: Connection) -> None:
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    refused = [
        await client.put(url, json={"title": ""}),
        await client.put(url, json={"systemId": "nope"}),
        await client.put(f"{IDEAS}/nope", json={"title": "x"}),
        await client.delete(f"{IDEAS}/nope"),
        await client.post(IDEAS, json=new_idea(systemId="nope")),
        await client.put(url, json={"title": "x"}, headers={"x-user-id": "x" * 129}),
    ]
    assert all(response.status_code in (400, 404) for response in refused)
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 1
    assert (await client.get(url)).json()["data"] == idea


async def test_without_its_audit_entry_no_change_happens(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client)
    url, mallory = f"{IDEAS}/{idea['id']}", {"x-user-id": "mallory"}
    async with no_audit(connection):
        responses = [
            await client.post(IDEAS, json=new_idea(), headers=mallory),
            await client.put(url, json={"status": "completed"}, headers=mallory),
            await client.delete(url, headers=mallory),
        ]
    for response in responses:
        assert response.status_code >= 400
        assert "audit" not in response.text
    assert (await client.get(IDEAS)).json()["data"] == [idea]
    assert len(await audit_of(connection, "idea", idea["id"])) == 1
    assert await connection.fetchval("SELECT row_version FROM ideas") == 1


async def test_completing_sets_the_moment_and_leaving_clears_it(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    before = datetime.now(UTC).replace(microsecond=0)
    done = await update(client, idea["id"], status="completed")
    assert before <= datetime.fromisoformat(done["completedAt"]) <= datetime.now(UTC)
    assert done["completedAt"] == done["updatedAt"]
    for again in ({"status": "completed"}, {"title": "Other"}, {}):
        assert (await update(client, idea["id"], **again))["completedAt"] == done["completedAt"]
    for status in STATUSES:
        if status != "completed":
            assert "completedAt" not in await update(client, idea["id"], status=status)
            anew = await update(client, idea["id"], status="completed")
            assert anew["completedAt"] >= done["completedAt"]


async def test_an_idea_can_be_created_in_any_status(client: httpx.AsyncClient) -> None:
    for status in STATUSES:
        idea = await create(client, status=status)
        assert idea["status"] == status
        assert idea.get("completedAt") == (idea["createdAt"] if status == "completed" else None)


async def test_fifty_movers_of_one_idea_lose_nothing(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    responses = await asyncio.gather(
        *(client.put(url, json={"status": STATUSES[number % 6]}) for number in range(50))
    )
    assert [response.status_code for response in responses] == [200] * 50
    for number, response in enumerate(responses):
        moved = response.json()["data"]
        assert moved["status"] == STATUSES[number % 6]
        assert ("completedAt" in moved) == (moved["status"] == "completed")
    assert await connection.fetchval("SELECT row_version FROM ideas") == 51
    _, *moves = await audit_of(connection, "idea", idea["id"])
    assert len(moves) == 50
    status, completed_at = "new", None
    for move in moves:
        # Each entry goes on exactly where the one before ended.
        changed = move["changes"].get("status", {"before": status, "after": status})
        completion = move["changes"].get("completedAt", {"before": completed_at, "after": completed_at})
        assert (changed["before"], completion["before"]) == (status, completed_at)
        status, completed_at = changed["after"], completion["after"]
        assert (completed_at is not None) == (status == "completed")
    read = (await client.get(url)).json()["data"]
    assert (read["status"], read.get("completedAt")) == (status, completed_at)


async def test_writers_of_different_fields_keep_each_others_changes(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    changes: list[JsonObject] = [
        {"title": "New"},
        {"category": "api"},
        {"priority": "low"},
        {"status": "completed"},
        {"tags": ["new"]},
        {"assignedTo": "ana"},
        {"dueDate": "2030-01-01T00:00:00.000Z"},
    ]
    url = f"{IDEAS}/{idea['id']}"
    await asyncio.gather(*(client.put(url, json=change) for change in changes))
    read = (await client.get(url)).json()["data"]
    for change in changes:
        assert read.items() >= change.items()
    assert "completedAt" in read


async def test_updates_and_deletes_at_once_end_in_one_delete(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client)
    url = f"{IDEAS}/{idea['id']}"
    updates = [client.put(url, json={"status": "review"}) for _ in range(10)]
    deletes = [client.delete(url) for _ in range(10)]
    responses = await asyncio.gather(*updates, *deletes)
    assert {response.status_code for response in responses} <= {200, 404}
    assert [response.status_code for response in responses[10:]].count(200) == 1
    actions = [entry["action"] for entry in await audit_of(connection, "idea", idea["id"])]
    succeeded = [response.status_code for response in responses[:10]].count(200)
    assert actions == ["created", *["updated"] * succeeded, "deleted"]


async def test_writers_that_wait_too_long_are_told_to_try_again(
    running_app: RunningApp, connection: Connection
) -> None:
    async with running_app(db_lock_timeout_s=0.2) as client:
        ideas = [await create(client), await create(client)]
        changes = [
            partial(client.request, method, f"{IDEAS}/{idea['id']}", json=body)
            for method, idea, body in zip(("PUT", "DELETE"), ideas, ({"title": "late"}, None), strict=True)
        ]
        async with connection.transaction():
            await connection.execute("SELECT FROM ideas FOR UPDATE")
            answers = await asyncio.gather(*(change() for change in changes))
        for answer, idea, change in zip(answers, ideas, changes, strict=True):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert (await client.get(f"{IDEAS}/{idea['id']}")).json()["data"] == idea
            assert (await change()).status_code == 200


async def test_changes_are_answered_though_the_name_of_their_system_cannot_be_read(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system_id = await add_system(connection, "Orders")
    changed, deleted = [await create(client, systemId=system_id) for _ in range(2)]
    async with connection.transaction():
        await connection.execute("LOCK TABLE systems IN ACCESS EXCLUSIVE MODE")
        answers = await asyncio.gather(
            client.put(f"{IDEAS}/{changed['id']}", json={"title": "Changed"}),
            client.delete(f"{IDEAS}/{deleted['id']}"),
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["data"]["systemId"] for answer in answers} == {system_id}
    left = await connection.fetch("SELECT id, title FROM ideas")
    assert [tuple(row) for row in left] == [(changed["id"], "Changed")]


async def test_a_system_that_is_deleted_meanwhile_is_not_linked(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system_id = await add_system(connection, "Going")
    deleting = connection.transaction()
    await deleting.start()
    await connection.execute("DELETE FROM systems WHERE id = $1", system_id)
    creating = asyncio.create_task(client.post(IDEAS, json=new_idea(systemId=system_id)))
    waiting = f"SELECT count(*) FROM {WAITING_LOCKS}"
    await wait_for(lambda: connection.fetchval(waiting))
    await deleting.commit()
    response = await creating
    assert response.status_code == 400
    assert response.json()["message"] == "Referenced system not found"


async def test_an_idea_waits_for_a_system_before_it_is_held(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    """Who deletes a system holds it, and needs its ideas: the other order would be a deadlock."""
    system_id = await add_system(connection, "Going")
    idea = await create(client)
    async with connection.transaction():
        await connection.execute("DELETE FROM systems")
        moving = asyncio.create_task(client.put(f"{IDEAS}/{idea['id']}", json={"systemId": system_id}))
        await wait_for(lambda: connection.fetchval(f"SELECT count(*) FROM {WAITING_LOCKS}"))
        await connection.execute("SELECT FROM ideas FOR UPDATE NOWAIT")
    answer = await moving
    assert (answer.status_code, answer.json()["message"]) == (400, "Referenced system not found")


async def test_ideas_move_between_systems_that_are_being_deleted(
    client: httpx.AsyncClient, connection: Connection, logs: list[JsonObject]
) -> None:
    systems = [await add_system(connection, f"System {number}") for number in range(8)]
    ideas = [await create(client, systemId=systems[number % 8]) for number in range(16)]
    moves = [
        client.put(f"{IDEAS}/{idea['id']}", json={"systemId": systems[(number + turn) % 8]})
        for turn in range(1, 5)
        for number, idea in enumerate(ideas)
    ]
    deletes = [client.delete(f"/api/v1/systems/{system_id}") for system_id in systems[::2]]
    answers = await asyncio.gather(*moves[:20], *deletes, *moves[20:])
    assert {answer.status_code for answer in answers} == {200, 400}
    assert {answer.status_code for answer in answers[20 : 20 + len(deletes)]} == {200}
    shown = (await client.get(IDEAS)).json()["data"]
    assert {idea["systemId"] for idea in shown if "systemId" in idea} <= {*systems[1::2]}
    assert all(("system" in idea) == ("systemId" in idea) for idea in shown)
    assert "database.retried" not in [entry["event"] for entry in logs]


async def test_an_id_that_exists_is_a_conflict(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    idea = await create(client)
    monkeypatch.setattr("features.ideas.queries.uuid4", lambda: idea["id"])
    response = await client.post(IDEAS, json=new_idea())
    assert response.status_code == 409
    assert (await client.get(IDEAS)).json()["data"] == [idea]
