"""What the head of a request must be, and what is said about a request that is none."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from core.server.limits import MAX_HEAD_BYTES
from tests.http.listening import Address, client, listening, statuses
from tests.http.probe import assert_shape
from tests.http.wire import connected

GET = b"GET /probe/ok HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b'{"title": "T"}'
JSON = b"POST /probe/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
POST = JSON + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture
def server() -> Iterator[Address]:
    with listening() as address:
        yield address


async def answered(server: Address, sent: bytes) -> bytes:
    """Everything until the connection is ended, which the server does at once or not at all."""
    async with client(server) as connection:
        await connection.send(sent)
        return await connection.rest()


def refusal(answers: bytes) -> dict[str, Any]:
    """The body of the last answer, in the one error shape."""
    head, _, body = answers.rpartition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"connection: close" in head
    told: dict[str, Any] = json.loads(body)
    assert not told["success"]
    assert told["message"] == told["error"]
    return told


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"Host: localhost\r\nHost: localhost\r\n",
        b"Host: localhost\r\nHOST: y\r\n",
        b"Host: a b\r\n",
        b"Host: a/b\r\n",
        b"Host: u@a\r\n",
    ],
)
async def test_one_valid_host(server: Address, hosts: bytes) -> None:
    told = refusal(await answered(server, GET + GET.replace(b"Host: localhost\r\n", hosts)))
    assert told["errors"] == ["Host: must be sent once, as name or name:port"]


@pytest.mark.parametrize("host", [b"", b"x", b"a_b.c-d:80", b"[::1]:8000", b"127.0.0.1", b"\tx \t"])
async def test_hosts_that_are_valid(server: Address, host: bytes) -> None:
    async with client(server) as connection:
        await connection.send(GET.replace(b"Host: localhost", b"Host:" + host))
        assert statuses(b"".join(await connection.answers())) == [200]


async def test_an_absolute_url_without_a_path_is_that_of_the_root(server: Address) -> None:
    root, bare = GET.replace(b"/probe/ok", b"/"), GET.replace(b"/probe/ok", b"http://localhost")
    async with client(server) as connection:
        await connection.send(root + bare)
        first, second = await connection.answers(2)
    assert first.partition(b"\r\n")[0] == second.partition(b"\r\n")[0]
    assert statuses(second) != [400]


async def test_older_clients_need_no_host(server: Address) -> None:
    old = GET.replace(b"1.1", b"1.0")
    assert statuses(await answered(server, old.replace(b"Host: localhost\r\n", b""))) == [200]
    assert statuses(await answered(server, old.replace(b"Host", b"Host: y\r\nHost"))) == [400]


async def test_refusals_as_a_problem_and_without_a_body_for_head(server: Address) -> None:
    without = GET.replace(b"Host: localhost", b"Accept: application/problem+json")
    assert b"content-type: application/problem+json" in await answered(server, without)
    head = await answered(server, without.replace(b"GET", b"HEAD"))
    assert statuses(head) == [400]
    assert head.endswith(b"\r\n\r\n")


NO_REQUESTS = {
    "a stray byte": POST + b"x",
    "a stray line": POST + b"\r\nstray\r\n",
    "more than the length": POST + BODY,
    "binary": POST + b"\x16\x03\x01",
    "a wrong header": POST + GET.replace(b"Host", b"A b: c\r\nHost"),
    "no host": POST + GET.replace(b"Host: localhost\r\n", b""),
}


@pytest.mark.parametrize("name", NO_REQUESTS)
async def test_what_was_whole_before_is_answered_first(server: Address, name: str) -> None:
    answers = await answered(server, NO_REQUESTS[name])
    assert statuses(answers) == [201, 400]
    assert b'"title":"T"' in answers
    refusal(answers)


@pytest.mark.parametrize("rest", [b"zz\r\n", b"5\r\n{}}}}x", b"-1\r\n", b"2\r\n{}\r\n0\r\nA b\r\n\r\n"])
@pytest.mark.parametrize("together", [True, False])
async def test_malformed_chunks(server: Address, rest: bytes, together: bool) -> None:
    async with client(server) as connection:
        head = JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n"
        await connection.send(head + rest if together else GET + head)
        if not together:
            await connection.answers()  # the head has been read
            await connection.send(rest)
        answers = await connection.rest()
    assert statuses(answers) == [400]
    assert refusal(answers)["message"] == "The request body has a malformed chunk"
    assert b"x-request-id: " in answers


async def test_a_malformed_chunk_of_a_body_that_nothing_reads(server: Address) -> None:
    sent = GET.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost") + b"zz\r\n"
    answers = await answered(server, sent)
    assert statuses(answers) == [200]
    assert b'"hello":"there"' in answers


@pytest.mark.parametrize("codings", [b"gzip, chunked", b"identity, chunked"])
async def test_bodies_in_other_transfer_codings_are_refused(server: Address, codings: bytes) -> None:
    sent = JSON + b"Transfer-Encoding: " + codings + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    answers = await answered(server, GET + sent)
    assert statuses(answers) == [200, 501]
    assert "Transfer-Encoding" in refusal(answers)["message"]


LARGE = b"a" * MAX_HEAD_BYTES


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (GET.replace(b"/ok", b"/" + LARGE), 414),
        (GET.replace(b"/ok", b"/ok?" + LARGE), 414),
        (GET.replace(b"Host", b"A: " + LARGE + b"\r\nHost"), 431),
        (GET.replace(b"Host", b"A: b\r\n" * 11_000 + b"Host"), 431),
        (
            GET.replace(b"/ok", b"/" + LARGE[1000:]).replace(b"Host", b"A: " + LARGE[-2000:] + b"\r\nHost"),
            431,
        ),
    ],
)
@pytest.mark.parametrize("before", [b"", GET, POST])
async def test_heads_that_are_too_large(server: Address, head: bytes, status: int, before: bytes) -> None:
    """However they arrive."""
    async with client(server) as connection:
        await connection.send(before + head[:-20])
        for byte in head[-20:]:
            await connection.send(bytes([byte]))
        assert statuses(await connection.rest())[-1] == status
    assert statuses(await answered(server, before + head))[-1] == status


async def test_heads_that_are_nearly_too_large(server: Address) -> None:
    """What was sent before does not count."""
    long = GET.replace(b"Host", b"A: " + LARGE[200:] + b"\r\nHost")
    before = JSON + b"Content-Length: 60000\r\n\r\n" + BODY + b" " * (60_000 - len(BODY))
    async with client(server) as connection:
        await connection.send(before + long[:30_000])
        await connection.answers()
        await connection.send(long[30_000:] + long)
        assert statuses(b"".join(await connection.answers(2))) == [200, 200]


async def test_white_space_around_a_value_and_trailers() -> None:
    seen: list[dict[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        seen.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with connected(app) as connection:
        await connection.ask(
            b"POST / HTTP/1.1\r\nHost:x\r\nIdempotency-Key: \t k1 \t \r\nA:\t\r\nB: c  d \r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-User-Id: trailer\r\nHost: y\r\n\r\n"
        )
    [headers] = seen
    assert (headers[b"idempotency-key"], headers[b"a"], headers[b"b"]) == (b"k1", b"", b"c  d")
    assert headers[b"host"] == b"x"
    assert b"x-user-id" not in headers


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate, identity", "br", "identity,gzip"])
@pytest.mark.parametrize("path", ["/probe/things", "/probe/stream?limit=5000", "/probe/file"])
async def test_encoded_bodies_are_refused(probe: httpx.AsyncClient, path: str, coding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    response = await probe.post(path, content=gzip.compress(BODY), headers=headers)
    told = assert_shape(response, 415)
    assert told["message"] == "Content-Encoding must be identity: send the body as it is"
    assert response.headers["accept-encoding"] == "identity"


async def test_a_coding_on_a_line_of_its_own(probe: httpx.AsyncClient) -> None:
    headers = [("content-encoding", "identity"), ("content-encoding", "gzip")]
    assert_shape(await probe.post("/probe/things", content=BODY, headers=headers), 415)


@pytest.mark.parametrize("coding", ["identity", "Identity , identity", ""])
async def test_bodies_that_are_not_encoded(probe: httpx.AsyncClient, coding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    assert (await probe.post("/probe/things", content=BODY, headers=headers)).status_code == 201


async def test_a_coding_of_nothing(probe: httpx.AsyncClient) -> None:
    assert (await probe.get("/probe/ok", headers={"content-encoding": "gzip"})).status_code == 200
