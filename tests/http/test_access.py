"""`AUTH=keys`: every path and method asks for a key whose scope suffices, and tells others nothing."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from structlog.testing import capture_logs

from core.http.request.access import FAILURES
from features.keys.service import LIFETIME_S
from features.keys.tests.factories import bearer, make_key
from tests.fixtures.trail import audit_of
from tests.fixtures.waiting import wait_for
from tests.http.probe import assert_shape

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.commands import Handover
    from tests.fixtures.database import Connection
    from tests.fixtures.servers import StartServer

IDEA = {"title": "t", "description": "d", "category": "api", "priority": "low"}
ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
OPEN = ("/health", "/health/live", "/health/ready", "/docs", "/docs/start.js", "/openapi.json")
ADMIN = ("audit", "exports", "imports", "jobs", "keys", "webhooks")


async def operations(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Every method and path of the app's document, with something in place of the parameters."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in paths.items()
        for method in methods
        if method in {"get", "post", "put", "delete", "patch"}
    ]


def assert_key_required(response: httpx.Response) -> None:
    assert_shape(response, 401)
    assert response.headers["www-authenticate"].startswith('Bearer realm="handover"')


async def test_without_a_key_only_probes_and_the_documentation_answer(running_app: "RunningApp") -> None:
    async with running_app(auth="keys") as client:
        for path in OPEN:
            assert (await client.get(path)).status_code == 200, path
        tried = await operations(client)
        for method, path in [
            *tried,
            ("GET", "/nowhere"),
            ("OPTIONS", "/api/items"),
            ("GET", "/docs/../api/items"),
        ]:
            if path not in OPEN:
                assert_key_required(await client.request(method, path))
    assert len(tried) > 50


async def test_what_each_scope_may_do(running_app: "RunningApp", db: "Database") -> None:
    """Of every operation: read opens GET, write the rest, and neither what is for administrators."""
    reader, writer = await make_key(db, "read"), await make_key(db, "write")
    async with running_app(auth="keys") as client:
        for method, path in await operations(client):
            admin = path.startswith(tuple(f"/api/v1/{name}" for name in ADMIN))
            for key, allowed in ((reader, method == "GET" and not admin), (writer, not admin)):
                if allowed and method != "GET":
                    continue
                # A stream without an end does not begin: the position is none.
                response = await client.request(method, f"{path}?after=none", headers=bearer(key))
                if path in OPEN or allowed:
                    assert response.status_code not in {401, 403}, (method, path)
                else:
                    needed = "admin" if admin else "write"
                    assert_shape(response, 403)
                    assert (
                        f'error="insufficient_scope", scope="{needed}"'
                        in response.headers["www-authenticate"]
                    )


async def test_every_scope_can_do_its_work(running_app: "RunningApp", db: "Database") -> None:
    writer, admin = await make_key(db, "write"), await make_key(db, "admin")
    async with running_app(auth="keys") as client:
        made = await client.post("/api/items", json=ITEM, headers=bearer(writer))
        assert made.status_code == 201
        assert (await client.get("/api/items", headers=bearer(writer))).json()["count"] == 1
        assert (await client.head("/api/items", headers=bearer(writer))).status_code == 200
        for path in ("/api/items", "/api/v1/jobs", "/api/v1/audit", "/api/v1/keys", "/metrics"):
            assert (await client.get(path, headers=bearer(admin))).status_code == 200
        one = f"/api/items/{made.json()['data']['id']}"
        assert (await client.delete(one, headers=bearer(admin))).status_code == 200


async def test_all_that_is_wrong_with_a_key_looks_the_same(
    running_app: "RunningApp", db: "Database", connection: "Connection"
) -> None:
    good, expired, revoked = (
        await make_key(db, "read"),
        await make_key(db, "read"),
        await make_key(db, "read"),
    )
    await connection.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", expired.id)
    await connection.execute("UPDATE api_keys SET revoked_at = now() WHERE id = $1", revoked.id)
    secret = good.key.rpartition("_")[2]
    wrong = [
        f"Bearer {expired.key}",
        f"Bearer {revoked.key}",
        f"Bearer hv_0123456789ab_{secret}",
        f"Bearer {good.key[:-1]}{'0' if good.key[-1] != '0' else '1'}",
        f"Bearer {good.key}0",
        f"Bearer {good.key.upper()}",
        f"Basic {good.key}",
        f"Bearer{good.key}",
        good.key,
        "Bearer",
        "Bearer \xe9",
        "",
    ]
    async with running_app(auth="keys") as client:
        assert (await client.get("/api/items", headers=bearer(good))).status_code == 200
        with capture_logs() as logs:
            answers = [
                await client.get("/api/items", headers={b"authorization": each.encode("latin-1")})
                for each in wrong
            ]
    for answer in answers:
        assert_key_required(answer)
    assert len({(answer.text, answer.headers["www-authenticate"]) for answer in answers}) == 1
    refused = [entry for entry in logs if entry["event"] == "access.refused"]
    assert {entry["reason"] for entry in refused} == {"malformed", "unknown", "wrong", "not valid any more"}
    assert secret not in str(logs)


async def test_the_scheme_is_read_as_the_standard_says(running_app: "RunningApp", db: "Database") -> None:
    key = await make_key(db, "read")
    async with running_app(auth="keys") as client:
        for scheme in ("bearer", "BEARER", "Bearer "):
            response = await client.get("/api/items", headers={"authorization": f"{scheme} {key.key}"})
            assert response.status_code == 200


async def test_a_key_expires_while_it_is_remembered(running_app: "RunningApp", db: "Database") -> None:
    key = await make_key(db, "read", expires_in=timedelta(seconds=3))
    async with running_app(auth="keys") as client:
        assert (await client.get("/api/items", headers=bearer(key))).status_code == 200

        async def expired() -> bool:
            return (await client.get("/api/items", headers=bearer(key))).status_code == 401

        await wait_for(expired)


async def test_a_key_revoked_elsewhere_is_forgotten_in_time(
    running_app: "RunningApp", db: "Database", connection: "Connection"
) -> None:
    """As on another host: the log of changes tells, long before the key is looked up again for its age."""
    key = await make_key(db, "read")
    async with running_app(auth="keys") as client:
        assert (await client.get("/api/items", headers=bearer(key))).status_code == 200
        await connection.execute("SELECT set_config('handover.origin', '', false)")
        await connection.execute("UPDATE api_keys SET revoked_at = now()")

        async def refused() -> bool:
            return (await client.get("/api/items", headers=bearer(key))).status_code == 401

        await wait_for(refused, LIFETIME_S / 2)


@pytest.mark.slow
async def test_the_command_revokes_at_once(live_server: "StartServer", handover: "Handover") -> None:
    """Two workers remember the key; the command, in a process of its own, takes it from both."""
    made = await handover("keys", "create", "dashboard", "--scope", "read", "--expires-in", "90d")
    assert made.code == 0, made.err
    facts = dict(line.split(None, 1) for line in made.out.splitlines())
    server = await live_server({"AUTH": "keys", "WORKERS": "2"})
    headers = {"authorization": f"Bearer {facts['key']}"}

    async def statuses() -> set[int]:
        found = set()
        for _ in range(12):
            async with server.client(headers=headers) as client:
                found.add((await client.get("/api/items")).status_code)
        return found

    assert await statuses() == {200}
    assert "keys.none" not in server.output()
    revoked = await handover("keys", "revoke", facts["id"])
    assert revoked.out == f"Key {facts['id']} of dashboard is revoked.\n"
    assert await statuses() == {401}


async def test_a_known_key_costs_no_query(running_app: "RunningApp", db: "Database") -> None:
    key = await make_key(db, "read")
    async with running_app(auth="keys") as client:

        async def queries() -> int:
            with capture_logs() as logs:
                await client.get("/api/v1/files/upload-info", headers=bearer(key))
            [found] = [entry["queries"] for entry in logs if entry["event"] == "http.request"]
            return int(found)

        async def is_known() -> bool:
            return await queries() == 0

        assert await queries() >= 1
        # Not at once: an app that has just started may not hear other hosts yet.
        await wait_for(is_known, message="a known key costs a query")


async def test_guessing_is_slowed_down_and_holders_are_not(running_app: "RunningApp", db: "Database") -> None:
    key, unused = await make_key(db, "read"), await make_key(db, "read")
    async with running_app(auth="keys") as client:
        assert (await client.get("/api/items", headers=bearer(key))).status_code == 200
        guess = {"authorization": f"Bearer hv_{key.id}_{'0' * 64}"}
        answers = await asyncio.gather(
            *(client.get("/api/items", headers=guess) for _ in range(FAILURES + 5))
        )
        assert {answer.status_code for answer in answers} <= {401, 429}
        barred = await client.get("/api/items", headers=guess)
        assert_shape(barred, 429)
        assert 1 <= int(barred.headers["retry-after"]) <= 3
        for valid in (unused, key):
            assert (await client.get("/api/items", headers=bearer(valid))).status_code == 200
        assert (await client.get("/api/items", headers=guess)).status_code == 429


async def test_the_trail_names_the_key_and_the_label_beside_it(
    running_app: "RunningApp", db: "Database", connection: "Connection"
) -> None:
    key = await make_key(db, "write", "dashboard")
    async with running_app(auth="keys") as client:
        plain = await client.post("/api/items", json=ITEM, headers=bearer(key))
        labelled = await client.post("/api/items", json=ITEM, headers={**bearer(key), "x-user-id": "ada"})
        longest = 128 - len("dashboard ()")
        long = await client.post("/api/items", json=ITEM, headers={**bearer(key), "x-user-id": "a" * longest})
        too_long = await client.post(
            "/api/items", json=ITEM, headers={**bearer(key), "x-user-id": "a" * (longest + 1)}
        )
    assert (long.status_code, too_long.status_code) == (201, 400)
    for response, actor in ((plain, "dashboard"), (labelled, "dashboard (ada)")):
        [entry] = await audit_of(connection, "item", response.json()["data"]["id"])
        assert entry["actor"] == actor


async def test_whoever_creates_an_idea_signs_with_the_key(running_app: "RunningApp", db: "Database") -> None:
    idea = {"title": "t", "description": "d", "category": "docs", "priority": "low"}
    key = await make_key(db, "write", "dashboard")
    signed: tuple[tuple[dict[str, str], dict[str, str], str], ...] = (
        ({}, {}, "dashboard"),
        ({}, {"x-user-id": "ada"}, "dashboard (ada)"),
        ({"createdBy": "boss"}, {}, "dashboard (boss)"),
        ({"created_by": "boss"}, {"x-user-id": "ada"}, "dashboard (boss)"),
    )
    async with running_app(auth="keys") as client:
        for body, headers, creator in signed:
            made = await client.post(
                "/api/v1/ideas", json={**idea, **body}, headers={**bearer(key), **headers}
            )
            assert made.json()["data"]["createdBy"] == creator
        for wrong in ("a" * 200, "root)\u202e("):
            refused = await client.post(
                "/api/v1/ideas", json={**idea, "createdBy": wrong}, headers=bearer(key)
            )
            assert refused.json()["details"][0]["field"] == "createdBy"


async def test_preflights_need_no_key(running_app: "RunningApp") -> None:
    async with running_app(auth="keys", cors_origins=("https://a.example",)) as client:
        asked = {"origin": "https://a.example", "access-control-request-method": "GET"}
        response = await client.options("/api/items", headers=asked)
        assert response.status_code == 204
        assert "Authorization" in response.headers["access-control-allow-headers"]
        refused = await client.get("/api/items", headers={"origin": "https://a.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://a.example"


async def test_a_server_without_any_key_says_how_to_make_one(live_server: "StartServer") -> None:
    server = await live_server({"AUTH": "keys"})
    await wait_for(lambda: "keys.none" in server.output())
    assert "handover keys create NAME --scope admin" in server.output()
