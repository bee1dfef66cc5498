"""Follow a job by server-sent events."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from features.jobs.tests.conftest import Work
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import PATIENCE_S


@dataclass(frozen=True)
class Event:
    id: int
    event: str
    data: dict[str, Any]


async def parse(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


async def replay(client: httpx.AsyncClient, job_id: str, last: int | None = None) -> list[Event]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = await client.get(f"/api/v1/jobs/{job_id}/events", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    return [event async for event in parse(answer.aiter_lines())]


async def test_an_ended_job_is_replayed_from_the_start(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.finished()
    events = await replay(client, job.id)
    assert [event.id for event in events] == list(range(1, job.last_event + 1))
    assert [event.event for event in events] == ["state", "state", "phase", "state"]
    assert [event.data["state"] for event in events] == ["queued", "running", "running", "succeeded"]
    assert events[-1].data == (await client.get(f"/api/v1/jobs/{job.id}")).json()["data"]


async def test_last_event_id_continues_after_it(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.finished()
    everything = await replay(client, job.id)
    for last in range(job.last_event):
        assert await replay(client, job.id, last) == everything[last:]


async def test_after_the_final_event_clients_are_told_to_stop(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.finished()
    for last in (job.last_event, job.last_event + 100):
        answer = await client.get(f"/api/v1/jobs/{job.id}/events", headers={"Last-Event-ID": str(last)})
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["x", "-1", "99999999999", "9" * 5000, "1.5", "", " ", "0x1", "\u0661"])
async def test_what_is_no_number_of_an_event_stands_for_the_beginning(
    client: httpx.AsyncClient, work: Work, last: str
) -> None:
    job = await work.finished()
    answer = await client.get(f"/api/v1/jobs/{job.id}/events", headers={b"Last-Event-ID": last.encode()})
    assert answer.status_code == 200
    assert answer.text.count("\nid: ") + answer.text.startswith("id: ") == job.last_event


async def test_a_stream_lasts_until_the_job_ends(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.enqueue()
    stream = asyncio.create_task(replay(client, job.id))
    run = asyncio.create_task(work.jobs.run(job.id))
    await work.reached.wait()
    assert not stream.done()
    work.opened.set()
    ended = await run
    async with asyncio.timeout(PATIENCE_S):
        events = await stream
    assert [event.id for event in events] == list(range(1, ended.last_event + 1))


@pytest.mark.slow
async def test_events_arrive_as_they_happen_and_a_draining_server_ends_the_stream(
    live_server: StartServer, work: Work
) -> None:
    server = await live_server()
    job = await work.enqueue()
    async with server.client() as client, asyncio.timeout(20):
        async with client.stream("GET", f"/api/v1/jobs/{job.id}/events") as answer:
            events = parse(answer.aiter_lines())
            assert (await anext(events)).data["state"] == "queued"
            run = asyncio.create_task(work.jobs.run(job.id))
            assert (await anext(events)).data["state"] == "running"
            seen = await anext(events)
            assert (seen.event, seen.data["done"]) == ("phase", 5)
        async with client.stream(
            "GET", f"/api/v1/jobs/{job.id}/events", headers={"Last-Event-ID": str(seen.id)}
        ) as answer:
            stopping = asyncio.create_task(server.stop(signal.SIGTERM))
            assert [event async for event in parse(answer.aiter_lines())] == []
        assert await stopping == 0
    work.opened.set()
    assert (await run).state == "succeeded"
