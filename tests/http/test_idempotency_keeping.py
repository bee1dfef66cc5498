"""How idempotency keys are kept: marked with the change, leased while it is made, forgotten after a day."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from core import idempotency as claims
from features.keys.tests.factories import bearer, make_key
from tests.fixtures.waiting import wait_for
from tests.http.keyed import ITEM, ITEMS, SYSTEM, count, keyed

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection


async def test_every_post_marks_its_key_in_the_transaction_of_its_change(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    """Whatever changes something: a process that dies before it answers must not do it twice. A new slice
    gets that with `unit_of_work`.
    """
    form = {"file": ("notes.txt", b"some notes", "text/plain")}
    record = {**ITEM, "id": "a", "status": "new", "createdAt": "2025-10-23T22:45:24.940Z", "updatedAt": None}
    library = {"file": ("db.json", json.dumps({"items": [record]}).encode(), "application/json")}
    source = {"source": "lowdb"}
    imported = await client.post("/api/v1/imports", files=library, data=source)
    undone = imported.json()["data"]["id"]

    async def ended() -> bool:
        return bool((await client.get(f"/api/v1/jobs/{undone}")).json()["data"]["state"] == "succeeded")

    await wait_for(ended)
    system = (await client.post("/api/v1/systems", json={**SYSTEM, "url": "http://127.0.0.1:1/"})).json()[
        "data"
    ]
    idea = {"title": "t", "description": "d", "category": "api", "priority": "low"}
    job = await connection.fetchval(
        "INSERT INTO jobs (id, kind, arguments, actor, lease_expires_at) VALUES "
        "(gen_random_uuid(), 'test.nothing', '{}', 'somebody', now() + interval '1 hour') RETURNING id::text"
    )
    hook = {"url": "https://a.example", "active": False}
    webhook = (await client.post("/api/v1/webhooks", json=hook)).json()["data"]["id"]
    await connection.execute(
        "INSERT INTO webhook_deliveries (id, webhook_id, position, entity, entity_id, type, body, state) "
        "VALUES ('msg_1', $1, 1, 'item', 'a', 'item.created', '{}', 'dead')",
        webhook,
    )
    requests: dict[str, dict[str, Any]] = {
        f"/api/v1/webhooks/{webhook}/deliveries/msg_1/redeliver": {},
        f"/api/v1/webhooks/{webhook}/redeliver-dead": {},
        ITEMS: {"json": ITEM},
        "/api/v1/systems": {"json": {**SYSTEM, "name": "another"}},
        "/api/v1/systems/health-check-all": {},
        f"/api/v1/systems/{system['id']}/health": {},
        "/api/v1/ideas": {"json": idea},
        "/api/v1/files/upload": {"files": form},
        "/api/v1/files/upload-multiple": {"files": {"files": form["file"]}},
        "/api/v1/files/reconcile": {},
        "/api/v1/exports": {},
        f"/api/v1/imports/{undone}/undo": {},
        "/api/v1/imports": {"files": library, "data": {**source, "dry_run": "true"}},
        f"/api/v1/jobs/{job}/cancel": {},
        "/api/v1/audit/retention": {},
        "/api/v1/search/reindex": {},
    }
    for path, request in requests.items():
        await connection.execute("TRUNCATE idempotency_keys")
        response = await client.post(path, headers=keyed(), **request)
        assert response.is_success, (path, response.text)
        row = await connection.fetchrow("SELECT committed, status FROM idempotency_keys")
        assert row is not None
        assert (row["committed"], row["status"]) == (True, response.status_code), path
    known = {
        "/".join(
            "{id}" if part in {system["id"], job, undone, webhook, "msg_1"} else part
            for part in path.split("/")
        )
        for path in requests
    }
    document = (await client.get("/openapi.json")).json()["paths"]
    found = {
        "/".join("{id}" if part.startswith("{") else part for part in path.split("/"))
        for path, methods in document.items()
        if "post" in methods
    }
    assert known | {"/api/v1/keys", "/api/v1/webhooks"} <= found


async def test_a_new_api_key_is_not_kept_in_the_answer(
    running_app: "RunningApp", db: "Database", connection: "Connection"
) -> None:
    headers = keyed(**bearer(await make_key(db, "admin")))
    body = {"name": "x", "scope": "read"}
    async with running_app(auth="keys") as client:
        assert (await client.post("/api/v1/keys", json=body, headers=headers)).status_code == 201
        again = await client.post("/api/v1/keys", json=body, headers=headers)
    assert again.status_code == 409
    assert await connection.fetchval("SELECT answer IS NULL FROM idempotency_keys")
    assert await count(connection, "api_keys") == 2


async def test_keys_are_kept_for_a_day(client: httpx.AsyncClient, connection: "Connection") -> None:
    headers = keyed()
    await client.post(ITEMS, json=ITEM, headers=headers)
    left = await connection.fetchval("SELECT expires_at - now() FROM idempotency_keys")
    assert 23.9 * 3600 < left.total_seconds() <= claims.KEPT_S
    await connection.execute("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'")
    again = await client.post(ITEMS, json=ITEM, headers=headers)
    assert "idempotency-replayed" not in again.headers
    assert await count(connection, "items") == 2


async def test_without_the_store_the_client_still_gets_its_answer(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    """Then a repetition is refused rather than carried out."""
    headers = keyed()
    await connection.execute(
        "ALTER TABLE idempotency_keys ADD CONSTRAINT full_disk CHECK (status IS NULL) NOT VALID"
    )
    try:
        first = await client.post(ITEMS, json=ITEM, headers=headers)
    finally:
        await connection.execute("ALTER TABLE idempotency_keys DROP CONSTRAINT full_disk")
    assert first.status_code == 201
    await connection.execute("UPDATE idempotency_keys SET lease_expires_at = now()")
    again = await client.post(ITEMS, json=ITEM, headers=headers)
    assert again.status_code == 409
    assert "look at what it has changed" in again.json()["message"]
    assert await count(connection, "items") == 1


async def test_the_lease_is_renewed_while_the_body_comes_in(
    client: httpx.AsyncClient, connection: "Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE_S", 0.5)
    monkeypatch.setattr(claims, "RENEWED_EVERY_S", 0.1)
    headers, go_on = keyed(), asyncio.Event()
    form = httpx.Request("POST", "http://x/", files={"file": ("notes.txt", b"some notes", "text/plain")})
    whole = form.read()

    async def slowly() -> Any:
        yield whole[:20]
        await go_on.wait()
        yield whole[20:]

    sending = {**headers, "content-type": form.headers["content-type"]}
    slow = asyncio.create_task(client.post("/api/v1/files/upload", content=slowly(), headers=sending))
    begun = await wait_for(lambda: connection.fetchval("SELECT lease_expires_at FROM idempotency_keys"))

    async def renewed() -> bool:
        return bool(
            await connection.fetchval(
                "SELECT lease_expires_at > $1::timestamptz + interval '1 second' FROM idempotency_keys", begun
            )
        )

    await wait_for(renewed)
    other = await client.post("/api/v1/files/upload", content=whole, headers=sending)
    assert (other.status_code, other.headers["retry-after"]) == (409, "1")
    go_on.set()
    assert (await slow).status_code == 201
    again = await client.post("/api/v1/files/upload", content=whole, headers=sending)
    assert again.content == (await slow).content


async def test_who_lost_the_key_commits_nothing(client: httpx.AsyncClient, connection: "Connection") -> None:
    """An attempt that hung for longer than its lease wakes up after another one has taken its key."""
    headers = keyed()
    async with connection.transaction():
        # The audit entry, the last step but the mark, waits for this.
        await connection.execute("LOCK TABLE audit_entries IN ACCESS EXCLUSIVE MODE")
        hanging = asyncio.create_task(client.post(ITEMS, json=ITEM, headers=headers))
        await wait_for(lambda: connection.fetchval("SELECT count(*) FROM idempotency_keys"))
        await connection.execute("UPDATE idempotency_keys SET attempt = gen_random_uuid()")
    response = await hanging
    assert response.status_code in {409, 503}
    assert await count(connection, "items") == 0
