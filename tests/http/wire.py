"""A connection to an app behind the outermost middleware, through the real server's protocol."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from core.http.request.middleware import ClientResolver, RequestMiddleware
from core.server.protocol import HttpProtocol
from tests.fixtures.waiting import wait_for

DATE = (b"date", b"Sat, 01 Feb 2025 00:00:00 GMT")


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False
        self.paused = False
        """Whether the server reads no more."""

    @property
    def sent(self) -> bytes:
        return b"".join(self.pieces)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.pieces.append(b"".join(list_of_data))

    def close(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Connection:
    def __init__(self, protocol: HttpProtocol, wire: Wire) -> None:
        self.protocol = protocol
        self.wire = wire

    async def ask(self, request: bytes) -> bytes:
        """What is sent until all requests so far have been dealt with."""
        before = len(self.wire.sent)
        self.protocol.data_received(request)
        await self.settled()
        return self.wire.sent[before:]

    async def settled(self) -> None:
        await wait_for(lambda: not self.protocol.tasks and not self.protocol.pipeline)


@asynccontextmanager
async def connected(app: ASGIApp, *, idle_s: int = 60) -> AsyncIterator[Connection]:
    state = ServerState()
    state.default_headers = [DATE]
    wire = Wire()
    layers = RequestMiddleware(app, clients=ClientResolver([]))
    config = uvicorn.Config(layers, log_config=None, access_log=False, timeout_keep_alive=idle_s)
    protocol = HttpProtocol(config, state, {})
    protocol.connection_made(wire)
    yield Connection(protocol, wire)
    protocol.connection_lost(None)
