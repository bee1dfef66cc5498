"""Keys over HTTP: made, shown once, listed, revoked, and told in the audit trail."""

import re
from datetime import timedelta

import httpx

from core.database.client import Database
from core.http.request.fields import now, to_iso
from features.keys.tests.factories import bearer, make_key
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.pages import Pages, ids
from tests.fixtures.refusals import assert_refused
from tests.fixtures.trail import audit_of

KEYS = "/api/v1/keys"


async def test_a_key_is_shown_once_and_works(running_app: RunningApp, db: Database) -> None:
    admin = await make_key(db, "admin")
    async with running_app(auth="keys") as client:
        made = await client.post(KEYS, json={"name": " reader ", "scope": "read"}, headers=bearer(admin))
        assert made.status_code == 201
        assert made.headers["cache-control"] == "no-store"
        key = made.json()["data"]
        assert re.fullmatch(rf"hv_{key['id']}_[0-9a-f]{{64}}", key["key"])
        assert (key["name"], key["scope"], key["createdBy"]) == ("reader", "read", "somebody")
        assert "expiresAt" not in key
        mine = {"authorization": f"Bearer {key['key']}"}
        assert (await client.get("/api/items", headers=mine)).status_code == 200
        listed = await client.get(KEYS, headers=bearer(admin))
    assert [each["id"] for each in listed.json()["data"]] == [key["id"], admin.id]
    assert "key" not in listed.json()["data"][0]
    for secret in (key["key"], admin.key):
        assert secret.rpartition("_")[2] not in listed.text


async def test_the_list_has_pages(running_app: RunningApp, db: Database, connection: Connection) -> None:
    admin = await make_key(db, "admin")
    for number in range(6):
        await make_key(db, "read", f"reader {number}")
    await connection.execute("UPDATE api_keys SET created_at = '2025-01-01' WHERE scope = 'read'")
    pages = Pages(KEYS)
    async with running_app(auth="keys") as client:
        client.headers.update(bearer(admin))
        whole = await pages.page(client)
        everything = ids(whole)
        assert (list(whole), whole["total"]) == (["success", "count", "total", "data"], 7)
        for size in (1, 2, 6, 7):
            assert await pages.walk(client, limit=size) == everything
        assert ids(await pages.page(client, offset=5)) == everything[5:]
        second = await pages.page(client, limit=2, offset=2)
        assert (ids(second), second["total"]) == (everything[2:4], 7)
        await connection.execute("DELETE FROM api_keys WHERE id = $1", everything[3])
        assert ids(await pages.page(client, cursor=second["nextCursor"])) == everything[4:]
        elsewhere = (await client.get("/api/v1/audit", params={"limit": 1})).json()["nextCursor"]
        for query, field in (
            (f"cursor={elsewhere}", "cursor"),
            (f"cursor={second['nextCursor']}&offset=1", "offset"),
            ("limit=0", "limit"),
        ):
            answer = await client.get(f"{KEYS}?{query}")
            assert answer.status_code == 400
            assert [each["field"] for each in answer.json()["details"]] == [field]


async def test_only_a_hash_is_stored(db: Database, connection: Connection) -> None:
    made = await make_key(db, "write")
    row = await connection.fetchrow("SELECT * FROM api_keys")
    assert row is not None
    assert made.key.rpartition("_")[2] not in str(dict(row))
    assert len(row["secret_hash"]) == 64


async def test_a_revoked_key_opens_nothing_and_stays_listed(
    running_app: RunningApp, db: Database, connection: Connection
) -> None:
    admin, doomed = await make_key(db, "admin", "boss"), await make_key(db, "write")
    async with running_app(auth="keys") as client:
        assert (await client.get("/api/items", headers=bearer(doomed))).status_code == 200
        revoked = await client.delete(f"{KEYS}/{doomed.id}", headers=bearer(admin))
        assert revoked.json()["data"]["revokedAt"]
        # At once, although the key was remembered as valid.
        assert (await client.get("/api/items", headers=bearer(doomed))).status_code == 401
        again = await client.delete(f"{KEYS}/{doomed.id}", headers=bearer(admin))
        assert again.json()["data"]["revokedAt"] == revoked.json()["data"]["revokedAt"]
        listed = (await client.get(KEYS, headers=bearer(admin))).json()["data"]
        unknown = await client.delete(f"{KEYS}/0123456789ab", headers=bearer(admin))
    assert [each.get("revokedAt") is not None for each in listed] == [True, False]
    assert unknown.status_code == 404
    created, changed = await audit_of(connection, "key", doomed.id)
    assert (created["action"], created["actor"]) == ("created", "operator")
    assert (changed["action"], changed["actor"]) == ("updated", "boss")
    assert list(changed["changes"]) == ["revokedAt"]
    assert doomed.key.rpartition("_")[2] not in str(created)


async def test_what_is_refused(running_app: RunningApp, db: Database) -> None:
    headers = bearer(await make_key(db, "admin"))
    past = to_iso(now() - timedelta(seconds=1))
    async with running_app(auth="keys") as client:
        for body, field, message in (
            ({"name": "", "scope": "read"}, "name", "must not be empty"),
            ({"name": "x" * 41, "scope": "read"}, "name", "at most 40 characters"),
            ({"name": "a\nb", "scope": "read"}, "name", "printable"),
            ({"name": "a (b)", "scope": "read"}, "name", "bracket"),
            ({"name": "x", "scope": "root"}, "scope", "must be one of"),
            ({"name": "x", "scope": "read", "expiresAt": past}, "expiresAt", "must be in the future"),
        ):
            assert_refused(await client.post(KEYS, json=body, headers=headers), field, message)


async def test_the_last_use_is_noted_but_not_with_each_request(
    running_app: RunningApp, db: Database, connection: Connection
) -> None:
    key = await make_key(db, "read")
    async with running_app(auth="keys") as client:
        await client.get("/api/items", headers=bearer(key))
    first = await connection.fetchval("SELECT last_used_at FROM api_keys")
    assert abs((first - now()).total_seconds()) < 60
    async with running_app(auth="keys") as client:
        await client.get("/api/items", headers=bearer(key))
    assert await connection.fetchval("SELECT last_used_at FROM api_keys") == first
    await connection.execute("UPDATE api_keys SET last_used_at = now() - interval '6 minutes'")
    async with running_app(auth="keys") as client:
        await client.get("/api/items", headers=bearer(key))
    assert await connection.fetchval("SELECT last_used_at FROM api_keys") >= first


async def test_without_keys_they_are_not_managed_over_http(client: httpx.AsyncClient) -> None:
    for method, path in (("GET", KEYS), ("POST", KEYS), ("DELETE", f"{KEYS}/0123456789ab")):
        response = await client.request(method, path, json={"name": "x", "scope": "admin"})
        assert response.status_code == 403
        assert "only with AUTH=keys" in response.json()["message"]
