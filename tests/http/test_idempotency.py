"""`Idempotency-Key` on POST: carried out once, answered the same as often as it is sent."""

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.keys.tests.factories import bearer, make_key
from tests.http.keyed import ITEM, ITEMS, SYSTEM, count, keyed
from tests.http.probe import assert_shape

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection


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
    response = await client.post(ITEMS, json=ITEM, headers={b"idempotency-key": key})
    assert assert_shape(response, 400)["details"][0]["field"] == "Idempotency-Key"
    assert await count(connection, "items") == 0


@pytest.mark.parametrize("second", ["one", "two"])
async def test_two_keys_are_none(client: httpx.AsyncClient, connection: "Connection", second: str) -> None:
    headers = [("idempotency-key", "one"), ("Idempotency-Key", second)]
    response = await client.post(ITEMS, json=ITEM, headers=headers)
    [wrong] = assert_shape(response, 400)["details"]
    assert (wrong["field"], "give it once" in wrong["message"]) == ("Idempotency-Key", True)
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
        assert "is being carried out; send it again" in answer.json()["message"]
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

    @staticmethod
    def form(boundary: str, *parts: str, preamble: str = "") -> tuple[bytes, dict[str, str]]:
        framed = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
        kind = f"multipart/form-data; boundary={boundary}"
        return f"{preamble}{framed}--{boundary}--\r\n".encode(), {"content-type": kind}

    async def test_the_same_parts_between_other_boundaries_are_the_same(
        self, client: httpx.AsyncClient
    ) -> None:
        file = 'name="file"; filename="notes.txt"\r\n\r\nsome notes of x and y'
        headers, replayed = keyed(), []
        for boundary, preamble in (
            ("x", ""),
            ("y", ""),
            ("notes", ""),
            ("longer-boundary", "A preamble\r\n"),
        ):
            body, kind = self.form(boundary, file, preamble=preamble)
            answer = await client.post(self.PATH, content=body, headers={**headers, **kind})
            assert answer.status_code == 201, answer.text
            replayed.append(answer.headers.get("idempotency-replayed"))
        assert replayed == [None, "true", "true", "true"]

    async def test_equal_bytes_that_are_other_parts_are_another_request(
        self, client: httpx.AsyncClient
    ) -> None:
        """Only the boundaries tell the bytes of one part from those of two."""
        file = 'name="file"; filename="a.txt"\r\n\r\nfirst'
        field = 'name="description"\r\n\r\nsecond'
        headers = keyed()
        one, one_kind = self.form("one", f"{file}\r\n--\r\nContent-Disposition: form-data; {field}")
        two, two_kind = self.form("two", file, field)
        assert one.replace(b"one", b"") == two.replace(b"two", b"")
        first = await client.post(self.PATH, content=one, headers={**headers, **one_kind})
        other = await client.post(self.PATH, content=two, headers={**headers, **two_kind})
        assert (first.status_code, other.status_code) == (201, 409)

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

    async def test_a_form_beyond_the_limit_of_other_bodies_is_the_same_too(
        self, running_app: "RunningApp"
    ) -> None:
        headers, content = keyed(), b"words " * 40_000
        async with running_app(max_body_bytes=1024) as client:
            first, again = [await self.send(client, headers, content) for _ in range(2)]
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.headers["idempotency-replayed"] == "true"
