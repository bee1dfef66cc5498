"""Another protocol that a client offers is ignored: requests are answered as they would be without."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from tests.http.listening import Address, client, listening, statuses
from tests.http.wire import connected

BODY = b'{"title": "T"}'
HEAD = b"POST /probe/things HTTP/1.1\r\nHost: localhost\r\n%bContent-Type: application/json\r\n%b\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\n" + BODY[:5] + b"\r\n%x\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n"
NEXT = b"GET /probe/ok HTTP/1.1\r\nHost: localhost\r\n\r\n"
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "in any case": b"CONNECTION:  keep-alive ,\tUPGRADE\t\r\nuPGRADE:\tH2C, foo/2 \r\n",
    "on two lines": b"Upgrade: a\r\nConnection: keep-alive\r\nConnection: upgrade\r\nUpgrade: b\r\n",
}
DIFFERENT = re.compile(rb"(x-request-id|server-timing|date): [^\r]*")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """What the app is given, but for the offer."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    headers = [
        header for header in scope["headers"] if header[0] in (b"host", b"content-type", b"content-length")
    ]
    told = repr((scope["method"], scope["raw_path"], scope["query_string"], headers, body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]}
    )
    await send({"type": "http.response.body", "body": told})


@pytest.fixture
def server() -> Iterator[Address]:
    with listening() as address:
        yield address


def requests(offer: bytes, framing: bytes, body: bytes) -> bytes:
    """Two with the offer around one without it."""
    return (HEAD % (offer, framing) + body) + NEXT + (HEAD % (offer, framing) + body) + NEXT


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize(("framing", "body"), [(LENGTH, BODY), (CHUNKED, CHUNKS)])
async def test_wherever_the_requests_are_split_they_are_answered_alike(
    offer: str, framing: bytes, body: bytes
) -> None:
    async with connected(echo) as connection:
        expected = DIFFERENT.sub(b"", await connection.ask(requests(b"", framing, body)))
    assert statuses(expected) == [200] * 4
    offering = requests(OFFERS[offer], framing, body)

    async def split_at(position: int) -> None:
        async with connected(echo) as connection:
            connection.protocol.data_received(offering[:position])
            await asyncio.sleep(0)  # what has arrived is taken up
            await connection.ask(offering[position:])
            assert DIFFERENT.sub(b"", connection.wire.sent) == expected, position
            assert not connection.wire.closed

    await asyncio.gather(*(split_at(position) for position in range(len(offering))))


async def test_byte_by_byte() -> None:
    async with connected(echo) as connection:
        for byte in requests(OFFERS["h2c"], LENGTH, BODY):
            connection.protocol.data_received(bytes([byte]))
        await connection.settled()
        assert statuses(connection.wire.sent) == [200] * 4


@pytest.mark.parametrize("offer", OFFERS)
async def test_a_body_that_comes_later_is_a_body(server: Address, offer: str) -> None:
    """Even one that reads like a request."""
    async with client(server) as connection:
        hidden = b"GET /probe/crash HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = HEAD % (OFFERS[offer], b"Content-Length: %d\r\n" % len(hidden))
        await connection.send(NEXT + head)
        await connection.answers()  # by now the head was read
        await connection.send(hidden)
        [refused] = await connection.answers()
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert b"Malformed JSON" in refused
        await connection.send(NEXT)
        assert statuses(b"".join(await connection.answers())) == [200]


async def test_the_end_of_the_connection_is_as_was_asked(server: Address) -> None:
    async with client(server) as connection:
        closing = OFFERS["h2c"].replace(b"Connection: ", b"Connection: close, ")
        await connection.send(HEAD % (closing, LENGTH) + BODY + NEXT)
        answer = await connection.rest()
    assert statuses(answer) == [201]
    assert b"connection: close" in answer


async def test_a_tunnel_is_no_offer(server: Address) -> None:
    for target in (b"/probe/ok", b"127.0.0.1:22"):
        async with client(server) as connection:
            await connection.send(b"CONNECT %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % target + NEXT)
            answer = await connection.rest()
        assert statuses(answer) == [400]
        assert b'"success":false' in answer


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("sending", [["-d", BODY.decode()], ["-H", "Transfer-Encoding: chunked", "-d", "@-"]])
async def test_curl(server: Address, sending: list[str]) -> None:
    curl = ["curl", "--silent", "--http2", "--max-time", "10", "-H", "Content-Type: application/json"]
    url = f"http://{server[0]}:{server[1]}/probe/things"
    ran = await asyncio.to_thread(
        subprocess.run, [*curl, *sending, url], input=BODY, capture_output=True, check=True
    )
    assert b'"title":"T"' in ran.stdout


@pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
async def test_java(server: Address, tmp_path: Path) -> None:
    """Its client offers HTTP/2 with every request unless it is told not to."""
    source = tmp_path / "Post.java"
    source.write_text(
        """
        import java.net.URI;
        import java.net.http.*;

        class Post {
            public static void main(String[] arguments) throws Exception {
                var client = HttpClient.newHttpClient();
                for (var turn = 0; turn < 2; turn++) {
                    var request = HttpRequest.newBuilder(URI.create(arguments[0]))
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(arguments[1])).build();
                    var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
                    System.out.println(answer.statusCode());
                }
            }
        }
        """
    )
    url = f"http://{server[0]}:{server[1]}/probe/things"
    ran = await asyncio.to_thread(
        subprocess.run, ["java", str(source), url, BODY.decode()], capture_output=True, timeout=60, check=True
    )
    assert ran.stdout.split() == [b"201", b"201"]
