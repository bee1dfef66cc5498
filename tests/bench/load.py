"""The load: wrk where it is installed, else a small client of our own."""

import asyncio
import json
import random
import shutil
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, cast

SCRIPT: Final = Path(__file__).with_name("requests.lua")
ANSWER_TIMEOUT_S: Final = 10.0
HEADERS_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: str = ""

    def __str__(self) -> str:
        """A line of the file that `requests.lua` reads."""
        return f"{self.method}\t{self.path}\t{self.body}"

    def bytes_for(self, port: int) -> bytes:
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        if not self.body:
            return f"{head}\r\n".encode()
        body = self.body.encode()
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some seconds of load. Latencies are milliseconds; `failed` counts answers that were not a
    success, and connections that broke.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class Generator(Protocol):
    name: str

    async def run(
        self, port: int, requests: Sequence[Request], *, seconds: float, connections: int
    ) -> Load: ...


class Wrk:
    """One thread: the servers need the other cores."""

    name = "wrk"

    def __init__(self, folder: Path) -> None:
        self._requests = folder / "requests.txt"

    async def run(self, port: int, requests: Sequence[Request], *, seconds: float, connections: int) -> Load:
        self._requests.write_text("\n".join(map(str, requests)) + "\n", encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", str(max(1, round(seconds))), "--timeout", str(round(ANSWER_TIMEOUT_S))),
            *("--script", str(SCRIPT), f"http://127.0.0.1:{port}{requests[0].path}", "--", self._requests),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        result = output.rpartition(b"RESULT ")[2]
        if process.returncode or not result.startswith(b"{"):
            raise RuntimeError(f"wrk failed: {output.decode(errors='replace')}")
        load = Load(**json.loads(result))
        # wrk does not count the requests that it was waiting for at the end.
        return load if load.requests else replace(load, failed=max(load.failed, connections))


class OwnClient:
    """One request at a time on each connection, bytes in and bytes out."""

    name = "the bench's own client"

    async def run(self, port: int, requests: Sequence[Request], *, seconds: float, connections: int) -> Load:
        loop = asyncio.get_running_loop()
        prepared = [request.bytes_for(port) for request in requests]
        started = time.perf_counter()
        deadline = started + seconds
        opened = [
            await loop.create_connection(lambda: Connection(prepared, deadline), "127.0.0.1", port)
            for _ in range(connections)
        ]
        clients = [client for _, client in opened]
        await asyncio.wait([client.ended for client in clients], timeout=seconds + ANSWER_TIMEOUT_S)
        took = time.perf_counter() - started
        for transport, _ in opened:
            transport.close()
        latencies = sorted(1000 * each for client in clients for each in client.latencies)
        # A connection that is still waiting, or broke, has lost the request that it was about.
        failed = sum(client.failed + (not client.complete) for client in clients)
        if not latencies:
            return Load(0, took, 0, 0, failed)
        p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
        return Load(len(latencies), took, p50, p99, failed)


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete. Answers have a Content-Length."""

    def __init__(self, requests: Sequence[bytes], deadline: float) -> None:
        self.latencies: deque[float] = deque()
        self.failed = 0
        self.complete = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._deadline = deadline
        self._sent = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._sent >= self._deadline:
            self.complete = True
            self._transport.close()
            return
        self._transport.write(random.choice(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer = data if not self._buffer else self._buffer + data
        end = self._buffer.find(HEADERS_END)
        if end < 0:
            return
        head = self._buffer[:end].lower()
        place = head.find(LENGTH)
        if place < 0:
            self._transport.close()
            return
        length = int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + len(HEADERS_END) + length:
            return
        self._buffer = b""
        self.latencies.append(time.perf_counter() - self._sent)
        self.failed += head[9:10] != b"2"
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def generator(folder: Path) -> Generator:
    return Wrk(folder) if shutil.which("wrk") else OwnClient()
