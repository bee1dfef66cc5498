"""What the app really sends to PostgreSQL: a socket in between that reads along.

The statements are those of the driver, prepared ones included, with the values that were bound to them.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

_START_UP_CODES = (80877102, 80877103, 80877104)
"""Cancel, TLS and GSS requests, which have no type byte, like the start-up message itself."""


@dataclass(frozen=True)
class Statement:
    """`values` are texts as they were sent; None is NULL."""

    sql: str
    values: tuple[str | None, ...]


@dataclass
class Wire:
    """`url` leads to the same database, through the socket. `statements` grow while it is used."""

    url: str
    statements: list[Statement] = field(default_factory=list)

    def taken(self) -> list[Statement]:
        """Those since the last time."""
        taken, self.statements = self.statements, []
        return taken


class _Reader:
    """The client's half of one connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.buffer = b""
        self.started = False
        self.prepared: dict[bytes, str] = {}

    def feed(self, data: bytes) -> None:
        self.buffer += data
        while (message := self._next()) is not None:
            kind, body = message
            if kind == b"P":
                name, sql, _ = body.split(b"\0", 2)
                self.prepared[name] = sql.decode()
            elif kind == b"B":
                _, name, rest = body.split(b"\0", 2)
                self.wire.statements.append(Statement(self.prepared[name], _values(rest)))

    def _next(self) -> tuple[bytes, bytes] | None:
        head = 1 if self.started else 0
        if len(self.buffer) < head + 4:
            return None
        [length] = struct.unpack_from("!i", self.buffer, head)
        if len(self.buffer) < head + length:
            return None
        kind, body = self.buffer[:head], self.buffer[head + 4 : head + length]
        self.buffer = self.buffer[head + length :]
        if not self.started and struct.unpack_from("!i", body)[0] not in _START_UP_CODES:
            self.started = True
        return kind, body


def _values(rest: bytes) -> tuple[str | None, ...]:
    [formats] = struct.unpack_from("!h", rest)
    assert not any(struct.unpack_from(f"!{formats}h", rest, 2)), "a value was sent in binary form"
    place = 2 + 2 * formats
    [count] = struct.unpack_from("!h", rest, place)
    place += 2
    values: list[str | None] = []
    for _ in range(count):
        [length] = struct.unpack_from("!i", rest, place)
        place += 4
        values.append(None if length < 0 else rest[place : place + length].decode())
        place += max(length, 0)
    return tuple(values)


@asynccontextmanager
async def tapped(url: str, folder: Path) -> AsyncIterator[Wire]:
    """`folder` takes the socket; its path must be short."""
    parts = urlsplit(url)
    wire = Wire(parts._replace(netloc=_user(parts.netloc), query=urlencode({"host": str(folder)})).geturl())
    relays: set[asyncio.Task[None]] = set()

    async def serve(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, requests = await _connect(url)
        reading = _Reader(wire)
        relays.add(asyncio.create_task(_relay(client, requests, reading)))
        relays.add(asyncio.create_task(_relay(server, answers, None)))

    listener = await asyncio.start_unix_server(serve, folder / ".s.PGSQL.5432")
    try:
        yield wire
    finally:
        listener.close()
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _relay(source: asyncio.StreamReader, target: asyncio.StreamWriter, reading: _Reader | None) -> None:
    try:
        while data := await source.read(65536):
            if reading is not None:
                reading.feed(data)
            target.write(data)
            await target.drain()
    finally:
        target.close()


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    port = parts.port or 5432
    folder = parse_qs(parts.query).get("host")
    if folder:
        return await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.{port}")
    return await asyncio.open_connection(parts.hostname or "127.0.0.1", port)


def _user(netloc: str) -> str:
    user, found, _ = netloc.rpartition("@")
    return f"{user}@" if found else ""
