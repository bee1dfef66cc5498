"""`Idempotency-Key` on POST: carried out once, answered the same as often as it is sent."""

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from core.idempotency import claim as claims
from features.keys.tests.factories import bearer, make_key
from tests.fixtures.waiting import wait_for
from tests.http.probe import assert_shape

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

ITEMS = "/api/items"
ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
SYSTEM = {"name": "n", "description": "d", "status": "planned"}


def keyed(key: str | None = None, **headers: str) -> dict[str, str]:
    return {"idempotency-key": key or str(uuid.uuid4()), **headers}


async def count(connection: "Connection", table: str) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def test_the_same_request_gets_the_same_answer(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    headers = keyed()
    first = await client.post(ITEMS, json=ITEM, headers=headers)
    again = await client.post(ITEMS, json=ITEM, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("content-type", "location"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await count(connection, "items") == 1
    assert await count(connection, "audit_entries") == 1


async def test_the_answer_is_compressed_for_whom_it_is_sent_to(client: httpx.AsyncClient) -> None:
    headers, body = keyed(), {**ITEM, "description": "many words " * 500}
    zipped = await client.post(ITEMS, json=body, headers={**headers, "accept-encoding": "gzip"})
    plain = await client.post(ITEMS, json=body, headers={**headers, "accept-encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.json() == zipped.json()


async def test_another_body_is_refused(client: httpx.AsyncClient, connection: "Connection") -> None:
    headers = keyed()
    await client.post(ITEMS, json=ITEM, headers=headers)
    for other in ({**ITEM, "title": "u"}, {**ITEM, "title": "longer"}, {}):
        body = assert_shape(await client.post(ITEMS, json=other, headers=headers), 409)
        assert body["message"] == "This Idempotency-Key was used for another request"
    assert await count(connection, "items") == 1


async def test_actors_routes_and_parameters_have_keys_of_their_own(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    headers = keyed("one")
    for path, body, actor in (
        (ITEMS, ITEM, "ada"),
        (ITEMS, ITEM, "eve"),
        (ITEMS + "?a=1", ITEM, "ada"),
        ("/api/v1/systems", SYSTEM, "ada"),
    ):
        response = await client.post(path, json=body, headers={**headers, "x-user-id": actor})
        assert response.status_code == 201
        assert "idempotency-replayed" not in response.headers
    assert await count(connection, "items") == 3


async def test_holders_of_keys_have_keys_of_their_own(running_app: "RunningApp", db: "Database") -> None:
    first, second = await make_key(db, "write", "one"), await make_key(db, "write", "two")
    rotated = await make_key(db, "write", "one")
    headers = keyed()
    async with running_app(auth="keys") as client:
        answers = [
            await client.post(ITEMS, json=ITEM, headers={**headers, **bearer(key)})
            for key in (first, second, rotated)
        ]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, None, "true"]
    assert answers[2].content == answers[0].content


@pytest.mark.parametrize("key", [b"", b"a b", b"\xc3\xa9", b"a" * 256, b"\x7f"])
async def test_what_is_no_key(client: httpx.AsyncClient, connection: "Connection", key: bytes) -> None:
    response = await client.post(ITEMS, json=ITEM, headers={"idempotency-key": key})
    assert assert_shape(response, 400)["details"][0]["field"] == "Idempotency-Key"
    assert await count(connection, "items") == 0


async def test_the_longest_key_is_one(client: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "!" + "~" * 254}
    answers = [await client.post(ITEMS, json=ITEM, headers=headers) for _ in range(2)]
    assert answers[1].content == answers[0].content


async def test_other_methods_have_no_use_for_it(client: httpx.AsyncClient, connection: "Connection") -> None:
    made = (await client.post(ITEMS, json=ITEM)).json()["data"]
    headers = keyed()
    for title in ("u", "v"):
        response = await client.put(f"{ITEMS}/{made['id']}", json={"title": title}, headers=headers)
        assert response.json()["data"]["title"] == title
    assert await count(connection, "idempotency_keys") == 0


async def test_fifty_at_once_make_one_row(client: httpx.AsyncClient, connection: "Connection") -> None:
    headers = keyed()
    answers = await asyncio.gather(*(client.post(ITEMS, json=ITEM, headers=headers) for _ in range(50)))
    made = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(made) + len(refused) == 50
    assert len({answer.content for answer in made}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    for answer in refused:
        assert answer.json()["message"] == "A request with this Idempotency-Key is being carried out"
        assert answer.headers["retry-after"] == "1"
    assert await count(connection, "items") == 1


async def test_a_refused_request_leaves_its_key_free(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    headers = keyed()
    for _ in range(2):
        refused = await client.post(ITEMS, json={**ITEM, "title": ""}, headers=headers)
        assert refused.status_code == 400
        assert "idempotency-replayed" not in refused.headers
    assert (await client.post(ITEMS, json=ITEM, headers=headers)).status_code == 201
    assert await count(connection, "items") == 1


async def test_a_conflict_that_is_resolved_is_not_repeated(client: httpx.AsyncClient) -> None:
    taken = (await client.post("/api/v1/systems", json=SYSTEM)).json()["data"]
    headers = keyed()
    assert (await client.post("/api/v1/systems", json=SYSTEM, headers=headers)).status_code == 409
    await client.delete(f"/api/v1/systems/{taken['id']}")
    assert (await client.post("/api/v1/systems", json=SYSTEM, headers=headers)).status_code == 201


async def test_a_failed_request_can_be_repeated(client: httpx.AsyncClient, connection: "Connection") -> None:
    headers = keyed(**{"x-user-id": "mallory"})
    await connection.execute(
        "ALTER TABLE audit_entries ADD CONSTRAINT closed CHECK (actor <> 'mallory') NOT VALID"
    )
    try:
        assert (await client.post(ITEMS, json=ITEM, headers=headers)).status_code == 500
    finally:
        await connection.execute("ALTER TABLE audit_entries DROP CONSTRAINT closed")
    assert await count(connection, "items") == 0
    assert (await client.post(ITEMS, json=ITEM, headers=headers)).status_code == 201
    assert await count(connection, "items") == 1


class TestUploads:
    PATH = "/api/v1/files/upload"

    async def send(
        self, client: httpx.AsyncClient, headers: dict[str, str], content: bytes
    ) -> httpx.Response:
        """httpx chooses a new boundary for each form, as most clients do."""
        files = {"file": ("notes.txt", content, "text/plain")}
        return await client.post(self.PATH, files=files, headers=headers)

    async def test_a_form_sent_again_is_the_same(
        self, client: httpx.AsyncClient, connection: "Connection"
    ) -> None:
        headers = keyed()
        first = await self.send(client, headers, b"some notes")
        again = await self.send(client, headers, b"some notes")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["idempotency-replayed"] == "true"
        other = await self.send(client, headers, b"some nodes")
        assert other.status_code == 409
        assert await count(connection, "files") == 1

    async def test_a_form_is_hashed_however_it_is_cut(self, client: httpx.AsyncClient) -> None:
        headers = keyed()
        content = b"words " * 40_000
        first = await self.send(client, headers, content)
        assert first.status_code == 201
        form = httpx.Request("POST", "http://x/", files={"file": ("notes.txt", content, "text/plain")})
        whole = form.read()
        for size in (1009, 65_536, len(whole)):
            pieces = self.cut(whole, size)
            again = await client.post(
                self.PATH, content=pieces, headers={**headers, "content-type": form.headers["content-type"]}
            )
            assert again.headers.get("idempotency-replayed") == "true", size

    @staticmethod
    async def cut(whole: bytes, size: int) -> Any:
        for start in range(0, len(whole), size):
            yield whole[start : start + size]

    async def test_a_larger_body_is_not_read_to_its_end(self, client: httpx.AsyncClient) -> None:
        headers = keyed()
        await self.send(client, headers, b"some notes")
        read = 0

        async def endless() -> Any:
            nonlocal read
            while read < 100 * 1024 * 1024:
                read += 65_536
                yield b"x" * 65_536

        response = await client.post(
            self.PATH,
            content=endless(),
            headers={**headers, "content-type": "multipart/form-data; boundary=abcdefghijklmnop"},
        )
        assert response.status_code == 409
        assert read < 1024 * 1024


async def test_every_post_marks_its_key_in_the_transaction_of_its_change(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    """Whatever changes something: a process that dies before it answers must not do it twice. A new POST route
    belongs in here.
    """
    form = {"file": ("notes.txt", b"some notes", "text/plain")}
    record = {**ITEM, "id": "a", "status": "new", "createdAt": "2025-10-23T22:45:24.940Z", "updatedAt": None}
    library = {"file": ("db.json", json.dumps({"items": [record]}).encode(), "application/json")}
    source = {"source": "lowdb"}
    imported = await client.post("/api/v1/imports", files=library, data=source)
    undone = imported.json()["data"]["id"]

    async def ended() -> bool:
        return (await client.get(f"/api/v1/jobs/{undone}")).json()["data"]["state"] == "succeeded"

    await wait_for(ended)
    system = (await client.post("/api/v1/systems", json={**SYSTEM, "url": "http://127.0.0.1:1/"})).json()[
        "data"
    ]
    idea = {"title": "t", "description": "d", "category": "api", "priority": "low"}
    job = await connection.fetchval(
        "INSERT INTO jobs (id, kind, arguments, actor, lease_expires_at) VALUES "
        "(gen_random_uuid(), 'test.nothing', '{}', 'somebody', now() + interval '1 hour') RETURNING id::text"
    )
    requests: dict[str, dict[str, Any]] = {
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
        "/".join("{id}" if part in {system["id"], job, undone} else part for part in path.split("/"))
        for path in requests
    }
    document = (await client.get("/openapi.json")).json()["paths"]
    found = {
        "/".join("{id}" if part.startswith("{") else part for part in path.split("/"))
        for path, methods in document.items()
        if "post" in methods
    }
    assert found == known | {"/api/v1/keys"}


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


async def test_keys_are_kept_for_a_day_and_then_removed(
    client: httpx.AsyncClient, connection: "Connection"
) -> None:
    headers = keyed()
    await client.post(ITEMS, json=ITEM, headers=headers)
    left = await connection.fetchval("SELECT expires_at - now() FROM idempotency_keys")
    assert 23.9 * 3600 < left.total_seconds() <= claims.KEPT_S
    await connection.execute("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'")
    again = await client.post(ITEMS, json=ITEM, headers=headers)
    assert "idempotency-replayed" not in again.headers
    assert await count(connection, "items") == 2
    await connection.execute(
        "INSERT INTO idempotency_keys (id, attempt, lease_expires_at, expires_at) "
        "SELECT n::text, gen_random_uuid(), now(), now() - interval '1 hour' FROM generate_series(1, 25) AS n"
    )
    for expected in (17, 8, 4, 5):  # one more each time, and up to ten less
        await client.post(ITEMS, json=ITEM, headers=keyed())
        assert await count(connection, "idempotency_keys") == expected


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
