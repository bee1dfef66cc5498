"""Answers that are known as a whole leave in one piece, and where they cannot, as they would otherwise."""

import asyncio
import re

import pytest
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.http.client import ClientResolver
from core.http.context import EXCHANGE, KEY, Answer, context_of
from core.http.edge import Edge
from tests.fixtures.waiting import wait_for
from tests.http.wire import connected

BODY = b'{"success":true}'
HEADERS = [(b"etag", b'"1"'), (b"content-length", b"%d" % len(BODY)), (b"content-type", b"application/json")]
GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
TIMING = re.compile(rb"server-timing: [^\r]*|x-request-id: [^\r]*")


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    context_of(scope).answer = Answer(200, list(HEADERS), BODY)


async def unchanged(scope: Scope, receive: Receive, send: Send) -> None:
    context_of(scope).answer = Answer(304, HEADERS[:1], b"")


async def in_messages(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def in_chunks(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY[:3], "more_body": True})
    await send({"type": "http.response.body", "body": BODY[3:]})


async def without_length(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS[:1]})
    await send({"type": "http.response.body", "body": BODY})


async def for_the_last_time(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [*HEADERS, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


async def with_a_line_too_many(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [*HEADERS, (b"x-name", b"a\r\nset-cookie: b")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


async def longer_than_said(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY + b" "})


async def given_up(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    raise LookupError


def same(answer: bytes) -> bytes:
    """Without what is different in each answer."""
    found, count = TIMING.subn(b"", answer)
    assert count == 2 * answer.count(b"HTTP/1.1 ")
    return found


async def usual(request: bytes) -> bytes:
    async with connected(in_messages, in_pieces=True) as connection:
        return await connection.ask(request)


@pytest.mark.parametrize("app", [whole, in_messages])
async def test_one_write_and_the_same_bytes(app: ASGIApp) -> None:
    expected = await usual(GET)
    async with connected(app) as connection:
        for number in (1, 2, 3):
            assert same(await connection.ask(GET)) == same(expected)
            assert len(connection.wire.pieces) == number
        assert not connection.wire.closed
    assert expected.startswith(b"HTTP/1.1 200 OK\r\ndate: Sat, 01 Feb 2025 00:00:00 GMT\r\netag: ")
    assert expected.endswith(b"\r\n\r\n" + BODY)


async def test_the_request_id_is_given_back() -> None:
    async with connected(whole) as connection:
        answer = await connection.ask(GET.replace(b"Host", b"X-Request-Id: mine\r\nHost"))
    assert b"\r\nx-request-id: mine\r\n" in answer


async def test_not_modified_has_no_body() -> None:
    async with connected(unchanged) as connection:
        answer = await connection.ask(GET)
        assert len(connection.wire.pieces) == 1
    assert answer.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length" not in answer
    assert b"transfer-encoding" not in answer


async def test_who_still_listens_hears_the_end() -> None:
    heard: list[asyncio.Future[Message]] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        heard.append(asyncio.ensure_future(receive()))
        await asyncio.sleep(0)  # it waits from here on
        await whole(scope, receive, send)

    async with connected(listening) as connection:
        await connection.ask(GET)
        async with asyncio.timeout(5):
            assert await heard[0] == {"type": "http.disconnect"}


async def test_a_connection_without_another_request_is_ended() -> None:
    async with connected(whole, idle_s=0) as connection:
        await connection.ask(GET)
        await wait_for(lambda: connection.wire.closed)


@pytest.mark.parametrize(("method", "body"), [("GET", BODY), ("HEAD", b"")])
async def test_other_servers_get_messages(method: str, body: bytes) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": method, "path": "/a", "headers": []}
    await Edge(whole, clients=ClientResolver([]))(scope, receive, send)
    start, rest = sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert start["headers"][: len(HEADERS)] == HEADERS
    assert (rest["type"], rest["body"]) == ("http.response.body", body)


@pytest.mark.parametrize(
    "app", [in_chunks, without_length, for_the_last_time, with_a_line_too_many, longer_than_said]
)
async def test_what_is_not_whole_is_sent_as_ever(app: ASGIApp) -> None:
    async with connected(app, in_pieces=True) as connection:
        expected, closed = await connection.ask(GET), connection.wire.closed
    async with connected(app) as connection:
        assert same(await connection.ask(GET)) == same(expected)
        assert connection.wire.closed == closed
    assert b"set-cookie" not in expected


async def test_nothing_is_out_before_the_body() -> None:
    """So a failure between the two can still be told."""
    with structlog.testing.capture_logs() as logs:
        async with connected(given_up) as connection:
            answer = await connection.ask(GET)
            assert not connection.wire.closed
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [entry["status"] for entry in logs if entry["event"] == "http.request"] == [500]


async def test_nobody_is_asked_to_continue_who_was_answered() -> None:
    async def hearing_on(scope: Scope, receive: Receive, send: Send) -> None:
        await in_messages(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    expecting = GET.replace(b"GET", b"POST").replace(
        b"Host", b"Content-Length: 2\r\nExpect: 100-continue\r\nHost"
    )
    async with connected(hearing_on) as connection:
        answer = await connection.ask(expecting)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"100 Continue" not in answer


@pytest.mark.parametrize("app", [whole, in_messages])
@pytest.mark.parametrize(
    "request_bytes",
    [
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"/a", b"/a/"),
        GET.replace(b"/a", b"/a/").replace(b"GET", b"HEAD"),
        GET.replace(b"Host", b"Connection: close\r\nHost"),
        GET.replace(b"1.1", b"1.0"),
        GET * 3,
        GET + GET.replace(b"GET", b"HEAD") + GET,
        GET.replace(b"Host", b"Content-Length: 2\r\nHost") + b"{}" + GET,
    ],
)
async def test_what_is_not_so_simple_is_answered_all_the_same(app: ASGIApp, request_bytes: bytes) -> None:
    expected = await usual(request_bytes)
    async with connected(app) as connection:
        assert same(await connection.ask(request_bytes)) == same(expected)
        assert connection.wire.closed == (b"connection: close" in expected)
    assert expected.count(b"HTTP/1.1 200") == request_bytes.count(b"HTTP/")


async def test_a_connection_that_waits_holds_no_answer() -> None:
    async with connected(whole) as connection:
        await connection.ask(GET)
        scope = dict(connection.protocol.scope)
    assert scope.keys() & {KEY, EXCHANGE} == {KEY}
    assert context_of(scope).answer is None


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    async with connected(whole) as connection:
        connection.protocol.pause_writing()
        connection.protocol.data_received(GET)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not connection.wire.pieces
        connection.protocol.resume_writing()
        await connection.settled()
        assert connection.wire.sent.endswith(BODY)


async def test_a_client_that_has_gone_is_counted_and_gets_nothing() -> None:
    with structlog.testing.capture_logs() as logs:
        async with connected(whole) as connection:
            connection.protocol.data_received(GET)
            connection.protocol.connection_lost(None)
            await connection.settled()
            assert not connection.wire.pieces
    assert [entry["status"] for entry in logs if entry["event"] == "http.request"] == [200]


async def test_each_answer_is_logged_once() -> None:
    with structlog.testing.capture_logs() as logs:
        async with connected(whole) as connection:
            await connection.ask(GET)
            await connection.ask(GET.replace(b"GET", b"HEAD"))
            await connection.ask(GET * 2)
    events = [entry for entry in logs if entry["event"] == "http.request"]
    assert [(event["method"], event["status"]) for event in events] == [
        ("GET", 200),
        ("HEAD", 200),
        ("GET", 200),
        ("GET", 200),
    ]
