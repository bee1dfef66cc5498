"""A client that ends its side of a connection gets the answers to what it asked."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from tests.fixtures.waiting import wait_for
from tests.http.listening import Address, client, listening, statuses

BODY = b'{"title": "T"}'
POST = (
    b"POST /probe/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY
GET = b"GET /probe/ok HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def server() -> Iterator[Address]:
    with listening() as address:
        yield address


async def answered(server: Address, sent: bytes) -> bytes:
    """After all of it was sent and the client's side ended."""
    async with client(server) as connection:
        await connection.send(sent)
        connection.writer.write_eof()
        return await connection.rest()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (POST, [201]),
        (GET + POST + GET, [200, 201, 200]),
        (GET.replace(b"/ok", b"/lines?count=1000"), [200]),
        (GET.replace(b"/ok", b"/crash"), [500]),
        (GET.replace(b"1.1", b"1.0"), [200]),
        (GET + GET[:20], [200]),
        (b"", []),
        (GET[:20], []),
    ],
)
async def test_whole_requests_are_answered(server: Address, sent: bytes, expected: list[int]) -> None:
    for _ in range(10):
        answers = await answered(server, sent)
        assert statuses(answers) == expected
        assert answers.lower().count(b"connection: close") <= 1
    if b"lines" in sent:
        assert answers.endswith(b'{"line": 999}\n\r\n0\r\n\r\n')


@pytest.mark.parametrize("path", ["/probe/things", "/probe/stream?limit=5000", "/probe/file"])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\n--b", b"Transfer-Encoding: chunked\r\n\r\n9\r\n--b"]
)
async def test_half_a_body_is_refused(server: Address, path: str, framing: bytes) -> None:
    kind = b"multipart/form-data; boundary=b" if path == "/probe/file" else b"application/json"
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\n" % (path.encode(), kind)
    answers = await answered(server, GET + head + framing)
    assert statuses(answers) == [200, 400]
    assert b'"success":false,"message":"The request ended before its body was complete"' in answers


class Events:
    """An endless answer of one kind. `ended` tells that nobody is being sent to any more."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type
        self.begun = False
        self.ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = StreamingResponse(self._beats(), media_type=self.media_type)
        try:
            await response(scope, receive, send)
        finally:
            self.ended = True

    async def _beats(self) -> AsyncIterator[bytes]:
        self.begun = True
        while True:
            yield b"data: beat\n\n"
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("behind", [b"", GET])
async def test_event_streams_end_with_their_client(early: bool, behind: bytes) -> None:
    """Whether it ends its side before the stream begins or later, and also when another request waits."""
    events = Events("text/event-stream")
    with listening(events) as address:
        async with client(address) as connection:
            await connection.send(GET + behind)
            if not early:
                await connection.reader.readuntil(b"beat")
            connection.writer.write_eof()
            await connection.rest()
        await wait_for(lambda: (events.begun and events.ended) or (early and events.ended))


@pytest.mark.parametrize("media_type", ["text/event-stream", "application/x-ndjson"])
@pytest.mark.parametrize("behind", [b"", GET])
async def test_streams_end_when_nobody_is_there(media_type: str, behind: bytes) -> None:
    """Also when another request waits behind them."""
    events = Events(media_type)
    with listening(events) as address:
        async with client(address) as connection:
            await connection.send(GET + behind)
            await connection.reader.readuntil(b"beat")
        await wait_for(lambda: events.ended)


async def test_a_stream_goes_on_for_a_client_that_only_ended_its_side() -> None:
    events = Events("application/x-ndjson")
    with listening(events) as address:
        async with client(address) as connection:
            await connection.send(GET)
            await connection.reader.readuntil(b"beat")
            connection.writer.write_eof()
            for _ in range(20):
                await connection.reader.readuntil(b"beat")
            assert not events.ended
        await wait_for(lambda: events.ended)
