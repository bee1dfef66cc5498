"""A client that does not take its events is dropped, and told where to go on."""

import asyncio

import pytest

from core.database.client import Database
from core.http.answers.event_streams import Reached, sent
from core.jobs import JobEventView
from core.platform import Platform
from core.settings import Settings
from features.jobs.service import JobStreams
from features.jobs.tests.conftest import Work
from tests.fixtures.database import Connection
from tests.fixtures.waiting import PATIENCE_S, wait_for

ADD: str = """
WITH job AS (UPDATE jobs SET last_event = last_event + 1 WHERE id = $1::uuid RETURNING id, last_event)
INSERT INTO job_events (job_id, sequence, kind, data)
SELECT id, last_event, 'progress', (SELECT data FROM job_events WHERE job_id = $1::uuid AND sequence = 1)
FROM job
"""


async def admitted() -> bool:
    return True


async def test_a_slow_client_is_dropped_and_another_goes_on_where_it_was(
    db: Database, connection: Connection, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.changes.streams.reader.MOST_PENDING", 5)
    job = await work.enqueue()
    other = await work.enqueue()
    platform = Platform(Settings(), db, None, work.jobs, dict)  # type: ignore[arg-type]
    streams = platform.part(JobStreams)
    heard: list[JobEventView | Reached | None] = []
    others: list[JobEventView | Reached | None] = []

    async def listen(to: str, into: list[JobEventView | Reached | None]) -> None:
        async for event in streams.follow(await work.jobs.get(to), 0, admitted):
            into.append(event)

    listening = [
        asyncio.create_task(listen(each, into)) for each, into in ((job.id, heard), (other.id, others))
    ]

    def shown(event: JobEventView) -> tuple[str, str]:
        return event.kind, "{}"

    slow = sent(streams.follow(job, 0, admitted), 0, shown)
    first = await anext(slow)
    assert first.id == "1"
    await wait_for(lambda: len(heard) == len(others) == 1)
    for number in range(2, 10):
        await connection.execute(ADD, job.id)
        await wait_for(lambda: len(heard) == number)  # noqa: B023 - waited for at once
    [last] = [event async for event in slow]
    assert (last.event, last.raw_data, last.id) == ("dropped", '{"after":"1"}', None)
    again = streams.follow(await work.jobs.get(job.id), 1, admitted)
    rest = [await anext(again) for _ in range(8)]
    assert rest == heard[1:]
    assert [event.position for event in others if event] == [1]
    platform.draining.set()
    await asyncio.wait_for(asyncio.gather(*listening), PATIENCE_S)
    assert [event async for event in again] == []
