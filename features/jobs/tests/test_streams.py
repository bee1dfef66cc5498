"""Many event streams on a real server: all get everything, others are not held up, places become free."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from features.jobs.service import MOST_STREAMS
from features.jobs.tests.conftest import Work
from tests.fixtures.servers import LiveServer, StartServer
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow


class Stream:
    """One connection of its own; less work for the test than a client with a pool."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0

    @classmethod
    async def open(cls, server: LiveServer, job_id: str, last: int = 0, *, key: str = "") -> "Stream":
        place = urlsplit(server.base_url)
        stream = cls(*await asyncio.open_connection(place.hostname, place.port))
        head = f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n"
        stream.writer.write(f"{head}Authorization: Bearer {key}\r\n\r\n".encode())
        stream.status = int((await stream.reader.readuntil(b"\r\n\r\n"))[9:12])
        return stream

    async def ids(self) -> list[int]:
        """Of all events until the server ends the stream."""
        ids = []
        while (line := await self.reader.readline()) not in (b"", b"0\r\n"):
            if line.startswith(b"id: "):
                ids.append(int(line[4:]))
        return ids

    async def begun(self) -> int:
        while not (line := await self.reader.readline()).startswith(b"id: "):
            assert line
        return int(line[4:])


@asynccontextmanager
async def opened(*waiting: asyncio.Future[Stream]) -> AsyncIterator[list[Stream]]:
    streams = await asyncio.gather(*waiting)
    try:
        yield streams
    finally:
        for stream in streams:
            stream.writer.close()


async def test_hundreds_of_streams_get_all_events_while_others_are_answered(
    live_server: StartServer, work: Work
) -> None:
    server = await live_server()
    jobs = [await work.enqueue() for _ in range(20)]
    opening = [asyncio.ensure_future(Stream.open(server, job.id, n % 2)) for n in range(20) for job in jobs]
    async with server.client() as client, opened(*opening) as streams, asyncio.timeout(60):
        assert {stream.status for stream in streams} == {200}
        reading = [asyncio.create_task(stream.ids()) for stream in streams]
        runs = [asyncio.create_task(work.jobs.run(job.id)) for job in jobs]
        for number in range(20):
            began = time.monotonic()
            assert (await client.get(f"/api/v1/jobs?limit=10&offset={number}")).status_code == 200
            assert time.monotonic() - began < 5
        work.opened.set()
        ended = {job.id: job for job in await asyncio.gather(*runs)}
        found = await asyncio.gather(*reading)
        for place, ids in enumerate(found):
            last = ended[jobs[place % 20].id].last_event
            assert ids == list(range(1 + place // 20 % 2, last + 1))


async def test_streams_beyond_the_bound_are_refused_until_one_goes(
    live_server: StartServer, work: Work
) -> None:
    server = await live_server()
    job = await work.enqueue()
    opening = [asyncio.ensure_future(Stream.open(server, job.id)) for _ in range(MOST_STREAMS + 100)]
    path = f"/api/v1/jobs/{job.id}/events"
    async with server.client() as client, opened(*opening) as streams:
        assert sorted({stream.status for stream in streams}) == [200, 503]
        assert sum(stream.status == 200 for stream in streams) == MOST_STREAMS
        refused = await client.get(path)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert (await client.get("/api/items")).status_code == 200
        next(stream for stream in streams if stream.status == 200).writer.close()

        async def taken() -> bool:
            async with opened(asyncio.ensure_future(Stream.open(server, job.id))) as [again]:
                return again.status == 200

        await wait_for(taken)
