"""The probe app on a loopback port, served as `handover serve` does, and raw connections to it."""

import asyncio
import logging
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from core.app import create_app
from core.observability.logging import flush
from core.server.serve import HTTP
from tests.fixtures.waiting import wait_until
from tests.http.probe import FEATURES, settings_for_probe

Address = tuple[str, int]
ANSWERED_S = 10.0
"""More than any answer takes that is not waiting for a limit."""


@contextmanager
def listening(app: ASGIApp | None = None, *, idle_s: int = 60) -> Iterator[Address]:
    """In a thread of its own, on the server's own event loop. In the end no connection may be left.

    What it logs is written in the end: between two phases of a test nobody would capture it.
    """
    config = uvicorn.Config(
        app or create_app(settings_for_probe(), FEATURES),
        http=HTTP,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=idle_s,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with _log_kept(thread):
                wait_until(lambda: server.started)
                yield listener.getsockname()
                wait_until(lambda: not server.server_state.connections)
        finally:
            server.should_exit = True
            thread.join()
            flush()


@contextmanager
def _log_kept(thread: threading.Thread) -> Iterator[None]:
    """Block in the end of which is written what the thread logs meanwhile."""
    ours = [each for each in logging.getLogger().handlers if type(each).__module__ == flush.__module__]
    kept: list[logging.LogRecord] = []

    def passes(record: logging.LogRecord) -> bool:
        if own := record.thread == thread.ident:
            kept.append(record)
        return not own

    for handler in ours:
        handler.addFilter(passes)
    try:
        yield
    finally:
        for handler in ours:
            handler.removeFilter(passes)
            for record in kept:
                handler.handle(record)


class Client:
    """One end of a connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answers(self, count: int = 1) -> list[bytes]:
        """So many whole ones, with a length each."""
        async with asyncio.timeout(ANSWERED_S):
            return [await self._answer() for _ in range(count)]

    async def rest(self, timeout: float = ANSWERED_S) -> bytes:
        """Everything until the server ends the connection, in one way or another."""
        answers = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(timeout):
                while part := await self.reader.read(65_536):
                    answers += part
        return answers

    async def _answer(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await self.reader.readexactly(length)


@asynccontextmanager
async def client(address: Address) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
