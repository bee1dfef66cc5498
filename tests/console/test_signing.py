"""Signing in with AUTH=keys, and what a session is worth."""

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from features.keys.tests.factories import make_key
from tests.console.people import sign_in, signed_in, token_of
from tests.fixtures.trail import audit_of

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

PAGES = ("", "/items", "/activity", "/takeover", "/jobs", "/keys")
ITEM = {"title": "Dark mode", "description": "At night", "category": "dashboard", "priority": "low"}


async def test_without_a_session_a_page_leads_to_the_sign_in(running_app: "RunningApp") -> None:
    async with running_app(auth="keys") as client:
        for path in PAGES:
            response = await client.get(f"/console{path}?q=a")
            place = f"/console/sign-in?next={quote(f'/console{path}?q=a', safe='')}"
            assert (response.status_code, response.headers["location"]) == (303, place)
        for path in ("/console/api/items", "/console/figures"):
            assert (await client.get(path)).status_code == 303
        assert (await client.get("/console/sign-in")).status_code == 200
        by_script = await client.get("/console", headers={"hx-request": "true"})
        assert (by_script.status_code, by_script.headers["hx-redirect"]) == (204, "/console/sign-in")


async def test_the_cookie_is_kept_from_scripts_and_other_sites_and_tells_no_key(
    running_app: "RunningApp", db: "Database", connection: "Connection"
) -> None:
    async with running_app(auth="keys") as client:
        key = await make_key(db, "read", "ada")
        response = await sign_in(client, key.key)
        assert response.headers["location"] == "/console/items"
        cookie = response.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=strict", "Path=/console", "Max-Age=43200"):
            assert part in cookie
        assert "Secure" not in cookie
        row = dict((await connection.fetch("SELECT * FROM console_sessions"))[0])
        secret = key.key.rpartition("_")[2]
        token = client.cookies["handover_session"]
        for kept in (cookie, str(row)):
            assert key.key not in kept
            assert secret not in kept
        assert token not in str(row)
        again = await client.post(
            "/console/sign-in", data={"key": key.key}, headers={"x-forwarded-proto": "https"}
        )
        assert "Secure" in again.headers["set-cookie"]


async def test_a_form_needs_the_token_of_its_own_session(running_app: "RunningApp", db: "Database") -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "admin", "first")
        foreign = await token_of(client)
        client.cookies.clear()
        await signed_in(client, db, "admin", "second")
        own = await token_of(client)
        new = {"name": "third", "scope": "read"}
        for wrong in ({}, {"csrf": foreign}, {"csrf": ""}):
            assert (await client.post("/console/keys", data={**new, **wrong})).status_code == 403
        for headers in ({}, {"x-csrf-token": foreign}):
            refused = await client.post("/console/api/items", json=ITEM, headers=headers)
            assert refused.status_code == 403
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (
            await client.post("/console/keys", data={**new, "csrf": own}, headers=elsewhere)
        ).status_code == 403
        assert (await client.get("/console/api/items")).json()["total"] == 0
        made = await client.post("/console/keys", data={**new, "csrf": own})
        assert made.status_code == 200
        assert re.search(r"hv_[0-9a-f]{12}_[0-9a-f]{64}", made.text)
        through = await client.post("/console/api/items", json=ITEM, headers={"x-csrf-token": own})
        assert through.status_code == 201


async def test_a_revoked_key_ends_its_sessions_at_once(running_app: "RunningApp", db: "Database") -> None:
    async with running_app(auth="keys") as client:
        key_id = await signed_in(client, db, "admin")
        csrf = await token_of(client)
        assert (await client.get("/console/items")).status_code == 200
        assert (await client.post(f"/console/keys/{key_id}/revoke", data={"csrf": csrf})).status_code == 303
        ended = await client.get("/console/items")
        assert (ended.status_code, "sign-in" in ended.headers["location"]) == (303, True)
        assert 'handover_session=""; expires' in ended.headers["set-cookie"]


async def test_who_signs_out_cannot_come_back_with_the_old_cookie(
    running_app: "RunningApp", db: "Database"
) -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "read")
        old, csrf = client.cookies["handover_session"], await token_of(client)
        assert (await client.post("/console/sign-out", data={"csrf": csrf})).status_code == 303
        client.cookies.set("handover_session", old, path="/console")
        assert (await client.get("/console")).status_code == 303


async def test_wrong_keys_are_refused_and_counted(running_app: "RunningApp") -> None:
    async with running_app(auth="keys") as client:
        statuses = [
            (await client.post("/console/sign-in", data={"key": "hv_wrong"})).status_code for _ in range(25)
        ]
        assert statuses[0] == 401
        assert statuses[-1] == 429


async def test_what_a_key_may_not_do_is_not_offered_and_not_done(
    running_app: "RunningApp", db: "Database"
) -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "read")
        page = (await client.get("/console")).text
        for path in ("/console/takeover", "/console/jobs", "/console/keys"):
            assert f'href="{path}"' not in page
            assert (await client.get(path)).status_code == 403
        csrf = await token_of(client)
        refused = await client.post("/console/export", data={"csrf": csrf, "form": "lowdb"})
        assert refused.status_code == 403


@pytest.mark.parametrize("place", ["https://elsewhere.example/console", "//elsewhere.example", "/consoles"])
async def test_after_signing_in_nobody_is_led_elsewhere(
    running_app: "RunningApp", db: "Database", place: str
) -> None:
    async with running_app(auth="keys") as client:
        key = await make_key(db, "read", "ada")
        response = await client.post("/console/sign-in", data={"key": key.key, "next": place})
        assert response.headers["location"] == "/console"


async def test_changes_are_those_of_the_person_in_the_audit_trail(
    running_app: "RunningApp", db: "Database", connection: "Connection"
) -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "write", "grace")
        token = {"x-csrf-token": await token_of(client)}
        made = await client.post("/console/api/items", json=ITEM, headers=token)
        [entry] = await audit_of(connection, "item", made.json()["data"]["id"])
        assert (entry["actor"], entry["request_id"]) == ("grace", made.headers["x-request-id"])


async def test_without_keys_the_console_says_so_and_takes_a_name(
    client: "httpx.AsyncClient", connection: "Connection"
) -> None:
    assert "No keys asked for" in (await client.get("/console")).text
    await client.post("/console/name", data={"name": "Zoë", "next": "/console/items"})
    made = await client.post("/console/api/items", json=ITEM)
    [entry] = await audit_of(connection, "item", made.json()["data"]["id"])
    assert entry["actor"] == "Zoë"
