"""Connections that are slow, broken or confusing: others are answered meanwhile, and none stays for good."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from core.server.protocol import HEAD_S
from tests.fixtures.servers import LiveServer, servers
from tests.fixtures.services import TestServices

pytestmark = pytest.mark.slow

HEAD = b"POST /api/items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SLOW_CLIENTS = 200
QUICK_S = 5.0
"""What an honest client waits at most, on a busy machine."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    services: TestServices, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LiveServer]:
    """One for all attacks: none may leave it in another state."""
    async with servers(services, tmp_path_factory.mktemp("server")) as start:
        yield await start()


async def connect(server: LiveServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.base_url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def talk(server: LiveServer, sent: bytes) -> bytes:
    """Everything that the server answers until it closes, or pauses for a second."""
    reader, writer = await connect(server)
    answer = b""
    try:
        writer.write(sent)
        await writer.drain()
        while True:
            async with asyncio.timeout(1):
                part = await reader.read(65_536)
            if not part:
                break
            answer += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


async def answers_quickly(server: LiveServer) -> None:
    started = time.monotonic()
    async with server.client() as client:
        assert (await client.get("/api/items?limit=1")).status_code == 200
    assert time.monotonic() - started < QUICK_S


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /",
        HEAD,
        HEAD + b"Content-Length: 100\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
async def test_slow_clients_do_not_keep_others_waiting(server: LiveServer, sent: bytes) -> None:
    connections = [await connect(server) for _ in range(SLOW_CLIENTS)]
    for _, writer in connections:
        writer.write(sent)
    await asyncio.gather(*(writer.drain() for _, writer in connections))
    await answers_quickly(server)
    for _, writer in connections:
        writer.close()
    await answers_quickly(server)


SMUGGLED = b"GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n"
CONFUSING = {
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}",
    "length and chunks": HEAD
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "chunks twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "a huge length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "a length in words": HEAD + b"Content-Length: ten\r\n\r\n{}",
    "a wrong chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "no version": b"GET /api/items\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "a nul in the path": b"GET /api/items/\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a nul in a header": b"GET /api/items HTTP/1.1\r\nHost: localhost\r\nX-User-Id: a\x00b\r\n\r\n",
    "a folded header": b"GET /api/items HTTP/1.1\r\nHost: localhost\r\nX-User-Id: a\r\n b\r\n\r\n",
    "a long header": b"GET /api/items HTTP/1.1\r\nHost: localhost\r\nX-User-Id: "
    + b"a" * 500_000
    + b"\r\n\r\n",
    "many headers": b"GET /api/items HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 30_000 + b"\r\n",
    "a long path": b"GET /api/items/" + b"a" * 500_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an unknown method": b"BREW /api/items HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an absolute path": b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an upgrade": b"GET /api/items?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "a thousand at once": b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000,
}


ANSWERED = {"a long header": b"431", "many headers": b"431", "a long path": b"414", "a tunnel": b"400"}
"""Where only one status is right."""


async def test_a_head_that_does_not_arrive_is_given_up(server: LiveServer) -> None:
    """Whether nothing of it came, or a part, or a second one after a whole request."""
    whole = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def ended(sent: bytes) -> bytes:
        reader, writer = await connect(server)
        writer.write(sent)
        async with asyncio.timeout(HEAD_S + 10):
            answer = await reader.read()
        writer.close()
        return answer

    nothing, part, second = await asyncio.gather(ended(b""), ended(b"GET / HT"), ended(whole + b"GET / HT"))
    for answer in (nothing, part):
        assert answer.startswith(b"HTTP/1.1 408")
        assert answer.partition(b"\r\n\r\n")[2].startswith(b'{"success":false')
    assert second.startswith(b"HTTP/1.1 200")


async def test_confusing_requests_are_refused_and_do_no_harm(server: LiveServer) -> None:
    for name, sent in CONFUSING.items():
        answer = await talk(server, sent)
        statuses = [line.split()[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]
        assert not any(status.startswith(b"5") for status in statuses), (name, answer[:500])
        assert b"Traceback" not in answer, name
        refused = [status for status in statuses if status.startswith(b"4")]
        assert not refused or b'"success":false' in answer, (name, answer[:500])
        if name in ANSWERED:
            assert statuses == [ANSWERED[name]], (name, answer[:300])
        if name == "length and chunks":
            assert len(statuses) <= 1, "the request inside the body was answered"
        await answers_quickly(server)
    assert "http.crashed" not in server.output()
