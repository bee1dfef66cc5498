"""Two thousand streams on one process: what they cost requests, and how soon a change is told."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx
import pytest

from features.changes.tests.listening import CHANGES, create_item, following
from tests.fixtures.servers import LiveServer, StartServer
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

STREAMS = 2000
ROWS = 100
READS = 200


async def opened(server: LiveServer, query: str) -> asyncio.StreamWriter:
    place = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(f"GET {CHANGES}/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert b" 200 " in (await reader.readuntil(b"\r\n\r\n")).splitlines()[0]
    return writer


def cpu_s(server: LiveServer) -> float:
    """Processor time that the server has used: says more than the clock on a machine that others use too."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Round:
    """Reads of rows, ten for each change: the median, and the server's processor time for one."""

    read_ms: float
    cpu_ms: float

    @classmethod
    async def of(cls, server: LiveServer, client: httpx.AsyncClient, rows: list[str]) -> "Round":
        found, used = [], cpu_s(server)
        for number in range(READS):
            path = f"/api/items/{rows[number // 10 % len(rows)]}"
            if number % 10 == 0:
                assert (await client.put(path, json={"title": f"Title {number}"})).status_code == 200
            start = time.perf_counter()
            assert (await client.get(path)).status_code == 200
            found.append(1000 * (time.perf_counter() - start))
        return cls(median(found), 1000 * (cpu_s(server) - used) / READS)


async def test_many_streams_leave_requests_alone(
    live_server: StartServer, record_property: Callable[[str, object], None]
) -> None:
    server = await live_server()
    async with server.client() as client, AsyncExitStack() as stack:
        rows = [(await create_item(client))["id"] for _ in range(ROWS)]
        await Round.of(server, client, rows)
        before = await Round.of(server, client, rows)
        queries = [f"?entity_id={rows[number % ROWS]}" for number in range(STREAMS)]
        for start in range(0, STREAMS, 100):
            writers = await asyncio.gather(*(opened(server, query) for query in queries[start : start + 100]))
            for writer in writers:
                stack.callback(writer.close)
        crowded = await Round.of(server, client, rows)
        delays = []
        async with following(server) as told:
            for number in range(20):
                title = f"Again {number}"
                assert (await client.put(f"/api/items/{rows[0]}", json={"title": title})).status_code == 200
                answered = time.perf_counter()
                await wait_for(lambda wanted=number + 1: len(told.changes) >= wanted)  # type: ignore[misc]
                delays.append(1000 * (time.perf_counter() - answered))
        began, used = time.monotonic(), cpu_s(server)
        await wait_for(lambda: time.monotonic() - began > 2)
        idle = (cpu_s(server) - used) / (time.monotonic() - began)
        await stack.aclose()
        after = await Round.of(server, client, rows)
    figures = (
        f"{before} before, {crowded} with {STREAMS} streams, {after} after; idle: {idle:.1%} of a processor; "
        f"told {median(delays):.0f} ms after the answer, at most {max(delays):.0f} ms"
    )
    record_property("figures", figures)
    assert idle < 0.2
    assert max(delays) < 5000
