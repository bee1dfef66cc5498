"""Cancelling a job, whoever runs it."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from core.database.client import Database
from core.jobs import JobContext, JobEnded, JsonObject, queries
from tests.fixtures.waiting import PATIENCE_S
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, COUNT, Gate, written


async def wait_and_obey(context: JobContext) -> JsonObject:
    while True:
        await context.raise_if_stopping()


async def test_a_queued_job_is_cancelled_at_once_and_the_log_says_by_whom(
    make_jobs: MakeJobs, db: Database, logs: list[MutableMapping[str, Any]]
) -> None:
    jobs = make_jobs()
    job = await jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER)
    cancelled = await jobs.cancel(job.id, CALLER)
    assert (cancelled.state, cancelled.cancel_requested) == ("cancelled", True)
    assert cancelled.finished_at is not None
    [told] = [entry for entry in logs if entry["event"] == "job.cancel_requested"]
    assert (told["job_id"], told["actor"]) == (job.id, CALLER.name)
    assert (await jobs.run(job.id)).state == "cancelled"
    assert await written(db, job.id) == []
    assert [(event.kind, event.snapshot.state) for event in await jobs.events_after(job.id, 0)] == [
        ("state", "queued"),
        ("state", "cancelled"),
    ]
    await jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_running_job_stops_at_its_next_batch(
    make_jobs: MakeJobs, db: Database, elsewhere: bool
) -> None:
    gate = Gate(wait_and_obey)
    gate.opened.set()
    jobs = make_jobs(gate.kind, heartbeat_s=0.05 if elsewhere else 10.0)
    job = await jobs.enqueue(db, "test.gate", {}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))
    await gate.reached.wait()
    asked = await (make_jobs() if elsewhere else jobs).cancel(job.id, CALLER)
    assert asked.cancel_requested
    async with asyncio.timeout(PATIENCE_S):
        ended = await run
    assert (ended.state, ended.error) == ("cancelled", None)
    assert gate.stopped_by == ["JobCancelled"]
    assert [event.kind for event in await jobs.events_after(job.id, 0)] == [
        "state",
        "state",
        "cancel",
        "state",
    ]


async def test_cancelling_twice_is_once(make_jobs: MakeJobs, db: Database) -> None:
    jobs = make_jobs()
    job = await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)
    first = await jobs.cancel(job.id, CALLER)
    second = await jobs.cancel(job.id, CALLER)
    assert second == first


async def test_an_ended_job_cannot_be_cancelled(make_jobs: MakeJobs, db: Database) -> None:
    jobs = make_jobs()
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)).id)
    with pytest.raises(JobEnded, match="already succeeded") as refused:
        await jobs.cancel(job.id, CALLER)
    assert refused.value.status == 409
    assert await jobs.get(job.id) == job


async def test_an_abandoned_job_that_was_cancelled_does_not_start_again(
    make_jobs: MakeJobs, db: Database
) -> None:
    jobs = make_jobs()
    job = await jobs.enqueue(db, "test.count", {"total": 3}, CALLER)
    await queries.claim(db, job.id, [COUNT.kind], owner="dead", lease_s=30.0)
    await jobs.cancel(job.id, CALLER)
    await db.execute_raw("UPDATE jobs SET lease_expires_at = now() - interval '1 second'")
    assert (await jobs.run(job.id)).state == "cancelled"
    assert await written(db, job.id) == []
