"""No connection stays for good: each state that its client leaves it in has a limit."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.fixtures.waiting import wait_for
from tests.http.listening import Address, client, listening, statuses
from tests.http.wire import connected

pytestmark = pytest.mark.slow

SHORT_S = 0.4
LONG_S = 60.0
GET = b"GET /probe/ok HTTP/1.1\r\nHost: localhost\r\n\r\n"
UNREAD = GET.replace(b"Host", b"Content-Length: 100\r\nHost")
CHUNKED = GET.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost")
MEGABYTES_20 = 20 * 1024 * 1024

Set = Callable[[str, float], None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Set:
    """All limits are long, but for the one that is set."""
    module = "core.server.protocol"
    for name in ("HEAD_S", "UNREAD_S", "LINGER_S"):
        monkeypatch.setattr(f"{module}.{name}", LONG_S)
    monkeypatch.setattr(f"{module}.CHECK_S", SHORT_S / 4)
    return lambda name, seconds: monkeypatch.setattr(f"{module}.{name}", seconds)


async def ended(address: Address, sent: bytes, trickle: bytes = b"") -> bytes:
    """Everything until the server has ended the connection, to which the trickle is sent again and again."""
    async with client(address) as connection:
        await connection.send(sent)
        answers = asyncio.ensure_future(connection.rest())
        while not answers.done():
            connection.writer.write(trickle)
            await asyncio.wait([answers], timeout=SHORT_S / 10)
        return await answers


async def test_a_head_that_does_not_arrive(limit: Set) -> None:
    cases = [
        (b"", b""),
        (b"", b"\r\n"),
        (b"G", b""),
        (GET[:-2], b"A: b\r\n"),
        (b"GET /probe/", b"a"),
        (GET + b"G", b""),
        (GET + GET[:-2], b"A: b\r\n"),
    ]
    limit("HEAD_S", SHORT_S)
    with listening() as address:
        every = await asyncio.gather(*(ended(address, sent, trickle) for sent, trickle in cases))
    for (sent, _), answers in zip(cases, every, strict=True):
        assert statuses(answers) == [200] * sent.count(GET) + [408], sent
        assert b'"success":false' in answers


async def test_an_answered_client_that_is_silent_or_sends_no_request(limit: Set) -> None:
    cases = [
        (GET, b""),
        (GET + b"\r\n", b""),
        (GET + b"\r\n", b"\r\n"),
        (UNREAD, b""),
        (UNREAD + b"a", b""),
        (UNREAD, b"a"),
        (CHUNKED, b""),
        (CHUNKED + b"1\r\na\r\n", b""),
        (CHUNKED, b"1\r\na\r\n"),
        (CHUNKED + b"1", b";a"),
        (CHUNKED + b"0\r\n", b"A: b\r\n"),
    ]
    with listening(idle_s=1) as address:
        every = await asyncio.gather(*(ended(address, sent, trickle) for sent, trickle in cases))
    for (sent, _), answers in zip(cases, every, strict=True):
        assert statuses(answers) == [200], sent


async def test_a_few_hundred_of_them(limit: Set) -> None:
    """While they last, another client gets in."""
    with listening(idle_s=1) as address:
        many = [asyncio.ensure_future(ended(address, UNREAD + b"a")) for _ in range(300)]
        async with client(address) as connection:
            await connection.send(GET)
            assert statuses(b"".join(await connection.answers())) == [200]
        assert {tuple(statuses(answers)) for answers in await asyncio.gather(*many)} == {(200,)}


async def test_who_goes_on_sending_after_the_last_answer(limit: Set) -> None:
    limit("LINGER_S", SHORT_S)
    with listening() as address:
        async with client(address) as connection:
            await connection.send(GET.replace(b"Host: localhost", b"A: b"))
            assert statuses(await connection.rest()) == [400]
            with suppress(ConnectionError):
                async with asyncio.timeout(LONG_S / 2):
                    while True:
                        await connection.send(b"a" * 1000)
                        await asyncio.sleep(0)


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"a" * MEGABYTES_20)(scope, receive, send)


async def events(scope: Scope, receive: Receive, send: Send) -> None:
    async def beats() -> AsyncIterator[bytes]:
        while True:
            yield b"data: %b\n\n" % (b"a" * 10_000)
            await asyncio.sleep(0)

    await StreamingResponse(beats(), media_type="text/event-stream")(scope, receive, send)


async def download(scope: Scope, receive: Receive, send: Send) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(320):
            yield b"a" * (MEGABYTES_20 // 320)

    headers = {"content-length": str(MEGABYTES_20)}
    await StreamingResponse(parts(), headers=headers)(scope, receive, send)


class Ended:
    """Counts the calls of the app that have ended; all connections are waited for by `listening`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.ended = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        self.ended += 1


@pytest.mark.parametrize("app", [whole, events, download])
async def test_an_answer_that_is_not_read(limit: Set, app: ASGIApp) -> None:
    asked = [
        GET,
        GET * 3,
        GET.replace(b"Host", b"Connection: close\r\nHost"),
        GET + b"x",
        GET.replace(b"1.1", b"1.0"),
    ]
    limit("UNREAD_S", SHORT_S)
    watched = Ended(app)
    # The server's connections have to end while the client's ends are still open.
    with ExitStack() as clients, listening(watched) as address:
        for sent in asked:
            connection = clients.enter_context(socket.socket())
            connection.connect(address)
            connection.sendall(sent)
        await wait_for(lambda: watched.ended == len(asked))


async def test_a_slow_reader_is_not_cut_off(limit: Set) -> None:
    """What is in the kernel counts: it takes longer than the limit until this process can send on."""
    limit("UNREAD_S", 6 * SHORT_S)
    await asyncio.gather(*(read_slowly(app) for app in (whole, events, download)))


async def read_slowly(app: ASGIApp) -> None:
    loop = asyncio.get_running_loop()
    with listening(app) as address, socket.socket() as connection:
        connection.connect(address)
        connection.setblocking(False)
        await loop.sock_sendall(connection, GET)
        received = 0
        until = time.monotonic() + 15 * SHORT_S
        while received < MEGABYTES_20:
            part = await loop.sock_recv(connection, 4096)
            assert part, received
            received += len(part)
            if time.monotonic() < until:
                await asyncio.sleep(SHORT_S / 20)


async def one_turn(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.sleep(0)
    await Response()(scope, receive, send)


async def test_who_asks_faster_than_it_is_answered() -> None:
    """What waits for its turn stays few: the rest is left in the network."""
    at_once, turns, sent = 100, 300, 0
    async with connected(one_turn) as connection:
        for _ in range(turns):
            if not connection.wire.paused:
                connection.protocol.data_received(GET * at_once)
                sent += at_once
            assert len(connection.protocol.pipeline) < 2 * at_once
            await asyncio.sleep(0)
        await connection.settled()
        assert sent > at_once
        assert len(statuses(connection.wire.sent)) == sent
